"""What the shell counts about itself; `observe.metrics` shows it."""

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Counters:
    """Totals since start; times in milliseconds."""

    events: int = 0
    steps_ms: float = 0.0
    step_ms_max: float = 0.0
    commits: int = 0
    commit_failures: int = 0
    records: int = 0
    commits_ms: float = 0.0
    commit_ms_max: float = 0.0
    orders_sent: int = 0
    orders_withheld: int = 0
    fetch_failures: int = 0
    inbox_refused: int = 0
    task_restarts: int = 0

    def values(self) -> dict[str, float]:
        return {name: float(value) for name, value in asdict(self).items()}
