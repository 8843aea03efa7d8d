"""An order that waits in our own queue is not asked for: that the venue does not know it proves nothing."""

import asyncio
from decimal import Decimal
from typing import Any

from bot.domain.events import Event, OrderNotFound, OrderOutcomeUnknown
from bot.domain.instruments import Instrument, Kind, Payoff, Wallet
from bot.domain.orders import OrderIntent, Purpose, Side, TimeInForce
from bot.venues.binance.orders import OrderDesk
from bot.venues.binance.outcomes import AnsweredError, NoAnswerError
from bot.venues.binance.symbols import SymbolBook
from bot.venues.binance.trades import OrderNames

ONE = Decimal(1)
SPOT = Instrument(
    "binance:BTCUSDT:spot",
    "binance",
    "BTCUSDT",
    "BTC",
    Kind.SPOT,
    Payoff.LINEAR,
    Wallet.SPOT,
    *("BTC", "USDT", "USDT"),
    *(ONE, ONE, ONE, ONE * 100, ONE),
)
INTENT = OrderIntent(
    *("cb1-1-1", "h1", 0, "binance", SPOT.id, Side.BUY, ONE, ONE),
    *(TimeInForce.IOC, False, Purpose.OPEN, 0, ONE),
)


class QueueingRest:
    """Holds the order back until told, then loses it; knows no order."""

    def __init__(self) -> None:
        self.release = asyncio.Event()

    async def order(self, endpoint: str, params: Any, **more: Any) -> Any:
        if "Post" in endpoint:
            await self.release.wait()
            raise NoAnswerError("time-out")
        if endpoint == "privateGetOrder":
            raise AnsweredError(400, -2013, "Order does not exist.")
        return []


async def test_not_found_is_no_answer_while_the_order_may_still_leave() -> None:
    rest, heard = QueueingRest(), list[Event]()
    desk = OrderDesk(rest, lambda: SymbolBook.of((SPOT,)), OrderNames(), lambda *_: None)  # type: ignore[arg-type]
    placing = asyncio.ensure_future(desk.place((INTENT,), reducing=False, deliver=heard.append))
    await asyncio.sleep(0)
    await desk.query(INTENT.client_id, SPOT.id, None, 1, heard.append)
    assert [type(event) for event in heard] == [OrderOutcomeUnknown]
    rest.release.set()
    await placing
    await desk.query(INTENT.client_id, SPOT.id, None, 1, heard.append)
    assert heard[-1] == OrderNotFound(INTENT.client_id, 3)
