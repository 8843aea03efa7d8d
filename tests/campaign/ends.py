"""What the venue ends: a perpetual, a spot, or, where a coin gets another name, both; and what the coins become.

The simulated exchange itself enacts an end at its hour. Here it is announced, and a renamed coin becomes the new one
a while after its spot has ended: in some seeds when its perpetual is settled, in others while that still trades.
"""

import dataclasses
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.simulator.model import Book, Listing
from tests.campaign.answers import KEY
from tests.campaign.faults import Fault
from tests.campaign.market import HOUR_MS

if TYPE_CHECKING:
    from tests.campaign.world import World

CONVERTED_MS = HOUR_MS // 2
"""So long after the end of the spot."""
PERP_LATER_MS = 6 * HOUR_MS
UNHEARD_BEFORE_H = 50.0
RETURNS_H = (0.2, 3.0, 14.0, 14.0)
"""Hours after an end of which no daemon heard until one starts: then the coins are still there, or were turned into
others, or, the rarest to be met otherwise, the venue does not list the market any more."""
REDENOMINATED = Decimal(1000)
POSTPONED_MS = 30 * 24 * HOUR_MS
FINALE_MS = 12 * HOUR_MS


class Ends:
    def __init__(self, world: "World") -> None:
        self.world = world
        self._conversions: list[tuple[int, str, Decimal]] = []
        """(market time, coin, units of the new asset for one)"""

    def announce(self, fault: Fault) -> bool:
        """The venue tells of an end; False when it has done so, or there is nothing left that could end.

        It comes for something that is held, if anything is. Every other one comes while no daemon listens, and ends
        before one does: most of what a daemon is told of in time it has sold by then.
        """
        world, now_ms = self.world, int(self.world.market_ms)
        coin = world.market.coins[self._name(fault)]
        unheard = _drawn(fault, 100, 2) == 0 and world.life.running and fault.at < UNHEARD_BEFORE_H
        hours = fault.size if unheard else fault.size**2
        ends_ms = now_ms + int(hours * HOUR_MS)
        told = self._end(coin.perp if fault.kind == "end_announced" else coin.spot, ends_ms)
        if told and fault.kind == "renamed":
            self._end(coin.perp, ends_ms + (PERP_LATER_MS if _drawn(fault, 10_000, 2) else 0))
            ratio = REDENOMINATED if _drawn(fault, 100_000, 2) else Decimal(1)
            self._conversions.append((ends_ms + CONVERTED_MS, coin.name, ratio))
        if told and unheard:
            later_h = RETURNS_H[_drawn(fault, 1_000, len(RETURNS_H))]
            world.kill(world.life, (hours + later_h) * 3_600 / world.plan.middle_speed)
        return told

    def _name(self, fault: Fault) -> str:
        held = sorted(self.world.exchange._state.accounts[KEY].holdings)
        names = [self.world.market.by_symbol[Book.PERP, symbol].name for symbol in held]
        return fault.how if fault.how in names or not names else names[_drawn(fault, 100, len(names))]

    def _end(self, listing: Listing, ends_ms: int) -> bool:
        if listing.ends_ms:
            return False
        self.world.market.relist(dataclasses.replace(listing, ends_ms=ends_ms))
        return True

    def step(self) -> None:
        """Market time has gone on."""
        for one in [one for one in self._conversions if one[0] <= self.world.market_ms]:
            self._conversions.remove(one)
            self._convert(*one[1:])

    def _convert(self, coin: str, ratio: Decimal) -> None:
        new = f"{coin}2"
        quantity = self.world.exchange.convert(KEY, coin, new, ratio, int(self.world.market_ms))
        self.world.note(f"{quantity} {coin} became {quantity * ratio} {new}")
        if quantity:
            self.world.oracle.converted(coin, quantity, new, quantity * ratio)
            self.world.slow(2.0)

    def calm(self) -> None:
        """What would end while the daemon puts everything in order ends another day; what has ended is converted."""
        now_ms, market = int(self.world.market_ms), self.world.market
        postponed = set()
        for listing in list(market.listings.values()):
            if now_ms < listing.ends_ms < now_ms + FINALE_MS:
                market.relist(dataclasses.replace(listing, ends_ms=listing.ends_ms + POSTPONED_MS))
                postponed.add(listing.coin)
        self._conversions = [
            (now_ms, coin, ratio)
            for at_ms, coin, ratio in self._conversions
            if at_ms < now_ms + CONVERTED_MS and coin not in postponed
        ]
        self.step()


def _drawn(fault: Fault, scale: int, of: int) -> int:
    """One of so many, by the digits of the fault's hour: what it does follows from the plan alone."""
    return round(fault.at * scale) % of
