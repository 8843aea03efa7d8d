"""Placing, cancelling and asking for orders, and moving margin: every outcome is an event, nothing is raised."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.actions import Severity
from bot.domain.events import (
    OrderFilled,
    OrderNotFound,
    OrderOutcomeUnknown,
    OrderReported,
    TransferFailed,
    TransferSettled,
    TransferUnknown,
)
from bot.domain.hedges import TransferIntent
from bot.domain.instruments import Instrument, Kind
from bot.domain.numbers import ZERO, text
from bot.domain.orders import OrderIntent, OrderState, Purpose, Side, TimeInForce
from bot.domain.time import MINUTE_MS
from bot.ports import Deliver, VenueError
from bot.steady import monotonic_ns
from bot.venues.binance.decode import DecodeError
from bot.venues.binance.gate import Priority
from bot.venues.binance.income import ROUTES
from bot.venues.binance.outcomes import (
    AnsweredError,
    NoAnswerError,
    NotSentError,
    RequestError,
    Verdict,
    judge_lookup,
    judge_order,
    judge_transfer,
)
from bot.venues.binance.rest import BinanceRest
from bot.venues.binance.rows import OrderRow, convert, convert_list, fills_of_reply, report_of
from bot.venues.binance.streams import Log
from bot.venues.binance.symbols import SymbolBook, price_text, quantity_text
from bot.venues.binance.trades import WINDOWS_MS, OrderNames, TradeReader

ORDERS_PAGES = {Kind.SPOT: 1_000, Kind.MARGIN: 500, Kind.PERP: 1_000}
"""Rows of one page of an account's orders."""
PAGES_MAX = 100
VIEWS = 3
"""The order by its id, the open orders, and the history of orders."""
VIEWS_LAG_MS = 1_000
"""How far the views may lag behind the engine that matches orders."""

_FAILURES = (AnsweredError, NoAnswerError, NotSentError)
_SPOT_FORCE = {TimeInForce.IOC: "IOC", TimeInForce.GTC: "GTC"}
_PERP_FORCE = {TimeInForce.IOC: "IOC", TimeInForce.GTC: "GTC", TimeInForce.POST_ONLY: "GTX"}
_SIDE_EFFECTS = {Side.SELL: "MARGIN_BUY", Side.BUY: "AUTO_REPAY"}
"""What a margin order does to the loan. `AUTO_BORROW_REPAY` would do both, so that a purchase could borrow quote
currency; it is said to be refused since 2026-10-14."""
_TRANSFERS = {(source.value, target.value): kind for kind, (source, target) in ROUTES.items()}


@dataclass(frozen=True, slots=True)
class _Endpoints:
    new: str
    get: str
    cancel: str
    open: str
    all: str


_ENDPOINTS = {
    Kind.SPOT: _Endpoints(
        "privatePostOrder",
        "privateGetOrder",
        "privateDeleteOrder",
        "privateGetOpenOrders",
        "privateGetAllOrders",
    ),
    Kind.MARGIN: _Endpoints(
        "sapiPostMarginOrder",
        "sapiGetMarginOrder",
        "sapiDeleteMarginOrder",
        "sapiGetMarginOpenOrders",
        "sapiGetMarginAllOrders",
    ),
    Kind.PERP: _Endpoints(
        "fapiPrivatePostOrder",
        "fapiPrivateGetOrder",
        "fapiPrivateDeleteOrder",
        "fapiPrivateGetOpenOrders",
        "fapiPrivateGetAllOrders",
    ),
}


