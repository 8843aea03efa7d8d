"""Facts about money: fills, receipts and the venue's own balances, each booked once."""

from decimal import Decimal

from bot.domain.actions import LastPrice, Reconcile
from bot.domain.borrowing import note_owed
from bot.domain.events import FundingReceived
from bot.domain.guards import Remembered
from bot.domain.hedges import Hedge, HedgeState, Leg
from bot.domain.instruments import Kind
from bot.domain.ledger import Transaction
from bot.domain.market import Mark
from bot.domain.numbers import ONE, ZERO
from bot.domain.orders import Fill, OrderRecord, Side
from bot.domain.time import HOUR_MS
from bot.domain.valuation import USD_ASSETS, coin_price
from bot.engine import entry_costs, spending
from bot.engine.state import Actions, EngineState
from bot.ledger import postings
from bot.risk.rules import r01_negative_funding, r05_drawdown, r07_liquidation, r12_receipts

OWN_PREFIX = "cb"
"""Client ids of ours start with this, the epoch and the hedge's number: cb<epoch>-<hedge>-<order>."""
TAKEN_PREFIXES = ("autoclose-", "adl_autoclose", "settlement_autoclose-")
"""Client ids of orders by which Binance closes a position on its own: liquidation, deleveraging, delisting."""
CLOSED_SLACK_MS = HOUR_MS
"""A hedge ends by the daemon's clock, and is paid and charged by the venue's."""
SEEN_MAX = 100
"""Settlements of a perpetual of which each is remembered as paid."""
TAKEN = f"{r07_liquidation.RULE}: the venue closed the position"
"""Why a hedge closes of which the venue has closed a leg."""


def book_fill(state: EngineState, fill: Fill, order: OrderRecord | None, out: Actions) -> bool:
    """Post a fill and move its leg. False when it was booked before."""
    instrument = state.market.instruments.get(fill.instrument)
    if instrument is None:
        out.critical("fill.unlisted", instrument=fill.instrument, trade_id=fill.trade_id, client_id=fill.client_id)
        return False
    transaction_id = postings.fill_id(fill)
    if state.ledger.knows(transaction_id):
        return False
    hedge, leg = _owner(state, fill, order)
    owner = hedge.id if hedge is not None else postings.FOREIGN
    entries = postings.fill_entries(fill, instrument, owner)
    transaction = state.ledger.post(transaction_id, fill.traded_ms, "fill", owner, entries)
    assert transaction is not None
    out.persist(fill)
    out.persist(transaction)
    if hedge is None or leg is None:
        owners_dollars(state, transaction, out)
        out.warning("fill.foreign", instrument=fill.instrument, client_id=fill.client_id, quantity=fill.quantity_base)
        return True
    taken_by_venue = fill.client_id.startswith(TAKEN_PREFIXES) or (order is None and _bought_back(fill, leg))
    if taken_by_venue and hedge.live:
        _taken(state, hedge, fill, out)
    elif order is None and not (taken_by_venue and leg.quantity_base * fill.side.sign < 0):
        out.critical("fill.unexpected", hedge=hedge.id, coin=hedge.coin, client_id=fill.client_id, price=fill.price)
    taken = fill.fee if fill.fee_asset == instrument.base_asset and instrument.kind.is_coin else ZERO
    held = leg.quantity_base
    if leg.kind is Kind.MARGIN:
        awaited = (fill.venue, instrument.base_asset) in state.market.repaid_ms  # for what was owed
        note_owed(state.market, leg, anew=held >= 0 and not awaited)
    if not hedge.traded or fill.traded_ms < hedge.opened_ms:  # a fill may be told before an earlier one
        hedge.opened_ms = fill.traded_ms  # by the venue's clock, as are the payments that it will be held against
    move_leg(leg, fill.side.sign * fill.quantity_base - taken, fill.price)
    _note_stint(state, leg, held, fill.traded_ms)
    if leg.kind is Kind.MARGIN and held < 0 <= leg.quantity_base:
        state.market.repaid_ms[fill.venue, instrument.base_asset] = fill.traded_ms
    entry_costs.moved(state, hedge, leg, held, out)
    fee_usd = _fee_usd(state, fill)
    hedge.fees_usd += fee_usd
    spending.spend(state, out, fees_usd=fee_usd)
    if order is not None:
        hedge.wait_until_mono_ms = 0  # earned by what filled nothing
        entry_costs.opened(state, hedge, order, fill, fee_usd, out)
        hedge.slippage_usd += fill.side.sign * (fill.price - order.intent.decided_price) * fill.quantity_base
    if not hedge.live:
        take_up_again(state, hedge)
    out.persist(hedge)
    return True


