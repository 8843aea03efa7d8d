"""The carry of one cash-and-carry pair, from gross funding to net.

Rates return to the base rate: recent ones (fast mean) are expected to go on for some days and older ones (slow mean)
for some more, each counted in hours, with a share of the running prediction as the newest observation as far as its
interval has run. A basis that is rich is expected to converge, most of the way to nothing and for the rest to what is
usual for the coin, and is income; a discount is a cost. The weights and half-lives were chosen on recorded history:
`docs/estimator.md`.
"""

from collections.abc import Callable
from dataclasses import replace

from bot.domain.book import Book
from bot.domain.instruments import Instrument, Pair
from bot.domain.market import MarketState
from bot.domain.struct import struct
from bot.domain.time import HOUR_MS, SECOND_MS, YEAR_H
from bot.domain.valuation import basis

SHORT_PERP = 1
LIKELY_WITHIN_DAYS = 2
"""Where R1 lacks so few negative days after today's, three runs in five or more go on to it: docs/estimator.md."""
LIKELY_SHARE = 0.5
"""Share of `exit_costs` that staying must lose there: closing is as likely to be paid in any case."""
REMOVAL_EXIT_COSTS = 0.25
"""Closing costs that staying must lose on what may be R1's last day."""
IMPACT_BPS = 10
"""Depth is measured within this many bps of the mid; a slice of a share s of it pays about s/2 of that reach."""


@struct(frozen=True, slots=True)
class CarryEstimate:
    """The waterfall of one pair: fractions of one-side notional, rates a fraction an hour.

    Rates, funding and basis are as the pair's direction sees them: positive is good for it.
    """

    venue: str
    coin: str
    fast_per_h: float
    slow_per_h: float
    funding: float
    """What the rates are expected to bring before they are the base rate again."""
    basis: float
    """What its convergence brings, and what it says of rates to come: weighted perp over spot less one of a short
    perpetual, less its share of what is usual."""
    open_cost: float
    close_cost: float
    borrow: float = 0.0
    """Interest on borrowed coins over the time that funding is counted for."""
    exit_costs: float = 1.0
    """How many closing costs staying must lose for the hedge to be left."""

    @property
    def apr(self) -> float:
        """What the recent rates would bring in a year if they went on."""
        return self.fast_per_h * YEAR_H

    @property
    def held(self) -> float:
        """What it is worth to hold rather than to be out."""
        return self.funding + self.basis - self.borrow

    @property
    def leaves_below(self) -> float:
        """The worth of holding below which what is held is left."""
        return -self.close_cost * self.exit_costs

    @property
    def new(self) -> float:
        """What it is worth to enter: leaving later costs the same whether or not it pays, and is not charged here."""
        return self.held - self.open_cost

    @property
    def instead(self) -> float:
        """What it is worth to enter instead of something held: the whole round trip is charged."""
        return self.held - self.open_cost - self.close_cost


def estimate(book: Book, pair: Pair, notional_usd: float) -> CarryEstimate | None:
    """The carry of holding `notional_usd` of this pair; None while a price or enough history is missing."""
    config = book.config.strategy
    base = config.base_h * config.base_rate_8h / 8
    found = waterfall(book, pair, notional_usd, lambda fast, slow: config.fast_h * fast + config.slow_h * slow + base)
    if found is None:
        return None
    return replace(
        found,
        basis=config.basis_weight * (found.basis - config.fair_basis_share * _usual_basis(book, pair)),
        exit_costs=_exit_costs(book, pair),
    )


def waterfall(
    book: Book, pair: Pair, notional_usd: float, expected: Callable[[float, float], float], borrow: float = 0.0
) -> CarryEstimate | None:
    """An estimate as the pair's direction sees it. `expected` is funding to come, of the fast and the slow mean."""
    market, config, now_ms = book.market, book.config.strategy, book.now.market_ms
    history = market.rates.get(pair.perp.id)
    now = basis(book, pair.venue, pair.coin)
    if not history or now is None or not {pair.spot.id, pair.perp.id} <= market.quotes.keys():
        return None
    if now_ms - history[0].settled_ms < config.history_days_min * 24 * HOUR_MS:
        return None
    running_rate, running_h = (config.prediction_share * one for one in _running(market, pair.perp, now_ms))
    sees = pair.structure.facing
    fast, slow = (sees(mean.per_hour(now_ms, running_rate, running_h)) for mean in market.means[pair.perp.id])
    cost = _both_legs(book, pair, notional_usd)
    return CarryEstimate(
        venue=pair.venue,
        coin=pair.coin,
        fast_per_h=fast,
        slow_per_h=slow,
        funding=expected(fast, slow),
        basis=sees(float(now)),
        open_cost=cost,
        close_cost=cost,
        borrow=borrow,
    )


def _exit_costs(book: Book, pair: Pair) -> float:
    """How many closing costs staying must lose: the fewer, the likelier R1 is to have them paid in any case."""
    whole = book.config.strategy.exit_costs
    removal = book.removals.get((*pair.key, pair.structure.direction))
    if removal is None:
        return whole
    mark = book.market.marks.get(pair.perp.id)
    coming = pair.structure.facing(float(mark.predicted_rate)) if mark is not None else 0.0
    if float(removal.day_carry) + coming >= 0:
        return whole
    lacking = book.config.limits.negative_funding_days - removal.negative_days - 1
    if lacking <= 0:
        return REMOVAL_EXIT_COSTS
    return whole * LIKELY_SHARE if lacking <= LIKELY_WITHIN_DAYS else whole


def _usual_basis(book: Book, pair: Pair) -> float:
    """Mean perp over spot less one of the window that R4 keeps; zero before it has seen anything."""
    spread = book.guards.spreads_of(SHORT_PERP).get(pair.key)
    return spread.moments.mean_and_deviation()[0] if spread is not None else 0.0


def _both_legs(book: Book, pair: Pair, notional_usd: float) -> float:
    return leg_cost(book, pair.spot, notional_usd) + leg_cost(book, pair.perp, notional_usd)


def leg_cost(book: Book, instrument: Instrument, notional_usd: float) -> float:
    """One taker trade of one leg: the account's fee, half the spread and the impact of a slice."""
    market, execution = book.market, book.config.execution
    fees = market.fees.get(instrument.id)
    quote = market.quotes.get(instrument.id)
    fee = float(fees.taker) if fees is not None else 0.001
    spread = float((quote.ask - quote.bid) / quote.mid) / 2 if quote is not None else 0.0
    liquidity = market.liquidity.get(instrument.id)
    if liquidity is None or liquidity.depth_usd <= 0:
        return fee + spread
    slice_usd = min(notional_usd, float(execution.slice_usd), execution.depth_share * liquidity.depth_usd)
    return fee + spread + slice_usd / liquidity.depth_usd * IMPACT_BPS / 2 * 1e-4


def _running(market: MarketState, perp: Instrument, now_ms: int) -> tuple[float, float]:
    """(predicted rate as far as its interval has run, hours that it has run)."""
    mark = market.marks.get(perp.id)
    if mark is None or not mark.next_funding_ms:
        return 0.0, 0.0
    interval_s = market.funding_interval_s(perp)
    left_s = max(0, mark.next_funding_ms - now_ms) / SECOND_MS
    run = min(1.0, max(0.0, 1 - left_s / interval_s))
    return float(mark.predicted_rate) * run, run * interval_s / 3600
