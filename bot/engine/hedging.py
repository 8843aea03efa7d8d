"""A hedge's life: opened with a target, worked step by step, closed when both legs are gone."""

from decimal import Decimal

from bot.domain.hedges import Control, Hedge, HedgeState, Leg
from bot.domain.instruments import Pair, Wallet
from bot.domain.numbers import ZERO
from bot.domain.orders import OrderIntent, OrderState, TimeInForce
from bot.domain.structures import PERP
from bot.domain.valuation import basis, nav_usd, notional_usd, price_of, price_pnl_usd
from bot.engine import holes, markets, quarantine, setbacks
from bot.engine.orders import send
from bot.engine.refusals import ENTRY, ENTRY_BORROWED, say, stays_out
from bot.engine.state import Actions, EngineState
from bot.execution.drafts import BPS, CLOSED_NOTE, TOO_SMALL_NOTE, Draft, Plan
from bot.execution.plan import BASIS_NOTE, NO_QUOTE, plan
from bot.ledger.journal import AHEAD_MS
from bot.risk.review import approve_orders
from bot.risk.rules import r06_extreme, r07_liquidation, r08_universe, r10_leg_imbalance, r11_stale
from bot.risk.verdicts import judge
from bot.strategy.propose import Proposal

ENTRIES_IN_FLIGHT_MAX = 4
"""Hedges of one venue that may have orders in flight when another one wants to grow."""
PAUSE_MS = 250
"""Least wall time between two tries of a hedge whose orders were refused or filled nothing."""
PAUSE_MS_MAX = 30_000
TRIES_QUICK = 4
"""Tries that brought nothing before the pauses grow."""
SHRINKS = (HedgeState.REDUCING, HedgeState.CLOSING)
_CHANGED = {HedgeState.OPENING: "hedge.grown", HedgeState.UNBALANCED: "hedge.repaired"}


def open_hedge(state: EngineState, pair: Pair, proposal: Proposal, out: Actions) -> Hedge:
    """A new hedge with nothing in it yet; its first orders follow from its target."""
    state.hedge_count += 1
    hedge = Hedge(
        id=f"h{state.hedge_count}",
        number=state.hedge_count,
        strategy=proposal.strategy,
        coin=pair.coin,
        venue=pair.venue,
        state=HedgeState.OPENING,
        legs=pair_legs(pair),
        target_base=ZERO,
        opened_ms=state.book.now.market_ms,
    )
    state.hedges[hedge.id] = hedge
    state.note_last(hedge)
    aim(state, hedge, proposal.target_base, proposal.reason, out)
    return hedge


def pair_legs(pair: Pair) -> tuple[Leg, Leg]:
    """The empty legs of a hedge of this pair."""
    direction = pair.structure.direction
    return Leg(pair.spot.id, pair.spot.kind, direction), Leg(pair.perp.id, pair.perp.kind, -direction)


def aim(state: EngineState, hedge: Hedge, target_base: Decimal, reason: str, out: Actions) -> None:
    """Give a hedge a new target; a growing one is guarded by the basis at this moment."""
    grows = target_base > hedge.size_base
    hedge.target_base, hedge.reason = target_base, reason
    if state.book.valued is not None:
        state.book.valued.staying = None
    hedge.wait_until_mono_ms = 0
    if target_base == 0:
        hedge.state = HedgeState.CLOSING
    elif not grows and target_base < hedge.size_base:
        hedge.state = HedgeState.REDUCING
    state.basis_min.pop(hedge.id, None)
    if grows:
        guard(state, hedge)
    out.info(
        "hedge.aimed",
        hedge=hedge.id,
        coin=hedge.coin,
        target_base=target_base,
        held_base=hedge.size_base,
        reason=reason,
    )
    out.persist(hedge)


def guard(state: EngineState, hedge: Hedge) -> None:
    """Entries from now on are held against the basis of this moment, at which the carry was judged."""
    now = basis(state.book, hedge.venue, hedge.coin)
    if now is not None:
        state.basis_min[hedge.id] = hedge.structure.facing(now) - state.config.execution.basis_guard_bps * BPS


