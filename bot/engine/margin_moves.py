"""Margin between the wallets of a split account: enough behind the perpetuals and the loans for R7, the rest where
spot is bought. Everything goes through the spot wallet.

One transfer at a time for each venue. A transfer without an answer is reconciled before the next one is thought of.
"""

from decimal import ROUND_FLOOR, Decimal

from bot.domain.actions import MoveMargin, Reconcile, TransferEnded
from bot.domain.events import TransferFailed, TransferSettled, TransferUnknown
from bot.domain.hedges import Hedge, TransferIntent
from bot.domain.instruments import Kind, Wallet
from bot.domain.margin import ShortPosition, margin_needed_usd
from bot.domain.numbers import ZERO
from bot.domain.structures import COIN
from bot.domain.valuation import mark_price
from bot.engine import collateral
from bot.engine.state import Actions, EngineState
from bot.execution.cash import spot_cash
from bot.ledger import postings
from bot.risk.rules import r07_liquidation

ASSET = "USDT"
LEAST_USD = Decimal(50)
SLACK = Decimal("1.02")
"""Margin aims this far above what R7 asks for, so that it is not moved for every tick."""
CENT = Decimal("0.01")
PAUSE_MS = 1_000
PAUSE_FAILED_MS = 10_000
"""After the first refusal; twice as long after each further one, up to the fourfold: the balances that are asked for
meanwhile say why, and a history of many trades takes seconds in which nothing may be sent."""
UNANSWERED_MS = 60_000
"""Longer than the commit and the request of a transfer ever take."""
INITIAL_RATE = Decimal("0.06")
"""Initial margin kept in the perp wallet when moving out of it: 20x leverage and a little."""


def manage(state: EngineState, venue: str, out: Actions) -> None:
    """Move margin towards where the targets need it, if it is worth a transfer."""
    now = state.book.now.mono_ms
    if state.book.transfers or now < state.transfer_wait_mono_ms or state.stopping:
        return
    needed = Decimal(repr(_needed_usd(state, venue))) * SLACK
    margin = r07_liquidation.perp_margin_usd(state.book, venue)
    cash = spot_cash(state.book, venue, ASSET)
    lacking = needed - margin
    lacking = lacking if lacking > max(LEAST_USD, needed * (SLACK - 1) / 2) else ZERO
    if lacking and cash >= LEAST_USD:
        _move(state, venue, min(lacking, cash), Wallet.SPOT, Wallet.PERP, out)
        return
    loan = collateral.lacking_usd(state, venue)
    if loan > LEAST_USD and cash >= LEAST_USD:
        _move(state, venue, min(loan, cash), Wallet.SPOT, Wallet.MARGIN, out)
        return
    short_of = lacking + max(ZERO, loan)
    wanted = _spot_wanted_usd(state, venue) + (short_of if state.market.reverse else ZERO) - cash
    spare = min(margin - needed, _withdrawable(state, venue)) if wanted > LEAST_USD else ZERO
    if spare > LEAST_USD:
        _move(state, venue, min(wanted, spare), Wallet.PERP, Wallet.SPOT, out)
        return
    spare = collateral.spare_usd(state, venue, wanted)
    if spare > LEAST_USD:
        _move(state, venue, spare, Wallet.MARGIN, Wallet.SPOT, out)


def _needed_usd(state: EngineState, venue: str) -> float:
    """Perp margin for what is held, aimed at or cannot be sold, whichever is most.

    Shorts and longs carry each other once both are there. While a book is built one side comes first and must stand
    alone, or R7 refuses either entry for want of the other.
    """
    liquidation = state.config.limits.liquidation
    held = []
    growing = False
    for hedge in state.book.live_hedges():
        growing |= hedge.venue == venue and hedge.target_base > hedge.size_base
        for leg in hedge.legs:
            if hedge.venue != venue or leg.kind is not Kind.PERP:
                continue
            price = mark_price(state.book, leg.instrument)
            if price is not None:
                usd = float(max(abs(leg.quantity_base), hedge.target_base, _unsellable_base(state, hedge)) * price)
                held.append(ShortPosition(leg.direction * usd, state.market.tiers.get(leg.instrument, ())))
    if held:  # what the owner holds beside them is borne by the same margin
        held += state.book.strangers.get(venue, (ZERO, ()))[1]
    books = [held]
    if growing:
        books += [[one for one in held if one.notional_usd < 0], [one for one in held if one.notional_usd > 0]]
    distance = liquidation.warn + r07_liquidation.AIM_MARGIN
    return max(margin_needed_usd(book, distance, liquidation.basis_stress) for book in books)


def _unsellable_base(state: EngineState, hedge: Hedge) -> Decimal:
    """Coins whose market is closed: whatever the target is, only a perpetual of their size makes them safe."""
    pair = state.book.pair_of(hedge)
    if pair is None or pair.spot.trades or not pair.perp.trades:
        return ZERO
    return abs(hedge.legs[COIN].quantity_base)


