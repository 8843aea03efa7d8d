"""The private streams: what happened to an account, in the words of the spot and of the USD-M user stream.

For faults the stream of an event is named `userData@<event>`, for example `userData@ORDER_TRADE_UPDATE`.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from bot.simulator.model import Book, Happening, Order, Status, Trade
from bot.simulator.wire.connection import Connection
from bot.simulator.wire.futures_account import entry_text
from bot.simulator.wire.futures_orders import average_text
from bot.simulator.wire.orders import cancel_id
from bot.simulator.wire.shapes import (
    encode,
    fixed,
    order_type_text,
    price_text,
    quantity_text,
    time_in_force_text,
)
from bot.simulator.wire.spot_account import SELF_TRADE_MODE
from bot.simulator.wire.streams import Hub, wrap_for
from bot.simulator.wire.venue import QUOTE_ASSET, Simulation

_ZERO = Decimal(0)
_EXECUTION = {Status.CANCELED: "CANCELED", Status.EXPIRED: "EXPIRED", Status.REJECTED: "REJECTED"}
_REASONS = {"FUNDING_FEE": "FUNDING_FEE", "INSURANCE_CLEAR": "INSURANCE_CLEAR", "ORDER": "ORDER"}


class UserStreams:
    def __init__(self, sim: Simulation, hub: Hub) -> None:
        self._sim = sim
        self._hub = hub

    def report(self, api_key: str, happenings: Sequence[Happening]) -> None:
        """One call's or one step's happenings of one account, in order."""
        for happening in happenings:
            if happening.trade is not None:
                self._hub.publish_trade(happening.trade)
        for event in self._spot_events([h for h in happenings if h.book is Book.SPOT]):
            self._send(api_key, Book.SPOT, event)
        for event in self._perp_events(api_key, [h for h in happenings if h.book is Book.PERP]):
            self._send(api_key, Book.PERP, event)

    def expire_keys(self) -> None:
        """Tells the listeners of a listen key that its 60 minutes are over, and forgets it."""
        for key in self._sim.listen_keys.drop_expired():
            self._sim.touch()
            event = {"e": "listenKeyExpired", "E": str(self._sim.now_ms), "listenKey": key.text}
            for connection in list(self._hub.connections):
                if key.text in connection.listen_keys and _wanted(connection, event):
                    frame = wrap_for(connection, key.text, encode(event))
                    self._hub.deliver(
                        connection, frame, "userData@listenKeyExpired", api_key=key.api_key, book=key.book
                    )
                    connection.listen_keys.discard(key.text)

    def _send(self, api_key: str, book: Book, event: dict[str, Any]) -> None:
        body = encode(event)
        name = f"userData@{event['e']}"
        own_keys = {k.text for k in self._sim.listen_keys.valid() if k.api_key == api_key and k.book is book}
        symbol = event.get("s") or event.get("o", {}).get("s")
        for connection in list(self._hub.connections):
            for text in connection.listen_keys & own_keys if _wanted(connection, event) else ():
                frame = wrap_for(connection, text, body)
                self._hub.deliver(connection, frame, name, api_key=api_key, book=book, symbol=symbol)
            for number, subscriber in connection.account_subscriptions.items():
                if subscriber == api_key and connection.book is book:
                    frame = b'{"subscriptionId":%d,"event":%b}' % (number, body)
                    self._hub.deliver(connection, frame, name, api_key=api_key, book=book, symbol=symbol)

    # -- spot ---------------------------------------------------------------------------------------------

    def _spot_events(self, happenings: Iterable[Happening]) -> list[dict[str, Any]]:
        events = []
        balances: dict[str, dict[str, str]] = {}
        changed_ms = 0
        for h in happenings:
            if h.order is not None and h.order.request.margin:
                continue  # the margin account has a stream of its own, which is not offered here
            if h.order is not None:
                events.append(self._execution_report(h, h.order))
            elif h.asset is not None:
                free, locked = h.free or _ZERO, h.locked or _ZERO
                balances[h.asset] = {"a": h.asset, "f": fixed(free), "l": fixed(locked)}
                changed_ms = h.at_ms
                if h.reason == "TRANSFER":
                    events.append(
                        {
                            "e": "balanceUpdate",
                            "E": self._sim.now_ms,
                            "a": h.asset,
                            "d": fixed(h.delta or _ZERO),
                            "T": h.at_ms,
                        }
                    )
        if balances:
            events.append(
                {
                    "e": "outboundAccountPosition",
                    "E": self._sim.now_ms,
                    "u": changed_ms,
                    "B": list(balances.values()),
                }
            )
        return events

    def _execution_report(self, h: Happening, order: Order) -> dict[str, Any]:
        request, trade = order.request, h.trade
        listing = self._sim.listing(Book.SPOT, request.symbol)
        canceled = trade is None and order.status is Status.CANCELED
        return {
            "e": "executionReport",
            "E": self._sim.now_ms,
            "s": request.symbol,
            "c": cancel_id(order.id, None) if canceled else request.client_id,
            "S": request.side.value,
            "o": order_type_text(Book.SPOT, request.type, request.time_in_force),
            "f": time_in_force_text(Book.SPOT, request.type, request.time_in_force),
            "q": quantity_text(listing, request.quantity),
            "p": price_text(listing, request.price or _ZERO),
            "P": fixed(_ZERO),
            "F": fixed(_ZERO),
            "g": -1,
            "C": request.client_id if canceled else "",
            "x": "TRADE" if trade is not None else _EXECUTION.get(order.status, "NEW"),
            "X": order.status.value,
            "r": "NONE",
            "i": order.id,
            "l": quantity_text(listing, trade.quantity if trade else _ZERO),
            "z": quantity_text(listing, order.filled),
            "L": price_text(listing, trade.price if trade else _ZERO),
            "n": fixed(trade.fee) if trade else "0",
            "N": trade.fee_asset if trade else None,
            "T": h.at_ms,
            "t": trade.id if trade else -1,
            "I": order.id * 2 + (1 if trade else 0),
            "w": order.status in {Status.NEW, Status.PARTIALLY_FILLED},
            "m": trade.maker if trade else False,
            "M": trade is not None,
            "O": order.created_ms,
            "Z": fixed(order.filled_quote),
            "Y": fixed(trade.quote_quantity if trade else _ZERO),
            "Q": fixed(_ZERO),
            "W": order.created_ms,
            "V": SELF_TRADE_MODE,
        }

    # -- USD-M --------------------------------------------------------------------------------------------

    def _perp_events(self, api_key: str, happenings: Iterable[Happening]) -> list[dict[str, Any]]:
        """Order updates in order; each change of the wallet as an ACCOUNT_UPDATE with the positions it moved."""
        events: list[dict[str, Any]] = []
        traded: list[str] = []
        for h in happenings:
            if h.order is not None:
                events.append(self._order_update(h, h.order))
                if h.trade is not None and h.trade.symbol not in traded:
                    traded.append(h.trade.symbol)
            elif h.asset is not None:
                symbols = traded if h.reason in {"ORDER", "INSURANCE_CLEAR"} else []
                events.append(self._account_update(api_key, h, symbols))
                traded = []
        if traded:
            events.append(self._account_update(api_key, None, traded))
        return events

    def _order_update(self, h: Happening, order: Order) -> dict[str, Any]:
        request, trade = order.request, h.trade
        listing = self._sim.listing(Book.PERP, request.symbol)
        forced = h.kind == "LIQUIDATION"
        body: dict[str, Any] = {
            "s": request.symbol,
            "c": request.client_id,
            "S": request.side.value,
            "o": "LIQUIDATION" if forced else request.type.value,
            "f": time_in_force_text(Book.PERP, request.type, request.time_in_force),
            "q": quantity_text(listing, request.quantity),
            "p": price_text(listing, request.price or _ZERO),
            "ap": average_text(listing, order.filled_quote, order.filled) if order.filled else "0",
            "sp": "0",
            "x": self._execution_type(order, trade, forced=forced),
            "X": order.status.value,
            "i": order.id,
            "l": quantity_text(listing, trade.quantity) if trade else "0",
            "z": quantity_text(listing, order.filled) if order.filled else "0",
            "L": price_text(listing, trade.price) if trade else "0",
            "T": h.at_ms,
            "t": trade.id if trade else 0,
            "b": "0",
            "a": "0",
            "m": trade.maker if trade else False,
            "R": request.reduce_only,
            "wt": "CONTRACT_PRICE",
            "ot": "LIQUIDATION" if forced else request.type.value,
            "ps": "BOTH",
            "cp": False,
            "rp": fixed(trade.realized_pnl) if trade else "0",
            "pP": False,
            "si": 0,
            "ss": 0,
            "V": SELF_TRADE_MODE,
            "pm": "NONE",
            "gtd": 0,
        }
        if trade is not None:
            body |= {"N": trade.fee_asset, "n": fixed(trade.fee)}
        return {"e": "ORDER_TRADE_UPDATE", "T": h.at_ms, "E": self._sim.now_ms, "o": body}

    @staticmethod
    def _execution_type(order: Order, trade: Trade | None, *, forced: bool) -> str:
        if trade is not None:
            return "CALCULATED" if forced else "TRADE"
        return _EXECUTION.get(order.status, "NEW")

    def _account_update(self, api_key: str, h: Happening | None, symbols: Sequence[str]) -> dict[str, Any]:
        balances = []
        reason, at_ms = "ORDER", self._sim.now_ms
        if h is not None:
            at_ms, delta = h.at_ms, h.delta or _ZERO
            reason = _reason(h.reason or "ORDER", delta)
            # "balance change" leaves out realised P&L and commission, so orders have none.
            change = _ZERO if reason == "ORDER" else delta
            balances.append(
                {
                    "a": h.asset,
                    "wb": fixed(h.free or _ZERO),
                    "cw": fixed(h.free or _ZERO),
                    "bc": fixed(change) if change else "0",
                }
            )
        positions = [self._position_row(api_key, symbol) for symbol in symbols]
        return {
            "e": "ACCOUNT_UPDATE",
            "T": at_ms,
            "E": self._sim.now_ms,
            "a": {"B": balances, "P": positions, "m": reason},
        }

    def _position_row(self, api_key: str, symbol: str) -> dict[str, Any]:
        listing = self._sim.listing(Book.PERP, symbol)
        risks = self._sim.exchange.position_risk(api_key, self._sim.now_ms)
        risk = next((r for r in risks if r.symbol == symbol), None)
        trades = self._sim.exchange.trades(api_key, Book.PERP, symbol)
        realized = sum((t.realized_pnl for t in trades), _ZERO)
        entry = risk.entry_price if risk else _ZERO
        return {
            "s": symbol,
            "pa": quantity_text(listing, risk.quantity if risk else _ZERO),
            "ep": entry_text(listing, entry),
            "bep": entry_text(listing, entry),
            "cr": fixed(realized),
            "up": fixed(risk.unrealized_usd if risk else _ZERO),
            "mt": "cross",
            "iw": "0",
            "ps": "BOTH",
            "ma": QUOTE_ASSET,
        }


def _reason(reason: str, delta: Decimal) -> str:
    if reason == "TRANSFER":
        return "DEPOSIT" if delta > 0 else "WITHDRAW"
    return _REASONS.get(reason, "ADJUSTMENT")


def _wanted(connection: Connection, event: Mapping[str, Any]) -> bool:
    """Whether a connection by listen key asked for this kind of event."""
    return connection.events is None or event["e"] in connection.events
