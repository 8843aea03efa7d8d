"""The carry of one cash-and-carry pair over the horizon, from gross funding to net.

Expected funding is the recency-weighted mean of what was settled (half-life in hours, so that 8-hour and 1-hour
coins are judged alike) with the running prediction as the newest observation, as far as its interval has run.
A basis that is rich at entry is expected to revert and is income; a discount is a cost. All figures are
fractions of one-side notional.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain.book import Book
from bot.domain.instruments import Instrument, Pair
from bot.domain.market import MarketState, SettledRate
from bot.domain.time import HOUR_MS, SECOND_MS, YEAR_H

DEFAULT_FUNDING_S = 8 * 3600
IMPACT_BPS = 10
"""Depth is measured within this many bps of the mid; a slice of a share s of it pays about s/2 of that reach."""
FORGET_HALF_LIVES = 10


@dataclass(frozen=True, slots=True)
class CarryEstimate:
    """The waterfall of one pair; fractions of notional over the horizon unless the name says otherwise."""

    venue: str
    coin: str
    rate_per_h: float
    funding: float
    basis: float
    basis_gain: float
    open_cost: float
    close_cost: float

    @property
    def apr(self) -> float:
        """Gross expected funding a year."""
        return self.rate_per_h * YEAR_H

    @property
    def held(self) -> float:
        """What it is worth to go on holding over the horizon."""
        return self.funding + self.basis_gain

    @property
    def new(self) -> float:
        """What it is worth to enter now and to leave at the end of the horizon."""
        return self.held - self.open_cost - self.close_cost


def funding_interval_s(instrument: Instrument, market: MarketState) -> int:
    """The interval that the instrument settles by now: the latest settlement's, else the listing's."""
    known = market.rates.get(instrument.id)
    if known:
        return known[-1].interval_s
    return instrument.funding_interval_s or DEFAULT_FUNDING_S


def expected_rate_per_h(
    settled: Iterable[SettledRate], predicted: tuple[float, float] | None, now_ms: int, half_life_h: float
) -> float | None:
    """Recency-weighted mean rate per hour. `settled` is oldest first; `predicted` is (rate, hours run of it)."""
    weight_sum = rate_sum = 0.0
    if predicted is not None and predicted[1] > 0:
        rate_sum += predicted[0]
        weight_sum += predicted[1]
    for one in reversed(list(settled)):
        age_h = (now_ms - one.settled_ms) / HOUR_MS
        if age_h > half_life_h * FORGET_HALF_LIVES:
            break
        weight = 0.5 ** (max(age_h, 0.0) / half_life_h)
        rate_sum += weight * float(one.rate)
        weight_sum += weight * one.interval_s / 3600
    return rate_sum / weight_sum if weight_sum else None


def estimate(book: Book, pair: Pair, notional_usd: float) -> CarryEstimate | None:
    """The carry of holding `notional_usd` of this pair; None while a price or enough history is missing."""
    market, config, now_ms = book.market, book.config.strategy, book.now.market_ms
    history = market.rates.get(pair.perp.id)
    spot, perp = market.quotes.get(pair.spot.id), market.quotes.get(pair.perp.id)
    if not history or spot is None or perp is None:
        return None
    if now_ms - history[0].settled_ms < config.history_days_min * 24 * HOUR_MS:
        return None
    rate = expected_rate_per_h(history, _running(market, pair.perp, now_ms), now_ms, config.half_life_h)
    if rate is None:
        return None
    basis = float(perp.mid / spot.mid) - 1
    cost = sum(leg_cost(book, leg, notional_usd) for leg in (pair.spot, pair.perp))
    return CarryEstimate(
        pair.venue,
        pair.coin,
        rate,
        rate * config.horizon_h,
        basis,
        basis * config.basis_reversion,
        cost,
        cost,
    )


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


def _running(market: MarketState, perp: Instrument, now_ms: int) -> tuple[float, float] | None:
    """(predicted rate so far, hours of the running interval that have passed)."""
    mark = market.marks.get(perp.id)
    if mark is None:
        return None
    interval_s = funding_interval_s(perp, market)
    left_s = max(0, mark.next_funding_ms - now_ms) / SECOND_MS
    run = min(1.0, max(0.0, 1 - left_s / interval_s))
    return float(mark.predicted_rate) * run, run * interval_s / 3600
