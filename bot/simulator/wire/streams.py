"""The stream hub: who listens to what, and what each step of the market makes it send."""

import json
from collections.abc import Iterable
from typing import Any

from bot.simulator.exchange.faults import FaultKind
from bot.simulator.model import Book, Top, Trade
from bot.simulator.wire import frames
from bot.simulator.wire.connection import Connection
from bot.simulator.wire.frames import Stream, parse_stream
from bot.simulator.wire.shapes import encode
from bot.simulator.wire.venue import Simulation

SLOW_NS = {"markPrice": 1_000_000_000, "ticker": 1_000_000_000, "kline": 250_000_000}
STREAMS_MAX = 1_024


class Hub:
    """Frames are encoded once per stream and step, whatever the number of listeners."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self.connections: set[Connection] = set()
        self._listeners: dict[Stream, set[Connection]] = {}
        self._newcomers: dict[Stream, set[Connection]] = {}
        self._sent_tops: dict[tuple[Book, str], Top] = {}
        self._sent_ns: dict[str, int] = {}
        self._before_ms = sim.now_ms
        self._before_id = sim.update_id

    # -- clients ------------------------------------------------------------------------------------------

    def join(self, connection: Connection, names: Iterable[str]) -> None:
        """Subscribes; a new listener gets the current state with the next step, changed or not."""
        self.connections.add(connection)
        for name in names:
            if self._sim.listen_keys.find(name) is not None:
                connection.listen_keys.add(name)
            connection.names.add(name)
            stream = parse_stream(self._sim, connection.book, name)
            if stream is not None:
                self._listeners.setdefault(stream, set()).add(connection)
                self._newcomers.setdefault(stream, set()).add(connection)

    def leave(self, connection: Connection, names: Iterable[str]) -> None:
        for name in list(names):
            connection.names.discard(name)
            connection.listen_keys.discard(name)
            stream = parse_stream(self._sim, connection.book, name)
            if stream is None:
                continue
            for table in (self._listeners, self._newcomers):
                table.get(stream, set()).discard(connection)
            if not self._listeners.get(stream):
                self._listeners.pop(stream, None)
                self._newcomers.pop(stream, None)

    def drop(self, connection: Connection) -> None:
        self.leave(connection, set(connection.names))
        self.connections.discard(connection)

    async def on_text(self, connection: Connection, text: str) -> None:
        """SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY, GET_PROPERTY."""
        try:
            message = json.loads(text)
        except ValueError:
            connection.push(_error(None, "Invalid JSON: expected value"))
            return
        connection.push(self._answer(connection, message))

    def _answer(self, connection: Connection, message: Any) -> bytes:
        if not isinstance(message, dict):
            return _error(None, "Invalid request: request must be an object")
        number, method, params = message.get("id"), message.get("method"), message.get("params", [])
        if method == "LIST_SUBSCRIPTIONS":
            return encode({"result": sorted(connection.names), "id": number})
        if not isinstance(params, list):
            return _error(number, "Invalid request: params must be an array")
        if method == "SUBSCRIBE":
            if len(connection.names | set(map(str, params))) > STREAMS_MAX:
                return _error(number, "Invalid request: too many subscriptions")
            self.join(connection, map(str, params))
        elif method == "UNSUBSCRIBE":
            self.leave(connection, map(str, params))
        elif method == "SET_PROPERTY" and len(params) == 2 and params[0] == "combined":
            connection.combined = bool(params[1])
        elif method == "GET_PROPERTY" and params[:1] == ["combined"]:
            return encode({"result": connection.combined, "id": number})
        else:
            return _error(number, f"Invalid request: unknown variant `{method}`")
        return encode({"result": None, "id": number})

    # -- the market ---------------------------------------------------------------------------------------

    def on_step(self) -> None:
        """Sends what changed with this step. Marks and tickers keep to one a second at real-time speed."""
        slow_due = {kind: self._due(kind) for kind in SLOW_NS}
        changed = self._changed_tops()
        for stream, listeners in list(self._listeners.items()):
            newcomers = self._newcomers.get(stream, set())
            for symbol, row in self._rows(stream, changed, slow_due, fresh=False):
                self._send(stream, symbol, row, listeners - newcomers)
            if newcomers:
                for symbol, row in self._rows(stream, changed, slow_due, fresh=True):
                    self._send(stream, symbol, row, newcomers)
        self._newcomers.clear()
        self._before_ms, self._before_id = self._sim.now_ms, self._sim.update_id

    def _due(self, kind: str) -> bool:
        now_ns = self._sim.monotonic_ns()
        if self._sim.clock.running_speed <= 1 and now_ns - self._sent_ns.get(kind, 0) < SLOW_NS[kind]:
            return False
        self._sent_ns[kind] = now_ns
        return True

    def _changed_tops(self) -> set[tuple[Book, str]]:
        wanted: set[tuple[Book, str]] = set()
        for stream in self._listeners:
            if stream.kind == "bookTicker":
                wanted |= {(stream.book, symbol) for symbol in self._symbols(stream)}
        changed = set()
        for key in wanted:
            top = self._sim.top(*key)
            if self._sent_tops.get(key) != top:
                self._sent_tops[key] = top
                changed.add(key)
        return changed

    def _symbols(self, stream: Stream) -> list[str]:
        """What a stream is of; of what has ended nothing is told."""
        sim, book, symbol = self._sim, stream.book, stream.symbol
        named = sim.listings(book) if symbol is None else [sim.listing(book, symbol)]
        return [listing.symbol for listing in named if not listing.ended_at(sim.now_ms)]

    def _rows(
        self,
        stream: Stream,
        changed: set[tuple[Book, str]],
        slow_due: dict[str, bool],
        *,
        fresh: bool,
    ) -> list[tuple[str | None, Any]]:
        """(symbol, frame body) of one stream for this step."""
        sim, book, kind = self._sim, stream.book, stream.kind
        symbols = self._symbols(stream)
        if not symbols:
            return []
        if kind == "bookTicker":
            return [(s, frames.book_ticker(sim, book, s)) for s in symbols if fresh or (book, s) in changed]
        if kind == "markPrice" and (fresh or slow_due["markPrice"]):
            return [(s, frames.mark_price(sim, s)) for s in symbols]
        if kind == "markPrice_all" and (fresh or slow_due["markPrice"]):
            return [(None, [frames.mark_price(sim, s) for s in symbols])]
        if kind in {"ticker", "miniTicker"} and (fresh or slow_due["ticker"]):
            make = frames.ticker if kind == "ticker" else frames.mini_ticker
            return [(s, make(sim, book, s)) for s in symbols]
        if kind in {"ticker_all", "miniTicker_all"} and (fresh or slow_due["ticker"]):
            make = frames.ticker if kind == "ticker_all" else frames.mini_ticker
            return [(None, [make(sim, book, s) for s in symbols])]
        if kind == "kline" and (fresh or slow_due["kline"]):
            return [(stream.symbol, row) for row in frames.klines(sim, stream, self._before_ms)]
        moved = sim.now_ms != self._before_ms
        if kind == "partial" and (fresh or moved):
            rows = [frames.partial_depth(sim, book, s, stream.detail, self._before_id) for s in symbols]
            return list(zip(symbols, rows, strict=True))
        if kind == "diff" and moved:
            row = frames.depth_change(sim, book, symbols[0], self._before_ms, self._before_id)
            return [] if row is None else [(symbols[0], row)]
        return []

    def publish_trade(self, trade: Trade) -> None:
        """An account's fill is a public trade too."""
        for stream, listeners in self._listeners.items():
            if stream.book is trade.book and stream.symbol == trade.symbol:
                if stream.kind == "trade":
                    self._send(stream, trade.symbol, frames.public_trade(self._sim, trade), listeners)
                elif stream.kind == "aggTrade":
                    self._send(stream, trade.symbol, frames.public_aggregate(self._sim, trade), listeners)

    def _send(self, stream: Stream, symbol: str | None, row: Any, listeners: set[Connection]) -> None:
        if not listeners:
            return
        body = encode(row)
        wrapped = _wrap(stream.name, body)
        for connection in list(listeners):
            frame = wrapped if connection.combined else body
            self.deliver(connection, frame, stream.name, book=stream.book, symbol=symbol)

    def deliver(
        self,
        connection: Connection,
        frame: bytes,
        name: str,
        *,
        api_key: str = "",
        book: Book | None = None,
        symbol: str | None = None,
    ) -> None:
        """One message to one client, through the faults that are in force for its stream."""
        copies, late_ms = 1, 0
        for fault in self._sim.faults.of_message(name, self._sim.now_ms, api_key, book, symbol):
            if fault.kind is FaultKind.SILENT_FEED:
                return
            if fault.kind is FaultKind.RESET:
                connection.abort()
                return
            if fault.kind is FaultKind.DUPLICATE_EVENT:
                copies += fault.parameters["copies"]
            elif fault.kind is FaultKind.LATE_EVENT:
                late_ms = max(late_ms, fault.parameters["delay_ms"])
        for _ in range(copies):
            if late_ms:
                connection.push_later(frame, late_ms)
            else:
                connection.push(frame)


def _wrap(name: str, body: bytes) -> bytes:
    return b'{"stream":' + encode(name) + b',"data":' + body + b"}"


def wrap_for(connection: Connection, name: str, body: bytes) -> bytes:
    return _wrap(name, body) if connection.combined else body


def _error(number: Any, message: str) -> bytes:
    return encode({"error": {"code": 2, "msg": message}, "id": number})