def owners_dollars(state: EngineState, transaction: Transaction, out: Actions) -> None:
    """Dollars that became coins of the owner's own, or came of them, or that a position of theirs realised or paid,
    are neither lost nor earned by the book (R5).

    Where they trade in a perpetual that a hedge holds, its leg stays as it is, and what it has lost is seen by it.
    """
    held = (entry for entry in transaction.entries if entry.account.startswith("venue:"))
    usd = sum((entry.amount for entry in held if entry.asset in USD_ASSETS), ZERO)
    if not usd:
        return
    worth_usd = r05_drawdown.worth_usd(state.book)
    r05_drawdown.capital_moved(state.book, None if worth_usd is None else worth_usd - usd, usd)
    high_usd = state.book.guards.drawdown.high_usd
    if high_usd is not None:
        out.persist(Remembered(r05_drawdown.RULE, "", "high", high_usd, state.book.now.market_ms))


def _note_price(state: EngineState, hedge: Hedge, fill: Fill, out: Actions) -> None:
    """What the venue closed a perpetual at is all that is known of a coin whose markets ended while nobody listened.

    At a price out of the books that is older, the coins that are left would look like a loss or a gain of the book.
    """
    if state.market.instruments[fill.instrument].kind is not Kind.PERP:
        return
    mark = state.market.marks.get(fill.instrument)
    if fill.instrument not in state.market.quotes and (mark is None or not mark.next_funding_ms):
        state.market.marks[fill.instrument] = Mark(fill.instrument, fill.price, fill.price, ZERO, 0)
    for leg in hedge.legs:
        out.persist(LastPrice(leg.instrument, fill.price, fill.traded_ms))


def take_up_again(state: EngineState, hedge: Hedge) -> None:
    """What was thought closed has moved: its imbalance is repaired like any other."""
    hedge.state, hedge.closed_ms, hedge.target_base = HedgeState.UNBALANCED, None, ZERO
    state.hedges[hedge.id] = hedge


def _bought_back(fill: Fill, leg: Leg) -> bool:
    """Whether somebody else bought what we owe: the venue liquidates loans under names that it does not document."""
    ours = fill.client_id.startswith(OWN_PREFIX)
    return leg.kind is Kind.MARGIN and not ours and fill.side is Side.BUY and leg.quantity_base < 0


def _note_stint(state: EngineState, leg: Leg, held: Decimal, traded_ms: int) -> None:
    """Remember from when to when a perpetual is held: only what lies in between can be paid."""
    if leg.kind is not Kind.PERP:
        return
    legs = (one for hedge in state.hedges.values() for one in hedge.legs if one.instrument == leg.instrument)
    if any(one.quantity_base for one in legs if one is not leg):
        return  # beside its successor a hedge can be live again, for what was told late of it
    if not held and leg.quantity_base:
        state.held_since_ms[leg.instrument] = traded_ms
    elif held and not leg.quantity_base:
        since = state.held_since_ms.pop(leg.instrument, traded_ms)
        state.held_before_ms[leg.instrument] = since, traded_ms


