"""The private streams: our orders' changes and trades as the venue tells them.

Spot: the websocket API with a signed subscription (Binance has retired spot listen keys, and ccxt uses this too).
USD-M: a listen key, kept alive each half hour. Both are fetched anew at every connect, and after each reconnect
the feed is reported lost once more, because what happened in between is told by nobody.
"""

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec
from websockets.asyncio.client import ClientConnection

from bot.domain.actions import Severity
from bot.domain.instruments import Instrument, Kind
from bot.ports import Deliver, VenueError, VenueRefusedError
from bot.venues.binance.clock import MarketClock
from bot.venues.binance.decode import (
    STREAM_ENDS,
    OtherEvent,
    PerpExecution,
    PerpOrderUpdate,
    SpotExecution,
    decode_private,
    decode_reply,
)
from bot.venues.binance.rest import BinanceRest
from bot.venues.binance.rows import events_of_execution
from bot.venues.binance.streams import ConnectionLostError, Fields, Line, Log
from bot.venues.binance.symbols import SymbolBook
from bot.venues.binance.trades import OrderNames

SPOT_SOCKET_API = "wss://ws-api.binance.com:443/ws-api/v3"
PERP_PRIVATE_STREAM = "wss://fstream.binance.com/private/ws?listenKey="
PERP_EVENTS = "&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE/listenKeyExpired"
"""What this path is asked to tell. By some reports a connection without a list is told all, by others nothing."""
KEEP_ALIVE_EVERY_S = 1_800.0
KEEP_ALIVE_RETRY_S = 60.0
KEY_GONE = "-1125"
"""The venue knows no such listen key: its connection answers pings and tells nothing any more."""
OUR_PREFIX = "cb"
"""Client ids of the bot's own orders start with this; others are foreign."""


class UserLines:
    """Builds both private connections of one account."""

    def __init__(
        self,
        venue: str,
        rest: BinanceRest,
        book: Callable[[], SymbolBook],
        names: OrderNames,
        clock: MarketClock,
        log: Log,
    ) -> None:
        self._venue = venue
        self._rest = rest
        self._book = book
        self._names = names
        self._clock = clock
        self._log = log

    def lines(self, deliver: Deliver) -> list[Line]:
        def on_frame(frame: bytes) -> None:
            self._on_frame(frame, deliver)

        return [
            Line(
                name="spot-user",
                feed=f"{self._venue}:user-spot",
                uri=self._spot_uri,
                opened=self._subscribe,
                on_frame=on_frame,
                resync=True,
            ),
            Line(
                name="perp-user",
                feed=f"{self._venue}:user-perp",
                uri=self._perp_uri,
                on_frame=on_frame,
                upkeep=self._keep_alive,
                resync=True,
            ),
        ]

    async def _spot_uri(self) -> str:
        await self._rest.admit_socket()
        return SPOT_SOCKET_API

    async def _subscribe(self, socket: ClientConnection) -> None:
        request = {
            "id": "subscribe",
            "method": "userDataStream.subscribe.signature",
            "params": self._rest.signed_call(),
        }
        await socket.send(msgspec.json.encode(request).decode())
        reply = decode_reply(await socket.recv(decode=False))
        if reply.status != 200:
            self._rest.socket_refused(reply.status, reply.error)
            code = (reply.error or {}).get("code")
            raise ConnectionLostError(f"subscription refused: HTTP {reply.status}, code {code}")

    async def _perp_uri(self) -> str:
        reply = await self._rest.data("fapiPrivatePostListenKey")
        try:
            return PERP_PRIVATE_STREAM + str(reply["listenKey"]) + PERP_EVENTS
        except (KeyError, TypeError):
            raise VenueError("listenKey: the reply has none") from None

    async def _keep_alive(self) -> None:
        """Extends the key, which lives for an hour; a refusal ends the connection and with it the key's use."""
        wait_s = KEEP_ALIVE_EVERY_S
        failures = 0
        while True:
            await asyncio.sleep(wait_s)
            try:
                await self._rest.data("fapiPrivatePutListenKey")
                wait_s, failures = KEEP_ALIVE_EVERY_S, 0
            except VenueError as error:
                failures += 1
                gone = isinstance(error, VenueRefusedError) and error.code == KEY_GONE
                if gone or failures > 10:
                    raise
                wait_s = KEEP_ALIVE_RETRY_S
                self._log(Severity.WARNING, "venue.listen_key_not_extended", {"error": str(error)})

    def _on_frame(self, frame: bytes, deliver: Deliver) -> None:
        event = decode_private(frame)
        if isinstance(event, OtherEvent):
            if event.kind in STREAM_ENDS:
                raise ConnectionLostError(event.kind)
            self._clock.observe(event.event_ms)
            return
        self._clock.observe(event.event_ms)
        if isinstance(event, PerpOrderUpdate):
            self._deliver(event.order, self._book().perp, Kind.PERP, deliver)
        else:
            self._deliver(event, self._book().spot, Kind.SPOT, deliver)

    def _deliver(
        self,
        execution: SpotExecution | PerpExecution,
        side: Mapping[str, Instrument],
        kind: Kind,
        deliver: Deliver,
    ) -> None:
        """Foreign orders are logged, and their trades delivered: they move our balances."""
        instrument = side.get(execution.symbol)
        foreign = not execution.client_id.startswith(OUR_PREFIX)
        if instrument is None or foreign:
            fields: Fields = {
                "symbol": execution.symbol,
                "kind": kind.value,
                "client_id": execution.client_id,
                "status": execution.status,
                "filled": Decimal(execution.filled),
            }
            self._log(Severity.WARNING, "venue.foreign_order", fields)
        if instrument is None:
            return
        self._names.learn(instrument.id, str(execution.order_id), execution.client_id)
        for event in events_of_execution(execution, instrument):
            deliver(event)
