"""Planted bugs of the books and of what survives a restart."""

from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.domain.instruments import Kind
from bot.domain.orders import OrderIntent, OrderRecord
from bot.engine import money, orders, recovery
from bot.engine import state as engine_state
from bot.ledger import journal, postings
from bot.runtime import consumer
from tests.campaign.planted.catalogue import planted, put

ZERO = Decimal(0)


@planted("the intent is committed before the order is sent")
def intent_commit_forgotten(stack: ExitStack) -> None:
    persist = engine_state.Actions.persist

    def forgetful(self: Any, record: Any) -> None:
        if not isinstance(record, OrderIntent | OrderRecord):
            persist(self, record)

    put(stack, engine_state.Actions, "persist", forgetful)


@planted("commit first, send afterwards")
def sent_before_commit(stack: ExitStack) -> None:
    collect = consumer.Consumer._collect

    def eager(self: Any) -> Any:
        batch = collect(self)
        sends, batch.sends = batch.sends, []
        if sends:
            self._dispatch(sends)
        return batch

    put(stack, consumer.Consumer, "_collect", eager)


@planted("what the database refused is not sent")
def store_failure_ignored(stack: ExitStack) -> None:
    put(stack, consumer.Consumer, "_withheld", lambda self, action: False)


@planted("receipts are unique with their instrument")
def receipt_key_without_instrument(stack: ExitStack) -> None:
    put(stack, postings, "receipt_id", lambda receipt: f"funding:{receipt.account}:{receipt.venue_id}")


@planted("receipts count however late they come")
def late_receipts_dropped(stack: ExitStack) -> None:
    book = money.book_receipt

    def newest_only(state: Any, event: Any, out: Any) -> None:
        newest = state.receipts_until_ms.get(event.receipt.venue, 0)
        if event.receipt.settled_ms >= newest:
            book(state, event, out)

    put(stack, money, "book_receipt", newest_only)


@planted("what was booked is recognised after a restart")
def fills_booked_twice_after_restart(stack: ExitStack) -> None:
    restore = recovery.restore

    def without_ids(books: Any, config: Any) -> Any:
        books.transaction_ids = set()
        return restore(books, config)

    from bot.runtime import daemon

    put(stack, daemon, "restore", without_ids)


@planted("fees are booked")
def fees_forgotten(stack: ExitStack) -> None:
    entries = postings.fill_entries

    def without_fee(fill: Any, instrument: Any, hedge_id: str) -> Any:
        return entries(replace(fill, fee=ZERO), instrument, hedge_id)

    put(stack, postings, "fill_entries", without_fee)


@planted("each transaction sums to nothing")
def unbalanced_ledger(stack: ExitStack) -> None:
    post = journal.Ledger.post

    def lopsided(self: Any, name: str, at_ms: int, kind: str, hedge: Any, entries: Any) -> Any:
        transaction = post(self, name, at_ms, kind, hedge, entries)
        if transaction is None or kind != "funding":
            return transaction
        return replace(transaction, entries=transaction.entries[:1])

    put(stack, journal.Ledger, "post", lopsided)


@planted("the hedge is net of a fee taken in the coin")
def hedge_gross_quantity(stack: ExitStack) -> None:
    book = money.book_fill

    def gross(state: Any, fill: Any, order: Any, out: Any) -> bool:
        done = book(state, fill, order, out)
        instrument = state.market.instruments.get(fill.instrument)
        hedge = state.last_hedge.get(fill.instrument)
        if done and hedge is not None and instrument.kind is Kind.SPOT and fill.fee_asset == instrument.base_asset:
            leg = next(leg for leg in hedge.legs if leg.instrument == fill.instrument)
            leg.quantity_base += fill.fee
            out.persist(hedge)
        return done

    put(stack, orders, "book_fill", gross)


@planted("a contract of 1000 coins is 1000 coins")
def multiplier_ignored(stack: ExitStack) -> None:
    from bot.venues.binance import rows

    put(stack, rows, "to_base_quantity", lambda instrument, quantity: quantity)
