"""Planted bugs of recovery, of the books' order and of what is late."""

import itertools
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.domain.orders import OrderRecord, OrderState
from bot.engine import core, money, orders, recovery
from bot.execution import plan as execution_plan
from bot.ledger import postings
from bot.runtime import account, daemon
from bot.store.database import SqlStore
from bot.store.errors import DATABASE_ERRORS
from bot.venues.binance import gate, rest
from tests.campaign.planted.catalogue import planted, put


@planted("an opening order leaves the queue soon or is decided anew")
def orders_leave_late(stack: ExitStack) -> None:
    put(stack, rest, "OPENING_WITHIN_S", 10.0)


@planted("a ban (418) is obeyed like a 429")
def ban_ignored(stack: ExitStack) -> None:
    observe = gate.WeightBudget.observe
    put(
        stack,
        gate.WeightBudget,
        "observe",
        lambda self, headers, status: observe(self, headers, 0 if status == 418 else status),
    )


@planted("a lost feed is not alive")
def lost_feed_stays_alive(stack: ExitStack) -> None:
    lost = core._feed_lost

    def alive(state: Any, event: Any, out: Any) -> None:
        seen = dict(state.market.feed_alive_ms)
        lost(state, event, out)
        state.market.feed_alive_ms.update(seen)
        state.market.feed_lost_ms.pop(event.feed, None)

    put(stack, core, "_feed_lost", alive)


@planted("hedges are numbered on after a restart")
def hedges_numbered_anew(stack: ExitStack) -> None:
    restore = recovery.restore

    def anew(books: Any, config: Any) -> Any:
        books.hedge_count = len(books.hedges)
        return restore(books, config)

    put(stack, daemon, "restore", anew)


@planted("the chain goes on after a restart")
def chain_begins_anew(stack: ExitStack) -> None:
    restore = recovery.restore

    def anew(books: Any, config: Any) -> Any:
        books.chain = ""
        return restore(books, config)

    put(stack, daemon, "restore", anew)


@planted("an order is no larger than a slice")
def slices_ignored(stack: ExitStack) -> None:
    put(stack, execution_plan, "_slice_base", lambda book, now: Decimal(10) ** 15)


@planted("a commit that failed did not happen")
def failed_commit_counts(stack: ExitStack) -> None:
    commit = SqlStore._commit_in_one_call

    async def optimistic(self: SqlStore, writes: Any) -> bool:
        try:
            return await commit(self, writes)
        except DATABASE_ERRORS:
            return True

    put(stack, SqlStore, "_commit_in_one_call", optimistic)


@planted("an order is done only when its trades are booked")
def settled_without_trades(stack: ExitStack) -> None:
    put(stack, OrderRecord, "settled", property(lambda self: self.state.ended))


@planted("realised profit and loss is booked")
def realized_forgotten(stack: ExitStack) -> None:
    entries = postings.fill_entries

    def without(fill: Any, instrument: Any, hedge_id: str) -> Any:
        return entries(replace(fill, realized_pnl=fill.realized_pnl * 0), instrument, hedge_id)

    put(stack, postings, "fill_entries", without)


@planted("fills of orders that are remembered no more still have their hedge")
def old_orders_are_strangers(stack: ExitStack) -> None:
    owner = money._owner

    def only_known(state: Any, fill: Any, order: Any) -> Any:
        return owner(state, fill, order) if order is not None else (None, None)

    put(stack, money, "_owner", only_known)


@planted("an order that has filled in part may fill more")
def partial_report_ends(stack: ExitStack) -> None:
    reported = orders.reported

    def hasty(state: Any, event: Any, out: Any) -> Any:
        if event.state is OrderState.LIVE and event.filled_base > 0:
            event = replace(event, state=OrderState.CANCELLED)
        return reported(state, event, out)

    put(stack, orders, "reported", hasty)


@planted("a deposit is booked once")
def capital_booked_again(stack: ExitStack) -> None:
    real, count = postings.capital_id, itertools.count()
    put(stack, account.StateView, "knows_capital", lambda self, venue_id: False)
    put(stack, postings, "capital_id", lambda *given: f"{real(*given)}:{next(count)}")


@planted("of an order that is found in the books the settle window begins with the first question")
def recovered_orders_given_up(stack: ExitStack) -> None:
    not_found = orders.not_found

    def long_ago(state: Any, event: Any, out: Any) -> Any:
        order = state.orders.get(event.client_id)
        if order is not None and not order.sent_mono_ms:
            order.sent_mono_ms = -(10**9)
        return not_found(state, event, out)

    put(stack, orders, "not_found", long_ago)
