"""How much faster a sweep is on all cores than on one: its wall time, from the plan to the last cell.

Options: data (a directory of recordings), from_ms, days, cells, jobs. Reading the files and starting the processes
count: they are what an owner waits for. Processor time is that of all processes: on a machine that other programs
keep busy it still tells what splitting costs. The answer has each cell's score, for both sides must give the same.
"""

import gzip
import resource
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter

from benchmarks import child
from bot.domain.time import DAY_MS, HOUR_MS
from bot.research.recordings import Recording, Series
from bot.research.sweep.grid import Axis
from bot.research.sweep.pools import LocalPool
from bot.research.sweep.run import Plan, sweep
from bot.research.sweep.tasks import Setup

KEY = "strategy.fast_half_life_h"


def write(folder: Path, recordings: Iterable[Recording]) -> None:
    """These coins, with hourly candles, in the layout that backtests read (docs/history.md)."""
    for one in recordings:
        rates = [f"{at_ms},{rate}" for at_ms, rate in one.rates]
        _file(folder / "funding/binance-usdm" / one.symbol, "timestamp_ms,funding_rate", rates)
        _file(folder / "klines/binance/um-perp" / f"{one.symbol}-1h", "open_time_ms,close,volume", _candles(one.perp))
        _file(folder / "klines/binance/spot" / f"{one.coin}USDT-1h", "open_time_ms,close,volume", _candles(one.spot))


def _candles(series: Series) -> list[str]:
    rows = zip(series.ends_ms, series.closes, series.volumes_usd, strict=True)
    return [f"{end - series.interval_ms},{close},{usd / float(close):.8g}" for end, close, usd in rows]


def _file(path: Path, header: str, rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(path.name + ".csv.gz").write_bytes(gzip.compress("\n".join([header, *rows, ""]).encode()))


def measure(data: Path, from_ms: int, days: int, cells: int, jobs: int) -> None:
    axis = Axis(KEY, tuple(str(24 + 6 * number) for number in range(cells)))
    plan = Plan(Setup(data, grid_ms=HOUR_MS), None, (axis,), from_ms, from_ms + days * DAY_MS)
    began = perf_counter()
    found = sweep(plan, LocalPool(jobs))
    took_s = perf_counter() - began
    child.say(
        seconds=took_s,
        cpu_s=_cpu_s(),
        scores=[one.score for one in found],
        errors=[one.outcome.error for one in found],
    )


def _cpu_s() -> float:
    """Processor time of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    chosen = child.options()
    measure(Path(chosen["data"]), chosen["from_ms"], chosen["days"], chosen["cells"], chosen["jobs"])
