"""What could have been earned: perfect foresight and always-on books, under one simple accounting.

On the 8-hour grid of nominal settlement times, for each coin with prices of both legs: a dollar of one-side notional
held over (t-1, t] earns funding(t) - (basis(t) - basis(t-1)), where funding(t) is the sum of the rates settled in
(t-1, t] and basis is the perpetual's close over the spot's less one; going in or out costs `cost` of the notional,
both legs together. Arithmetic, not compounded; idle cash earns nothing. Weights are fractions of NAV, set at t and
held to t+1. Foresight is, coin by coin, the best sequence of in and out that knows everything (a dynamic programme
over two states); as the coins' caps do not overlap and no budget binds, that is the optimum of the whole book.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.research.recordings import Recording

GRID_MS = 28_800_000
COST = 0.0017
"""Spot fee 0.10 %, perp fee 0.05 %, half a spread of 1 bp on each leg."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Row t of column j: what holding coin j over (t-1, t] earned, and whether that is known."""

    coins: tuple[str, ...]
    times_ms: tuple[int, ...]
    gain: tuple[tuple[float, ...], ...]
    known: tuple[tuple[bool, ...], ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """A book over the panel's rows: what it earned in each and its sum of weights after each, fractions of NAV."""

    times_ms: tuple[int, ...]
    earned: tuple[float, ...]
    deployed: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class YearOf:
    net: float
    drawdown: float
    deployed: float


Weights = list[list[float]]


def panel(recordings: Sequence[Recording]) -> Panel:
    """The recordings on the 8-hour grid."""
    funding = [_funding(one) for one in recordings]
    basis = [_basis(one) for one in recordings]
    times = sorted(set().union(*funding) & set().union(*basis))
    gain: list[tuple[float, ...]] = []
    known: list[tuple[bool, ...]] = []
    before: int | None = None
    for at_ms in times:
        row, sure = [], []
        for rates, levels in zip(funding, basis, strict=True):
            now, then = levels.get(at_ms), None if before is None else levels.get(before)
            moved = 0.0 if now is None or then is None else now - then
            row.append(rates.get(at_ms, 0.0) - moved)
            sure.append(at_ms in rates and now is not None and then is not None)
        gain.append(tuple(row))
        known.append(tuple(sure))
        before = at_ms
    return Panel(tuple(one.coin for one in recordings), tuple(times), tuple(gain), tuple(known))


def _funding(recording: Recording) -> dict[int, float]:
    found: dict[int, float] = {}
    for at_ms, rate in recording.rates:
        slot = -(-at_ms // GRID_MS) * GRID_MS
        found[slot] = found.get(slot, 0.0) + float(rate)
    return found


def _basis(recording: Recording) -> dict[int, float]:
    spot = dict(zip(recording.spot.ends_ms, recording.spot.closes, strict=True))
    scale = float(recording.multiplier)
    return {
        at_ms: float(close) / scale / float(spot[at_ms]) - 1
        for at_ms, close in zip(recording.perp.ends_ms, recording.perp.closes, strict=True)
        if at_ms % GRID_MS == 0 and at_ms in spot
    }


def foresight(given: Panel, cap: float, cost: float = COST) -> Weights:
    """The best weights, `cap` of NAV a coin."""
    steps = len(given.times_ms)
    weights = [[0.0] * len(given.coins) for _ in range(steps)]
    for coin in range(len(given.coins)):
        ahead = [
            given.gain[t + 1][coin] if t + 1 < steps and given.known[t + 1][coin] else -1.0 for t in range(steps)
        ]
        inside, outside = [0.0] * (steps + 1), [0.0] * (steps + 1)
        for t in range(steps - 1, -1, -1):
            hold, flat = ahead[t] + inside[t + 1], outside[t + 1]
            inside[t], outside[t] = max(hold, flat - cost), max(hold - cost, flat)
        held = False
        for t in range(steps):
            hold, flat = ahead[t] + inside[t + 1], outside[t + 1]
            held = hold >= flat - cost if held else hold - cost > flat
            weights[t][coin] = cap if held else 0.0
    return weights


def always_on(given: Panel, cap: float, coins: Callable[[str], bool]) -> Weights:
    """`cap` of NAV in each of the chosen coins whenever its next step is known (it is listed and traded)."""
    chosen = [coins(coin) for coin in given.coins]
    steps = len(given.times_ms)
    return [
        [cap if chosen[j] and t + 1 < steps and given.known[t + 1][j] else 0.0 for j in range(len(chosen))]
        for t in range(steps)
    ]


def walk(given: Panel, weights: Weights, cost: float = COST) -> Curve:
    """What these weights earned, costs paid."""
    held = [0.0] * len(given.coins)
    earned: list[float] = []
    deployed: list[float] = []
    for t, wanted in enumerate(weights):
        gained = sum(weight * gain for weight, gain in zip(held, given.gain[t], strict=True) if weight)
        turned = sum(abs(after - before) for after, before in zip(wanted, held, strict=True))
        earned.append(gained - turned * cost)
        deployed.append(sum(wanted))
        held = wanted
    return Curve(given.times_ms, tuple(earned), tuple(deployed))


def by_year(found: Curve, from_ms: int = 0, until_ms: int = 1 << 62) -> dict[int, YearOf]:
    """Sums over the rows with from_ms <= time < until_ms, by calendar year (UTC)."""
    parts: dict[int, list[tuple[float, float]]] = {}
    for at_ms, earned, deployed in zip(found.times_ms, found.earned, found.deployed, strict=True):
        if from_ms <= at_ms < until_ms:
            parts.setdefault(year_of(at_ms), []).append((earned, deployed))
    return {
        year: YearOf(
            net=sum(one for one, _ in rows),
            drawdown=drawdown([one for one, _ in rows]),
            deployed=sum(one for _, one in rows) / len(rows),
        )
        for year, rows in parts.items()
    }


def part(found: Curve, from_ms: int, until_ms: int) -> Curve:
    """The rows with from_ms <= time < until_ms."""
    rows = zip(found.times_ms, found.earned, found.deployed, strict=True)
    kept = [row for row in rows if from_ms <= row[0] < until_ms]
    times, earned, deployed = zip(*kept, strict=True) if kept else ((), (), ())
    return Curve(times, earned, deployed)


def drawdown(returns: Sequence[float]) -> float:
    """Largest fall of the running sum from its highest point so far, the start included."""
    total = high = worst = 0.0
    for one in returns:
        total += one
        high = max(high, total)
        worst = max(worst, high - total)
    return worst


def year_of(at_ms: int) -> int:
    return datetime.fromtimestamp(at_ms / 1000, UTC).year
