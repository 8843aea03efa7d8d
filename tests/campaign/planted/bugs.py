"""Defects that the campaign must find: each removes one safeguard of the product, from outside, for a while.

Nothing of this is in the product. A planted bug is a function that patches what it breaks and returns how to undo
it; the name says what a careless change would have done.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from unittest import mock

from bot.domain.actions import Persist
from bot.domain.events import OrderFilled, OrderOutcomeUnknown, OrderReported, TransferFailed, TransferUnknown
from bot.domain.hedges import Control, Hedge
from bot.domain.instruments import Kind
from bot.domain.orders import OrderIntent, OrderRecord, OrderState, Purpose
from bot.domain.valuation import notional_usd
from bot.engine import control, core, guarding, hedging, margin_moves, money, orders, recovery
from bot.engine import state as engine_state
from bot.execution import plan as execution_plan
from bot.execution import repair
from bot.ledger import journal, postings
from bot.risk.rules import r02_coin_cap, r03_leverage, r11_stale, r15_kill_switch, sanity
from bot.risk.verdicts import judge
from bot.runtime import consumer, reconcile
from bot.store.database import SqlStore
from bot.venues.binance import gate, outcomes, rest, symbols
from bot.venues.binance import orders as venue_orders
from bot.venues.binance.orders import OrderDesk

ZERO = Decimal(0)
Patch = Callable[[ExitStack], None]


@dataclass(frozen=True, slots=True)
class Planted:
    name: str
    removes: str
    """The safeguard that is gone."""
    patch: Patch


BUGS: dict[str, Planted] = {}


def planted(removes: str) -> Callable[[Patch], Patch]:
    def register(patch: Patch) -> Patch:
        name = patch.__name__
        BUGS[name] = Planted(name, removes, patch)
        return patch

    return register


@contextmanager
def grown(name: str) -> Iterator[None]:
    """The product with this bug."""
    with ExitStack() as stack:
        BUGS[name].patch(stack)
        yield


def _put(stack: ExitStack, owner: Any, attribute: str, value: Any) -> None:
    stack.enter_context(mock.patch.object(owner, attribute, value))


def _approves(rule: str) -> Any:
    return judge(rule, ok=True, limit=0, observed=0, detail="not looked at")


# -- orders and their outcomes ----------------------------------------------------------------------------------


@planted("an unanswered order is never sent again")
def resend_after_timeout(stack: ExitStack) -> None:
    place = OrderDesk._place_one

    async def twice(self: OrderDesk, intent: OrderIntent, priority: Any, deliver: Any) -> None:
        heard: list[Any] = []
        await place(self, intent, priority, heard.append)
        if any(isinstance(event, OrderOutcomeUnknown) for event in heard):
            heard.clear()
            await place(self, intent, priority, heard.append)
        for event in heard:
            deliver(event)

    _put(stack, OrderDesk, "_place_one", twice)


@planted("a 5xx proves nothing")
def server_error_means_rejected(stack: ExitStack) -> None:
    judging = outcomes._judge

    def careless(error: Any, refused: Any) -> Any:
        if isinstance(error, outcomes.AnsweredError) and error.status >= 500:
            return outcomes.Judged(outcomes.Verdict.REFUSED, "5xx")
        return judging(error, refused)

    _put(stack, outcomes, "_judge", careless)


@planted("a time-out is not a rejection")
def timeout_means_rejected(stack: ExitStack) -> None:
    judging = outcomes._judge

    def careless(error: Any, refused: Any) -> Any:
        if isinstance(error, outcomes.NoAnswerError):
            return outcomes.Judged(outcomes.Verdict.REFUSED, "no answer")
        return judging(error, refused)

    _put(stack, outcomes, "_judge", careless)


@planted("only codes on a list mean rejected")
def every_code_means_rejected(stack: ExitStack) -> None:
    judging = outcomes._judge

    def careless(error: Any, refused: Any) -> Any:
        if isinstance(error, outcomes.AnsweredError) and error.code is not None:
            return outcomes.Judged(outcomes.Verdict.REFUSED, "a code")
        return judging(error, refused)

    _put(stack, outcomes, "_judge", careless)


@planted("'not found' needs several views and time")
def trust_not_found(stack: ExitStack) -> None:
    async def first_view(
        self: OrderDesk, client_id: str, instrument: Any, venue_order_id: str | None, since_ms: int
    ) -> Any:
        params = {"symbol": instrument.symbol, "origClientOrderId": client_id}
        try:
            return venue_orders.convert(
                await self._ask(venue_orders._ENDPOINTS[instrument.kind].get, params), venue_orders.OrderRow
            )
        except outcomes.AnsweredError:
            return None

    _put(stack, OrderDesk, "_find", first_view)
    settle_window_zero(stack)


@planted("'not found' is not believed within the settle window")
def settle_window_zero(stack: ExitStack) -> None:
    believed = orders.not_found

    def at_once(state: Any, event: Any, out: Any) -> Any:
        order = state.orders.get(event.client_id)
        if order is not None:
            order.sent_mono_ms = -10_000_000
        return believed(state, event, out)

    _put(stack, orders, "not_found", at_once)


@planted("unknown orders are asked for until the venue tells")
def unknown_orders_forgotten(stack: ExitStack) -> None:
    _put(stack, orders, "chase", lambda state, out: None)
    _put(stack, reconcile.Reconciler, "_ask_for_orders", _nothing)


async def _nothing(*_: Any) -> None:
    return


@planted("a hedge with an order of unknown outcome sends nothing more")
def no_quarantine(stack: ExitStack) -> None:
    unknown = orders.unknown

    def go_on(state: Any, event: Any, out: Any) -> Any:
        order = state.orders.get(event.client_id)
        hedge = unknown(state, event, out)
        if order is not None:
            owner = state.hedges.get(order.intent.hedge_id)
            if owner is not None and event.client_id in owner.order_ids:
                owner.order_ids.remove(event.client_id)
        return hedge

    _put(stack, orders, "unknown", go_on)


@planted("a filled quantity never falls and an ended order stays ended")
def reports_overwrite(stack: ExitStack) -> None:
    reported = orders.reported

    def overwrite(state: Any, event: OrderReported, out: Any) -> Any:
        order = state.orders.get(event.client_id)
        if order is not None:
            order.filled_base = min(order.filled_base, event.filled_base)
            if order.state.ended:
                order.state = OrderState.LIVE
        return reported(state, event, out)

    _put(stack, orders, "reported", overwrite)


@planted("a partial fill counts for what it is")
def partial_counts_as_full(stack: ExitStack) -> None:
    reported = orders.reported

    def full(state: Any, event: OrderReported, out: Any) -> Any:
        order = state.orders.get(event.client_id)
        if order is not None and event.filled_base > 0:
            event = replace(event, filled_base=order.intent.quantity_base, state=OrderState.FILLED)
        return reported(state, event, out)

    _put(stack, orders, "reported", full)


@planted("fills count whenever they come")
def late_fills_dropped(stack: ExitStack) -> None:
    filled = orders.filled

    def in_time_only(state: Any, event: OrderFilled, out: Any) -> Any:
        order = state.orders.get(event.fill.client_id)
        if order is None or order.state.ended:
            if order is not None:
                order.filled_base = order.fills_base
            return None
        return filled(state, event, out)

    _put(stack, orders, "filled", in_time_only)


# -- the books --------------------------------------------------------------------------------------------------


@planted("the intent is committed before the order is sent")
def intent_commit_forgotten(stack: ExitStack) -> None:
    persist = engine_state.Actions.persist

    def forgetful(self: Any, record: Any) -> None:
        if not isinstance(record, OrderIntent | OrderRecord):
            persist(self, record)

    _put(stack, engine_state.Actions, "persist", forgetful)


@planted("commit first, send afterwards")
def sent_before_commit(stack: ExitStack) -> None:
    collect = consumer.Consumer._collect

    def eager(self: Any) -> Any:
        batch = collect(self)
        sends, batch.sends = batch.sends, []
        if sends:
            self._dispatch(sends)
        return batch

    _put(stack, consumer.Consumer, "_collect", eager)


@planted("what the database refused is not sent")
def store_failure_ignored(stack: ExitStack) -> None:
    _put(stack, consumer.Consumer, "_withheld", lambda self, action: False)


@planted("receipts are unique with their instrument")
def receipt_key_without_instrument(stack: ExitStack) -> None:
    _put(stack, postings, "receipt_id", lambda receipt: f"funding:{receipt.account}:{receipt.venue_id}")


@planted("receipts count however late they come")
def late_receipts_dropped(stack: ExitStack) -> None:
    book = money.book_receipt

    def newest_only(state: Any, event: Any, out: Any) -> None:
        newest = state.receipts_until_ms.get(event.receipt.venue, 0)
        if event.receipt.settled_ms >= newest:
            book(state, event, out)

    _put(stack, money, "book_receipt", newest_only)


@planted("what was booked is recognised after a restart")
def fills_booked_twice_after_restart(stack: ExitStack) -> None:
    restore = recovery.restore

    def without_ids(books: Any, config: Any) -> Any:
        books.transaction_ids = set()
        return restore(books, config)

    from bot.runtime import daemon

    _put(stack, daemon, "restore", without_ids)


@planted("fees are booked")
def fees_forgotten(stack: ExitStack) -> None:
    entries = postings.fill_entries

    def without_fee(fill: Any, instrument: Any, hedge_id: str) -> Any:
        return entries(replace(fill, fee=ZERO), instrument, hedge_id)

    _put(stack, postings, "fill_entries", without_fee)


@planted("each transaction sums to nothing")
def unbalanced_ledger(stack: ExitStack) -> None:
    post = journal.Ledger.post

    def lopsided(self: Any, name: str, at_ms: int, kind: str, hedge: Any, entries: Any) -> Any:
        transaction = post(self, name, at_ms, kind, hedge, entries)
        if transaction is None or kind != "funding":
            return transaction
        return replace(transaction, entries=transaction.entries[:1])

    _put(stack, journal.Ledger, "post", lopsided)


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

    _put(stack, orders, "book_fill", gross)


@planted("a contract of 1000 coins is 1000 coins")
def multiplier_ignored(stack: ExitStack) -> None:
    from bot.venues.binance import rows

    _put(stack, rows, "to_base_quantity", lambda instrument, quantity: quantity)


# -- hedging and risk -------------------------------------------------------------------------------------------


@planted("a hedge half filled is completed or unwound")
def repair_disabled(stack: ExitStack) -> None:
    _put(stack, execution_plan, "repair", lambda *_, **__: None)


@planted("what cannot be completed is unwound")
def unwind_disabled(stack: ExitStack) -> None:
    _put(stack, repair, "_unwind", lambda *_: None)


@planted("a closing order reduces only")
def no_reduce_only(stack: ExitStack) -> None:
    params = venue_orders.order_params

    def without(intent: Any, instrument: Any) -> Any:
        found = params(intent, instrument)
        if found is not None:
            found.pop("reduceOnly", None)
        return found

    _put(stack, venue_orders, "order_params", without)


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

    _put(stack, hedging, "plan", too_much)
    _put(stack, sanity, "check", lambda book, hedge, intent: _approves("sanity"))


@planted("unknown orders count in full")
def unknown_counts_as_zero(stack: ExitStack) -> None:
    reach = OrderRecord.open_base.fget
    assert reach is not None

    def known(self: OrderRecord) -> Decimal:
        return ZERO if self.state is OrderState.UNKNOWN else reach(self)

    _put(stack, OrderRecord, "open_base", property(known))


@planted("open orders count against the caps")
def caps_without_open_orders(stack: ExitStack) -> None:
    def held_only(book: Any, hedge: Any, extra: Any = ()) -> Decimal:
        return notional_usd(book, hedge)

    _put(stack, r02_coin_cap, "worst_usd", held_only)
    _put(stack, r03_leverage, "worst_usd", held_only)


@planted("caps bind at submit")
def caps_ignored(stack: ExitStack) -> None:
    from bot.domain import limits as domain_limits
    from bot.strategy import propose

    cap = domain_limits.coin_cap_usd
    _put(stack, propose, "coin_cap_usd", lambda limits, coin, nav: cap(limits, coin, nav) * 2)
    _put(stack, r02_coin_cap, "check", lambda *_, **__: _approves("R2"))


@planted("nothing opens on a stale feed")
def stale_feed_ignored(stack: ExitStack) -> None:
    _put(stack, r11_stale, "check", lambda book, pair: _approves("R11"))


@planted("halted opens nothing")
def halt_ignored(stack: ExitStack) -> None:
    switch = control.switch

    def said_only(state: Any, wanted: Control, reason: str, out: Any) -> None:
        switch(state, wanted, reason, out)
        if wanted is Control.HALTED:
            state.book.control = Control.RUNNING

    def deaf(state: Any, event: Any, out: Any) -> None:
        said_only(state, Control.HALTED, event.reason, out)

    _put(stack, control, "switch", said_only)
    _put(stack, control, "halt", deaf)


@planted("nothing opens before the venue is reconciled")
def reconnect_without_reconciling(stack: ExitStack) -> None:
    lost = core._feed_lost

    def shrug(state: Any, event: Any, out: Any) -> None:
        ready = dict(state.book.ready)
        lost(state, event, out)
        state.book.ready.update(ready)
        out[:] = [action for action in out if type(action).__name__ != "Reconcile"]

    _put(stack, core, "_feed_lost", shrug)


@planted("balances are compared with the venue's again and again")
def never_reconciles(stack: ExitStack) -> None:
    _put(stack, core, "RECONCILE_EVERY_MS", 10**12)
    _put(stack, reconcile.Reconciler, "_compare_history", _no_history)


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

    _put(stack, daemon, "restore", forgetful)


@planted("a position that the venue closed takes its spot with it")
def deleveraging_unnoticed(stack: ExitStack) -> None:
    _put(stack, money, "TAKEN_PREFIXES", ("no such prefix",))


@planted("an unanswered transfer is looked for in the history")
def unknown_transfer_failed(stack: ExitStack) -> None:
    def at_once(state: Any, event: TransferUnknown, out: Any) -> None:
        margin_moves.failed(state, TransferFailed(event.transfer_id, event.reason), out)

    from bot.engine.margin_moves import unknown as _unknown

    assert callable(_unknown)
    _put(stack, margin_moves, "unknown", at_once)


# -- single writer, limits, secrets -----------------------------------------------------------------------------


@planted("an older daemon's commits fail")
def epoch_ignored(stack: ExitStack) -> None:
    load = SqlStore.load

    async def unfenced(self: SqlStore) -> Any:
        books = await load(self)
        self._epoch = None
        return books

    _put(stack, SqlStore, "load", unfenced)


@planted("client ids carry the writer's epoch")
def ids_without_epoch(stack: ExitStack) -> None:
    intent = hedging._intent

    def plain(state: Any, hedge: Any, position: int, draft: Any) -> Any:
        made = intent(state, hedge, position, draft)
        return replace(made, client_id="cb1-" + made.client_id.split("-", 1)[1])

    _put(stack, hedging, "_intent", plain)


@planted("nothing is sent before a Retry-After has passed")
def retry_after_ignored(stack: ExitStack) -> None:
    _put(stack, gate.WeightBudget, "observe", lambda self, headers, status: None)


@planted("request weight for closing orders is reserved")
def closing_weight_not_reserved(stack: ExitStack) -> None:
    pause = gate.WeightBudget.pause_s
    _put(stack, gate.WeightBudget, "pause_s", lambda self, *, reserved: pause(self, reserved=True))


@planted("no secret in errors, logs and books")
def secret_in_errors(stack: ExitStack) -> None:
    async def telling(self: Any, instance: Any, endpoint: str, params: Any) -> Any:
        try:
            return await getattr(instance, endpoint)(dict(params or {}))
        except rest.ccxt.BaseError as error:
            raise outcomes.NoAnswerError(str(error)) from None

    _put(stack, rest.BinanceRest, "_call", telling)


def names() -> Mapping[str, str]:
    return {name: bug.removes for name, bug in BUGS.items()}


__all__ = ["BUGS", "Persist", "Planted", "grown", "guarding", "names", "r15_kill_switch", "symbols"]
