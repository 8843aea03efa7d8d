"""From a record to the rows that hold it: one writer for each kind of record."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bot.domain.actions import (
    Alert,
    ControlSet,
    LastPrice,
    NavPoint,
    Persist,
    Record,
    TransferEnded,
    VerdictGiven,
)
from bot.domain.guards import Remembered
from bot.domain.hedges import Hedge, Receipt, Removal, TransferIntent
from bot.domain.ledger import Transaction
from bot.domain.market import SettledRate
from bot.domain.numbers import ZERO
from bot.domain.orders import Fill, OrderIntent, OrderRecord, OrderState
from bot.store import day_memory, schema
from bot.store.statements import How, Operation, Write

INTENT = Write(schema.ORDER_INTENTS)
ORDER = Write(schema.ORDERS, How.UPSERT)
ORDER_BORN = Write(schema.ORDERS, How.KEEP)
FILL = Write(schema.FILLS)
HEDGE = Write(schema.HEDGES, How.UPSERT)
LEG = Write(schema.LEGS, How.UPSERT)
RECEIPT = Write(schema.RECEIPTS)
RECEIPT_TOTAL = Write(schema.RECEIPT_TOTALS, How.ADD)
TRANSFER = Write(schema.TRANSFERS)
TRANSFER_OUTCOME = Write(schema.TRANSFER_OUTCOMES, How.UPSERT)
TRANSACTION = Write(schema.LEDGER_TRANSACTIONS)
ENTRY = Write(schema.LEDGER_ENTRIES)
BALANCE = Write(schema.LEDGER_BALANCES, How.ADD)
COIN_STATE = Write(schema.COIN_STATES, How.UPSERT)
RATE = Write(schema.RATES, How.UPSERT)
NAV = Write(schema.NAV_HISTORY, How.UPSERT)
LAST_PRICE = Write(schema.LAST_PRICES, How.UPSERT)
ALERT = Write(schema.ALERTS)
CONTROL = Write(schema.CONTROL)
VERDICT = Write(schema.VERDICTS)
MEMORY = Write(schema.RULE_MEMORY, How.UPSERT)

WRITES = (
    *(INTENT, ORDER, ORDER_BORN, FILL, HEDGE, LEG, RECEIPT, RECEIPT_TOTAL, TRANSFER, TRANSFER_OUTCOME),
    *(TRANSACTION, ENTRY, BALANCE, COIN_STATE, RATE, NAV, LAST_PRICE, ALERT, CONTROL, VERDICT, MEMORY),
)


def operations(records: Sequence[Persist]) -> list[Operation]:
    """All rows of a step, in the order of its records. Mutable records are read here and not later."""
    found: list[Operation] = []
    born: set[str] = set()
    for record in _latest(records):
        found += _WRITERS[type(record)](record)
        if type(record) is OrderIntent:
            born.add(record.client_id)
        elif type(record) is OrderRecord:
            born.discard(record.intent.client_id)
    found += [(ORDER_BORN, (client_id, *_BORN)) for client_id in sorted(born)]
    return found


def _latest(records: Sequence[Persist]) -> Iterable[Record]:
    """Of what several steps of one commit overwrote, what stands in the end, in the place of the first."""
    found: dict[object, Record] = {}
    for place, persist in enumerate(records):
        key = _OVERWRITTEN.get(type(persist.record))
        found[place if key is None else key(persist.record)] = persist.record
    return found.values()


_OVERWRITTEN: Mapping[type, Callable[[Any], object]] = {
    Hedge: lambda hedge: ("hedge", hedge.id),
    Removal: lambda removal: ("removal", removal.venue, removal.coin, removal.direction),
    Remembered: lambda memory: ("memory", memory.rule, memory.subject, memory.name),
}
_BORN = (OrderState.INTENDED.value, None, ZERO, ZERO, None, 0, 0, 0, 0)
"""An intent without an order's state in its step is born with one: at start every order that may live is found."""


def _intent(intent: OrderIntent) -> Sequence[Operation]:
    row = (
        *(intent.client_id, intent.hedge_id, intent.leg, intent.venue, intent.instrument, intent.side.value),
        *(intent.quantity_base, intent.limit_price, intent.time_in_force.value, int(intent.reduce_only)),
        *(intent.purpose.value, intent.created_ms, intent.decided_price),
    )
    return ((INTENT, row),)


def _order(order: OrderRecord) -> Sequence[Operation]:
    row = (
        *(order.intent.client_id, order.state.value, order.venue_order_id, order.filled_base, order.fills_base),
        *(order.reason, order.sent_mono_ms, order.asked_mono_ms, order.asked_count, int(order.settled)),
    )
    return ((ORDER, row),)


def _fill(fill: Fill) -> Sequence[Operation]:
    row = (
        *(fill.venue, fill.instrument, fill.trade_id, fill.client_id, fill.venue_order_id, fill.side.value),
        *(fill.price, fill.quantity_base, fill.fee, fill.fee_asset, fill.realized_pnl, int(fill.maker)),
        fill.traded_ms,
    )
    return ((FILL, row),)


