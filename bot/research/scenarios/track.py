"""Where a coin's prices go: through recorded candles, or along lines that a scenario draws. Pure in market time."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.domain.time import DAY_MS, HOUR_MS, MINUTE_MS
from bot.research.scenarios.bridge import bridge
from bot.research.scenarios.candles import Candle, Candles, CoinRecord


class Track(Protocol):
    """One coin: spot in quote per coin, basis as perp over spot less one, volume in USD of 24 hours."""

    def at(self, at_ms: int) -> tuple[float, float]:
        """(spot, basis)."""
        ...

    def volumes_usd(self, at_ms: int) -> tuple[float, float]:
        """(spot, perp) over the trailing day."""
        ...


class RecordedTrack:
    """Recorded candles with bridges inside. Where the spot did not trade, the index goes on with the perpetual."""

    def __init__(self, record: CoinRecord) -> None:
        self._record = record
        self._interval_ms = max(record.spot.interval_ms, record.perp.interval_ms)
        self._key = int.from_bytes(record.coin.encode()[:6], "big")
        self._paths: dict[int, list[tuple[float, float]]] = {}
        self._spot, self._perp = (_merged(leg, self._interval_ms) for leg in (record.spot, record.perp))
        self._opens = sorted(self._perp)
        self._days: dict[int, tuple[float, float]] = {}

    def at(self, at_ms: int) -> tuple[float, float]:
        open_ms = at_ms // self._interval_ms * self._interval_ms
        path = self._paths.get(open_ms)
        if path is None:
            path = self._paths[open_ms] = self._path(open_ms)
        minute, rest_ms = divmod(at_ms - open_ms, MINUTE_MS)
        minute = min(minute, len(path) - 2)
        (price, basis), (price_1, basis_1) = path[minute], path[minute + 1]
        part = min(1.0, rest_ms / MINUTE_MS)
        return math.exp(price + (price_1 - price) * part), basis + (basis_1 - basis) * part

    def _path(self, open_ms: int) -> list[tuple[float, float]]:
        perp = self._perp.get(open_ms)
        if perp is None:
            last = self._perp[self._opens[max(0, bisect_right(self._opens, open_ms) - 1)]].close
            perp = Candle(last, last, last, last, 0.0)
        spot = self._spot.get(open_ms)
        if spot is None:
            scale = 1 + self._last_basis(open_ms)
            spot = Candle(perp.open / scale, perp.high / scale, perp.low / scale, perp.close / scale, 0.0)
        return bridge(self._key, open_ms, self._interval_ms, spot, perp)

    def _last_basis(self, open_ms: int) -> float:
        """The basis at the latest close of both legs before this candle."""
        place = bisect_right(self._opens, open_ms - 1) - 1
        while place >= 0 and self._opens[place] not in self._spot:
            place -= 1
        if place < 0:
            return 0.0
        both = self._opens[place]
        return self._perp[both].close / self._spot[both].close - 1

    def volumes_usd(self, at_ms: int) -> tuple[float, float]:
        end = at_ms // self._interval_ms * self._interval_ms
        found = self._days.get(end)
        if found is None:
            opens = range(end - DAY_MS, end, self._interval_ms)
            spot, perp = (sum(leg[o].volume_usd for o in opens if o in leg) for leg in (self._spot, self._perp))
            found = self._days[end] = spot, perp
        return found


def _merged(candles: Candles, interval_ms: int) -> dict[int, Candle]:
    """Candles as long as the longer ones of the two legs."""

    if candles.interval_ms == interval_ms:
        return candles.by_open_ms
    found: dict[int, Candle] = {}
    for open_ms, one in sorted(candles.by_open_ms.items()):
        start = open_ms // interval_ms * interval_ms
        before = found.get(start)
        found[start] = (
            one
            if before is None
            else Candle(
                before.open,
                max(before.high, one.high),
                min(before.low, one.low),
                one.close,
                before.volume_usd + one.volume_usd,
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """Straight lines through (hours from the start, value); the first and last values go on for ever."""

    knots: tuple[tuple[float, float], ...]

    def at(self, hour: float) -> float:
        knots = self.knots
        place = bisect_right(knots, hour, key=lambda knot: knot[0])
        if place == 0:
            return knots[0][1]
        if place == len(knots):
            return knots[-1][1]
        (h_0, v_0), (h_1, v_1) = knots[place - 1], knots[place]
        return v_0 + (v_1 - v_0) * (hour - h_0) / (h_1 - h_0)


class DrawnTrack:
    """A price line (quote per coin) and a basis line (bps) from a start."""

    def __init__(self, start_ms: int, price: Line, basis_bps: Line, volume_usd: Line) -> None:
        self._start_ms = start_ms
        self._price, self._basis, self._volume = price, basis_bps, volume_usd

    def at(self, at_ms: int) -> tuple[float, float]:
        hour = (at_ms - self._start_ms) / HOUR_MS
        return self._price.at(hour), self._basis.at(hour) * 1e-4

    def volumes_usd(self, at_ms: int) -> tuple[float, float]:
        volume = self._volume.at((at_ms - self._start_ms) / HOUR_MS)
        return volume, volume


def constant(value: float) -> Line:
    return Line(((0.0, value),))


def line(*knots: Sequence[float]) -> Line:
    """`line((0, 100), (24, 90))`: from 100 at the start to 90 a day later."""
    return Line(tuple((float(hour), float(value)) for hour, value in knots))
