"""Planted bugs of orders and their outcomes."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.domain.events import OrderFilled, OrderOutcomeUnknown, OrderReported
from bot.domain.orders import OrderIntent, OrderState
from bot.engine import orders
from bot.runtime import reconcile
from bot.venues.binance import orders as venue_orders
from bot.venues.binance import outcomes
from bot.venues.binance.orders import OrderDesk
from tests.campaign.planted.catalogue import planted, put

ZERO = Decimal(0)


@planted("an unanswered order is never sent again")
def resend_after_timeout(stack: ExitStack) -> None:
    place = OrderDesk._place_one

    async def twice(
        self: OrderDesk, intent: OrderIntent, priority: Any, deliver: Any, *, admitted: bool = False
    ) -> None:
        heard: list[Any] = []
        await place(self, intent, priority, heard.append, admitted=admitted)
        if any(isinstance(event, OrderOutcomeUnknown) for event in heard):
            heard.clear()
            await place(self, intent, priority, heard.append)
        for event in heard:
            deliver(event)

    put(stack, OrderDesk, "_place_one", twice)


@planted("a 5xx proves nothing")
def server_error_means_rejected(stack: ExitStack) -> None:
    _believe(stack, lambda error: isinstance(error, outcomes.AnsweredError) and error.status >= 500)


@planted("a time-out is not a rejection")
def timeout_means_rejected(stack: ExitStack) -> None:
    _believe(stack, lambda error: isinstance(error, outcomes.NoAnswerError))


@planted("only codes on a list mean rejected")
def every_code_means_rejected(stack: ExitStack) -> None:
    _believe(stack, lambda error: isinstance(error, outcomes.AnsweredError) and error.code is not None)


def _believe(stack: ExitStack, means_refused: Callable[[Any], bool]) -> None:
    """Errors of this sort count as refusals."""
    judging = outcomes._judge

    def careless(error: Any, refused: Any) -> Any:
        if means_refused(error):
            return outcomes.Judged(outcomes.Verdict.REFUSED, "believed")
        return judging(error, refused)

    put(stack, outcomes, "_judge", careless)


@planted("'not found' needs several views and time")
def trust_not_found(stack: ExitStack) -> None:
    async def first_view(
        self: OrderDesk, client_id: str, instrument: Any, venue_order_id: str | None, since_ms: int
    ) -> Any:
        params = {"symbol": instrument.symbol, "origClientOrderId": client_id}
        self._passed_mono_ms[client_id] = 0
        try:
            return venue_orders.convert(
                await self._ask(venue_orders._ENDPOINTS[instrument.kind].get, params), venue_orders.OrderRow
            )
        except outcomes.AnsweredError:
            return None

    put(stack, OrderDesk, "_find", first_view)
    settle_window_zero(stack)


@planted("'not found' is not believed within the settle window")
def settle_window_zero(stack: ExitStack) -> None:
    believed = orders.not_found

    def at_once(state: Any, event: Any, out: Any) -> Any:
        order = state.orders.get(event.client_id)
        if order is not None:
            order.sent_mono_ms = -10_000_000
        return believed(state, event, out)

    put(stack, orders, "not_found", at_once)


@planted("unknown orders are asked for until the venue tells")
def unknown_orders_forgotten(stack: ExitStack) -> None:
    put(stack, orders, "chase", lambda state, out: None)
    put(stack, reconcile.Reconciler, "_ask_for_orders", _nothing)


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

    put(stack, orders, "unknown", go_on)


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

    put(stack, orders, "reported", overwrite)


@planted("a partial fill counts for what it is")
def partial_counts_as_full(stack: ExitStack) -> None:
    reported = orders.reported

    def full(state: Any, event: OrderReported, out: Any) -> Any:
        order = state.orders.get(event.client_id)
        if order is not None and event.filled_base > 0:
            event = replace(event, filled_base=order.intent.quantity_base, state=OrderState.FILLED)
        return reported(state, event, out)

    put(stack, orders, "reported", full)


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

    put(stack, orders, "filled", in_time_only)
