"""What the plan's faults make of the market: prices, rates, basis and intervals of coins, as functions of time."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.campaign.market import Shape

if TYPE_CHECKING:
    from tests.campaign.faults import Fault

STARTS_H = 1.0, 55.0
"""Hours of market time between which the market changes."""
WIDE_H = 12.0
CAPPED_H = 26.0
"""How long a changed cap on funding stands."""
RECOVERS_H = -26.0, 8.0
"""Hours of market time between which a rate that was negative for five days becomes positive."""


def shape(fault: "Fault", shapes: dict[str, Shape]) -> None:
    """What the fault makes of the market, if anything."""
    if fault.kind in _SHAPERS:
        _SHAPERS[fault.kind](fault, shapes)


def _squeeze(fault: "Fault", shapes: dict[str, Shape]) -> None:
    for shape in shapes.values():
        shape.jumps.append((fault.at, fault.size))


def _depeg(fault: "Fault", shapes: dict[str, Shape]) -> None:
    """All that is counted in the quote currency costs more, and returns with it."""
    for shape in shapes.values():
        shape.jumps += [(fault.at, 1 / (1 - fault.size)), (fault.at + float(fault.how), 1 - fault.size)]


def _jump(fault: "Fault", shapes: dict[str, Shape]) -> None:
    shapes[fault.how].jumps.append((fault.at, fault.size))


def _turn(fault: "Fault", shapes: dict[str, Shape]) -> None:
    shapes[fault.how].turns.append((fault.at, fault.size))
    shapes[fault.how].turns.sort()


def _spike(fault: "Fault", shapes: dict[str, Shape]) -> None:
    shape = shapes[fault.how]
    shape.turns += [(fault.at, fault.size), (fault.at + 8, shape.rate)]
    shape.turns.sort()


def _recover(fault: "Fault", shapes: dict[str, Shape]) -> None:
    """Negative for at least five days, until about the beginning."""
    shape, hour = shapes[fault.how], RECOVERS_H[0] + fault.at / STARTS_H[1] * (RECOVERS_H[1] - RECOVERS_H[0])
    shape.turns = [(hour, fault.size), *(turn for turn in shape.turns if turn[0] > hour)]
    shape.rate = -abs(shape.rate)


def _widen(fault: "Fault", shapes: dict[str, Shape]) -> None:
    """The perpetual goes away from the spot for half a day, against what the rate lets be held."""
    shape = shapes[fault.how]
    base = next((rate for since, rate in reversed(shape.turns) if since <= fault.at), shape.rate)
    shape.basis.append((fault.at, fault.at + WIDE_H, fault.size if base > 0 else -fault.size))


def _widen_all(fault: "Fault", shapes: dict[str, Shape]) -> None:
    """All perpetuals go away from their spot for half a day: the book loses as a whole."""
    for coin in shapes:
        _widen(replace(fault, how=coin), shapes)


def _explode(fault: "Fault", shapes: dict[str, Shape]) -> None:
    """One settlement alone costs more than R1c lets a hedge pay."""
    shape = shapes[fault.how]
    base = next((rate for since, rate in reversed(shape.turns) if since <= fault.at), shape.rate)
    shape.turns += [(fault.at, fault.size * (-1 if base < 0 else 1)), (fault.at + 8, base)]
    shape.turns.sort()


def _swing(fault: "Fault", shapes: dict[str, Shape]) -> None:
    shapes[fault.how].swing = fault.size


def _cap(fault: "Fault", shapes: dict[str, Shape]) -> None:
    """Rates obey from the hour on at which the venue lists it; what has settled stays."""
    shapes[fault.how].caps.append((fault.at, fault.at + CAPPED_H, fault.size))


def _interval(fault: "Fault", shapes: dict[str, Shape]) -> None:
    shapes[fault.how].intervals.append((fault.at, {1: 1, 2: 2, 3: 4, 4: 8}[int(fault.size)]))
    shapes[fault.how].intervals.sort()


_SHAPERS: Mapping[str, Callable[["Fault", dict[str, Shape]], None]] = {
    "squeeze": _squeeze,
    "depeg": _depeg,
    "core_jump": _jump,
    "core_falls": _jump,
    "coin_jump": _jump,
    "rate_turned": _turn,
    "rate_spike": _spike,
    "rate_swings": _swing,
    "interval_changed": _interval,
    "caps_changed": _cap,
    "rate_recovered": _recover,
    "rate_explodes": _explode,
    "basis_widens": _widen,
    "basis_everywhere": _widen_all,
}
