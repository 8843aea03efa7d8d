"""Strategy's one answer: which hedges should change, and to what size."""

from collections.abc import Collection
from decimal import Decimal

from bot.domain.book import Book
from bot.domain.hedges import HedgeState
from bot.domain.instruments import Pair, Wallet
from bot.domain.limits import borrow_cost, cash_cost, coin_cap_usd
from bot.domain.numbers import floor_to
from bot.domain.struct import struct
from bot.domain.valuation import notional_usd, own_coins_usd, price_of, worst_usd
from bot.strategy.allocation import NO_CREDIT, Allotment, Candidate, Credit, allocate
from bot.strategy.builders import builder_of
from bot.strategy.capacity import bracket_usd, liquid_usd
from bot.strategy.carry import CarryEstimate

OCCUPIED_FACTOR = 1.3
"""Capital that a closing or unjudged hedge still ties up, a dollar of notional: above any coin's own factor."""


@struct(frozen=True, slots=True)
class Proposal:
    """Hold `target_base` (base units a side, both legs) of a pair."""

    pair: Pair
    target_base: Decimal
    shrinks: bool
    reason: str
    estimate: CarryEstimate

    @property
    def strategy(self) -> str:
        return self.pair.structure.name

    @property
    def venue(self) -> str:
        return self.pair.venue

    @property
    def coin(self) -> str:
        return self.pair.coin


def propose(
    book: Book,
    nav: Decimal,
    may_enter: Collection[tuple[str, str]],
    stale: Collection[tuple[str, str]] = (),
    may_borrow: Collection[tuple[str, str]] = (),
) -> list[Proposal]:
    """All strategies over all pairs, a coin in its better direction.

    `may_enter` and `may_borrow` list the (venue, coin) that the rules let grow with a short and with a long
    perpetual. Coins in `stale` are not judged: what is held of them stays as it is and keeps its share of the budget.
    """
    pairs: dict[tuple[str, str], Pair] = {}
    candidates: dict[tuple[str, str], Candidate] = {}
    for pair in book.market.all_pairs():
        key, allowed = pair.key, may_borrow if pair.structure.owes else may_enter
        candidate = None if key in stale else _candidate(book, nav, pair, grow=key in allowed)
        if candidate is not None and (key not in candidates or _better(candidate, candidates[key])):
            pairs[key], candidates[key] = pair, candidate
    limits, strategy = book.config.limits, book.config.strategy
    usable = float(nav * (1 - strategy.reserve))
    capital = float((nav - own_coins_usd(book)) * (1 - strategy.reserve))
    elsewhere = [hedge for hedge in book.live_hedges() if (hedge.venue, hedge.coin) not in candidates]
    occupied = sum(float(notional_usd(book, hedge)) for hedge in elsewhere)
    allotments = allocate(
        list(candidates.values()),
        usable * float(limits.leverage_ceiling) - occupied,
        capital - occupied * OCCUPIED_FACTOR,
        strategy.hurdle_bps * 1e-4,
        _credit(book, usable),
        strategy.drift,
    )
    proposals = [
        _proposal(book, pairs[one.venue, one.coin], one, candidates[one.venue, one.coin]) for one in allotments
    ]
    return [one for one in proposals if one is not None]


def _better(one: Candidate, other: Candidate) -> bool:
    return (one.may_grow, one.estimate.new) > (other.may_grow, other.estimate.new)


def _candidate(book: Book, nav: Decimal, pair: Pair, *, grow: bool) -> Candidate | None:
    """A pair as the allocator sees it; None while it cannot be judged, or its coin is held the other way round."""
    builder = builder_of(pair)
    cap_usd = float(coin_cap_usd(book.config.limits, pair.coin, nav) * book.config.strategy.cap_headroom)
    cap_usd = min(cap_usd, bracket_usd(book, pair), liquid_usd(book, pair))
    hedge = book.hedge_of(pair.venue, pair.coin)
    if hedge is not None and (
        hedge.state in (HedgeState.CLOSING, HedgeState.QUARANTINED) or hedge.direction != pair.structure.direction
    ):
        return None
    found = builder.estimate(book, pair, cap_usd)
    if found is None:
        return None
    held = aimed = 0.0
    if hedge is not None:
        held = float(worst_usd(book, hedge))
        aimed = float(hedge.target_base * price_of(book, hedge))
    factor = builder.capital_factor(book, pair, cap_usd)
    cash = cash_cost(book.config, factor)
    grow = grow and builder.structure.name in book.config.strategies and builder.enters(book, pair, found, cash)
    cap_usd = min(cap_usd, held + builder.room_usd(book, pair))
    return Candidate(found, cap_usd, held, aimed, factor, grow, cash)


def _credit(book: Book, usable_usd: float) -> Credit:
    """A unified account lends quote currency up to the leverage ceiling; a split one lends none."""
    legs = [leg for pair in book.market.pairs.values() for leg in (pair.spot, pair.perp)]
    if not legs or any(leg.wallet is not Wallet.UNIFIED for leg in legs):
        return NO_CREDIT
    beyond = max(0.0, float(book.config.limits.leverage_ceiling) - 1)
    return Credit(usable_usd * beyond, borrow_cost(book.config))


def worth_of_entering(book: Book, nav: Decimal, pair: Pair) -> tuple[float, float] | None:
    """(what entering is worth over the holding time, dollars of account a dollar of notional): what R14 asks."""
    candidate = _candidate(book, nav, pair, grow=True)
    return None if candidate is None else (candidate.estimate.new, candidate.capital_factor)


def _proposal(book: Book, pair: Pair, allotment: Allotment, candidate: Candidate) -> Proposal | None:
    price = book.market.price(pair.spot.id)
    if not price:
        return None
    step = pair.step
    base = floor_to(Decimal(repr(allotment.target_usd)) / price, step)
    if base * price < minimum_usd(pair, price):
        base = Decimal(0)
    shrinks = allotment.target_usd < max(candidate.held_usd, candidate.aimed_usd)
    if base == 0 and not shrinks:
        return None
    return Proposal(pair, base, shrinks, allotment.reason, candidate.estimate)


def minimum_usd(pair: Pair, price: Decimal) -> Decimal:
    """Smallest hedge: twice what both legs accept, as room for the price to move until the close."""
    return 2 * accepted_usd(pair, price)


def least_usd(pair: Pair, price: Decimal) -> Decimal:
    """Smallest change of a hedge worth ordering: what both legs accept, with a fifth of room."""
    return accepted_usd(pair, price) * Decimal("1.2")


def accepted_usd(pair: Pair, price: Decimal) -> Decimal:
    """Smallest one-side notional that both legs accept."""
    smallest = max(pair.spot.notional_min, pair.perp.notional_min)
    return max(smallest, pair.spot.quantity_min * price, pair.perp.quantity_min * price)
