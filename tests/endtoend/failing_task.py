"""The daemon as a process of its own, in which one long task stands still or dies once a file appears.

`python -m tests.endtoend.failing_task TASK stall|die SIGN_FILE run -c FILE`: the rest is the product's own command.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bot.cli.main import main
from bot.runtime import daemon, vitals

LOOK_S = 0.02


class PlantedError(Exception):
    """What the task dies of."""


def plant(task: str, how: str, sign: Path) -> None:
    """From now on the daemon guards a task of this name that goes wrong when the sign is there."""

    def guard(name: str, work: Callable[[], Awaitable[None]], *rest: Any) -> Any:
        return vitals.guard(name, (lambda: failing(work, how, sign)) if name == task else work, *rest)

    daemon.guard = guard  # type: ignore[attr-defined]


async def failing(work: Callable[[], Awaitable[None]], how: str, sign: Path) -> None:
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(_run(work))
        while not sign.exists() and not running.done():  # noqa: ASYNC110, ASYNC240 - a file wakes nobody
            await asyncio.sleep(LOOK_S)
        running.cancel()
    if how == "die":
        raise PlantedError("a planted failure")
    await asyncio.Event().wait()


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()


if __name__ == "__main__":
    plant(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    sys.argv[1:4] = []
    main()
