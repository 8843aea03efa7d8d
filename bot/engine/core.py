"""`step`: one event in, actions out. The only way anything in the engine changes."""

from decimal import Decimal
from typing import assert_never

from bot.domain import events as ev
from bot.domain.actions import LastPrice, NavPoint, Reconcile
from bot.domain.book import Valued
from bot.domain.hedges import Control, Hedge
from bot.domain.market import BorrowTerms, CollateralRatio, Liquidity, Mark, Quote, SettledRate
from bot.domain.time import HOUR_MS, Stamp
from bot.domain.valuation import deployed_usd, leverage, mark_price, nav_usd, unhedged_usd
from bot.engine import (
    accepting,
    borrowing,
    collateral,
    comparing,
    control,
    guarding,
    holdings,
    liquidations,
    margin_moves,
    markets,
    money,
    orders,
    settlements,
    trust,
    watching,
)
from bot.engine.deciding import adjust, decide, decision_due, flatten
from bot.engine.hedging import admit_waiting, feed_back, rest_after_nothing, work
from bot.engine.recovery import half_lives_h
from bot.engine.state import Actions, EngineState

RECONCILE_EVERY_MS = 20_000
NAV_EVERY_MS = HOUR_MS


def step(state: EngineState, event: ev.Event, at: Stamp) -> Actions:
    """Apply one event at its stamp. Deterministic: the same state, event and stamp give the same actions."""
    state.book.now, state.book.valued, state.ledger.now_ms = at, None, at.market_ms
    out = Actions()
    match event:
        case Quote():
            _quote(state, event, out)
        case Mark():
            settlements.mark_seen(state, event)
            guarding.observe(state, event, out)
        case ev.FeedAlive():
            state.market.feed_alive_ms[event.feed] = at.heard_ms
            if state.market.feed_out_ms.pop(event.feed, None) is not None:
                state.decide_due = True
                feed_back(state, event.feed)
        case ev.Tick():
            _tick(state, out)
        case ev.OrderReported():
            _go_on(state, orders.reported(state, event, out), out)
        case ev.OrderFilled():
            _go_on(state, orders.filled(state, event, out), out)
        case ev.OrderOutcomeUnknown():
            hedge = orders.unknown(state, event, out)
            _go_on(state, hedge, out)
        case ev.OrderNotFound():
            _go_on(state, orders.not_found(state, event, out), out)
        case SettledRate():
            settlements.rate_settled(state, event, out)
        case Liquidity():
            state.decide_due |= event.instrument not in state.market.liquidity
            state.market.take_liquidity(event)
        case ev.FundingReceived():
            money.book_receipt(state, event, out)
        case ev.InterestCharged():
            borrowing.charged(state, event, out)
        case ev.LiquidationCharged():
            liquidations.charged(state, event, out)
        case BorrowTerms():
            borrowing.terms(state, event, out)
        case ev.TransferSettled():
            margin_moves.settled(state, event, out)
        case ev.TransferFailed():
            margin_moves.failed(state, event, out)
        case ev.TransferUnknown():
            margin_moves.unknown(state, event, out)
        case ev.AccountReported():
            guarding.answered(state, event.venue)
            comparing.compare_account(state, event, out)
            holdings.compared(state, event, out)
            borrowing.compared(state, event.venue, out)
        case _:
            _rare(state, event, out)
    if out:
        guarding.note_asked(state, out)
    return out


def _rare(state: EngineState, event: ev.Event, out: Actions) -> None:
    match event:
        case ev.VenueListed():
            markets.listed(state, event, out)
        case ev.FeedLost():
            _feed_lost(state, event, out)
        case ev.Reconciled():
            _reconciled(state, event, out)
        case CollateralRatio():
            collateral.valued(state, event, out)
        case ev.LoanRecalled():
            borrowing.recalled(state, event, out)
        case ev.CapitalMoved():
            guarding.capital_moved(state, event, out)
        case ev.Halt():
            control.halt(state, event, out)
        case ev.Resume():
            control.resume(state, event, out)
        case ev.Flatten():
            control.flatten_all(state, event, out)
        case ev.CloseCoin():
            control.close_coin(state, event, out)
        case ev.Readmit():
            control.readmit(state, event, out)
        case ev.AcceptDifference():
            accepting.accept(state, event, out)
        case ev.Reconfigure():
            state.book.config = event.config
            state.market.set_half_lives(half_lives_h(event.config))
            state.decide_due = True
        case ev.Stop():
            state.stopping, state.ceased = True, event.last
            for hedge in state.book.live_hedges():
                state.basis_min.pop(hedge.id, None)
        case (
            Quote()
            | Mark()
            | SettledRate()
            | Liquidity()
            | BorrowTerms()
            | ev.FeedAlive()
            | ev.Tick()
            | ev.OrderReported()
            | ev.OrderFilled()
            | ev.OrderOutcomeUnknown()
            | ev.OrderNotFound()
            | ev.FundingReceived()
            | ev.InterestCharged()
            | ev.LiquidationCharged()
            | ev.TransferSettled()
            | ev.TransferFailed()
            | ev.TransferUnknown()
            | ev.AccountReported()
        ):
            raise AssertionError(f"{type(event).__name__} is handled by step")
        case _:
            assert_never(event)


def _quote(state: EngineState, quote: Quote, out: Actions) -> None:
    state.market.take_quote(quote, state.book.now.mono_ms)
    if quote.instrument in state.armed:
        hedge = state.hedges.get(state.armed[quote.instrument])
        if hedge is not None:
            work(state, hedge, out)


