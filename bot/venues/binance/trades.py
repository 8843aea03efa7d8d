"""The account's trades, complete: Binance pages them by trade number and by windows of time."""

from collections.abc import Sequence
from typing import Any

from bot.domain.instruments import Instrument, Kind
from bot.domain.orders import Fill
from bot.domain.time import DAY_MS
from bot.ports import VenueError
from bot.venues.binance.decode import DecodeError
from bot.venues.binance.gate import Priority
from bot.venues.binance.outcomes import AnsweredError, NoAnswerError, NotSentError, Verdict, judge_lookup
from bot.venues.binance.rest import BinanceRest
from bot.venues.binance.rows import OrderRow, TradeRow, convert, convert_list, fill_of_trade

PAGE = 1_000
PAGES_MAX = 1_000
WINDOWS_MS = {Kind.MARGIN: DAY_MS, Kind.PERP: 7 * DAY_MS}
"""Longest time that one request may ask for; spot trades are paged by their number alone."""
NAMES_KEPT = 20_000
FORGOTTEN_MS = 3 * DAY_MS
"""Binance keeps orders for at least this long; those that traded for longer."""

_TRADES = {
    Kind.SPOT: "privateGetMyTrades",
    Kind.MARGIN: "sapiGetMarginMyTrades",
    Kind.PERP: "fapiPrivateGetUserTrades",
}
_ORDER = {Kind.SPOT: "privateGetOrder", Kind.MARGIN: "sapiGetMarginOrder", Kind.PERP: "fapiPrivateGetOrder"}


class OrderNames:
    """Client ids by (instrument, venue order number): trade rows name orders by number only."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}

    def learn(self, instrument: str, venue_order_id: str, client_id: str) -> None:
        if len(self._names) >= NAMES_KEPT:
            del self._names[next(iter(self._names))]
        self._names[instrument, venue_order_id] = client_id

    def find(self, instrument: str, venue_order_id: str) -> str | None:
        return self._names.get((instrument, venue_order_id))


class TradeReader:
    """Fetches fills; all methods raise VenueError rather than return something incomplete."""

    def __init__(self, rest: BinanceRest, names: OrderNames) -> None:
        self._rest = rest
        self._names = names

    async def of_order(self, instrument: Instrument, order_id: int, client_id: str) -> list[Fill]:
        """All trades of one order."""
        rows: dict[int, TradeRow] = {}
        first_id: int | None = None
        for _ in range(PAGES_MAX):
            params: dict[str, Any] = {"symbol": instrument.symbol, "orderId": order_id, "limit": PAGE}
            if first_id is not None:
                params["fromId"] = first_id
            page = await self._page(instrument, params)
            rows.update({row.id: row for row in page if row.order_id == order_id})
            if len(page) < PAGE:
                return _fills(rows, instrument, {order_id: client_id})
            first_id = max(row.id for row in page) + 1
        raise VenueError(f"trades of order {order_id}: more than {PAGES_MAX} pages")

    async def since(self, instrument: Instrument, since_ms: int, until_ms: int) -> list[Fill]:
        """All trades of one instrument with since_ms <= time <= until_ms, oldest first."""
        window_ms = WINDOWS_MS.get(instrument.kind)
        rows: dict[int, TradeRow] = {}
        start_ms = since_ms
        while start_ms <= until_ms:
            params: dict[str, Any] = {"symbol": instrument.symbol, "startTime": start_ms, "limit": PAGE}
            if window_ms is not None:
                params["endTime"] = min(start_ms + window_ms - 1, until_ms)
            page = await self._page(instrument, params)
            rows.update({row.id: row for row in page})
            if len(page) >= PAGE:
                rows.update(await self._from_number(instrument, max(rows) + 1, until_ms))
                break
            if window_ms is None:
                break
            start_ms += window_ms
        inside = {i: row for i, row in rows.items() if since_ms <= row.at_ms <= until_ms}
        newest = {row.order_id: row.at_ms for row in sorted(inside.values(), key=lambda row: row.at_ms)}
        names = {n: await self._name(instrument, n, until_ms - at_ms) for n, at_ms in sorted(newest.items())}
        return _fills(inside, instrument, names)

    async def _from_number(self, instrument: Instrument, first_id: int, until_ms: int) -> dict[int, TradeRow]:
        rows: dict[int, TradeRow] = {}
        for _ in range(PAGES_MAX):
            params = {"symbol": instrument.symbol, "fromId": first_id, "limit": PAGE}
            page = await self._page(instrument, params)
            rows.update({row.id: row for row in page})
            if len(page) < PAGE or page[-1].at_ms > until_ms:
                return rows
            first_id = max(row.id for row in page) + 1
        raise VenueError(f"trades of {instrument.symbol}: more than {PAGES_MAX} pages")

    async def _page(self, instrument: Instrument, params: dict[str, Any]) -> Sequence[TradeRow]:
        reply = await self._rest.data(_TRADES[instrument.kind], params)
        try:
            return convert_list(reply, TradeRow)
        except DecodeError as error:
            raise VenueError(f"trades of {instrument.symbol}: {error}") from None

    async def _name(self, instrument: Instrument, order_id: int, age_ms: int) -> str:
        """The client id of an order number; `unknown:<number>` when the venue has forgotten the order.

        An order that traded less than `FORGOTTEN_MS` ago is not forgotten: the view lags, and a fill of ours must
        not be taken for a stranger's. Raises VenueError then.
        """
        known = self._names.find(instrument.id, str(order_id))
        if known is not None:
            return known
        params = {"symbol": instrument.symbol, "orderId": order_id}
        try:
            reply = await self._rest.order(_ORDER[instrument.kind], params, priority=Priority.ASKING)
            name = convert(reply, OrderRow).client_id
        except (AnsweredError, NoAnswerError, NotSentError) as error:
            if judge_lookup(error).verdict is not Verdict.NOT_FOUND:
                raise VenueError(f"order {order_id} of {instrument.symbol}: {error}") from None
            if age_ms < FORGOTTEN_MS:
                raise VenueError(f"order {order_id} of {instrument.symbol} has trades but is not found yet") from None
            name = f"unknown:{order_id}"
        except DecodeError as error:
            raise VenueError(f"order {order_id} of {instrument.symbol}: {error}") from None
        self._names.learn(instrument.id, str(order_id), name)
        return name


def _fills(rows: dict[int, TradeRow], instrument: Instrument, names: dict[int, str]) -> list[Fill]:
    try:
        return [fill_of_trade(rows[i], instrument, names[rows[i].order_id]) for i in sorted(rows)]
    except DecodeError as error:
        raise VenueError(f"trades of {instrument.symbol}: {error}") from None