def work(state: EngineState, hedge: Hedge, out: Actions) -> None:
    """Take the next step of a hedge that has no order in flight."""
    if state.armed:
        _disarm(state, hedge)
    if hedge.order_ids:
        _quarantine(state, hedge, out)
        return
    ready = state.book.ready.get(hedge.venue, False)
    if (
        state.ceased
        or not hedge.live
        or state.book.now.mono_ms < hedge.wait_until_mono_ms
        or not (ready or _known(state, hedge))
    ):
        return
    if hedge.state is HedgeState.QUARANTINED:
        hedge.state = HedgeState.UNBALANCED
    quarantine.release(state, hedge)
    if _at_rest(state, hedge) or markets.unlisted(state, hedge, out):
        return
    may_open = ready and state.book.control is Control.RUNNING and not state.stopping
    step = plan(state.book, hedge, may_open=may_open, basis_min=state.basis_min.get(hedge.id))
    if not ready and (not step.drafts or _soon_complete(state, hedge, step)):
        return
    dust = step.state is not HedgeState.UNBALANCED and step.note != NO_QUOTE
    _watch_balance(state, hedge, out, dust=dust, blind=step.note == NO_QUOTE)
    if not step.drafts:
        _rest(state, hedge, step, out)
    elif step.state in SHRINKS and _one_legged(state, hedge, out):
        return
    elif step.state is HedgeState.OPENING and setbacks.waits(state, hedge):
        _change(state, hedge, step.state, out)
    elif step.state is HedgeState.OPENING and _margin_coming(state, hedge.venue):
        return
    elif step.state is HedgeState.OPENING and not _slot_free(state, hedge.venue):
        state.waiting[hedge.id] = None
    elif not _place(state, hedge, step, out) and step.state is HedgeState.UNBALANCED and may_open:
        # The missing leg may not be added: then what is too much goes, at once.
        _place(state, hedge, plan(state.book, hedge, may_open=False), out)


def _known(state: EngineState, hedge: Hedge) -> bool:
    """Whether a hedge may be made smaller although its venue is not reconciled, after a private stream was lost.

    It has no order in flight, so every fill of ours is booked. What else may have happened is that the venue took a
    part of the perpetual: then a reduce-only order does less, and coins that are sold are too many all the same. The
    balances must have agreed once since the start, and prices must be fresh: half of a cut hedge is a naked position.
    """
    pair = state.book.pair_of(hedge)
    return pair is not None and hedge.venue in state.agreed_mono_ms and r11_stale.allows(state.book, pair)


def _soon_complete(state: EngineState, hedge: Hedge, step: Plan) -> bool:
    """Whether a hedge that grows may still be completed once its venue is reconciled, in time for R10."""
    smaller = min(abs(leg.quantity_base) for leg in hedge.legs)
    if step.state is not HedgeState.UNBALANCED or hedge.target_base <= smaller:
        return False
    if hedge.unbalanced_mono_ms is None:
        hedge.unbalanced_mono_ms = state.book.now.mono_ms
    return not r10_leg_imbalance.overdue(state.book, hedge)


def _at_rest(state: EngineState, hedge: Hedge) -> bool:
    """Whether a hedge is just what it should be, so that `plan` would find nothing to do, whatever the prices are."""
    if hedge.state is not HedgeState.HEDGED or hedge.unbalanced_mono_ms is not None or not hedge.target_base:
        return False
    perp, pair = hedge.legs[PERP], state.book.pair_of(hedge)
    if pair is None or perp.direction * perp.quantity_base != hedge.target_base:
        return False
    return abs(hedge.imbalance_base) <= pair.tolerance


def _one_legged(state: EngineState, hedge: Hedge, out: Actions) -> bool:
    """Whether a smaller hedge must wait, because only one of its legs could be made smaller now (R6)."""
    verdict = r06_extreme.both_legs_answer(state.book, hedge)
    if not verdict.approved and say(state, hedge.coin, verdict.rule, verdict, out, hedge.id):
        holes.tell_empty(state, hedge, verdict, out)
    return not verdict.approved


def admit_waiting(state: EngineState, out: Actions) -> None:
    """Let entries that wait for a slot go on, in the order in which they came, while there is one."""
    for hedge_id in list(state.waiting):
        hedge = state.hedges.get(hedge_id)
        if hedge is None or hedge.order_ids:
            del state.waiting[hedge_id]
        elif _slot_free(state, hedge.venue):
            del state.waiting[hedge_id]
            work(state, hedge, out)


def _slot_free(state: EngineState, venue: str) -> bool:
    """Whether another entry may be in flight: a crowd of half-filled pairs is a naked book for a moment."""
    flying = sum(1 for hedge in state.book.live_hedges() if hedge.venue == venue and hedge.order_ids)
    return flying < ENTRIES_IN_FLIGHT_MAX


def _margin_coming(state: EngineState, venue: str) -> bool:
    """Whether margin or collateral is on its way: an entry waits for it rather than be refused for lack of it."""
    return any(one.venue == venue and one.target != Wallet.SPOT for one in state.book.transfers.values())


