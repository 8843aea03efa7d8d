"""`python -m bot.simulator`: the simulated exchange alone, for any client to connect to."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from bot.simulator.process import SimulatorError, serve
from bot.simulator.wire.options import SEED_DEFAULT, TICK_MS_DEFAULT, SimulatorOptions
from bot.simulator.wire.persistence import StateError


def default_state_dir() -> Path:
    return Path(os.environ.get("CARRYBOT_DATA", "data")) / "simulator"


def parse(words: list[str]) -> SimulatorOptions:
    parser = argparse.ArgumentParser(prog="python -m bot.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="127.0.0.1 port; 0 picks a free one")
    parser.add_argument("--speed", type=float, help="market time per wall time, 0 to 20000 and more")
    parser.add_argument("--ca-file", type=Path, help="where to write the CA certificate")
    parser.add_argument("--state", type=Path, default=default_state_dir(), help="folder of the durable state")
    parser.add_argument("--history", type=Path, help="folder with other recorded history")
    parser.add_argument("--tick-ms", type=int, default=TICK_MS_DEFAULT, help="wall milliseconds per step")
    parser.add_argument("--seed", type=int, default=SEED_DEFAULT)
    parser.add_argument("--idle-exit", type=float, help="end after so many seconds without a client")
    given = parser.parse_args(words)
    if given.tick_ms < 1:
        parser.error("--tick-ms must be at least 1")
    return SimulatorOptions(
        state_dir=given.state,
        port=given.port,
        speed=given.speed,
        ca_file=given.ca_file,
        history_dir=given.history,
        tick_ms=given.tick_ms,
        seed=given.seed,
        idle_exit_s=given.idle_exit,
    )


def main(words: list[str] | None = None) -> int:
    options = parse(sys.argv[1:] if words is None else words)
    try:
        asyncio.run(serve(options))
    except (SimulatorError, StateError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
