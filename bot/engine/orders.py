"""An order's life: intended, live, ended; unknown until the venue's own evidence says otherwise."""

from bot.domain.actions import PlaceOrders, QueryOrder
from bot.domain.events import OrderFilled, OrderNotFound, OrderOutcomeUnknown, OrderReported
from bot.domain.hedges import Hedge
from bot.domain.orders import Fill, OrderIntent, OrderRecord, OrderState, Purpose
from bot.engine import spending, trust
from bot.engine.money import book_fill
from bot.engine.state import Actions, EngineState

ASK_AGAIN_MS = 500
ASK_AGAIN_MS_MAX = 30_000
SOURCES_NEEDED = 2
"""Independent views of the venue that must agree before 'not found' is believed."""


def send(
    state: EngineState, hedge: Hedge, intents: tuple[OrderIntent, ...], out: Actions, *, apart: bool = False
) -> None:
    """Commit the intents (the shell does it before anything else of this step) and place them together.

    `apart`: each leaves whatever becomes of the others.
    """
    for intent in intents:
        record = OrderRecord(intent, sent_mono_ms=state.book.now.mono_ms)
        state.orders[intent.client_id] = record
        hedge.order_ids.append(intent.client_id)
        out.persist(intent)
        out.persist(record)
    state.empty_handed.add(hedge.id)
    spending.spend(state, out, orders=len(intents))
    out.persist(hedge)
    reducing = all(intent.purpose is not Purpose.OPEN for intent in intents)
    out.extend(PlaceOrders(some, reducing) for some in (((one,) for one in intents) if apart else (intents,)))


def reported(state: EngineState, event: OrderReported, out: Actions) -> Hedge | None:
    """The venue's word. An ended order never comes back to life and a filled quantity never falls."""
    order = state.orders.get(event.client_id)
    if order is None:
        return None
    if event.venue_order_id is not None:
        order.venue_order_id = event.venue_order_id
    order.filled_base = max(order.filled_base, event.filled_base)
    if not order.state.ended:
        ended = event.state
        if ended is OrderState.REJECTED and order.filled_base > 0:
            ended = OrderState.CANCELLED
        if order.state is OrderState.UNKNOWN and ended is not OrderState.UNKNOWN:
            out.info("order.resolved", client_id=event.client_id, state=ended.value, filled=order.filled_base)
        order.state, order.reason = ended, event.reason
        if ended is OrderState.REJECTED:
            out.warning("order.rejected", client_id=event.client_id, reason=event.reason)
            if event.short and order.intent.purpose in (Purpose.OPEN, Purpose.COMPLETE):
                trust.doubt(state, order.intent.venue, out)
    return _after(state, order, out)


def unknown(state: EngineState, event: OrderOutcomeUnknown, out: Actions) -> Hedge | None:
    """No answer is not a rejection: the order is asked for, and its hedge waits in quarantine."""
    order = state.orders.get(event.client_id)
    if order is None or order.state.ended:
        return None
    # Only now does the settle window begin: until its request has ended, an order may still leave.
    order.sent_mono_ms = state.book.now.mono_ms
    if order.state is OrderState.UNKNOWN:
        return None  # a question that found no answer either: `chase` asks again when it is time, not in a loop
    order.state, order.reason = OrderState.UNKNOWN, event.reason
    out.warning("order.unknown", client_id=event.client_id, instrument=order.intent.instrument, reason=event.reason)
    ask(state, order, out)
    return _after(state, order, out)


def not_found(state: EngineState, event: OrderNotFound, out: Actions) -> Hedge | None:
    """Believed only of an order never seen alive, by enough sources that were asked after the settle window.

    One that is intended may still leave: its commit takes long, or its request has not ended.
    """
    order = state.orders.get(event.client_id)
    if order is None or order.state.ended or order.state is OrderState.INTENDED:
        return None
    if not order.sent_mono_ms:
        # Recovered from the books: it may have left just before the crash, so the window begins now.
        order.sent_mono_ms = state.book.now.mono_ms
    seen_alive = order.state is OrderState.LIVE or order.venue_order_id is not None or order.filled_base > 0
    asked_ms = state.book.now.mono_ms if event.asked_mono_ms is None else event.asked_mono_ms
    waited_ms = asked_ms - order.sent_mono_ms
    if seen_alive or event.sources < SOURCES_NEEDED or waited_ms < state.config.execution.settle_window_s * 1000:
        return None
    order.state, order.reason = OrderState.NEVER_SENT, f"not found by {event.sources} sources"
    out.warning("order.never_sent", client_id=event.client_id, instrument=order.intent.instrument)
    return _after(state, order, out)


def filled(state: EngineState, event: OrderFilled, out: Actions) -> Hedge | None:
    """A trade, from whichever source told first."""
    fill = event.fill
    order = state.orders.get(fill.client_id) or _by_venue_id(state, fill)
    if not book_fill(state, fill, order, out):
        return None
    if order is None:
        return None
    state.empty_handed.discard(order.intent.hedge_id)
    state.fruitless.pop(order.intent.hedge_id, None)
    order.fills_base += fill.quantity_base
    order.fill_keys.add(fill.key)
    order.venue_order_id = order.venue_order_id or fill.venue_order_id
    order.filled_base = max(order.filled_base, order.fills_base)
    if order.filled_base >= order.intent.quantity_base and not order.state.ended:
        order.state = OrderState.FILLED
    return _after(state, order, out)


def _by_venue_id(state: EngineState, fill: Fill) -> OrderRecord | None:
    """The order of ours that a trade names by the venue's number alone."""
    for order in state.orders.values():
        if order.venue_order_id == fill.venue_order_id and order.intent.instrument == fill.instrument:
            return order
    return None


def _after(state: EngineState, order: OrderRecord, out: Actions) -> Hedge | None:
    """Persist, and take a settled order off its hedge. Returns the hedge when it may go on."""
    out.persist(order)
    hedge = state.hedges.get(order.intent.hedge_id)
    if not order.settled:
        return None
    state.orders.pop(order.intent.client_id, None)
    if hedge is None:
        return None
    if order.intent.client_id in hedge.order_ids:
        hedge.order_ids.remove(order.intent.client_id)
    return hedge if not hedge.order_ids else None


def chase(state: EngineState, out: Actions) -> None:
    """Ask after orders whose outcome or fills are overdue, less and less often."""
    now = state.book.now.mono_ms
    for order in state.orders.values():
        waited_ms = now - order.sent_mono_ms
        if order.state is OrderState.INTENDED and waited_ms > state.config.execution.order_timeout_s * 1000:
            order.state, order.reason = OrderState.UNKNOWN, "no answer in time"
            out.warning("order.unknown", client_id=order.intent.client_id, reason=order.reason)
            out.persist(order)
        overdue = order.state in (OrderState.UNKNOWN, OrderState.LIVE) or (order.state.ended and not order.settled)
        pause_ms = min(ASK_AGAIN_MS * 2**order.asked_count, ASK_AGAIN_MS_MAX)
        if overdue and now - max(order.asked_mono_ms, order.sent_mono_ms) >= pause_ms:
            ask(state, order, out)


def ask(state: EngineState, order: OrderRecord, out: Actions) -> None:
    order.asked_mono_ms = state.book.now.mono_ms
    order.asked_count = min(order.asked_count + 1, 16)
    intent = order.intent
    out.append(QueryOrder(intent.client_id, intent.instrument, order.venue_order_id, intent.created_ms))
