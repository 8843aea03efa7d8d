"""Why a coin is held or not: its waterfall, every rule's verdict on adding to it now, and what would have to change.

Computed when asked, from the book as it is; nothing is changed and nothing is remembered. The verdicts come from
the very function that judges real orders, shown an order of one slice that is never sent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.borrowing import terms_of
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.instruments import Kind, Pair
from bot.domain.limits import coin_cap_usd
from bot.domain.numbers import ZERO, ceil_to, floor_to
from bot.domain.orders import OrderIntent, Purpose, TimeInForce
from bot.domain.structures import COIN, PERP
from bot.domain.time import DAY_MS, HOUR_MS, YEAR_H
from bot.domain.valuation import nav_usd, notional_usd
from bot.engine import standing
from bot.engine.hedging import pair_legs
from bot.engine.state import EngineState
from bot.execution.drafts import kept_share, limit_price
from bot.risk.review import approve_orders, entry_verdicts, forced_changes
from bot.risk.rules import r01c_funding_stop, r14_cash_rate
from bot.risk.verdicts import Forced
from bot.strategy.builders import estimate
from bot.strategy.carry import CarryEstimate
from bot.strategy.propose import Proposal, propose

TRIAL = "trial"
"""Id of the hedge and the order that are only judged."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One coin at one venue. Shares are fractions of one-side notional."""

    coin: str
    venue: str
    strategy: str
    hedge: Hedge | None
    held_usd: Decimal
    cap_usd: Decimal
    waterfall: Mapping[str, float]
    """The estimate's own figures by name, in its order; empty without an estimate."""
    hurdle: float
    estimate_missing: str
    verdicts: tuple[Verdict, ...]
    forced: tuple[Forced, ...]
    target_base: Decimal | None
    """What the strategy proposes now; None: no change."""
    proposal: str
    to_enter: tuple[str, ...]
    to_leave: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScanRow:
    """One coin of the universe as the next decision would see it."""

    coin: str
    venue: str
    held_usd: Decimal
    apr: float | None
    funding: float | None
    basis: float | None
    cost: float | None
    """Opening and closing."""
    net: float | None
    volume_usd: float | None
    depth_usd: float | None
    open_interest_usd: float | None
    verdict: str
    """`held`, `enter`, `stays out` or `excluded`."""
    reason: str


def explain(state: EngineState, pair: Pair) -> Explanation:
    """All that speaks for and against a pair now."""
    book, nav = state.book, nav_usd(state.book)
    hedge = _held(book, pair)
    cap = coin_cap_usd(book.config.limits, pair.coin, nav)
    found = estimate(book, pair, float(cap))
    verdicts = [*trial_verdicts(book, nav, pair, hedge, cap), *standing.verdicts(state, nav, pair, hedge)]
    forced = tuple(one for one in _forced(book, nav) if hedge is not None and one.hedge_id == hedge.id)
    proposal = _proposals(book, nav).get(pair)
    return Explanation(
        coin=pair.coin,
        venue=pair.venue,
        strategy=pair.structure.name,
        hedge=hedge,
        held_usd=notional_usd(book, hedge) if hedge is not None else ZERO,
        cap_usd=cap,
        waterfall=figures(found) if found is not None else {},
        hurdle=hurdle(book),
        estimate_missing="" if found is not None else missing(book, pair),
        verdicts=tuple(verdicts),
        forced=forced,
        target_base=proposal.target_base if proposal is not None else None,
        proposal=proposal.reason if proposal is not None else "",
        to_enter=tuple(_to_enter(book, pair, hedge, found, verdicts, proposal)),
        to_leave=tuple(_to_leave(book, hedge, found, forced)) if hedge is not None else (),
    )


def scan(state: EngineState) -> list[ScanRow]:
    """Every pair, best net carry first; those without an estimate last."""
    book, nav = state.book, nav_usd(state.book)
    proposals = _proposals(book, nav)
    rows = [_row(book, nav, pair, proposals.get(pair)) for pair in _scanned(book)]
    return sorted(rows, key=lambda row: (row.net is None, -(row.net or 0.0), row.coin))


def _scanned(book: Book) -> Iterable[Pair]:
    """One pair a coin: the one that is held, else the long perpetual while funding is negative enough, else S1's."""
    for key, pair in book.market.pairs.items():
        other = book.market.reverse.get(key)
        if other is None:
            yield pair
            continue
        found, reverse = estimate(book, pair, 0.0), estimate(book, other, 0.0)
        better = reverse is not None and (found is None or reverse.new > found.new)
        held = book.hedge_of(*key)
        yield (pair, other)[held.structure.owes if held is not None else better]


