"""The risk manager's three answers: who may grow, what must change, and whether these orders may be sent.

Order of strength: R15, R10, R7, R6, R5, R3, R1 and R1c, R4, R2, the rest. Orders that reduce are always allowed once
they are sane. Every opening order is looked at by every rule below; there is no way around `approve_orders`.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.instruments import Pair
from bot.domain.numbers import ZERO
from bot.domain.orders import OrderIntent, Purpose
from bot.domain.structures import REVERSE_CARRY
from bot.domain.valuation import coins_usd, heard, notional_usd, price_of
from bot.risk.rules import (
    budgets,
    one_direction,
    r01_negative_funding,
    r01c_funding_stop,
    r02_coin_cap,
    r03_leverage,
    r04_spread,
    r05_drawdown,
    r06_extreme,
    r07_liquidation,
    r08_universe,
    r09_borrow,
    r10_leg_imbalance,
    r11_stale,
    r13_venue_cap,
    r15_kill_switch,
    sanity,
)
from bot.risk.verdicts import Forced

GROWS = frozenset({Purpose.OPEN, Purpose.COMPLETE})


def entry_verdicts(book: Book, pair: Pair, aimed_base: Decimal | None = None) -> list[Verdict]:
    """What the rules that do not depend on size say of adding to this pair, strongest first.

    `aimed_base` is what an existing hedge is growing to: R4 lets it reach what R4 itself granted.
    """
    return [
        r15_kill_switch.check(book, pair.venue),
        r10_leg_imbalance.check(book, book.hedge_of(pair.venue, pair.coin)),
        *one_direction.check(book, pair),
        r06_extreme.check(book),
        r05_drawdown.check(book),
        r01_negative_funding.check(book, pair.venue, pair.coin, pair.structure.direction),
        r04_spread.check(book, pair.venue, pair.coin, aimed_base, pair.structure.direction),
        r08_universe.check(book, pair),
        *r09_borrow.check(book, pair),
        r11_stale.check(book, pair),
    ]


def entry_refusal(book: Book, pair: Pair) -> Verdict | None:
    """The strongest of `entry_verdicts` that is against it; None when all agree. No verdict is worded for nothing."""
    venue, coin = pair.key
    direction, hedge = pair.structure.direction, book.hedge_of(venue, coin)
    if not r15_kill_switch.allows(book, venue):
        return r15_kill_switch.check(book, venue)
    if not r10_leg_imbalance.allows(hedge):
        return r10_leg_imbalance.check(book, hedge)
    for verdict in one_direction.check(book, pair):
        if not verdict.approved:
            return verdict
    if not r06_extreme.allows(book):
        return r06_extreme.check(book)
    if not r05_drawdown.allows(book):
        return r05_drawdown.check(book)
    if not r01_negative_funding.allows(book, venue, coin, direction):
        return r01_negative_funding.check(book, venue, coin, direction)
    if not r04_spread.allows(book, venue, coin, direction=direction):
        return r04_spread.check(book, venue, coin, direction=direction)
    refused = r08_universe.refusal(book, pair)
    if refused is not None:
        return refused
    for verdict in r09_borrow.check(book, pair):
        if not verdict.approved:
            return verdict
    return None if r11_stale.allows(book, pair) else r11_stale.check(book, pair)


def approve_orders(
    book: Book,
    nav: Decimal,
    hedge: Hedge,
    intents: Sequence[OrderIntent],
    *,
    only_way: bool = False,
    any_price: bool = False,
) -> list[Verdict]:
    """All verdicts on these linked orders; they may be sent only if each is approved and there is at least one.

    `only_way` says of a completion that unwinding is impossible. It brings the smaller side up to the larger one,
    which is what caps and ceiling count, so that they do not forbid it: the larger side would stay, and naked.
    `any_price` lets what reduces into a hole of the book: it has waited long enough.
    """
    verdicts = [
        sanity.check(book, hedge, intent, any_price=any_price) for intent in intents if intent.purpose not in GROWS
    ]
    growing = [intent for intent in intents if intent.purpose in GROWS]
    if not growing:
        return verdicts
    pair = book.pair_of(hedge)
    if pair is None:
        return [*verdicts, Verdict("R8", approved=False, limit="listed pair", observed=hedge.coin)]
    repairing = all(intent.purpose is Purpose.COMPLETE for intent in growing)
    if not repairing:
        verdicts += entry_verdicts(book, pair, hedge.target_base)
        verdicts.append(r13_venue_cap.check(book, nav, hedge.venue, growing))
        verdicts += budgets.check(book, nav, len(growing))
    else:
        verdicts += [r15_kill_switch.check(book, pair.venue), r11_stale.check(book, pair)]
    if not (repairing and (only_way or not pair.trades)):
        verdicts.append(r02_coin_cap.check(book, nav, hedge.coin, growing))
        verdicts.append(r03_leverage.check(book, nav, growing))
    limit = book.config.limits.liquidation.min if repairing else None
    verdicts.append(r07_liquidation.permit(book, hedge.venue, growing, limit=limit))
    return verdicts


def forced_changes(
    book: Book, nav: Decimal, hedges: Sequence[Hedge], carry: Callable[[Hedge], float] = lambda _: 0.0
) -> list[Forced]:
    """What the rules demand of these live hedges now, the smallest target of each, those of worst carry first.

    R7 and R3 ask for what the other rules do not give up already. `carry` is asked only when something is demanded.
    At a start R2 and R3 see no hedge of whose price they were not told yet: one out of the books may be long past.
    """
    staying = coins_usd(book)
    found = {
        hedge.id: change
        for hedge in hedges
        if hedge.state is not HedgeState.CLOSING
        and (change := _forced(book, nav, hedge, staying[hedge.coin])) is not None
    }
    unborne = [one for venue in sorted({hedge.venue for hedge in hedges}) for one in _unborne(book, venue)]
    priced = {hedge.id: notional_usd(book, hedge) for hedge in book.live_hedges() if heard(book, hedge)}
    excess = r03_leverage.excess_usd(book, nav, sum(priced.values(), ZERO))
    if not found and not unborne and excess <= 0:
        return []
    worst_first = sorted(hedges, key=lambda hedge: (carry(hedge), hedge.number))
    forced = {hedge.id: found[hedge.id] for hedge in worst_first if hedge.id in found}
    for venue, direction, usd in unborne:
        limit, observed = f"{book.config.limits.liquidation.min}", f"{r07_liquidation.distance(book, venue):.4f}"
        facing = [hedge for hedge in worst_first if hedge.venue == venue and hedge.direction == direction]
        _give_up(book, facing, usd, forced, r07_liquidation.RULE, limit, observed)
    if excess > 0:
        observed = r03_leverage.check(book, nav).observed
        limit = f"{book.config.limits.leverage_ceiling}"
        facing = [hedge for hedge in worst_first if hedge.id in priced]
        _give_up(book, facing, excess, forced, r03_leverage.RULE, limit, observed)
    return list(forced.values())


def _forced(book: Book, nav: Decimal, hedge: Hedge, coin_usd: Decimal) -> Forced | None:
    """The smallest target that a rule demands of one hedge; `coin_usd` is what stays of all hedges of its coin."""
    demands = [
        change
        for change in (
            r06_extreme.forced(book, hedge),
            r05_drawdown.forced(book, hedge),
            r01_negative_funding.forced(book, hedge),
            r01c_funding_stop.forced(book, hedge),
            r08_universe.forced(book, hedge),
            r09_borrow.forced(book, hedge),
            r04_spread.forced(book, nav, hedge),
            r02_coin_cap.forced(book, nav, hedge, coin_usd) if heard(book, hedge) else None,
        )
        if change is not None
    ]
    return min(demands, key=lambda change: change.target_base, default=None)


def _unborne(book: Book, venue: str) -> list[tuple[str, int, Decimal]]:
    """R7: (venue, direction, USD) of what the perp wallet cannot bear, given up by the direction that loses, and of a
    loan, given up by those who owe it."""
    found = []
    excess = r07_liquidation.excess_usd(book, venue)
    if excess > 0:
        found.append((venue, r07_liquidation.losing(book, venue), excess))
    excess = r07_liquidation.loan_excess_usd(book, venue)
    if excess > 0:
        found.append((venue, REVERSE_CARRY.direction, excess))
    return found


def _give_up(
    book: Book,
    worst_first: Sequence[Hedge],
    excess_usd: Decimal,
    forced: dict[str, Forced],
    rule: str,
    limit: str,
    observed: str,
) -> None:
    """Take `excess_usd` off the hedges, worst carry first, counting what is on its way out already."""
    left = excess_usd
    for hedge in worst_first:
        price = price_of(book, hedge)
        target = min(hedge.target_base, forced[hedge.id].target_base if hedge.id in forced else hedge.target_base)
        left -= max(ZERO, notional_usd(book, hedge) - target * price)
    for hedge in worst_first:
        price = price_of(book, hedge)
        if left <= 0 or not price:
            continue
        current = forced[hedge.id].target_base if hedge.id in forced else min(hedge.target_base, hedge.size_base)
        cut = min(current, left / price)
        if cut > 0:
            reason = f"{rule}: worst carry first"
            forced[hedge.id] = Forced(rule, hedge.id, current - cut, limit, observed, reason)
            left -= cut * price
