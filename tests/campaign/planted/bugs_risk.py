"""Planted bugs of hedging and risk."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.domain.events import TransferSettled, TransferUnknown
from bot.domain.hedges import Control, Hedge
from bot.domain.orders import OrderRecord, OrderState, Purpose
from bot.domain.valuation import notional_usd
from bot.engine import control, core, hedging, margin_moves, money, recovery
from bot.execution import plan as execution_plan
from bot.execution import repair
from bot.risk.rules import r02_coin_cap, r03_leverage, r11_stale, sanity
from bot.runtime import reconcile
from bot.venues.binance import orders as venue_orders
from tests.campaign.planted.catalogue import approves, planted, put

ZERO = Decimal(0)


@planted("a hedge half filled is completed or unwound")
def repair_disabled(stack: ExitStack) -> None:
    put(stack, execution_plan, "repair", lambda *_, **__: None)


@planted("what cannot be completed is unwound")
def unwind_disabled(stack: ExitStack) -> None:
    put(stack, repair, "_unwind", lambda *_: None)


@planted("a closing order reduces only")
def no_reduce_only(stack: ExitStack) -> None:
    params = venue_orders.order_params

    def without(intent: Any, instrument: Any) -> Any:
        found = params(intent, instrument)
        if found is not None:
            found.pop("reduceOnly", None)
        return found

    put(stack, venue_orders, "order_params", without)


@planted("a closing order never flips its leg")
def flip_on_close(stack: ExitStack) -> None:
    planning = hedging.plan

    def too_much(book: Any, hedge: Hedge, **more: Any) -> Any:
        step = planning(book, hedge, **more)
        drafts = tuple(
            replace(draft, quantity_base=draft.quantity_base * 2, reduce_only=False)
            if draft.purpose is Purpose.CLOSE and draft.leg == 1
            else draft
            for draft in step.drafts
        )
        return replace(step, drafts=drafts)

    put(stack, hedging, "plan", too_much)
    put(stack, sanity, "check", lambda book, hedge, intent: approves("sanity"))


@planted("unknown orders count in full")
def unknown_counts_as_zero(stack: ExitStack) -> None:
    reach = OrderRecord.open_base.fget
    assert reach is not None

    def known(self: OrderRecord) -> Decimal:
        return ZERO if self.state is OrderState.UNKNOWN else reach(self)

    put(stack, OrderRecord, "open_base", property(known))


@planted("open orders count against the caps")
def caps_without_open_orders(stack: ExitStack) -> None:
    def held_only(book: Any, hedge: Any, extra: Any = ()) -> Decimal:
        return notional_usd(book, hedge)

    put(stack, r02_coin_cap, "worst_usd", held_only)
    put(stack, r03_leverage, "worst_usd", held_only)


@planted("caps bind at submit")
def caps_ignored(stack: ExitStack) -> None:
    from bot.domain import limits as domain_limits
    from bot.strategy import propose

    cap = domain_limits.coin_cap_usd
    put(stack, propose, "coin_cap_usd", lambda limits, coin, nav: cap(limits, coin, nav) * 2)
    put(stack, r02_coin_cap, "check", lambda *_, **__: approves("R2"))


@planted("nothing opens on a stale feed")
def stale_feed_ignored(stack: ExitStack) -> None:
    put(stack, r11_stale, "check", lambda book, pair: approves("R11"))
    put(stack, r11_stale, "allows", lambda book, pair: True)


@planted("halted opens nothing")
def halt_ignored(stack: ExitStack) -> None:
    switch = control.switch

    def said_only(state: Any, wanted: Control, reason: str, out: Any) -> None:
        switch(state, wanted, reason, out)
        if wanted is Control.HALTED:
            state.book.control = Control.RUNNING

    def deaf(state: Any, event: Any, out: Any) -> None:
        said_only(state, Control.HALTED, event.reason, out)

    put(stack, control, "switch", said_only)
    put(stack, control, "halt", deaf)


@planted("nothing opens before the venue is reconciled")
def reconnect_without_reconciling(stack: ExitStack) -> None:
    lost = core._feed_lost

    def shrug(state: Any, event: Any, out: Any) -> None:
        ready = dict(state.book.ready)
        lost(state, event, out)
        state.book.ready.update(ready)
        out[:] = [action for action in out if type(action).__name__ != "Reconcile"]

    put(stack, core, "_feed_lost", shrug)


@planted("balances are compared with the venue's again and again")
def never_reconciles(stack: ExitStack) -> None:
    put(stack, core, "RECONCILE_EVERY_MS", 10**12)
    put(stack, reconcile.Reconciler, "_compare_history", _no_history)


async def _no_history(self: Any, before: Any, instruments: Any, began_ms: int) -> Any:
    fresh = not self._books.floor_ms
    self._deliver(replace(before, complete=True))
    if fresh:
        self._books.floor_ms = began_ms
    return before, True


@planted("a removal survives restarts")
def removal_forgotten(stack: ExitStack) -> None:
    _forgetting(stack, "removals", list)


@planted("a halt survives restarts")
def halt_forgotten(stack: ExitStack) -> None:
    _forgetting(stack, "control", lambda: None)


@planted("orders in flight are remembered over a restart")
def orders_forgotten(stack: ExitStack) -> None:
    _forgetting(stack, "orders", list)


def _forgetting(stack: ExitStack, attribute: str, empty: Callable[[], Any]) -> None:
    from bot.runtime import daemon

    restore = recovery.restore

    def forgetful(books: Any, config: Any) -> Any:
        setattr(books, attribute, empty())
        return restore(books, config)

    put(stack, daemon, "restore", forgetful)


@planted("a position that the venue closed takes its spot with it")
def deleveraging_unnoticed(stack: ExitStack) -> None:
    put(stack, money, "TAKEN_PREFIXES", ("no such prefix",))


@planted("an unanswered transfer is looked for in the history")
def unknown_transfer_counts(stack: ExitStack) -> None:
    def at_once(state: Any, event: TransferUnknown, out: Any) -> None:
        margin_moves.settled(state, TransferSettled(event.transfer_id, f"assumed:{event.transfer_id}"), out)

    put(stack, margin_moves, "unknown", at_once)
