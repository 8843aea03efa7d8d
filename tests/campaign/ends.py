"""What the venue ends: a perpetual, a spot, or, where a coin gets another name, both; and what the coins become.

The simulated exchange itself enacts an end at its hour. Here it is announced, and a renamed coin becomes the new one
a while after its spot has ended: in some seeds when its perpetual is settled, in others while that still trades.
"""

import dataclasses
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.simulator.model import Listing
from tests.campaign.answers import KEY
from tests.campaign.faults import Fault
from tests.campaign.market import HOUR_MS

if TYPE_CHECKING:
    from tests.campaign.world import World

CONVERTED_MS = HOUR_MS // 2
"""So long after the end of the spot."""
PERP_LATER_MS = 6 * HOUR_MS
REDENOMINATED = Decimal(1000)
POSTPONED_MS = 30 * 24 * HOUR_MS
FINALE_MS = 12 * HOUR_MS


class Ends:
    def __init__(self, world: "World") -> None:
        self.world = world
        self._conversions: list[tuple[int, str, Decimal]] = []
        """(market time, coin, units of the new asset for one)"""

    def announce(self, fault: Fault) -> bool:
        """The venue tells of an end; False when it has done so, or there is nothing left that could end."""
        coin, now_ms = self.world.market.coins[fault.how], int(self.world.market_ms)
        ends_ms = now_ms + int(fault.size**2 * HOUR_MS)
        if fault.kind == "end_announced":
            return self._end(coin.perp, ends_ms)
        if fault.kind == "spot_end_announced":
            return self._end(coin.spot, ends_ms)
        later_ms = PERP_LATER_MS if int(fault.at * 100) % 3 == 0 else 0
        if not self._end(coin.spot, ends_ms):
            return False
        self._end(coin.perp, ends_ms + later_ms)
        ratio = REDENOMINATED if int(fault.at * 1000) % 2 else Decimal(1)
        self._conversions.append((ends_ms + CONVERTED_MS, fault.how, ratio))
        return True

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
