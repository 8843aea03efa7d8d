"""Trades name orders by number: whose order it was must be known, or the answer is none."""

from decimal import Decimal
from typing import Any

import pytest

from bot.domain.instruments import Instrument, Kind, Payoff, Wallet
from bot.domain.time import DAY_MS
from bot.ports import VenueError
from bot.venues.binance.outcomes import AnsweredError
from bot.venues.binance.trades import FORGOTTEN_MS, OrderNames, TradeReader

NOW_MS = 1_790_000_000_000
SPOT = Instrument(
    id="binance:BTCUSDT:spot",
    venue="binance",
    symbol="BTCUSDT",
    coin="BTC",
    kind=Kind.SPOT,
    payoff=Payoff.LINEAR,
    wallet=Wallet.SPOT,
    base_asset="BTC",
    quote_asset="USDT",
    settle_asset="USDT",
    tick=Decimal("0.01"),
    lot=Decimal("0.00001"),
    quantity_min=Decimal("0.00001"),
    quantity_max=Decimal(9000),
    notional_min=Decimal(5),
)


class LaggingRest:
    """Lists one trade and does not find the order that it is of."""

    def __init__(self, traded_ms: int) -> None:
        self.traded_ms = traded_ms

    async def data(self, endpoint: str, params: Any) -> Any:
        row = {"symbol": "BTCUSDT", "id": 7, "orderId": 70, "price": "100000", "qty": "0.1", "commission": "0.0001"}
        return [{**row, "commissionAsset": "BTC", "time": self.traded_ms, "isBuyer": True, "isMaker": False}]

    async def order(self, endpoint: str, params: Any, **more: Any) -> Any:
        raise AnsweredError(400, -2013, "Order does not exist.")


async def test_a_fresh_order_that_is_not_found_is_not_taken_for_a_strangers() -> None:
    reader = TradeReader(LaggingRest(NOW_MS - 1_000), OrderNames())  # type: ignore[arg-type]
    with pytest.raises(VenueError, match="not found yet"):
        await reader.since(SPOT, NOW_MS - DAY_MS, NOW_MS)


async def test_an_order_that_the_venue_has_forgotten_is_a_strangers() -> None:
    reader = TradeReader(LaggingRest(NOW_MS - FORGOTTEN_MS - 1), OrderNames())  # type: ignore[arg-type]
    (fill,) = await reader.since(SPOT, NOW_MS - 5 * DAY_MS, NOW_MS)
    assert fill.client_id == "unknown:70"
