"""A backtest: the daemon's own engine over recorded bars, and what it earned beside what could have been earned."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bot.domain import actions as act
from bot.domain.config import CoreConfig
from bot.domain.instruments import Kind, instrument_id
from bot.domain.limits import coin_cap_usd
from bot.domain.time import DAY_MS, YEAR_H
from bot.domain.valuation import nav_usd
from bot.engine.deciding import TRIMMED
from bot.research import yardstick
from bot.research.attribution import PARTS, Attribution, summed
from bot.research.bars import GRID_MS, BarMarket, Costs
from bot.research.direct import VENUE
from bot.research.forced_by_year import FarMove, ForcedRow, as_views, far_moves, forced_rows
from bot.research.recordings import Recording
from bot.research.replay import BarSession
from bot.research.rule_actions import RuleAction, action_view, counts, rule_action
from bot.risk.rules import r11_stale
from bot.simulator.loan_model import LoanModel
from bot.simulator.market.table import HistoryError

CASH_USD = Decimal(1_000_000)
PROGRESS_EVERY = 100

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: `from_ms` and `until_ms` (exclusive) in UTC ms, both at midnight."""

    from_ms: int
    until_ms: int
    config: CoreConfig
    costs: Costs = field(default_factory=Costs)
    grid_ms: int = GRID_MS
    cash_usd: Decimal = CASH_USD
    loans: LoanModel = field(default_factory=LoanModel)
    """What coins cost to borrow where `reverse_carry` is one of the strategies."""