class OrderDesk:
    def __init__(self, rest: BinanceRest, book: Callable[[], SymbolBook], names: OrderNames, log: Log) -> None:
        self._rest = rest
        self._book = book
        self._names = names
        self._trades = TradeReader(rest, names)
        self._log = log
        self._placing: set[str] = set()
        """Client ids of orders that wait to be sent or have no answer yet."""
        self._passed_mono_ms: dict[str, int] = {}
        """Client id -> when the engine that matches orders answered that it knows no such order."""

    async def place(self, intents: Sequence[OrderIntent], *, reducing: bool, deliver: Deliver) -> None:
        """All at once; returns when each has an outcome. Legs that are given together leave so, or not at all."""
        ids = {intent.client_id for intent in intents}
        self._placing |= ids
        together = len(intents) > 1
        try:
            requests = [self._request(intent) for intent in intents]
            if together:
                endpoints = [_ENDPOINTS[instrument.kind].new for instrument, _ in requests]
                await self._rest.admit(endpoints, priority=_priority(intents[0], reducing=reducing), counted=True)
            async with asyncio.TaskGroup() as group:
                for intent, request in zip(intents, requests, strict=True):
                    priority = _priority(intent, reducing=reducing)
                    group.create_task(self._place_one(intent, request, priority, deliver, admitted=together))
        except NotSentError as error:  # of one: without it the others would be naked
            for intent in intents:
                deliver(_failure(intent, error))
        finally:
            self._placing -= ids

    def _request(self, intent: OrderIntent) -> tuple[Instrument, dict[str, Any]]:
        """Instrument and parameters. Raises NotSentError for an order that the venue cannot be asked for."""
        instrument = self._book().by_id.get(intent.instrument)
        if instrument is None:
            raise NotSentError("instrument is not listed")
        params = order_params(intent, instrument)
        if params is None:
            raise NotSentError("quantity is not on the lot grid")
        return instrument, params

    async def _place_one(
        self,
        intent: OrderIntent,
        request: tuple[Instrument, dict[str, Any]],
        priority: Priority,
        deliver: Deliver,
        *,
        admitted: bool,
    ) -> None:
        instrument, params = request
        endpoint = _ENDPOINTS[instrument.kind].new
        try:
            reply = await self._rest.order(endpoint, params, priority=priority, counted=True, admitted=admitted)
            row = convert(reply, OrderRow)
            if row.client_id != intent.client_id:
                raise DecodeError("the reply is about another order")
            self._names.learn(instrument.id, str(row.order_id), row.client_id)
            for fill in fills_of_reply(row, instrument):
                deliver(fill)
            deliver(report_of(row, instrument))
        except _FAILURES as error:
            deliver(_failure(intent, error))
        except DecodeError as error:
            deliver(OrderOutcomeUnknown(intent.client_id, f"unreadable reply: {error}"))
        except Exception as error:  # noqa: BLE001 - of this order alone: the answer about the other leg is on its way
            reason = f"{type(error).__name__}: {error}"
            fields = {"request": f"place:{intent.client_id}", "reason": reason}
            self._log(Severity.CRITICAL, "dispatch.failed", fields)
            deliver(OrderOutcomeUnknown(intent.client_id, "the request failed inside the daemon"))
        finally:
            self._placing.discard(intent.client_id)

    async def cancel(self, client_id: str, instrument_id: str, deliver: Deliver) -> None:
        """Delivers the cancelled order's report; an order that is no longer open is asked for."""
        instrument = self._book().by_id.get(instrument_id)
        if instrument is None:
            deliver(OrderOutcomeUnknown(client_id, "cancel: instrument is not listed"))
            return
        params = {"symbol": instrument.symbol, "origClientOrderId": client_id}
        try:
            reply = await self._rest.order(_ENDPOINTS[instrument.kind].cancel, params, priority=Priority.REDUCING)
            deliver(report_of(convert(reply, OrderRow), instrument))
        except _FAILURES as error:
            judged = judge_lookup(error)
            if judged.verdict is Verdict.NOT_FOUND:
                await self.query(client_id, instrument_id, None, 0, deliver)
            else:
                deliver(OrderOutcomeUnknown(client_id, f"cancel: {judged.reason}"))
        except DecodeError as error:
            deliver(OrderOutcomeUnknown(client_id, f"cancel: unreadable reply: {error}"))

    async def query(
        self,
        client_id: str,
        instrument_id: str,
        venue_order_id: str | None,
        since_ms: int,
        deliver: Deliver,
    ) -> None:
        """Asks every view the venue has. `since_ms` 0 means that the newest history is enough."""
        instrument = self._book().by_id.get(instrument_id)
        if instrument is None:
            deliver(OrderOutcomeUnknown(client_id, "query: instrument is not listed"))
            return
        if client_id in self._placing:
            # "Not found" would prove nothing: the order may still leave our own queue.
            deliver(OrderOutcomeUnknown(client_id, "query: its own request has not ended"))
            return
        asked_mono_ms = monotonic_ns() // 1_000_000
        try:
            row = await self._find(client_id, instrument, venue_order_id, since_ms)
            if row is None:
                passed = asked_mono_ms - self._passed_mono_ms[client_id] >= VIEWS_LAG_MS
                deliver(OrderNotFound(client_id, VIEWS if passed else 1, asked_mono_ms))
                return
            self._passed_mono_ms.pop(client_id, None)
            report = report_of(row, instrument)
            self._names.learn(instrument.id, str(row.order_id), client_id)
            if row.filled > 0:
                for fill in await self._trades.of_order(instrument, row.order_id, client_id):
                    deliver(OrderFilled(fill))
            deliver(report)
        except _FAILURES as error:
            deliver(OrderOutcomeUnknown(client_id, f"query: {judge_lookup(error).reason}"))
        except (DecodeError, VenueError) as error:
            deliver(OrderOutcomeUnknown(client_id, f"query: {error}"))

    async def _find(
        self, client_id: str, instrument: Instrument, venue_order_id: str | None, since_ms: int
    ) -> OrderRow | None:
        """The order's row from the first view that has it; None when all three have answered without it."""
        ends = _ENDPOINTS[instrument.kind]
        params: dict[str, Any] = {"symbol": instrument.symbol}
        if venue_order_id is not None:
            by_id = {**params, "orderId": venue_order_id}
        else:
            by_id = {**params, "origClientOrderId": client_id}
        try:
            return await self._by_id(ends, by_id, client_id)
        except _FAILURES as error:
            if judge_lookup(error).verdict is not Verdict.NOT_FOUND:
                raise
        for row in convert_list(await self._ask(ends.open, params), OrderRow):
            if row.client_id == client_id:
                return row
        found = await self._in_history(client_id, instrument, since_ms)
        if found is None and client_id not in self._passed_mono_ms:
            if await self._cancelled(ends, {**params, "origClientOrderId": client_id}):
                return await self._by_id(ends, by_id, client_id)
            self._passed_mono_ms[client_id] = monotonic_ns() // 1_000_000
        return found

    async def _by_id(self, ends: _Endpoints, params: dict[str, Any], client_id: str) -> OrderRow:
        row = convert(await self._ask(ends.get, params), OrderRow)
        if row.client_id != client_id:
            raise DecodeError("the reply is about another order")
        return row

    async def _cancelled(self, ends: _Endpoints, params: dict[str, Any]) -> bool:
        """Whether there was something to cancel. Raises while the venue does not say.

        The views know of an order what has been matched. In an overload it may wait for that much longer than the
        receive window, which is checked at the door, and they all say "not found" until it fills. A cancel waits
        behind it, and its answer says that the order is not on its way any more.
        """
        try:
            await self._ask(ends.cancel, params)
        except _FAILURES as error:
            if judge_lookup(error).verdict is Verdict.NOT_FOUND or _refused_here(error):
                return False
            raise
        return True

    async def _in_history(self, client_id: str, instrument: Instrument, since_ms: int) -> OrderRow | None:
        endpoint, limit = _ENDPOINTS[instrument.kind].all, ORDERS_PAGES[instrument.kind]
        params: dict[str, Any] = {"symbol": instrument.symbol, "limit": limit}
        page_params = dict(params)
        if since_ms > 0:
            page_params["startTime"] = start_ms = max(1, since_ms - MINUTE_MS)
            if instrument.kind in WINDOWS_MS:
                # Otherwise it tells of the latest time alone, and an order may be older when its question comes.
                page_params["endTime"] = start_ms + WINDOWS_MS[instrument.kind] - 1
        for _ in range(PAGES_MAX):
            page = convert_list(await self._ask(endpoint, page_params), OrderRow)
            for row in page:
                if row.client_id == client_id:
                    return row
            if len(page) < limit or since_ms == 0:
                return None
            page_params = {**params, "orderId": max(row.order_id for row in page) + 1}
        raise NoAnswerError(f"history of orders: more than {PAGES_MAX} pages")

    async def _ask(self, endpoint: str, params: dict[str, Any]) -> Any:
        return await self._rest.order(endpoint, params, priority=Priority.ASKING)

    async def open_orders(self) -> list[tuple[str, str, str]]:
        """(client id, instrument id, venue order id) of the listed instruments' open orders. Raises VenueError."""
        found: list[tuple[str, str, str]] = []
        for kind, ends in _ENDPOINTS.items():
            side = self._book().side(kind)
            if kind is Kind.MARGIN and not side:
                continue  # the account does not borrow: it may have no margin account at all
            reply = await self._rest.data(ends.open)
            try:
                rows = convert_list(reply, OrderRow)
            except DecodeError as error:
                raise VenueError(f"open orders: {error}") from None
            for row in rows:
                instrument = side.get(row.symbol)
                if instrument is None:
                    fields = {"symbol": row.symbol, "client_id": row.client_id}
                    self._log(Severity.WARNING, "venue.foreign_order", fields)
                    continue
                self._names.learn(instrument.id, str(row.order_id), row.client_id)
                found.append((row.client_id, instrument.id, str(row.order_id)))
        return found

    async def transfer(self, intent: TransferIntent, deliver: Deliver) -> None:
        kind = _TRANSFERS.get((intent.source, intent.target))
        if kind is None:
            deliver(TransferFailed(intent.id, f"not sent: from {intent.source} to {intent.target}"))
            return
        params = {"type": kind, "asset": intent.asset, "amount": text(intent.amount)}
        try:
            reply = await self._rest.order("sapiPostAssetTransfer", params, priority=Priority.ASKING)
            deliver(TransferSettled(intent.id, str(reply["tranId"])))
        except _FAILURES as error:
            judged = judge_transfer(error)
            outcome = TransferFailed if judged.verdict is Verdict.REFUSED else TransferUnknown
            deliver(outcome(intent.id, judged.reason))
        except (KeyError, TypeError) as error:
            deliver(TransferUnknown(intent.id, f"unreadable reply: {error!r}"))