def _held(book: Book, pair: Pair) -> Hedge | None:
    """The live hedge of the pair's coin, if it stands this way round."""
    hedge = book.hedge_of(pair.venue, pair.coin)
    return hedge if hedge is not None and hedge.direction == pair.structure.direction else None


def figures(found: CarryEstimate) -> dict[str, float]:
    """All numbers of an estimate by name, whatever it is made of: its fields, then what it derives from them."""
    names = [each.name for each in fields(found) if each.name != "borrow" or found.borrow]
    names += [name for name, value in vars(type(found)).items() if isinstance(value, property)]
    return {name: value for name in names if isinstance(value := getattr(found, name), float)}


def hurdle(book: Book) -> float:
    """What entering must be worth beyond its cost: a fraction of notional."""
    return book.config.strategy.hurdle_bps * 1e-4


def missing(book: Book, pair: Pair) -> str:
    """Why there is no estimate of a pair."""
    market = book.market
    for leg in (pair.spot, pair.perp):
        if leg.id not in market.quotes:
            return f"no quote of {leg.id} yet"
    if pair.structure.owes and terms_of(market, pair) is None:
        return f"no terms for borrowing {pair.coin} yet"
    history = market.rates.get(pair.perp.id)
    if not history:
        return "no settled funding rates yet"
    days = (book.now.market_ms - history[0].settled_ms) / DAY_MS
    return f"{days:.1f} days of settled rates, {book.config.strategy.history_days_min:g} are needed"


def trial_verdicts(book: Book, nav: Decimal, pair: Pair, hedge: Hedge | None, cap: Decimal) -> list[Verdict]:
    """Every rule's verdict on adding one slice now; without prices, of the rules that do not depend on size."""
    spot, perp = book.market.quotes.get(pair.spot.id), book.market.quotes.get(pair.perp.id)
    if spot is None or perp is None or min(spot.bid, perp.bid) <= 0:
        return entry_verdicts(book, pair)
    execution = book.config.execution
    step = pair.step
    quantity = max(step, floor_to(min(execution.slice_usd, cap) / spot.mid, step))
    trial = _trial_hedge(book, pair, hedge)
    way_in = pair.structure.way_in
    legs = ((COIN, pair.spot, way_in(COIN), spot), (PERP, pair.perp, way_in(PERP), perp))
    fees = book.market.fees.get(pair.spot.id)
    net_of_fee = kept_share(pair.spot, way_in(COIN), fees.taker if fees is not None else None)
    intents = [
        OrderIntent(
            client_id=f"{TRIAL}-{position}",
            hedge_id=trial.id,
            leg=position,
            venue=pair.venue,
            instrument=leg.id,
            side=side,
            quantity_base=ceil_to(quantity / net_of_fee, leg.lot) if position == 0 else quantity,
            limit_price=limit_price(leg, quote, side, execution.guard_bps),
            time_in_force=TimeInForce.IOC,
            reduce_only=False,
            purpose=Purpose.OPEN,
            created_ms=book.now.market_ms,
            decided_price=quote.mid,
        )
        for position, leg, side, quote in legs
    ]
    seen = replace(book, hedges={**book.hedges, trial.id: trial})
    return approve_orders(seen, nav, trial, intents)


def _trial_hedge(book: Book, pair: Pair, hedge: Hedge | None) -> Hedge:
    if hedge is not None:
        return hedge
    legs = pair_legs(pair)
    return Hedge(TRIAL, 0, "", pair.coin, pair.venue, HedgeState.OPENING, legs, ZERO, book.now.market_ms)


def _forced(book: Book, nav: Decimal) -> list[Forced]:
    def worth(hedge: Hedge) -> float:
        pair = book.pair_of(hedge)
        found = estimate(book, pair, 0.0) if pair is not None else None
        return found.held if found is not None else float("-inf")

    return forced_changes(book, nav, book.live_hedges(), worth)


def _proposals(book: Book, nav: Decimal) -> dict[Pair, Proposal]:
    may_enter, may_borrow = (
        {key for key, pair in pairs.items() if all(each.approved for each in entry_verdicts(book, pair))}
        for pairs in (book.market.pairs, book.market.reverse)
    )
    return {each.pair: each for each in propose(book, nav, may_enter, may_borrow=may_borrow)}