@dataclass(frozen=True, slots=True)
class YearRow:
    """One calendar year, everything a fraction of NAV, arithmetic; parts are signed as P&L and sum to `net`."""

    year: int
    net: float
    drawdown: float
    deployed: float
    turnover: float
    foresight: float
    share: float | None
    """net / foresight; None where foresight earned nothing."""
    funding: float
    fees: float
    slippage: float
    basis: float
    borrow: float
    trades: int


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Another book over the same time: net and mean deployed by year, fractions of NAV, and its course."""

    name: str
    what: str
    net: dict[int, float]
    deployed: dict[int, float]
    curve: yardstick.Curve | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    question: Question
    coins: tuple[str, ...]
    years: tuple[YearRow, ...]
    total: YearRow
    benchmarks: tuple[Benchmark, ...]
    actions: tuple[RuleAction, ...]
    forced: tuple[ForcedRow, ...]
    far_moves: tuple[FarMove, ...]
    trims: dict[int, int]
    """Year -> how often the strategy trimmed a hedge that had drifted, before R2 asked."""
    events: int
    unfinished: int
    book: Attribution


def run(recordings: Sequence[Recording], question: Question, progress: Progress | None = None) -> Answer:
    """Deterministic: the same recordings and question give the same answer.

    Raises HistoryError for a window in which nothing was recorded.
    """
    until_ms = min(question.until_ms, max(one.last_ms for one in recordings) // DAY_MS * DAY_MS)
    if until_ms <= question.from_ms:
        raise HistoryError("the recordings hold nothing between these dates: choose other dates")
    market = BarMarket(recordings, question.from_ms, until_ms, question.grid_ms, question.costs)
    if not market.coins:
        raise HistoryError("no coin has both legs and rates between these dates: choose other dates")
    watched = _Watch(market, question)
    session = BarSession(market, question.config, cash=question.cash_usd, loans=question.loans, watch=watched)
    total = len(market.times_ms)
    while not session.done:
        index = session.advance()
        watched.close_bar(session, index)
        if progress is not None and (index % PROGRESS_EVERY == 0 or index + 1 == total):
            progress(index + 1, total)
    return _answer(recordings, market, session, question, watched)


class _Watch:
    """Listens to the engine for attribution and for what the rules did."""

    def __init__(self, market: BarMarket, question: Question) -> None:
        self.market = market
        self.attribution = Attribution(float(question.cash_usd), _legs(market))
        self.actions: list[RuleAction] = []
        self.trims: Counter[int] = Counter()

    def __call__(self, action: act.Action, at_ms: int) -> None:
        if isinstance(action, act.Persist):
            self.attribution.take(action.record, at_ms)
        elif isinstance(action, act.Emit):
            by_rule = rule_action(action, at_ms)
            if by_rule is not None:
                if not self._between_candles(by_rule):
                    self.actions.append(by_rule)
            elif action.fields.get("reason") == TRIMMED:
                self.trims[yardstick.year_of(at_ms)] += 1

    def _between_candles(self, action: RuleAction) -> bool:
        """R11 refuses a coin whose candles are longer than the bars at every bar in between: nothing happened."""
        if action.rule != r11_stale.RULE:
            return False
        bar_ms = self.market.times_ms[self.market.index(action.at_ms)]
        return any(bars.coin == action.coin and bar_ms % bars.candle_ms for bars in self.market.coins.values())

    def close_bar(self, session: BarSession, index: int) -> None:
        prices = {
            bars.coin: (
                float(bars.spot[index]),
                float(bars.perp[index]) / bars.scale,
            )
            for bars in self.market.coins.values()
            if bars.coin in self.attribution.holdings
        }
        nav = float(nav_usd(session.state.book))
        self.attribution.close_bar(self.market.times_ms[index], nav, prices, len(session.state.hedges))


def _legs(market: BarMarket) -> dict[str, tuple[str, bool]]:
    """Instrument id -> (coin, whether it is the spot)."""
    found: dict[str, tuple[str, bool]] = {}
    for bars in market.coins.values():
        found[instrument_id(VENUE, bars.spot_listing.symbol, Kind.SPOT)] = bars.coin, True
        found[instrument_id(VENUE, bars.spot_listing.symbol, Kind.MARGIN)] = bars.coin, True
        found[instrument_id(VENUE, bars.symbol, Kind.PERP)] = bars.coin, False
    return found


def _answer(
    recordings: Sequence[Recording], market: BarMarket, session: BarSession, question: Question, watched: _Watch
) -> Answer:
    book, cap = watched.attribution, float(coin_cap_usd(question.config.limits, "", Decimal(1)))
    cost = question.costs.side
    moves = far_moves(market, question.config.universe.core)
    panel = yardstick.panel(recordings)
    window = market.times_ms.start, market.times_ms.stop
    foresight = yardstick.walk(panel, yardstick.foresight(panel, cap, cost), cost)
    best = yardstick.by_year(foresight, *window)
    years = tuple(_year(book, year, best[year].net if year in best else 0.0) for year in sorted(book.turnover))
    return Answer(
        question,
        tuple(bars.coin for bars in market.coins.values()),
        years,
        _total(book, years),
        _benchmarks(panel, foresight, cap, cost, window, question),
        tuple(watched.actions),
        tuple(forced_rows(watched.actions, moves)),
        tuple(moves),
        dict(watched.trims),
        session.seq,
        session.unfinished,
        book,
    )


def _year(book: Attribution, year: int, foresight: float) -> YearRow:
    points = [one for one in book.points if yardstick.year_of(one.at_ms) == year]
    net = sum(one.net for one in points)
    cells = [cell for (day, _), cell in book.days.items() if day.startswith(f"{year}-")]
    parts = {part: sum((cell[which] for cell in cells), 0.0) for which, part in enumerate(PARTS)}
    return YearRow(
        year,
        net,
        yardstick.drawdown([one.net for one in points]),
        sum(one.deployed for one in points) / len(points),
        book.turnover[year],
        foresight,
        net / foresight if foresight > 0 else None,
        trades=book.traded[year],
        **parts,
    )


def _total(book: Attribution, years: Sequence[YearRow]) -> YearRow:
    net, foresight = sum(one.net for one in years), sum(one.foresight for one in years)
    return YearRow(
        0,
        net,
        yardstick.drawdown([one.net for one in book.points]),
        sum(one.deployed for one in book.points) / len(book.points),
        sum(one.turnover for one in years),
        foresight,
        net / foresight if foresight > 0 else None,
        trades=sum(one.trades for one in years),
        **{part: sum(getattr(one, part) for one in years) for part in PARTS},
    )


def _benchmarks(
    panel: yardstick.Panel,
    best: yardstick.Curve,
    cap: float,
    cost: float,
    window: tuple[int, int],
    question: Question,
) -> tuple[Benchmark, ...]:
    core = yardstick.walk(panel, yardstick.always_on(panel, cap, lambda coin: coin in ("BTC", "ETH")), cost)
    every = yardstick.walk(panel, yardstick.always_on(panel, cap, lambda _: True), cost)
    found = []
    for name, what, curve in (
        ("foresight", "perfect foresight: the best in and out of each coin at its cap", best),
        ("btc_eth", "always in BTC and ETH, each at its cap", core),
        ("equal_weight", "always in every coin, each at its cap", every),
    ):
        rows = yardstick.by_year(curve, *window)
        found.append(
            Benchmark(
                name,
                what,
                {year: one.net for year, one in rows.items()},
                {year: one.deployed for year, one in rows.items()},
                yardstick.part(curve, *window),
            )
        )
    rate = question.config.limits.cash_rate
    cash = {year: rate * one / YEAR_H for year, one in _hours(window).items()}
    found.append(Benchmark("cash", f"the owner's cash rate, {rate:.2%} a year", cash, dict.fromkeys(cash, 0.0)))
    return tuple(found)


def _hours(window: tuple[int, int]) -> dict[int, float]:
    found: dict[int, float] = {}
    for day_ms in range(window[0], window[1], DAY_MS):
        year = yardstick.year_of(day_ms)
        found[year] = found.get(year, 0.0) + 24.0
    return found


def as_json(answer: Answer) -> dict[str, Any]:
    """The fixed names: `years[year, net, drawdown, deployed, turnover, foresight, share]`, and more beside them."""
    book = answer.book
    months = book.months()
    coins = summed(book.days, lambda _: "all")
    return {
        "years": [_row(one) for one in answer.years],
        "total": {key: value for key, value in _row(answer.total).items() if key != "year"},
        "coins": [
            {"coin": coin, "net": sum(cell), **dict(zip(PARTS, cell, strict=True))}
            for (_, coin), cell in sorted(coins.items())
        ],
        "months": [
            {"month": month, "coin": coin, **dict(zip(PARTS, cell, strict=True))}
            for (month, coin), cell in sorted(months.items())
        ],
        "benchmarks": [
            {
                "name": one.name,
                "what": one.what,
                "years": [
                    {"year": year, "net": net, "deployed": one.deployed[year]} for year, net in one.net.items()
                ],
            }
            for one in answer.benchmarks
        ],
        "rules": [{"rule": rule, **counted} for rule, counted in counts(answer.actions).items()],
        "rule_actions": [action_view(one) for one in answer.actions],
        **as_views(answer.forced, answer.far_moves),
        "trims": [{"year": year, "count": count} for year, count in sorted(answer.trims.items())],
        "universe": list(answer.coins),
        "nav": {"start_usd": float(answer.question.cash_usd), "end_usd": book.nav_usd},
        "costs": {
            "side": answer.question.costs.side,
            "spot_fee": float(answer.question.costs.spot_fee),
            "perp_fee": float(answer.question.costs.perp_fee),
            "half_spread_bps": float(answer.question.costs.half_spread_bps),
            "leg_latency_s": answer.question.costs.leg_latency_s,
        },
        "events": answer.events,
        "unfinished_bars": answer.unfinished,
        "unexplained": book.unexplained,
    }


def _row(one: YearRow) -> dict[str, Any]:
    return {
        "year": one.year,
        "net": one.net,
        "drawdown": one.drawdown,
        "deployed": one.deployed,
        "turnover": one.turnover,
        "foresight": one.foresight,
        "share": one.share,
        **{part: getattr(one, part) for part in PARTS},
        "trades": one.trades,
    }
