"""The economics of one funding interval of a reverse carry: what it receives, what the loan costs, what fees cost.

Computed in one place for the strategy that looks for it and rule R9 that guards it. Fractions of one-side notional.
"""

from decimal import Decimal

from bot.domain.book import Book
from bot.domain.config import ReverseCarry
from bot.domain.hedges import Leg
from bot.domain.instruments import FeeRates, Pair, Wallet
from bot.domain.market import BorrowTerms, MarketState
from bot.domain.numbers import ZERO
from bot.domain.struct import struct
from bot.domain.time import HOUR_MS, YEAR_H

UNHEARD_H_MAX = 96
"""Interest is asked for every few seconds; in a market that runs fast these are days."""
FEES_GUESS = FeeRates(Decimal("0.001"), Decimal("0.001"))
"""Of an instrument whose rates are not known yet."""


@struct(frozen=True, slots=True)
class IntervalEdge:
    """Per funding interval: `funding` received, `borrow` interest, `fees` of the round trip's share of it."""

    funding: float
    borrow: float
    fees: float

    @property
    def pays(self) -> bool:
        """Whether |funding| > borrow rate + round-trip fees / intervals expected to be collected."""
        return self.funding > self.borrow + self.fees


def terms_of(market: MarketState, pair: Pair) -> BorrowTerms | None:
    return market.borrow.get((pair.venue, pair.spot.base_asset))


def rate_per_year(terms: BorrowTerms) -> float:
    return float(terms.rate_per_h) * YEAR_H


def round_trip_fees(market: MarketState, pair: Pair) -> float:
    """Taker fees of both legs, in and out."""
    return 2 * float(sum((market.fees.get(leg.id, FEES_GUESS).taker for leg in (pair.spot, pair.perp)), ZERO))


def interval_edge(
    market: MarketState, pair: Pair, terms: BorrowTerms, received_per_h: float, limits: ReverseCarry
) -> IntervalEdge:
    """The edge where funding brings the pair's direction `received_per_h`."""
    hours = market.funding_interval_s(pair.perp) / 3600
    intervals = max(1.0, limits.horizon_h / hours)
    return IntervalEdge(
        received_per_h * hours,
        float(terms.rate_per_h) * hours,
        round_trip_fees(market, pair) / intervals,
    )


def note_owed(market: MarketState, leg: Leg, *, anew: bool = False) -> None:
    """Remember the most that was owed since interest was last heard of: repayments make it less before it is told.

    `anew`: interest was heard of just now, or a loan begins.
    """
    instrument = market.instruments[leg.instrument]
    key, owed = (instrument.venue, instrument.base_asset), max(ZERO, -leg.quantity_base)
    market.owed_since[key] = owed if anew else max(owed, market.owed_since.get(key, ZERO))


def unheard_interest(market: MarketState, leg: Leg, now_ms: int, opened_ms: int) -> Decimal:
    """What may have been charged on a loan (base units) since interest was last heard of, the running hour included.

    What is repaid without it leaves a crumb that bears interest for ever and is too small to buy back.
    """
    if leg.quantity_base >= 0:
        return ZERO
    instrument = market.instruments[leg.instrument]
    key = instrument.venue, instrument.base_asset
    terms = market.borrow.get(key)
    if terms is None:
        return ZERO
    owed, heard_ms, before = -leg.quantity_base, max(opened_ms, market.interest_ms.get(key, 0)), ZERO
    repaid_ms = market.repaid_ms.get(key)
    if repaid_ms is None:
        owed = max(owed, market.owed_since.get(key, ZERO))
    else:  # all was repaid meanwhile, and what is owed now is owed since then
        before, heard_ms = _untold_of_repaid(market, key, terms, heard_ms), max(heard_ms, repaid_ms)
    hours = min(UNHEARD_H_MAX, max(0, now_ms - heard_ms) // HOUR_MS + 1)
    return owed * terms.rate_per_h * hours + before


def awaited_interest(market: MarketState, leg: Leg, opened_ms: int) -> Decimal:
    """What is still to be told of a loan that was repaid in full (base units): coins bought for it are to stay."""
    instrument = market.instruments[leg.instrument]
    key = instrument.venue, instrument.base_asset
    terms = market.borrow.get(key)
    if key not in market.repaid_ms or terms is None or leg.quantity_base <= 0:
        return ZERO
    heard_ms = max(opened_ms, market.interest_ms.get(key, 0))
    return min(leg.quantity_base, _untold_of_repaid(market, key, terms, heard_ms))


def _untold_of_repaid(market: MarketState, key: tuple[str, str], terms: BorrowTerms, heard_ms: int) -> Decimal:
    """Interest of the full hours between the last that was heard of and the moment at which all was repaid."""
    hours = min(UNHEARD_H_MAX, max(0, market.repaid_ms[key] // HOUR_MS - heard_ms // HOUR_MS))
    return market.owed_since.get(key, ZERO) * terms.rate_per_h * hours


def lendable_base(book: Book, terms: BorrowTerms) -> Decimal:
    """What may still be taken of what is to be had: to take all of it is to be the first to be recalled.

    What is owed was to be had as well: by shares of what is left alone each decision would take more of it.
    """
    owed = max(ZERO, -book.balances.get((f"venue:{terms.venue}:{Wallet.MARGIN.value}", terms.asset), ZERO))
    return max(ZERO, (terms.available_base + owed) * book.config.reverse_carry.availability_share - owed)