def _row(book: Book, nav: Decimal, pair: Pair, proposal: Proposal | None) -> ScanRow:
    hedge = _held(book, pair)
    found = estimate(book, pair, float(coin_cap_usd(book.config.limits, pair.coin, nav)))
    held = notional_usd(book, hedge) if hedge is not None else ZERO
    refused = next((each for each in entry_verdicts(book, pair) if not each.approved), None)
    verdict, reason = "stays out", "better coins use the budget"
    if found is None:
        verdict, reason = "excluded", missing(book, pair)
    elif refused is not None:
        verdict, reason = "excluded", said(refused)
    elif proposal is not None and proposal.target_base > 0 and not proposal.shrinks:
        verdict, reason = "enter", proposal.reason
    elif found.new <= hurdle(book):
        reason = "does not pay for its cost"
    if hedge is not None:
        about = proposal.reason if proposal is not None else hedge.reason
        verdict, reason = "held", about if refused is None else f"{about}; not added to: {said(refused)}"
    liquidity = [book.market.liquidity[leg.id] for leg in (pair.spot, pair.perp) if leg.id in book.market.liquidity]
    interest = [each.open_interest_usd for each in liquidity if each.open_interest_usd is not None]
    return ScanRow(
        coin=pair.coin,
        venue=pair.venue,
        held_usd=held,
        apr=found.apr if found is not None else None,
        funding=found.funding if found is not None else None,
        basis=found.basis if found is not None else None,
        cost=found.open_cost + found.close_cost if found is not None else None,
        net=found.instead if found is not None else None,
        volume_usd=min((each.volume_usd for each in liquidity), default=None),
        depth_usd=min((each.depth_usd for each in liquidity), default=None),
        open_interest_usd=min(interest, default=None),
        verdict=verdict,
        reason=reason,
    )


def said(verdict: Verdict) -> str:
    """`R8: 12000, the limit is 20000 (depth within 10 bps of ...)`."""
    what = f" ({verdict.detail})" if verdict.detail else ""
    return f"{verdict.rule}: {verdict.observed}, the limit is {verdict.limit}{what}"


def _to_enter(
    book: Book,
    pair: Pair,
    hedge: Hedge | None,
    found: CarryEstimate | None,
    verdicts: Iterable[Verdict],
    proposal: Proposal | None,
) -> Iterable[str]:
    """What stands in the way of adding to the coin."""
    lacking = hurdle(book) - found.new if found is not None else 0.0
    told_below = {r14_cash_rate.RULE} if lacking >= 0 else set()
    refused = [each for each in verdicts if not each.approved and each.rule not in told_below]
    yield from (said(each) for each in refused)
    if found is None:
        yield missing(book, pair)
        return
    if lacking >= 0:
        more = lacking / _hours(book) * YEAR_H
        yield (
            f"entering is worth {found.new:.4%} of notional and must be worth more than {hurdle(book):.4%}: funding "
            f"would have to run at {found.apr + more:.2%} a year instead of {found.apr:.2%}, or the basis to be "
            f"{lacking:.4%} richer"
        )
    elif not refused and hedge is None and proposal is None:
        yield "nothing is wrong with it: coins that are worth more use the budget, and one of them must go first"


def _to_leave(book: Book, hedge: Hedge, found: CarryEstimate | None, forced: Iterable[Forced]) -> Iterable[str]:
    """What would close or cut the hedge, the nearest things first."""
    for one in forced:
        yield f"now, by {one.rule}: {one.observed}, the limit is {one.limit}"
    if found is not None:
        ends_at = found.apr - (found.held - found.leaves_below) / _hours(book) * YEAR_H
        yield (
            f"carry: holding is worth {found.held:.4%} of notional and is given up below {found.leaves_below:.4%}, "
            f"which funding at {ends_at:.2%} a year instead of {found.apr:.2%} would bring"
        )
        yield f"rotation: another coin whose entry is worth more than {found.held:.4%} after its whole round trip"
    limits = book.config.limits
    removal = book.removals.get((hedge.venue, hedge.coin, hedge.direction))
    days = 0 if removal is None else removal.negative_days
    yield f"R1: {limits.negative_funding_days} days of negative funding in a row; {days} so far"
    for leg in hedge.legs:
        if leg.kind is Kind.PERP:
            paid = max(ZERO, r01c_funding_stop.paid_share(book, hedge, leg.instrument))
            stop = limits.funding_stop
            hours = min(stop.window_h, (book.now.market_ms - hedge.opened_ms) / HOUR_MS)
            yield (
                f"R1c: {stop.share:.2%} of notional paid within {stop.window_h:g} h; "
                f"{paid:.4%} in the last {hours:.0f} h"
            )


def _hours(book: Book) -> float:
    """Hours of funding that the estimate counts at the recent rates: what a change of these is multiplied by."""
    return max(book.config.strategy.fast_h + book.config.strategy.slow_h, 1.0)
