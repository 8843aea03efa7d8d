"""Instruments that are added while the daemon runs: told first, then their liquidity and history."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from quiet_venue import START_MS, QuietVenue, instrument

from bot.domain.events import Event, VenueListed
from bot.domain.instruments import Kind, margin_twin
from bot.domain.market import Liquidity
from bot.ports import VenueError
from bot.runtime.pollers import Pollers, Rhythm
from bot.runtime.vitals import Vitals
from bot.venues.binance import BinanceVenue

NEW = "toy:ETHUSDT:perp"


class GrowingVenue(QuietVenue):
    """Lists one more perpetual once `grown`."""

    grown = False
    fails = 0

    async def fetch_listing(self) -> VenueListed:
        if self.fails:
            self.fails -= 1
            raise VenueError("toy does not answer")
        listed = await super().fetch_listing()
        added = replace(instrument(Kind.PERP), id=NEW, coin="ETH")
        lent = margin_twin(instrument(Kind.SPOT))
        return replace(listed, instruments=(*listed.instruments, added, lent)) if self.grown else listed

    async def fetch_liquidity(self, instruments: Sequence[str]) -> list[Liquidity]:
        """As Binance's adapter: it knows no liquidity of margin spot."""
        if any(name.endswith(":margin") for name in instruments):
            raise KeyError(Kind.MARGIN)
        return list(await super().fetch_liquidity(instruments))


class Clock:
    def market_ms(self) -> int:
        return START_MS

    def mono_ms(self) -> int:
        return 0


async def told(venue: GrowingVenue, fails: int = 0) -> tuple[list[Event], list[str]]:
    events: list[Event] = []
    calls: list[str] = []

    def report(_severity: Any, name: str, **_: Any) -> None:
        calls.append(name)

    pollers = Pollers(venue, Clock(), Rhythm(), events.append, Vitals(lambda: 0), report, lambda: None)
    pollers.on_new = lambda: calls.append("on_new")
    known = await venue.fetch_listing()
    venue.fails = fails
    task = asyncio.ensure_future(pollers.listing(known))
    venue.grown = True
    pollers.relist.set()
    for _ in range(500):
        if any(isinstance(event, Liquidity) for event in events):
            break
        await asyncio.sleep(0.02)
    task.cancel()
    return events, calls


async def test_a_wider_listing_is_told_before_anything_of_its_instruments() -> None:
    events, calls = await told(GrowingVenue())
    assert isinstance(events[0], VenueListed)
    assert [event.instrument for event in events[1:] if isinstance(event, Liquidity)] == [NEW]
    assert calls == ["venue.listing_changed", "on_new"], "and the timer lives, also where coins are lent from now on"


async def test_a_venue_that_does_not_answer_is_asked_again() -> None:
    events, _ = await told(GrowingVenue(), fails=1)
    assert isinstance(events[0], VenueListed)


class HaltingVenue(QuietVenue):
    """Takes no orders in its perpetual for the next `halted` listings."""

    halted = 0

    async def fetch_listing(self) -> VenueListed:
        listed = await super().fetch_listing()
        self.halted -= 1
        perp = replace(instrument(Kind.PERP), trades=self.halted < 0)
        return replace(listed, instruments=(instrument(Kind.SPOT), perp))


async def test_a_market_that_was_halted_for_a_while_is_not_taken_for_closed_until_the_next_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An order is refused in the halt, so that the listing is fetched in it: nobody asked again for an hour."""
    now_s, slept = [0.0], asyncio.sleep

    async def sleep(_vitals: Vitals, _name: str, seconds: float) -> None:
        now_s[0] += seconds
        await slept(0)

    monkeypatch.setattr(Vitals, "sleep", sleep)
    monkeypatch.setattr("bot.runtime.pollers.time", SimpleNamespace(monotonic=lambda: now_s[0]))
    events: list[Event] = []
    venue = HaltingVenue()
    pollers = Pollers(venue, Clock(), Rhythm(), events.append, Vitals(lambda: 0), lambda *_, **__: None, lambda: None)
    known = await venue.fetch_listing()
    venue.halted, pollers.listing_doubted = 4, True
    task = asyncio.ensure_future(pollers.listing(known))
    while len(events) < 2 and now_s[0] < 7_200:
        await slept(0)
    task.cancel()
    first, second = events
    assert isinstance(first, VenueListed)
    assert isinstance(second, VenueListed)
    assert [all(one.trades for one in event.instruments) for event in (first, second)] == [False, True]
    assert now_s[0] < 300, "after 5, 20, 50, 110 and 230 s"


def test_what_a_venue_lists_only_grows() -> None:
    venue = BinanceVenue("binance", "main", "", "", coins=["BTC"], exclude=["DOGE", "XRP"])
    assert not venue.widen(["BTC"], ["DOGE", "XRP"])
    assert not venue.widen(["BTC"], ["DOGE", "XRP", "SOL"]), "fewer coins are the rules' matter, not the listing's"
    assert venue.widen(["ETH"], ["XRP"])
    listed = venue._reader.universe
    assert [coin for coin in ("BTC", "ETH", "DOGE", "XRP") if listed.admits(coin)] == ["BTC", "ETH"]
    assert venue.widen([], ["XRP"])
    assert listed is not venue._reader.universe
    assert venue._reader.universe.admits("DOGE")
    assert not venue._reader.universe.admits("XRP")
