"""Spread and depth of one order book around its middle price, by how much the symbol trades.

The spread is 0.1 bps for BTC and ETH, 0.8 to 3 bps for the others, at least one tick, and up to twice as
wide in a volatile segment. The USD within 10 bps of the touch is 0.15 % of the daily volume, at least
60,000, less when volatile; a level k away from the touch lies step * (k + k^2 / 24) from it and weighs 1 + k / 2,
with a hashed factor of 0.6 to 1.4 that changes every second of market time.
"""

import math
from dataclasses import dataclass
from decimal import Decimal

from bot.simulator.market.path import uniform
from bot.simulator.model import Book, Level, Listing, Top

DEPTH_SHARE = 0.0015
DEPTH_USD_MIN = 60_000.0
DEPTH_WITHIN_BPS = 10.0
SIZE_EVERY_MS = 1_000
LEVELS_MAX = 1_000
_BID, _ASK = 0, 1


@dataclass(frozen=True, slots=True)
class Shape:
    """How a book looks in calm times: spread and step between levels in bps, USD of the first level."""

    spread_bps: float
    step_bps: float
    first_usd: float


def shape_for(listing: Listing, price: float, volume_usd: float) -> Shape:
    """Shape of a book that trades `volume_usd` a day at a typical price."""
    if listing.coin in {"BTC", "ETH"}:
        spread_bps, step_bps = 0.1, 0.5
    elif volume_usd >= 400e6:
        spread_bps, step_bps = 0.8, 0.8
    elif volume_usd >= 80e6:
        spread_bps, step_bps = 1.5, 1.0
    else:
        spread_bps, step_bps = 3.0, 1.2
    if listing.book is Book.SPOT:
        spread_bps *= 1.25
    step_bps = max(step_bps, float(listing.tick) / price * 1e4)
    weight, level = 0.0, 0
    while level == 0 or _offset(level, step_bps) <= DEPTH_WITHIN_BPS:
        weight += 1.0 + 0.5 * level
        level += 1
    return Shape(spread_bps, step_bps, max(DEPTH_USD_MIN, volume_usd * DEPTH_SHARE) / weight)


def _offset(level: int, step_bps: float) -> float:
    return step_bps * (level + level * level / 24.0)


class BookModel:
    """Turns a middle price into the best prices and the levels behind them; sizes are whole lots."""

    def __init__(self, listing: Listing, shape: Shape, key: int) -> None:
        self._tick = listing.tick
        self._lot = listing.lot
        self._tick_f = float(listing.tick)
        self._lot_f = float(listing.lot)
        self._shape = shape
        self._key = key

    def last(self, middle: float) -> Decimal:
        """The middle price rounded to the tick: the price of the last trade."""
        return self._tick * max(1, round(middle / self._tick_f))

    def top(self, middle: float, stress: float, at_ms: int) -> Top:
        """Best bid and ask around `middle`; `stress` from 1 (calm) to 2 widens and thins the book."""
        bid, ask = self._touch(middle, stress)
        moment = at_ms // SIZE_EVERY_MS
        return Top(
            bid=self._tick * bid,
            ask=self._tick * ask,
            bid_size=self._size(middle, stress, moment, _BID, 0),
            ask_size=self._size(middle, stress, moment, _ASK, 0),
        )

    def depth(self, middle: float, stress: float, at_ms: int, levels: int) -> tuple[list[Level], list[Level]]:
        """Bids and asks, best first; their first levels are those of `top`. At most 1,000 levels a side."""
        bid, ask = self._touch(middle, stress)
        moment = at_ms // SIZE_EVERY_MS
        bids: list[Level] = []
        asks: list[Level] = []
        away = -1
        for level in range(min(levels, LEVELS_MAX)):
            ideal = _offset(level, self._shape.step_bps * stress) * middle / 1e4 / self._tick_f
            away = max(away + 1, round(ideal))
            if bid - away > 0:
                bids.append(Level(self._tick * (bid - away), self._size(middle, stress, moment, _BID, level)))
            asks.append(Level(self._tick * (ask + away), self._size(middle, stress, moment, _ASK, level)))
        return bids, asks

    def _touch(self, middle: float, stress: float) -> tuple[int, int]:
        """(bid, ask) in ticks with bid <= middle <= ask."""
        ticks = middle / self._tick_f
        spread = max(1, round(self._shape.spread_bps * stress * ticks / 1e4))
        bid = max(1, math.floor(ticks - (spread - 1) / 2 + 1e-7))
        return bid, bid + spread

    def _size(self, middle: float, stress: float, moment: int, side: int, level: int) -> Decimal:
        factor = 0.6 + 0.8 * uniform(self._key, moment, 2 * level + side)
        usd = self._shape.first_usd * (1.0 + 0.5 * level) * factor / stress
        return self._lot * max(1, int(usd / middle / self._lot_f))
