"""Tells the owner when what manages the hedges stands still, as at a commit that neither ends nor fails.

Nobody else would: what is wrong with a hedge is found in steps, and told once they are committed.
"""

from bot.domain.actions import Severity
from bot.runtime.vitals import Report, Vitals

TASK = "stalls"
MANAGING = ("consumer", "lease", "tick")
"""The tasks without which no step is made, or nothing may leave. Of the others the core notices what is missing."""
LOOK_EVERY_S = 1.0


async def tell_stalls(vitals: Vitals, report: Report) -> None:
    """Until cancelled: once when a task stalls, and once when it moves again."""
    told: set[str] = set()
    while True:
        for name in MANAGING:
            still_s = vitals.still_s(name)
            if still_s is not None and name not in told:
                told.add(name)
                report(Severity.CRITICAL, "task.stalled", task=name, still_s=round(still_s, 1))
            elif still_s is None and name in told:
                told.remove(name)
                report(Severity.WARNING, "task.moves", task=name)
        await vitals.sleep(TASK, LOOK_EVERY_S)