def _place(state: EngineState, hedge: Hedge, step: Plan, out: Actions) -> bool:
    """Send the step's orders if every rule agrees; otherwise say why not, once, and pause."""
    intents = tuple(_intent(state, hedge, position, draft) for position, draft in enumerate(step.drafts))
    nav, any_price = nav_usd(state.book), holes.outwaited(state, hedge)
    verdicts = approve_orders(state.book, nav, hedge, intents, only_way=step.only_way, any_price=any_price)
    refused = [verdict for verdict in verdicts if not verdict.approved]
    if refused or not verdicts:
        for verdict in refused:
            say(state, hedge.coin, verdict.rule, verdict, out, hedge.id)
        holes.note(state, hedge, refused, out)
        hedge.wait_until_mono_ms = state.book.now.mono_ms + PAUSE_MS
        if step.state is HedgeState.OPENING and hedge.size_base > 0:
            _change(state, hedge, HedgeState.HEDGED, out)
        return False
    for key in [key for key in state.refusals if key[0] == hedge.coin and key[1] not in (ENTRY, ENTRY_BORROWED)]:
        del state.refusals[key]
    hedge.orders_made += len(intents)
    setbacks.note(state, hedge, step, out)
    holes.leave(state, hedge, intents)
    _change(state, hedge, step.state, out)
    send(state, hedge, intents, out, apart=step.state in SHRINKS and _in_danger(state, hedge))
    return True


def _in_danger(state: EngineState, hedge: Hedge) -> bool:
    """Whether liquidation is nearer than R7's minimum: then one leg made smaller is better than none."""
    return r07_liquidation.distance(state.book, hedge.venue) < state.config.limits.liquidation.min


def _intent(state: EngineState, hedge: Hedge, position: int, draft: Draft) -> OrderIntent:
    return OrderIntent(
        client_id=f"cb{state.epoch}-{hedge.number}-{hedge.orders_made + position + 1}",
        hedge_id=hedge.id,
        leg=draft.leg,
        venue=hedge.venue,
        instrument=draft.instrument,
        side=draft.side,
        quantity_base=draft.quantity_base,
        limit_price=draft.limit_price,
        time_in_force=TimeInForce.IOC,
        reduce_only=draft.reduce_only,
        purpose=draft.purpose,
        created_ms=state.book.now.market_ms,
        decided_price=draft.decided_price,
    )


def _rest(state: EngineState, hedge: Hedge, step: Plan, out: Actions) -> None:
    """No order to send: the hedge is where it should be, or waits for a price."""
    if not step.note or step.state is HedgeState.CLOSED:
        holes.forget(state, hedge)
    if step.note == BASIS_NOTE:
        for leg in hedge.legs:
            state.armed[leg.instrument] = hedge.id
    if step.note == TOO_SMALL_NOTE:
        rule, least = r10_leg_imbalance.RULE, state.market.instruments[hedge.legs[PERP].instrument].quantity_min
        held = abs(hedge.legs[PERP].quantity_base)
        verdict = judge(rule, ok=False, limit=least, observed=held, detail=f"{step.note}: it cannot be closed")
        say(state, hedge.coin, rule, verdict, out, hedge.id)
    if step.note == CLOSED_NOTE and (pair := state.book.pair_of(hedge)) is not None:
        say(state, hedge.coin, r08_universe.RULE, r08_universe.check(state.book, pair), out, hedge.id)
    if step.state is HedgeState.HEDGED and not step.note:
        setbacks.forget(state, hedge, out)
    if step.state is HedgeState.CLOSED:
        _close(state, hedge, out)
    else:
        _change(state, hedge, step.state, out)


def _change(state: EngineState, hedge: Hedge, new: HedgeState, out: Actions) -> None:
    if hedge.state is new:
        return
    before, hedge.state = hedge.state, new
    out.persist(hedge)
    if new is HedgeState.HEDGED and hedge.size_base > 0:
        name = "hedge.opened" if hedge.id not in state.announced else _CHANGED.get(before, "hedge.reduced")
        state.announced.add(hedge.id)
        out.info(
            name,
            hedge=hedge.id,
            coin=hedge.coin,
            venue=hedge.venue,
            quantity_base=hedge.size_base,
            notional_usd=round(notional_usd(state.book, hedge), 2),
            imbalance_base=hedge.imbalance_base,
            reason=hedge.reason,
        )


def _ended_ms(state: EngineState, hedge: Hedge) -> int:
    """By our clock, or by the venue's where silent marks had left ours behind: what was held until then is paid."""
    now_ms = state.book.now.market_ms
    traded_ms = max(state.held_before_ms.get(leg.instrument, (0, 0))[1] for leg in hedge.legs)
    return max(now_ms, min(traded_ms, now_ms + AHEAD_MS))