def _refused_here(error: RequestError) -> bool:
    """Whether the venue takes no cancel of this order at all, as of a closed market: then its views must do."""
    told = isinstance(error, AnsweredError) and error.status not in {418, 429}
    return told and judge_order(error).verdict is Verdict.REFUSED


def _priority(intent: OrderIntent, *, reducing: bool) -> Priority:
    if not reducing:
        return Priority.OPENING
    return Priority.COMPLETING if intent.purpose is Purpose.COMPLETE else Priority.REDUCING


def _failure(intent: OrderIntent, error: RequestError) -> OrderReported | OrderOutcomeUnknown:
    """What is known of an order whose request failed."""
    judged = judge_order(error)
    if judged.verdict is Verdict.REFUSED:
        return OrderReported(
            intent.client_id, OrderState.REJECTED, ZERO, None, judged.reason, judged.short, judged.misfit
        )
    return OrderOutcomeUnknown(intent.client_id, judged.reason)


def order_params(intent: OrderIntent, instrument: Instrument) -> dict[str, Any] | None:
    """The request of a limit order in venue units and text; None when the quantity is not on the lot grid."""
    quantity = quantity_text(instrument, intent.quantity_base)
    if quantity is None:
        return None
    params: dict[str, Any] = {
        "symbol": instrument.symbol,
        "side": intent.side.value.upper(),
        "type": "LIMIT",
        "quantity": quantity,
        "price": price_text(instrument, intent.limit_price, intent.side),
        "newClientOrderId": intent.client_id,
    }
    force = intent.time_in_force
    if instrument.kind is Kind.PERP:
        params |= {"timeInForce": _PERP_FORCE[force], "newOrderRespType": "RESULT"}
        if intent.reduce_only:
            params["reduceOnly"] = "true"
        return params
    params["newOrderRespType"] = "FULL"
    if instrument.kind is Kind.MARGIN:
        # A sale borrows what is lacking; what it then does not sell is repaid when it ends (the venue's default). A
        # purchase repays, and is refused rather than paid with borrowed quote currency.
        params |= {"sideEffectType": _SIDE_EFFECTS[intent.side], "isIsolated": "FALSE"}
    if force is TimeInForce.POST_ONLY:
        params["type"] = "LIMIT_MAKER"
    else:
        params["timeInForce"] = _SPOT_FORCE[force]
    return params
