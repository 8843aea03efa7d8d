"""The exchange core as its servers and the fault campaign see it: pure, synchronous, on market time.

One `Exchange` holds one account per API key. Every method takes the market time at which it happens and
never looks at a clock; the same calls in the same order give the same state, trade ids included.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

from bot.simulator.model import Book, Happening, Income, Order, OrderRequest, Position, Side, Trade


class ExchangeCore(Protocol):
    def advance(self, to_ms: int) -> Sequence[tuple[str, Happening]]:
        """Settle funding, match resting orders and liquidate up to `to_ms`; returns (api_key, happening)."""
        ...

    def place(self, api_key: str, request: OrderRequest, at_ms: int) -> tuple[Order, Sequence[Trade], Sequence[Happening]]:
        """Check filters, margin and client id, match, book. Raises VenueError with the venue's own code."""
        ...

    def cancel(
        self, api_key: str, book: Book, symbol: str, order_id: int | None, client_id: str | None, at_ms: int
    ) -> tuple[Order, Sequence[Happening]]: ...

    def order(self, api_key: str, book: Book, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        """Raises VenueError -2013 when there is none."""
        ...

    def open_orders(self, api_key: str, book: Book, symbol: str | None) -> Sequence[Order]: ...
    def all_orders(self, api_key: str, book: Book, symbol: str) -> Sequence[Order]: ...
    def trades(self, api_key: str, book: Book, symbol: str | None) -> Sequence[Trade]: ...
    def income(self, api_key: str) -> Sequence[Income]: ...
    def positions(self, api_key: str) -> Sequence[Position]: ...
    def wallet(self, api_key: str, book: Book) -> dict[str, tuple[Decimal, Decimal]]:
        """Asset -> (free, locked); for the perp wallet free is the whole wallet balance without unrealised P&L."""
        ...

    def margin_usd(self, api_key: str, at_ms: int) -> dict[str, Decimal]:
        """wallet_balance, unrealized, margin_balance, initial, maintenance, available: of the perp wallet."""
        ...

    def transfer(self, api_key: str, asset: str, quantity: Decimal, source: Book, target: Book, at_ms: int) -> tuple[int, Sequence[Happening]]:
        """Returns the transaction id. Raises VenueError when the source cannot spare it."""
        ...

    def fee_rates(self, api_key: str, book: Book, symbol: str) -> tuple[Decimal, Decimal]:
        """(maker, taker) as fractions."""
        ...

    def leverage(self, api_key: str, symbol: str) -> int: ...
    def set_leverage(self, api_key: str, symbol: str, leverage: int) -> None: ...
    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON-ready values (Decimals as text); `restore` of it continues exactly."""
        ...

    def truth(self, api_key: str, at_ms: int) -> dict[str, Any]:
        """Balances, positions, orders, trades, receipts of an account as JSON-ready values."""
        ...


__all__ = ["ExchangeCore", "Side"]