def _go_on(state: EngineState, hedge: Hedge | None, out: Actions) -> None:
    """All orders of a hedge are home: take its next step, or wait for a fresh quote when they brought nothing."""
    if hedge is None:
        return
    if hedge.id in state.empty_handed:
        rest_after_nothing(state, hedge)
    work(state, hedge, out)
    admit_waiting(state, out)


def _tick(state: EngineState, out: Actions) -> None:
    """Only asks for things: neither prices nor legs change in it, and what is valued once is valued."""
    state.book.valued = Valued()
    _look(state, out)
    state.book.valued = None


def _look(state: EngineState, out: Actions) -> None:
    orders.chase(state, out)
    margin_moves.chase(state, out)
    guarding.watch(state, out)
    borrowing.watch(state, out)
    watching.watch(state, out)
    if guarding.hard_breach(state):
        control.drawdown_halt(state, out)
    nav = nav_usd(state.book)
    adjust(state, nav, out)
    if decision_due(state):
        decide(state, nav, out)
    for venue, ready in state.book.ready.items():
        if ready:
            margin_moves.manage(state, venue, out)
    for hedge in guarding.in_order(state):
        work(state, hedge, out)
    control.finish_flattening(state, out)
    now = state.book.now
    for venue, ready in state.book.ready.items():
        if ready:
            settlements.ask_for_due(state, venue, out)
        if now.mono_ms - state.reconciled_mono_ms.get(venue, now.mono_ms) > RECONCILE_EVERY_MS:
            state.reconciled_mono_ms[venue] = now.mono_ms
            out.append(Reconcile(venue, "periodic"))
    if now.market_ms - state.nav_ms >= NAV_EVERY_MS and any(state.book.ready.values()):
        _value(state, nav, out)


def _value(state: EngineState, nav: Decimal, out: Actions) -> None:
    """A point of the NAV history, with the prices that the books need while the daemon is down."""
    state.nav_ms = state.book.now.market_ms
    deployed, unhedged = deployed_usd(state.book), unhedged_usd(state.book)
    guarding.save_mark(state, out)
    out.persist(NavPoint(state.nav_ms, nav, leverage(state.book, nav, deployed), deployed, unhedged))
    for name in _valued(state):
        price = mark_price(state.book, name)
        if price is not None:
            out.persist(LastPrice(name, price, state.nav_ms))


def _valued(state: EngineState) -> dict[str, None]:
    """What is a part of NAV: the legs of hedges, and coins that a venue holds for us, the owner's own ones too."""
    names = dict.fromkeys(leg.instrument for hedge in state.book.live_hedges() for leg in hedge.legs)
    for (account, asset), venue in state.book.wallets():
        pair = state.market.by_asset.get((venue, asset))
        if pair is not None and state.ledger.balance(account, asset):
            names[pair.spot.id] = None
    return names


def _feed_lost(state: EngineState, event: ev.FeedLost, out: Actions) -> None:
    """Nothing opens on this venue until the feed lives again and the venue's truth has been fetched.

    R6 counts a feed that never lived as out since it is watched.
    """
    watched_ms = state.book.guards.extreme.watched_mono_ms
    never_ms = state.book.now.mono_ms if watched_ms is None else watched_ms
    alive_ms = state.market.feed_alive_ms.pop(event.feed, None)
    state.market.feed_out_ms.setdefault(event.feed, never_ms if alive_ms is None else alive_ms)
    state.market.lost(event.feed, state.book.now.mono_ms)
    venue = event.feed.split(":")[0]
    state.book.ready[venue] = False
    tell = out.info if event.planned else out.warning
    tell("feed.lost", feed=event.feed, reason=event.reason)
    state.reconciled_mono_ms[venue] = state.book.now.mono_ms
    out.append(Reconcile(venue, f"{event.feed} was lost"))


def _overtaken(state: EngineState, event: ev.Reconciled) -> bool:
    """Whether a feed of the venue was lost after this reconciliation had begun."""
    if event.began_mono_ms is None:
        return False
    lost = (at for feed, at in state.market.feed_lost_ms.items() if feed.split(":")[0] == event.venue)
    return event.began_mono_ms < max(lost, default=event.began_mono_ms)


def _explain(state: EngineState, venue: str, out: Actions) -> None:
    """From when the venue's balances differ from the ledger for sure until they agree, nothing opens there.

    A difference that becomes another one is no agreement. What reduces goes on.
    """
    blocked = state.book.unexplained
    if comparing.confirmed_difference(state, venue) and venue not in blocked:
        blocked.add(venue)
        remedy = "carrybot ledger --verify shows what differs; nothing opens until it is explained"
        out.critical("venue.unexplained", venue=venue, remedy=remedy)
    elif venue in blocked and not any(key[0] == venue for key in state.differences):
        blocked.remove(venue)
        state.decide_due = True
        out.info("venue.explained", venue=venue)


def _reconciled(state: EngineState, event: ev.Reconciled, out: Actions) -> None:
    state.reconciled_mono_ms[event.venue] = state.book.now.mono_ms
    guarding.answered(state, event.venue)
    if _overtaken(state, event):
        return  # what came after its questions is not in the answers; the loss itself asked for another pass
    was = state.book.ready.get(event.venue, False)
    margin_moves.give_up_unknown(state, event.venue, event.began_mono_ms, out)
    state.book.ready[event.venue] = True
    _explain(state, event.venue, out)
    trust.insist(state, event.venue, out)
    if was:
        return
    state.decide_due = True
    state.book.control = state.wanted
    if state.wanted is Control.FLATTENING:
        flatten(state, f"flatten: {state.wanted_reason}", out)
    out.info("venue.reconciled", venue=event.venue, orders=len(state.orders), hedges=len(state.hedges))
