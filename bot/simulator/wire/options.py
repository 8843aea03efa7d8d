"""What a simulator process is told, and what it tells others about itself."""

from dataclasses import dataclass
from pathlib import Path

TICK_MS_DEFAULT = 250
SPEED_DEFAULT = 1.0
SEED_DEFAULT = 1


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """`port` 0 picks a free one. `speed` None keeps a stored state's speed (1 for a fresh state).

    `idle_exit_s`: wall seconds without any client after which the process ends by itself; None: never.
    """

    state_dir: Path
    port: int = 0
    speed: float | None = None
    ca_file: Path | None = None
    history_dir: Path | None = None
    tick_ms: int = TICK_MS_DEFAULT
    seed: int = SEED_DEFAULT
    idle_exit_s: float | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running simulator, as written to `endpoint.json`. `started` is UTC milliseconds of wall time."""

    port: int
    pid: int
    ca_file: Path
    started: int