def _spot_wanted_usd(state: EngineState, venue: str) -> Decimal:
    """Quote currency that the hedges being built will still spend on spot, fees and drift included."""
    wanted = ZERO
    for hedge in state.book.live_hedges():
        missing = hedge.target_base - hedge.size_base
        if missing <= 0 or hedge.venue != venue or hedge.structure.owes:
            continue
        price = state.market.price(hedge.legs[0].instrument)
        if price is not None:
            wanted += missing * price
    return wanted * SLACK


def _withdrawable(state: EngineState, venue: str) -> Decimal:
    """What the venue lets go: the wallet less initial margin; profit cannot be withdrawn, a loss counts."""
    wallet = state.ledger.balance(postings.wallet_account(venue, Wallet.PERP), ASSET)
    margin = r07_liquidation.perp_margin_usd(state.book, venue)
    held = sum((Decimal(repr(abs(one.notional_usd))) for one in r07_liquidation.positions(state.book, venue)), ZERO)
    return min(wallet, margin) - held * INITIAL_RATE


def _move(state: EngineState, venue: str, usd: Decimal, source: Wallet, target: Wallet, out: Actions) -> None:
    amount = usd.quantize(CENT, rounding=ROUND_FLOOR)
    state.transfer_count += 1
    now = state.book.now
    intent = TransferIntent(
        f"t{state.epoch}-{state.transfer_count}", venue, ASSET, amount, source.value, target.value, now.market_ms
    )
    state.book.transfers[intent.id] = intent
    state.transfer_wait_mono_ms = now.mono_ms + PAUSE_MS
    out.persist(intent)
    out.append(MoveMargin(intent))
    out.info("margin.moving", venue=venue, amount=amount, source=source.value, target=target.value)


def settled(state: EngineState, event: TransferSettled, out: Actions) -> None:
    intent = state.book.transfers.pop(event.transfer_id, None)
    state.transfers_unknown.pop(event.transfer_id, None)
    if intent is None:
        return
    entries = postings.transfer_entries(intent)
    name = f"transfer:{intent.venue}:{event.venue_id}"
    state.book.margin_stuck.discard(intent.venue)
    state.transfers_refused = 0
    transaction = state.ledger.post(name, state.book.now.market_ms, "transfer", None, entries)
    if transaction is not None:
        out.persist(transaction)
    out.persist(TransferEnded(intent.id, True, event.venue_id, ""))
    out.info("margin.moved", venue=intent.venue, amount=intent.amount, source=intent.source, target=intent.target)


def failed(state: EngineState, event: TransferFailed, out: Actions) -> None:
    state.transfers_unknown.pop(event.transfer_id, None)
    intent = state.book.transfers.pop(event.transfer_id, None)
    if intent is None:
        return
    pause_ms = PAUSE_MS
    if event.refused:
        state.book.margin_stuck.add(intent.venue)
        pause_ms = PAUSE_FAILED_MS << min(state.transfers_refused, 2)
        state.transfers_refused += 1
    state.transfer_wait_mono_ms = state.book.now.mono_ms + pause_ms
    out.persist(TransferEnded(event.transfer_id, False, None, event.reason))
    out.warning("margin.refused", transfer=event.transfer_id, reason=event.reason)


def unknown(state: EngineState, event: TransferUnknown, out: Actions) -> None:
    intent = state.book.transfers.get(event.transfer_id)
    if intent is None:
        return
    out.warning("margin.unknown", transfer=event.transfer_id, reason=event.reason)
    state.transfers_unknown[intent.id] = None
    state.book.margin_stuck.add(intent.venue)
    state.book.ready[intent.venue] = False
    out.append(Reconcile(intent.venue, "a transfer has no answer"))


def chase(state: EngineState, out: Actions) -> None:
    """A transfer whose outcome was never told, as where the inbox overflowed, has no answer either."""
    if state.book.now.mono_ms - state.transfer_wait_mono_ms < UNANSWERED_MS:
        return
    for name in [name for name in state.book.transfers if name not in state.transfers_unknown]:
        unknown(state, TransferUnknown(name, "no answer in time"), out)


def give_up_unknown(state: EngineState, venue: str, began_mono_ms: int | None, out: Actions) -> None:
    """After a reconciliation that began then: a transfer that the venue's history does not show twice, the settle
    window apart, never happened."""
    now_ms, window_ms = state.book.now.mono_ms, state.config.execution.settle_window_s * 1000
    began_ms = now_ms if began_mono_ms is None else began_mono_ms
    for name in [name for name, intent in state.book.transfers.items() if intent.venue == venue]:
        if name not in state.transfers_unknown:
            continue
        first_ms = state.transfers_unknown[name]
        if first_ms is None:
            state.transfers_unknown[name] = now_ms
        elif began_ms - first_ms >= window_ms:
            failed(state, TransferFailed(name, "not in the venue's history", refused=False), out)