def _taken(state: EngineState, hedge: Hedge, fill: Fill, out: Actions) -> None:
    """The venue closed a position of ours (liquidation, deleveraging): the other leg goes, and the coin stays out."""
    hedge.target_base = ZERO
    hedge.reason = TAKEN
    hedge.wait_until_mono_ms = hedge.rehedges = 0  # earned by what was tried in vain before
    _note_price(state, hedge, fill, out)
    out.append(Reconcile(hedge.venue, "the venue closed a position"))  # what it charges is in its history alone
    removal = r01_negative_funding.removal_of(state.book, hedge.venue, hedge.coin, hedge.direction)
    if not removal.removed:
        r01_negative_funding.remove(removal, state.book.now.market_ms, hedge.reason)
        out.persist(removal)
    out.critical(
        "position.taken",
        hedge=hedge.id,
        coin=hedge.coin,
        client_id=fill.client_id,
        quantity_base=fill.quantity_base,
        price=fill.price,
        done="closing the other leg; the coin stays out in this direction until its funding days readmit it",
        remedy="look at the liquidation distance and the margin of the other hedges",
    )


def _fee_usd(state: EngineState, fill: Fill) -> Decimal:
    """What the fee was worth: in a coin without a price (the platform's own where it is not listed) by its rate."""
    price, rates = _usd_price(state, fill), state.market.fees.get(fill.instrument)
    if price or not fill.fee or rates is None:
        return fill.fee * price
    return (rates.maker if fill.maker else rates.taker) * fill.quantity_base * fill.price


def _usd_price(state: EngineState, fill: Fill) -> Decimal:
    """Value of one unit of the fee's asset: a stable coin is one dollar, the traded coin its own price."""
    if fill.fee_asset in USD_ASSETS:
        return ONE
    if fill.fee_asset == state.market.instruments[fill.instrument].base_asset:
        return fill.price
    return coin_price(state.book, fill.venue, fill.fee_asset)


def move_leg(leg: Leg, signed_base: Decimal, price: Decimal) -> None:
    """Average cost on the way in, realised P&L on the way out; a flip closes first and then opens."""
    held = leg.quantity_base
    if held and (held > 0) != (signed_base > 0):
        closing = min(abs(held), abs(signed_base)) * (1 if held > 0 else -1)
        average = leg.cost_quote / held
        leg.realized_quote += closing * (price - average)
        leg.quantity_base -= closing
        leg.cost_quote = leg.cost_quote - closing * average if leg.quantity_base else ZERO
        signed_base += closing
    if signed_base:
        leg.quantity_base += signed_base
        leg.cost_quote += signed_base * price


def _owner(state: EngineState, fill: Fill, order: OrderRecord | None) -> tuple[Hedge | None, Leg | None]:
    """The hedge and leg that a fill belongs to: by its order, by our client id, or (liquidations) by position.

    What trades in the margin account is the hedge's whoever did it: the account is the bot's alone. Of a closed hedge
    the venue may still take what was too little to trade, or have bought back what its own last order bought as well.
    """
    hedge = state.hedges.get(order.intent.hedge_id) if order is not None else None
    if hedge is None and fill.client_id.startswith(OWN_PREFIX):
        parts = fill.client_id.split("-")
        candidates = [*state.hedges.values(), *state.remembered_hedges()]
        hedge = next((h for h in candidates if len(parts) == 3 and parts[1] == str(h.number)), None)
    lent = state.market.instruments[fill.instrument].kind is Kind.MARGIN and not fill.client_id.startswith(OWN_PREFIX)
    if hedge is None and (lent or fill.client_id.startswith(TAKEN_PREFIXES)):
        hedge = next((h for h in state.hedges.values() if _leg(h, fill.instrument) is not None), None)
        hedge = hedge or _left_over(state, fill) or (_bought_twice(state, fill) if lent else None)
    return (hedge, _leg(hedge, fill.instrument)) if hedge is not None else (None, None)


def _left_over(state: EngineState, fill: Fill) -> Hedge | None:
    """The closed hedge that left something of this instrument which the fill makes smaller."""
    for hedge in state.hedges_of(fill.instrument):
        leg = _leg(hedge, fill.instrument)
        if leg is not None and leg.quantity_base * fill.side.sign < 0:
            return hedge
    return None


