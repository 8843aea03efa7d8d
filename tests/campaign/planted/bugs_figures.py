"""Planted bugs of a hedge's own figures, of moves between wallets, and of what the owner's word becomes."""

from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any
from unittest import mock

from bot.domain.book import Book
from bot.domain.hedges import Control, Leg, Receipt
from bot.engine import borrowing, control, money, recovery
from bot.runtime import daemon
from bot.store import writers
from bot.venues.binance.income import IncomeReader
from tests.campaign.planted.catalogue import planted, put


@planted("a payment counts for the hedge that held the perpetual")
def receipt_of_the_newest_hedge(stack: ExitStack) -> None:
    book = money.book_receipt

    def newest(state: Any, event: Any, out: Any) -> None:
        hedges = [hedge for hedge in state.last_hedge.values() if hedge.live] or [*state.last_hedge.values()]
        known = dict(state.last_hedge)
        if hedges:
            state.last_hedge[event.receipt.instrument] = max(hedges, key=lambda hedge: hedge.number)
        book(state, event, out)
        state.last_hedge.clear()
        state.last_hedge.update(known)

    put(stack, money, "book_receipt", newest)


@planted("what a hedge has earned grows by what is paid")
def funding_sum_inverted(stack: ExitStack) -> None:
    book = money.book_receipt

    def inverted(state: Any, event: Any, out: Any) -> None:
        hedges = {hedge.id: (hedge, hedge.funding_usd) for hedge in state.last_hedge.values()}
        book(state, event, out)
        for hedge, before in hedges.values():
            hedge.funding_usd = 2 * before - hedge.funding_usd

    put(stack, money, "book_receipt", inverted)


@planted("a fee in coins counts at the coin's price")
def fee_sum_in_coins(stack: ExitStack) -> None:
    put(stack, money, "_usd_price", lambda state, fill: Decimal(1))


@planted("what is left of a leg keeps its average cost")
def average_cost_lost(stack: ExitStack) -> None:
    move = money.move_leg

    def careless(leg: Leg, signed_base: Decimal, price: Decimal) -> None:
        before, cost = leg.quantity_base, leg.cost_quote
        move(leg, signed_base, price)
        if leg.quantity_base and abs(leg.quantity_base) < abs(before):
            leg.cost_quote = cost + signed_base * price

    put(stack, money, "move_leg", careless)
    put(stack, borrowing, "move_leg", careless)


@planted("transfers without an outcome are remembered over a restart")
def transfers_forgotten(stack: ExitStack) -> None:
    restore = recovery.restore

    def forgetful(books: Any, config: Any) -> Any:
        books.transfers = []
        return restore(books, config)

    put(stack, daemon, "restore", forgetful)


@planted("after a flatten nothing opens until the owner resumes")
def flattened_goes_on(stack: ExitStack) -> None:
    def on(state: Any, out: Any) -> None:
        if state.book.control is Control.FLATTENING and not state.book.live_hedges():
            control.switch(state, Control.RUNNING, "flattened", out)

    put(stack, control, "finish_flattening", on)


@planted("interest in coins counts at the coin's price")
def interest_sum_in_coins(stack: ExitStack) -> None:
    charged = borrowing.charged

    def in_coins(state: Any, event: Any, out: Any) -> None:
        hedge = borrowing._debtor(state, event.interest)
        before = Decimal(0) if hedge is None else hedge.borrow_usd
        charged(state, event, out)
        if hedge is not None and hedge.borrow_usd != before:
            hedge.borrow_usd = before + event.interest.amount

    put(stack, borrowing, "charged", in_coins)


@planted("a coin's total of payments is their sum")
def totals_without_sign(stack: ExitStack) -> None:
    written = writers._WRITERS[Receipt]

    def unsigned(receipt: Any) -> Any:
        (write, row), (total, sums) = written(receipt)
        return (write, row), (total, (*sums[:-1], abs(sums[-1])))

    stack.enter_context(mock.patch.dict(writers._WRITERS, {Receipt: unsigned}))


@planted("the mark of a receipt is of one coin")
def receipt_mark_of_the_contract(stack: ExitStack) -> None:
    read = IncomeReader._receipt

    def of_the_contract(self: Any, row: Any, book: Any) -> Any:
        receipt, instrument = read(self, row, book), book.perp.get(row.symbol)
        if receipt.mark_price is None or instrument is None:
            return receipt
        return replace(receipt, mark_price=receipt.mark_price * instrument.multiplier)

    put(stack, IncomeReader, "_receipt", of_the_contract)


@planted("what the venues hold is looked for again where an account is new")
def wallets_counted_once(stack: ExitStack) -> None:
    wallets = Book.wallets
    put(stack, Book, "wallets", lambda self: self._wallets or wallets(self))
