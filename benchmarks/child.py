"""Measuring processes: each side of a comparison runs in one of its own, started and ended here.

They speak lines of JSON: options as the only argument, answers on standard output. A process that waits for the end
of the measurement does so by reading its standard input to the end.
"""

import asyncio
import json
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
END_WITHIN_S = 15.0


class ChildError(RuntimeError):
    """A measuring process failed or fell silent."""


class Child:
    """`python -m benchmarks.<module> <options>`; ended, and if need be killed, at the end of the block."""

    def __init__(self, module: str, options: Mapping[str, Any]) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{module}", json.dumps(options)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.killed = False
        """It had to be killed because it did not end by itself."""

    def answer(self, within_s: float) -> dict[str, Any]:
        """The next line it prints. Raises ChildError when none comes in time."""
        stream = self._process.stdout
        assert stream is not None
        ready, _, _ = select.select([stream], [], [], within_s)
        line = stream.readline() if ready else b""
        if not line:
            code = self._process.poll()
            raise ChildError(
                f"{self._module}: " + (f"silent for {within_s:.0f} s" if not ready else f"ended ({code})")
            )
        found: dict[str, Any] = json.loads(line)
        return found

    def go(self) -> None:
        """Send it an empty line."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Close its input and wait for its end."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not stream.closed:
                stream.close()
        try:
            self._process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.killed = True
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def measure(module: str, options: Mapping[str, Any], within_s: float = 90.0) -> dict[str, Any]:
    """Run a process that gives one answer."""
    with Child(module, options) as child:
        found = child.answer(within_s)
    return {**found, "killed": child.killed}


def options() -> dict[str, Any]:
    """The options of this measuring process."""
    found: dict[str, Any] = json.loads(sys.argv[1])
    return found


def say(**values: Any) -> None:
    """Answer the process that started this one."""
    print(json.dumps(values), flush=True)


async def told() -> None:
    """Wait for a line from the process that started this one, or for its end."""
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
