"""A listing that has changed: the public connections are made anew, and their feeds were lost in between."""

import asyncio
from typing import Any

import pytest

from bot.domain.events import FeedLost
from bot.venues.binance import BinanceVenue
from bot.venues.binance.streams import Line
from bot.venues.binance.symbols import SymbolBook
from tests.engine import market_kit as kit


class Keeper:
    """Keeps lines without connecting them."""

    def __init__(self, told: list[Any]) -> None:
        self._told = told

    async def keep(self, line: Line) -> None:
        self._told.append(line.name)
        try:
            await asyncio.Event().wait()
        finally:
            self._told.append(f"{line.name} ended")


async def test_between_the_old_connections_and_the_new_ones_their_feeds_were_lost() -> None:
    """An unchanged best price sends nothing: one that changed in between would be the old one, and count as fresh."""
    told: list[Any] = []
    venue, keeper = BinanceVenue("venue", "main", "", ""), Keeper(told)
    venue._book = SymbolBook.of(kit.pair_instruments("BTC"))
    task = asyncio.ensure_future(venue._run_public(keeper, told.append))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first = ["spot-quotes-0", "perp-quotes-0", "perp-marks-0"]
    assert told == first
    told.clear()
    venue._book = SymbolBook.of([*kit.pair_instruments("BTC"), *kit.pair_instruments("ETH")])
    venue._relisted.set()
    for _ in range(50):
        await asyncio.sleep(0)
    assert told[-3:] == first
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    lost = [one for one in told if isinstance(one, FeedLost)]
    assert [(one.feed, one.planned) for one in lost] == [("venue:spot", True), ("venue:perp", True)]
    assert told.index("perp-marks-0 ended") < told.index(lost[0]) < told.index("spot-quotes-0")