def _close(state: EngineState, hedge: Hedge, out: Actions) -> None:
    """Both legs are gone; what is left of the coin is dust and stays in the ledger as the venue holds it."""
    hedge.state, hedge.closed_ms = HedgeState.CLOSED, _ended_ms(state, hedge)
    out.persist(hedge)
    state.hedges.pop(hedge.id, None)
    state.basis_min.pop(hedge.id, None)
    state.announced.discard(hedge.id)
    state.empty_handed.discard(hedge.id)
    state.fruitless.pop(hedge.id, None)
    state.stuck.discard(hedge.id)
    setbacks.settled(state, hedge)
    state.decide_due |= hedge.traded and stays_out(state, hedge)  # its capital is free for other coins
    dust = hedge.imbalance_base
    out.info(
        "hedge.closed",
        hedge=hedge.id,
        coin=hedge.coin,
        venue=hedge.venue,
        reason=hedge.reason,
        funding_usd=round(hedge.funding_usd, 4),
        fees_usd=round(hedge.fees_usd, 4),
        price_pnl_usd=round(price_pnl_usd(state.book, hedge), 4),
        dust_base=dust,
        dust_usd=round(dust * price_of(state.book, hedge), 4),
    )


def _quarantine(state: EngineState, hedge: Hedge, out: Actions) -> None:
    """A hedge with an order of unknown outcome sends nothing more until the venue's evidence is in."""
    if any(order.state is OrderState.UNKNOWN for order in state.book.orders_of(hedge)):
        if hedge.state is not HedgeState.QUARANTINED:
            hedge.state = HedgeState.QUARANTINED
            out.persist(hedge)
            out.warning("hedge.quarantined", hedge=hedge.id, coin=hedge.coin)
        quarantine.watch(state, hedge, out)
    elif hedge.state is HedgeState.QUARANTINED:
        quarantine.release(state, hedge)
        _change(state, hedge, HedgeState.UNBALANCED, out)


def _watch_balance(state: EngineState, hedge: Hedge, out: Actions, *, dust: bool, blind: bool) -> None:
    """Note since when the legs do not cancel, and tell the owner when it has lasted too long (R10).

    `dust` says that what is left over, if anything, is too small to be traded on either leg; `blind` that a price is
    missing, so that nothing can be tried: it goes on as soon as there is one.
    """
    now = state.book.now.mono_ms
    tolerance = max(state.market.instruments[leg.instrument].lot for leg in hedge.legs)
    if dust or abs(hedge.imbalance_base) <= tolerance:
        if hedge.unbalanced_mono_ms is not None and hedge.rehedges:
            out.info("hedge.balanced", hedge=hedge.id, coin=hedge.coin, after_ms=now - hedge.unbalanced_mono_ms)
        hedge.unbalanced_mono_ms, hedge.rehedges = None, 0
        state.stuck.discard(hedge.id)
        setbacks.settled(state, hedge)
        return
    if hedge.unbalanced_mono_ms is None:
        hedge.unbalanced_mono_ms = now
    exposure = round(abs(hedge.imbalance_base) * price_of(state.book, hedge), 2)
    if not blind:
        hedge.rehedges += 1
        out.info("hedge.unbalanced", hedge=hedge.id, coin=hedge.coin, unhedged_usd=exposure, attempt=hedge.rehedges)
    over = hedge.rehedges - state.config.execution.rehedges_max
    if blind or over > 0:
        pause_ms = 0 if blind else min(PAUSE_MS * 2 ** min(over, 10), PAUSE_MS_MAX)
        hedge.wait_until_mono_ms = now + pause_ms
        if r10_leg_imbalance.overdue(state.book, hedge) and hedge.id not in state.stuck:
            state.stuck.add(hedge.id)
            out.critical(
                "hedge.stuck",
                hedge=hedge.id,
                coin=hedge.coin,
                unhedged_usd=exposure,
                rule=r10_leg_imbalance.RULE,
                remedy="the daemon keeps unwinding; close the larger leg at the venue by hand if this does not end",
            )


def rest_after_nothing(state: EngineState, hedge: Hedge) -> None:
    """Everything came back empty: try again on a later quote, not in a loop, and less often each time."""
    tries = state.fruitless[hedge.id] = state.fruitless.get(hedge.id, 0) + 1
    pause_ms = min(PAUSE_MS * 2 ** min(max(0, tries - TRIES_QUICK), 10), PAUSE_MS_MAX)
    hedge.wait_until_mono_ms = max(hedge.wait_until_mono_ms, state.book.now.mono_ms + pause_ms)


def feed_back(state: EngineState, feed: str) -> None:
    """A feed lives again: what was tried in vain at the last prices before it was lost has earned no pause."""
    for hedge in state.book.live_hedges():
        listed = (state.market.instruments.get(leg.instrument) for leg in hedge.legs)
        if any(one is not None and one.feed == feed for one in listed):
            hedge.wait_until_mono_ms = hedge.rehedges = 0
            state.fruitless.pop(hedge.id, None)


def _disarm(state: EngineState, hedge: Hedge) -> None:
    for leg in hedge.legs:
        if state.armed.get(leg.instrument) == hedge.id:
            del state.armed[leg.instrument]
