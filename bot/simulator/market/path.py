"""The price path between recorded points: a seeded bridge, a pure function of (seed, coin, time).

A segment is four hours between two recorded points. Inside it the log price of the coin (shared by spot and
perpetual) follows a Brownian bridge by midpoint displacement: each halving adds a normal number that is a hash
of (seed, coin, segment, node). The log basis gets a rougher displacement, whose size falls only by a fourth
root of two per halving, so that it returns to its line within minutes. Fourteen halvings reach 0.88 s; below
that the path is straight. Nodes down to 225 s are kept per segment, the rest is recomputed.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence

from bot.simulator.market.table import STEP_MS

CACHED_LEVELS = 6
LEVELS = 14
NODES = 1 << CACHED_LEVELS
NODE_MS = STEP_MS // NODES
BASIS_FIRST_SHARE = 0.5
SEGMENTS_KEPT = 64
_MASK = (1 << 64) - 1
_PRICE_SHARES = tuple(0.5 * 2.0 ** (-level / 2) for level in range(LEVELS))
_BASIS_SHARES = tuple(BASIS_FIRST_SHARE * 2.0 ** (-level / 4) for level in range(LEVELS))
_TWO_PI = 2.0 * math.pi
_UNIT = 1.0 / 2**32


def mix(key: int, first: int, second: int) -> int:
    """64 well-mixed bits of three integers (the SplitMix64 finaliser)."""
    value = (key + first * 0x9E3779B97F4A7C15 + second * 0xD1B54A32D192ED03) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def uniform(key: int, first: int, second: int) -> float:
    """A number in [0, 1) that depends on the three integers alone."""
    return (mix(key, first, second) >> 32) * _UNIT


def normals(key: int, first: int, second: int) -> tuple[float, float]:
    """Two independent standard normal numbers (Box-Muller)."""
    bits = mix(key, first, second)
    radius = math.sqrt(-2.0 * math.log(((bits >> 32) + 1) * _UNIT))
    angle = (bits & 0xFFFFFFFF) * _UNIT * _TWO_PI
    return radius * math.cos(angle), radius * math.sin(angle)


class Segment:
    """The cached nodes of one segment: NODES + 1 log prices and log bases, every NODE_MS, and their extremes."""

    __slots__ = ("basis", "perp_high", "perp_low", "price", "spot_high", "spot_low")

    def __init__(self, price: list[float], basis: list[float]) -> None:
        perp = [one + other for one, other in zip(price, basis, strict=True)]
        self.price = price
        self.basis = basis
        self.spot_low, self.spot_high = min(price), max(price)
        self.perp_low, self.perp_high = min(perp), max(perp)


class CoinPath:
    """Log price and log basis of one coin at any market time.

    `price` and `basis` are the logs at the recorded points from `from_ms` on, every four hours; after the last
    the path goes on at point `loop_to`, whose values equal the last one's. `sigma` is the standard deviation
    of the log price over each segment (length one less), `basis_sigma` that of the basis around its line.
    """

    def __init__(
        self,
        key: int,
        from_ms: int,
        price: Sequence[float],
        basis: Sequence[float],
        sigma: Sequence[float],
        basis_sigma: float,
        loop_to: int,
    ) -> None:
        self._key = key
        self._from_ms = from_ms
        self._price = price
        self._basis = basis
        self._sigma = sigma
        self._basis_sigma = basis_sigma
        self._loop_to = loop_to
        self._last = len(price) - 1
        self._cached: OrderedDict[int, Segment] = OrderedDict()
        self._memo = (-1, 0.0, 0.0)

    def place(self, segment: int) -> int:
        """Index of the recorded point at which the segment (counted from `from_ms` without end) starts."""
        if segment < self._last:
            return segment
        return self._loop_to + (segment - self._loop_to) % (self._last - self._loop_to)

    def at(self, at_ms: int) -> tuple[float, float]:
        """(log price, log basis); before `from_ms` the first point's."""
        if self._memo[0] == at_ms:
            return self._memo[1], self._memo[2]
        number, offset_ms = divmod(max(at_ms - self._from_ms, 0), STEP_MS)
        if offset_ms == 0:
            start = self.place(number)
            price, basis = self._price[start], self._basis[start]
        else:
            price, basis = self._descend(number, offset_ms)
        self._memo = (at_ms, price, basis)
        return price, basis

    def _descend(self, number: int, offset_ms: int) -> tuple[float, float]:
        node, rest_ms = divmod(offset_ms, NODE_MS)
        segment = self._segment(number)
        price_0, price_1 = segment.price[node], segment.price[node + 1]
        basis_0, basis_1 = segment.basis[node], segment.basis[node + 1]
        sigma, key, basis_sigma = self._sigma[self.place(number)], self._key, self._basis_sigma
        part = rest_ms / NODE_MS
        for level in range(CACHED_LEVELS, LEVELS):
            if part == 0.0:
                break
            one, other = normals(key, number, (1 << level) + node)
            price = (price_0 + price_1) / 2 + sigma * _PRICE_SHARES[level] * one
            basis = (basis_0 + basis_1) / 2 + basis_sigma * _BASIS_SHARES[level] * other
            part *= 2.0
            node *= 2
            if part < 1.0:
                price_1, basis_1 = price, basis
            else:
                price_0, basis_0 = price, basis
                part -= 1.0
                node += 1
        return price_0 + (price_1 - price_0) * part, basis_0 + (basis_1 - basis_0) * part

    def smooth_basis(self, at_ms: int) -> float:
        """The log basis without what moves faster than 225 s: the line between cached nodes."""
        number, offset_ms = divmod(max(at_ms - self._from_ms, 0), STEP_MS)
        if offset_ms == 0:
            return self._basis[self.place(number)]
        node, rest_ms = divmod(offset_ms, NODE_MS)
        basis = self._segment(number).basis
        return basis[node] + (basis[node + 1] - basis[node]) * rest_ms / NODE_MS

    def stress(self, at_ms: int, usual_sigma: float) -> float:
        """How much wider the book is than usual: the square root of the segment's sigma over the usual one,
        from 1 to 2."""
        number = max(at_ms - self._from_ms, 0) // STEP_MS
        return min(2.0, max(1.0, math.sqrt(self._sigma[self.place(number)] / usual_sigma)))

    def extremes(self, from_ms: int, until_ms: int, *, perp: bool) -> tuple[float, float]:
        """(lowest, highest) log price of the spot or perpetual over [from_ms, until_ms], both ends included.

        Between the ends it sees the cached nodes, and three points where there is none.
        """
        from_ms = max(from_ms, self._from_ms)
        until_ms = max(until_ms, from_ms)
        times = [from_ms, until_ms]
        if until_ms - from_ms < 2 * NODE_MS:
            times += [from_ms + (until_ms - from_ms) * part // 4 for part in (1, 2, 3)]
        values = [price + basis if perp else price for price, basis in map(self.at, times)]
        first = (from_ms - self._from_ms) // STEP_MS
        last = (until_ms - self._from_ms) // STEP_MS
        for number in range(first, last + 1):
            start_ms = self._from_ms + number * STEP_MS
            low = max(0, -((start_ms - from_ms) // NODE_MS))
            high = min(NODES, (until_ms - start_ms) // NODE_MS)
            if low > high:
                continue
            segment = self._segment(number)
            if low == 0 and high == NODES:
                values += [segment.perp_low, segment.perp_high] if perp else [segment.spot_low, segment.spot_high]
            elif perp:
                values += [segment.price[node] + segment.basis[node] for node in range(low, high + 1)]
            else:
                values += segment.price[low : high + 1]
        return min(values), max(values)

    def _segment(self, number: int) -> Segment:
        found = self._cached.get(number)
        if found is None:
            found = self._cached[number] = self._built(number)
            if len(self._cached) > SEGMENTS_KEPT:
                self._cached.popitem(last=False)
        return found

    def _built(self, number: int) -> Segment:
        start = self.place(number)
        price, basis = [0.0] * (NODES + 1), [0.0] * (NODES + 1)
        price[0], price[NODES] = self._price[start], self._price[start + 1]
        basis[0], basis[NODES] = self._basis[start], self._basis[start + 1]
        for level in range(CACHED_LEVELS):
            width = NODES >> level
            price_scale = self._sigma[start] * _PRICE_SHARES[level]
            basis_scale = self._basis_sigma * _BASIS_SHARES[level]
            for place in range(1 << level):
                left, right = place * width, (place + 1) * width
                one, other = normals(self._key, number, (1 << level) + place)
                middle = (left + right) // 2
                price[middle] = (price[left] + price[right]) / 2 + price_scale * one
                basis[middle] = (basis[left] + basis[right]) / 2 + basis_scale * other
        return Segment(price, basis)
