"""One backtest of a sweep, as it is sent to a worker and as it comes back. The market data is read once a process."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import Any

import bot
from bot.domain.config import CoreConfig
from bot.research import backtest
from bot.research.bars import GRID_MS, Costs
from bot.research.recordings import Recording, read_recordings
from bot.simulator.market.table import HistoryError


@dataclass(frozen=True, slots=True)
class Setup:
    """What all backtests of a sweep share. A cluster's workers must find `data` at the same path."""

    data: Path
    coins: tuple[str, ...] = ()
    costs: Costs = field(default_factory=Costs)
    grid_ms: int = GRID_MS
    cash_usd: Decimal = backtest.CASH_USD


@dataclass(frozen=True, slots=True)
class Task:
    """One backtest of these settings from `from_ms` to before `until_ms` (UTC midnights)."""

    core: CoreConfig
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a task: rows as in `backtest.as_json`, or why there are none."""

    total: Mapping[str, Any] | None = None
    years: tuple[Mapping[str, Any], ...] = ()
    rules: tuple[Mapping[str, Any], ...] = ()
    error: str = ""


_read: dict[tuple[Path, tuple[str, ...]], list[Recording]] = {}
_reading = Lock()


def recordings_of(data: Path, coins: tuple[str, ...]) -> list[Recording]:
    """The market data of a folder, read at the first call of the process."""
    with _reading:
        key = data, coins
        if key not in _read:
            _read.clear()
            _read[key] = read_recordings(data, coins)
        return _read[key]


def run_task(setup: Setup, task: Task) -> Outcome:
    """The backtest; whatever goes wrong in it becomes the outcome, so that the other cells are not lost."""
    try:
        question = backtest.Question(
            task.from_ms, task.until_ms, task.core, setup.costs, setup.grid_ms, setup.cash_usd
        )
        view = backtest.as_json(backtest.run(recordings_of(setup.data, setup.coins), question))
    except HistoryError as error:
        return Outcome(error=str(error))
    except Exception as error:  # noqa: BLE001 - one cell's defect must not end the sweep
        return Outcome(error=f"{type(error).__name__}: {error}")
    return Outcome(view["total"], tuple(view["years"]), tuple(view["rules"]))


def program_digest() -> str:
    """A digest of this program's own source: workers elsewhere must run the same one for the same results."""
    found = hashlib.sha256()
    folder = Path(bot.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        found.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()