def _bought_twice(state: EngineState, fill: Fill) -> Hedge | None:
    """The closed hedge whose loan the venue bought back while it still owed: such coins are too many, and ours."""
    for hedge in state.hedges_of(fill.instrument):
        if hedge.closed_ms is None or fill.side is not Side.BUY:
            continue
        if hedge.opened_ms <= fill.traded_ms <= hedge.closed_ms:
            return hedge
    return None


def _leg(hedge: Hedge, instrument: str) -> Leg | None:
    return next((leg for leg in hedge.legs if leg.instrument == instrument), None)


def book_receipt(state: EngineState, event: FundingReceived, out: Actions) -> None:
    """Post a funding payment once; it belongs to the hedge that held its instrument then."""
    receipt = event.receipt
    instrument = state.market.instruments.get(receipt.instrument)
    paid_for(state, receipt.instrument, receipt.settled_ms)
    newest = max(state.receipts_until_ms.get(receipt.venue, 0), receipt.settled_ms)
    state.receipts_until_ms[receipt.venue] = newest
    transaction_id = postings.receipt_id(receipt)
    if instrument is None or state.ledger.knows(transaction_id):
        return
    hedge = holder(state, receipt.instrument, receipt.settled_ms)
    owner = hedge.id if hedge is not None else postings.FOREIGN
    entries = postings.receipt_entries(receipt, instrument, owner)
    transaction = state.ledger.post(transaction_id, receipt.settled_ms, "funding", owner, entries)
    assert transaction is not None
    out.persist(receipt)
    out.persist(transaction)
    if hedge is not None:
        hedge.funding_usd += receipt.payment
        out.persist(hedge)
    else:
        owners_dollars(state, transaction, out)
    out.info(
        "funding.received",
        coin=receipt.coin,
        hedge=owner,
        payment=receipt.payment,
        asset=receipt.asset,
        rate=receipt.rate,
        settled_ms=receipt.settled_ms,
    )


def holder(state: EngineState, instrument: str, at_ms: int) -> Hedge | None:
    """The hedge that held a perpetual at a market time of the venue's; None: what was held then was nobody's of ours.

    Where none did, the one that was opened so soon after it that the venue may have counted it.
    """
    return _held(state, instrument, at_ms) or _held(state, instrument, at_ms + r12_receipts.EDGE_MS)


def _held(state: EngineState, instrument: str, at_ms: int) -> Hedge | None:
    """The owner may hold a position by hand where a hedge was closed long ago.

    The newest comes first; but one of before may be live again, by what was left of it, and grow after those that
    came between have ended.
    """
    # Of a live one nobody may have told the fill yet; a closed one that filled nothing held nothing.
    candidates = (one for one in state.hedges_of(instrument) if one.live or one.traded)
    for hedge in candidates:
        if hedge.opened_ms > at_ms:
            continue
        leg = _leg(hedge, instrument)
        if not ended_before(hedge, at_ms) or (leg is not None and leg.quantity_base):
            return hedge
    return None


def ended_before(hedge: Hedge, at_ms: int) -> bool:
    """Whether a hedge was closed for sure at a market time of the venue's."""
    return hedge.closed_ms is not None and at_ms > hedge.closed_ms + CLOSED_SLACK_MS


def paid_for(state: EngineState, instrument: str, settled_ms: int) -> None:
    """A settlement needs no more waiting for: its receipt is here, or its rate was exactly zero."""
    state.receipts_due_ms.pop((instrument, settled_ms), None)
    if receipt_seen(state, instrument, settled_ms):
        return
    seen = state.receipts_seen.setdefault(instrument, set())
    seen.add(settled_ms)
    if len(seen) > SEEN_MAX:
        state.receipt_seen_ms[instrument] = oldest_ms = min(seen)
        seen.remove(oldest_ms)


def receipt_seen(state: EngineState, instrument: str, settled_ms: int) -> bool:
    """Whether a settlement was paid, or is too old to be waited for. That a later one was paid says nothing of it."""
    if settled_ms <= state.receipt_seen_ms.get(instrument, 0):
        return True
    return settled_ms in state.receipts_seen.get(instrument, ())