def _hedge(hedge: Hedge) -> Sequence[Operation]:
    row = (
        *(hedge.id, hedge.number, hedge.strategy, hedge.coin, hedge.venue, hedge.state.value, hedge.target_base),
        *(hedge.opened_ms, hedge.closed_ms, hedge.orders_made, hedge.funding_usd, hedge.fees_usd),
        *(hedge.slippage_usd, hedge.reason, hedge.last_funding_ms, hedge.unbalanced_mono_ms, hedge.rehedges),
        *(hedge.wait_until_mono_ms, hedge.borrow_usd),
    )
    legs = [
        (
            *(hedge.id, number, leg.instrument, leg.kind.value, leg.direction),
            *(leg.quantity_base, leg.cost_quote, leg.realized_quote),
        )
        for number, leg in enumerate(hedge.legs)
    ]
    return [(HEDGE, row), *((LEG, leg) for leg in legs)]


def _receipt(receipt: Receipt) -> Sequence[Operation]:
    row = (
        *(receipt.venue, receipt.account, receipt.instrument, receipt.coin, receipt.settled_ms, receipt.rate),
        *(receipt.quantity_base, receipt.mark_price, receipt.payment, receipt.asset, receipt.venue_id),
    )
    total = receipt.venue, receipt.coin, receipt.asset, 1, receipt.payment
    return (RECEIPT, row), (RECEIPT_TOTAL, total)


def _transfer(intent: TransferIntent) -> Sequence[Operation]:
    row = (
        *(intent.id, intent.venue, intent.asset, intent.amount, intent.source, intent.target),
        intent.created_ms,
    )
    return ((TRANSFER, row),)


def _transfer_ended(ended: TransferEnded) -> Sequence[Operation]:
    return ((TRANSFER_OUTCOME, (ended.transfer_id, int(ended.settled), ended.venue_id, ended.reason)),)


def _transaction(booked: Transaction) -> Sequence[Operation]:
    row = booked.number, booked.id, booked.at_ms, booked.kind, booked.hedge_id, booked.chain
    writes: list[Operation] = [(TRANSACTION, row)]
    for line, entry in enumerate(booked.entries):
        writes.append((ENTRY, (booked.number, line, entry.account, entry.asset, entry.amount)))
        writes.append((BALANCE, (entry.account, entry.asset, entry.amount)))
    return writes


def _removal(removal: Removal) -> Sequence[Operation]:
    row = (
        *(removal.venue, removal.coin, removal.direction, removal.counted_until_ms, removal.day),
        *(removal.negative_days, removal.positive_days, int(removal.removed)),
        *(removal.removed_ms, removal.reason, day_memory.encode(removal)),
    )
    return ((COIN_STATE, row),)


def _rate(rate: SettledRate) -> Sequence[Operation]:
    return ((RATE, (rate.instrument, rate.settled_ms, rate.rate, rate.interval_s)),)


def _nav(point: NavPoint) -> Sequence[Operation]:
    """Leverage without NAV is infinite: no number, and no reason for the step's orders not to be committed."""
    leverage = point.leverage if point.leverage.is_finite() else None
    row = point.market_ms, point.nav_usd, leverage, point.deployed_usd, point.unhedged_usd
    return ((NAV, row),)


def _last_price(price: LastPrice) -> Sequence[Operation]:
    return ((LAST_PRICE, (price.instrument, price.price, price.market_ms)),)


def _alert(alert: Alert) -> Sequence[Operation]:
    return ((ALERT, (alert.market_ms, alert.severity.value, alert.name, alert.text)),)


def _control(control: ControlSet) -> Sequence[Operation]:
    return ((CONTROL, (control.control.value, control.reason, control.market_ms)),)


def _verdict(given: VerdictGiven) -> Sequence[Operation]:
    verdict = given.verdict
    row = (
        *(given.market_ms, given.hedge_id, given.coin, verdict.rule, int(verdict.approved)),
        *(verdict.limit, verdict.observed, verdict.detail),
    )
    return ((VERDICT, row),)


def _remembered(memory: Remembered) -> Sequence[Operation]:
    return ((MEMORY, (memory.rule, memory.subject, memory.name, memory.value, memory.market_ms)),)


_WRITERS: dict[type, Callable[[Any], Sequence[Operation]]] = {
    OrderIntent: _intent,
    OrderRecord: _order,
    Fill: _fill,
    Hedge: _hedge,
    Receipt: _receipt,
    TransferIntent: _transfer,
    TransferEnded: _transfer_ended,
    Transaction: _transaction,
    Removal: _removal,
    SettledRate: _rate,
    NavPoint: _nav,
    LastPrice: _last_price,
    Alert: _alert,
    ControlSet: _control,
    VerdictGiven: _verdict,
    Remembered: _remembered,
}
"""A test checks that every kind of `Record` is here."""
