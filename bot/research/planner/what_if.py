"""What if the price moves by so much in so many minutes, and a top-up takes so long to arrive?

The price moves in a straight line and then stays. When the distance to liquidation (the further joint move that would
liquidate, rule R7's measure) falls below the warning, a top-up is ordered; it counts from `delay_s` later. All times
are in seconds from the start of the move and exact: along a straight line every crossing has a closed form.
"""

from dataclasses import dataclass
from decimal import Decimal

from bot.domain.numbers import text
from bot.domain.planning import PlanError
from bot.research.planner.liquidation import Account, Unified, liquidated_now
from bot.research.planner.sheet import Figure, Sheet, SheetTable, Value, percent_text

ZERO, ONE = Decimal(0), Decimal(1)
ROWS = 10
"""Steps of the timeline; events between them have rows of their own."""


@dataclass(frozen=True, slots=True)
class Shock:
    """A move (fraction, signed) over `seconds`, the warning distance, the delay of a top-up and its reserve.

    `top_up` is in the account's own unit; None asks for what leaves `reserve` of distance after the whole move.
    """

    move: Decimal
    seconds: Decimal
    warn: Decimal
    delay_s: Decimal
    reserve: Decimal
    top_up: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened when; times are seconds, None is never."""

    threatened: bool
    warned_s: Decimal | None
    arrives_s: Decimal | None
    alone_liquidated_s: Decimal | None
    liquidated_s: Decimal | None
    top_up: Decimal
    capital_needed: Decimal

    @property
    def survived(self) -> bool:
        return self.liquidated_s is None

    @property
    def longest_delay_s(self) -> Decimal | None:
        """The slowest top-up that is in time; None where none is needed."""
        if self.alone_liquidated_s is None or self.warned_s is None:
            return None
        return self.alone_liquidated_s - self.warned_s


def run(account: Account, shock: Shock) -> Outcome:
    """Follow the account along the move. Raises PlanError for a move that no account can take."""
    if shock.move == 0 or shock.move <= -1 or shock.seconds <= 0:
        raise PlanError(
            "the move is 0, or a fall of everything, or takes no time; give one such as 40% in 10 minutes"
        )
    if liquidated_now(account):
        raise PlanError("the account would be liquidated before any move; plan a smaller hedge or more equity")
    if account.rises != (shock.move > 0):
        return Outcome(False, None, None, None, None, ZERO, ZERO)
    end = ONE + shock.move
    needed = account.needed(_beyond(account, end, shock.reserve))
    top_up = max(ZERO, needed - account.capital) if shock.top_up is None else shock.top_up
    liquidation = account.factor()
    alone = _reached(shock, liquidation)
    warned = _reached(shock, _before(account, liquidation, shock.warn))
    if warned is not None:
        warned = max(ZERO, warned)
    arrives = None if warned is None or top_up == 0 else warned + shock.delay_s
    liquidated = alone
    if arrives is not None and (alone is None or arrives < alone):
        liquidated = _reached(shock, account.factor(top_up))
    return Outcome(True, warned, arrives, alone, liquidated, top_up, account.needed(end))


def _beyond(account: Account, factor: Decimal, distance: Decimal) -> Decimal:
    """The price factor that is `distance` further along the way to liquidation."""
    return factor * (ONE + distance if account.rises else ONE - distance)


def _before(account: Account, liquidation: Decimal, distance: Decimal) -> Decimal:
    """The price factor from which `liquidation` is `distance` away."""
    return liquidation / (ONE + distance if account.rises else ONE - distance)


def _reached(shock: Shock, factor: Decimal) -> Decimal | None:
    """When the price is at `factor` (negative: before the start); None where the move does not go so far."""
    at_s = shock.seconds * (factor - ONE) / shock.move
    return at_s if at_s <= shock.seconds else None


def factor_at(shock: Shock, at_s: Decimal) -> Decimal:
    """P/P0 at a time."""
    return ONE + shock.move * min(at_s, shock.seconds) / shock.seconds


def liquidation_at(account: Account, outcome: Outcome, at_s: Decimal) -> Decimal:
    """P/P0 at liquidation at a time: it moves away when the top-up has arrived."""
    arrived = outcome.arrives_s is not None and at_s >= outcome.arrives_s
    return account.factor(outcome.top_up if arrived else ZERO)


def timeline(account: Account, shock: Shock, outcome: Outcome) -> SheetTable:
    """Price, liquidation price and distance at equal steps and at every event, up to the end or the liquidation."""
    events = {
        outcome.warned_s: "warning: top-up ordered" if outcome.top_up else "warning",
        outcome.arrives_s: "top-up arrives",
        outcome.liquidated_s: "liquidated",
    }
    times = {shock.seconds * step / ROWS for step in range(ROWS + 1)} | {at for at in events if at is not None}
    last = outcome.liquidated_s
    rows: list[dict[str, Value]] = []
    for at_s in sorted(each for each in times if last is None or each <= last):
        now, gone = factor_at(shock, at_s), liquidation_at(account, outcome, at_s)
        rows.append(
            {
                "at_s": at_s,
                "price_factor": now,
                "liquidation_factor": gone,
                "distance": abs(gone / now - ONE),
                "event": events.get(at_s, ""),
            }
        )
    columns = (
        ("at_s", "after", "seconds"),
        ("price_factor", "price / start", "number"),
        ("liquidation_factor", "liquidation / start", "number"),
        ("distance", "distance", "percent"),
        ("event", "event", "text"),
    )
    return SheetTable("timeline", "Minute by minute", columns, tuple(rows))


def what_if(account: Account, shock: Shock) -> Sheet:
    """The outcome as a sheet."""
    outcome = run(account, shock)
    unit = "coin" if isinstance(account, Unified) else "usd"
    move = ("+" if shock.move > 0 else "") + percent_text(shock.move)
    title = f"A move of {move} in {text(shock.seconds / 60)} min, top-up after {text(shock.delay_s)} s"
    figures = (
        Figure("survived", "survives", outcome.survived),
        Figure("threatened", "threatened by this direction at all", outcome.threatened),
        Figure("warned_s", "warning after", outcome.warned_s, "seconds"),
        Figure("top_up_arrives_s", "top-up arrives after", outcome.arrives_s, "seconds"),
        Figure("liquidated_s", "liquidated after", outcome.liquidated_s, "seconds"),
        Figure(
            "liquidated_without_top_up_s", "liquidated without top-up after", outcome.alone_liquidated_s, "seconds"
        ),
        Figure("longest_delay_s", "slowest top-up that is in time", outcome.longest_delay_s, "seconds"),
        Figure(f"top_up_{unit}", "top-up", outcome.top_up, unit),
        Figure(f"capital_needed_{unit}", "capital that survives it without a top-up", outcome.capital_needed, unit),
    )
    return Sheet(title, figures, (timeline(account, shock, outcome),), (_verdict(outcome, shock),))


def _verdict(outcome: Outcome, shock: Shock) -> str:
    if not outcome.threatened:
        return "this account cannot be liquidated by a move in this direction"
    if outcome.survived and outcome.alone_liquidated_s is not None:
        return "it survives because the top-up is in time"
    if outcome.survived:
        return "it survives without a top-up"
    if outcome.warned_s is None or outcome.arrives_s is None:
        return "nothing is topped up: hold more capital or a smaller hedge"
    assert outcome.liquidated_s is not None
    if outcome.arrives_s < outcome.liquidated_s:
        return "the top-up is too small: order more"
    return (
        "the top-up is late: hold more capital, warn earlier, or be faster than "
        f"{outcome.longest_delay_s or ZERO:.0f} s; the move takes {text(shock.seconds)} s"
    )
