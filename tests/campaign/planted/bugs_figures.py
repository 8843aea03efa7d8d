"""Planted bugs of a hedge's own figures, of moves between wallets, and of what the owner's word becomes."""

from contextlib import ExitStack
from decimal import Decimal
from typing import Any

from bot.domain.hedges import Control, Leg
from bot.engine import borrowing, control, money, recovery
from bot.runtime import daemon
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
