"""What an order may cost and risk: limits near the prices that were told, and room before the venue liquidates.

Judged when the intent is committed: by the quotes that were handed to the daemon, and by the exchange's own wallets,
positions and leverage brackets.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.simulator.model import Book, Listing, Mark
from tests.campaign.audit import Audit
from tests.campaign.truth import MARGIN, ZERO

if TYPE_CHECKING:
    from tests.campaign.world import World

GUARD, REPAIR_GUARD = Decimal("0.0015"), Decimal("0.006")
"""The shipped price guards: beyond the touch by so much, and by so much where a hedge is made whole."""
REPAIRS = ("complete", "unwind")
TOLD_S = 1.0
"""A decision may be as old as this when it is committed, and as long as a slow commit holds the next one up."""
AT_ONCE_S = 0.02
"""A mark that came so short a time before the commit came when the orders were decided already."""
NEVER = Decimal(10) ** 12
ROOM = Decimal("0.24")
"""The shipped warning distance of R7 less a hundredth: marks and wallets move between the decision and the commit."""


class Prudent(Audit):
    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self._touches: dict[str, list[tuple[float, Decimal, Decimal]]] = {}
        """Instrument -> (when, bid, ask) of the quotes of the last second and the one before them, in coins."""

    def touched(self, instrument: str, bid: Decimal, ask: Decimal) -> None:
        """A quote is handed to the daemon."""
        kept, since_s = self._touches.setdefault(instrument, []), self.world.disk.unheard_since_s() - TOLD_S
        while len(kept) > 1 and kept[1][0] < since_s:
            del kept[0]
        kept.append((self._now_s, bid, ask))

    def touch(self, instrument: str) -> tuple[Decimal, ...]:
        """Bid and ask as they were last told; empty before."""
        kept = self._touches.get(instrument)
        return kept[-1][1:] if kept else ()

    def _intended(self, intent: dict[str, Any]) -> None:
        """Note what its limit may be: beyond the worst touch of which the daemon was told just now."""
        told = self._touches.get(str(intent["instrument"]).replace(f":{MARGIN}", ":spot"), [])
        guard = REPAIR_GUARD if intent["purpose"] in REPAIRS else GUARD
        if intent["side"] == "buy":
            intent["limit_worst"] = max((ask for _, _, ask in told), default=ZERO) * (1 + guard)
        else:
            intent["limit_worst"] = min((bid for _, bid, _ in told), default=NEVER) * (1 - guard)

    def near_the_touch(self, intent: Mapping[str, Any]) -> None:
        """10: the worst case of an order is its limit, so that what leaves may not be far from what was quoted."""
        name, price, worst = intent["client_id"], Decimal(intent["limit_price"]), intent["limit_worst"]
        near = price <= worst if intent["side"] == "buy" else price >= worst
        self.check(10, near, f"{name} is at {price}, as quotes stood {worst:.10g} is the worst")

    def far_from_liquidation(self, names: str) -> None:
        """10: with all that may still fill, a joint move of R7's distance leaves the perp wallet its maintenance."""
        coming = self._coming()
        unheard_s = min(self._now_s - AT_ONCE_S, self.world.disk.unheard_since_s())
        late = {symbol for symbol, at_s in self.marked_s.items() if at_s > unheard_s}
        marks = {symbol: self.marks_before[symbol] if symbol in late else mark for symbol, mark in self.marks.items()}
        for move in (1 + ROOM, 1 - ROOM):
            left = max(self.margin_left(move, coming), self.margin_left(move, coming, marks))
            self.check(10, left >= 0, f"{names}: a move to {move} of all marks leaves {left:.0f} of margin")

    def margin_left(
        self,
        move: Decimal,
        coming: Mapping[tuple[str, str], Decimal],
        marks: Mapping[str, Mark] | None = None,
    ) -> Decimal:
        """Of the perp wallet, less its maintenance, once all marks have moved by a factor and `coming` has filled."""
        account, marks = self._account(), self.marks if marks is None else marks
        held = {symbol: (one.quantity, _signed(one.quantity, one.cost)) for symbol, one in account.holdings.items()}
        for coin in self.world.market.coins.values():
            coins = coming.get((coin.name, "long"), ZERO) - coming.get((coin.name, "perp"), ZERO)
            more = coins / coin.multiplier
            mark = marks.get(coin.perp.symbol)
            if more and mark is not None:
                quantity, cost = held.get(coin.perp.symbol, (ZERO, ZERO))
                held[coin.perp.symbol] = quantity + more, cost + more * mark.mark
        left: Decimal = account.perp_wallet
        for symbol, (quantity, cost) in held.items():
            mark = marks.get(symbol)
            if mark is not None:
                value = quantity * mark.mark * move
                listing = self.world.market.by_symbol[Book.PERP, symbol].perp
                left += value - cost - _maintenance(listing, abs(value))
        return left


def _signed(quantity: Decimal, cost: Decimal) -> Decimal:
    """What a position was entered for, negative where it was sold."""
    return cost if quantity > 0 else -cost


def _maintenance(listing: Listing, usd: Decimal) -> Decimal:
    for tier in listing.tiers:
        if usd <= tier.cap_usd:
            return usd * tier.maintenance_rate - tier.cumulative_usd
    return usd / 100
