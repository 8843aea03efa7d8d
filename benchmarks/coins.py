"""Any number of coins with hourly prices for the backtest: the recorded ones, and seeded variations of them.

Most recordings are four-hourly: in between, prices go in a line with a seeded tremor, so that every leg has a new
price each hour. A variation is another price level and other rates around those of a recorded coin. Without recorded
data the coins that are varied are random walks. Only speed is measured on them, never what they earn.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random

from bot.domain.time import HOUR_MS
from bot.research.recordings import Recording, Series, read_recordings

FUNDING_MS = 8 * HOUR_MS
TREMOR = 0.0003
"""Standard deviation of what is made up between two recorded closes, as a fraction; half of it moves the basis."""
VOLUME_USD = 5e6
MADE_UP = {"BTC": 30_000.0, "ETH": 2_000.0, "SOL": 40.0, "ADA": 0.5}


def recordings(data: Path, count: int, from_ms: int, until_ms: int) -> list[Recording]:
    """`count` coins, at least four, whose candles end in [from_ms, until_ms]; BTC and ETH are always among them."""
    recorded = (data / "funding").is_dir()
    found = (
        read_recordings(data)
        if recorded
        else [_walk(coin, price, from_ms, until_ms) for coin, price in MADE_UP.items()]
    )
    found = [one for one in found if max(one.first_ms, one.rates[0][0]) < until_ms and one.last_ms > from_ms]
    core = [one for one in found if one.coin in ("BTC", "ETH")]
    found = [*core, *(one for one in found if one not in core)][:count]
    based = [_hourly(one, from_ms, until_ms) for one in found]
    return [*based, *(_varied(based[number % len(based)], number) for number in range(count - len(based)))]


def _walk(coin: str, price: float, from_ms: int, until_ms: int) -> Recording:
    dice = Random(coin)
    ends = tuple(range(from_ms - 40 * 24 * HOUR_MS, until_ms + 1, HOUR_MS))
    spot, perp = [], []
    for _ in ends:
        price *= 1 + dice.gauss(0, 0.005)
        spot.append(price)
        perp.append(price * (1 + dice.gauss(2e-4, 2e-4)))
    rates = tuple((at_ms, _rate(dice.gauss(1e-4, 1e-4))) for at_ms in ends if at_ms % FUNDING_MS == 0)
    return Recording(f"{coin}USDT", coin, Decimal(1), _series(ends, spot), _series(ends, perp), rates)


def _series(ends: tuple[int, ...], closes: list[float]) -> Series:
    return Series(HOUR_MS, ends, tuple(_price(one) for one in closes), (VOLUME_USD,) * len(ends))


def _price(price: float) -> Decimal:
    return Decimal(f"{price:.7g}")


def _rate(rate: float) -> Decimal:
    return Decimal(f"{rate:.8f}")


def _hourly(one: Recording, from_ms: int, until_ms: int) -> Recording:
    """Both legs by the hour, cut to the window; rates from well before it, as history."""
    dice = Random(one.symbol)
    tremors: dict[int, float] = {}
    spot = _filled(one.spot, from_ms, until_ms, dice, tremors)
    perp = _filled(one.perp, from_ms, until_ms, dice, tremors)
    rates = tuple(row for row in one.rates if row[0] <= until_ms)
    return replace(one, spot=spot, perp=perp, rates=rates)


def _filled(series: Series, from_ms: int, until_ms: int, dice: Random, tremors: dict[int, float]) -> Series:
    """Both legs share `tremors`, by time, but for half as much of their own."""
    rows = list(_rows(series, from_ms, until_ms))
    ends, closes, volumes = [], [], []
    for (at_ms, close, usd), (next_ms, following, _) in pairwise(rows):
        hours = (next_ms - at_ms) // HOUR_MS
        ends.append(at_ms)
        closes.append(close)
        volumes.append(usd / hours)
        for hour in range(1, hours):
            between_ms = at_ms + hour * HOUR_MS
            tremor = tremors.setdefault(between_ms, dice.gauss(0, TREMOR)) + dice.gauss(0, TREMOR / 2)
            line = float(close) + (float(following) - float(close)) * hour / hours
            ends.append(between_ms)
            closes.append(_price(line * (1 + tremor)))
            volumes.append(usd / hours)
    return Series(HOUR_MS, tuple(ends), tuple(closes), tuple(volumes))


def _rows(series: Series, from_ms: int, until_ms: int) -> Iterator[tuple[int, Decimal, float]]:
    for at_ms, close, usd in zip(series.ends_ms, series.closes, series.volumes_usd, strict=True):
        if from_ms - 2 * series.interval_ms <= at_ms <= until_ms + 2 * series.interval_ms:
            yield at_ms, close, usd


def _varied(one: Recording, number: int) -> Recording:
    dice = Random(number)
    level, share = dice.uniform(0.2, 5), dice.uniform(0.5, 1.5)
    coin = f"X{number}"
    return Recording(
        f"{coin}USDT",
        coin,
        Decimal(1),
        _scaled(one.spot, level),
        _scaled(one.perp, level / float(one.multiplier)),
        tuple((at_ms, _rate(float(rate) * share + dice.gauss(0, 2e-5))) for at_ms, rate in one.rates),
    )


def _scaled(series: Series, level: float) -> Series:
    return replace(series, closes=tuple(_price(float(close) * level) for close in series.closes))
