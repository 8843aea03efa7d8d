"""Entries that had to be undone: each one costs fees on the leg that filled, so the next one waits, longer each time.

A venue that refuses one leg of a pair for minutes would otherwise be tried as fast as legs can be bought and sold.
"""

from bot.domain.hedges import Hedge
from bot.domain.orders import Purpose
from bot.domain.time import HOUR_MS
from bot.engine.state import Actions, EngineState
from bot.execution.drafts import Plan
from bot.risk.rules import r10_leg_imbalance

PAUSE_MS = 10_000
PAUSE_MS_MAX = 6 * HOUR_MS
"""About as long as the trouble has lasted so far: a venue may refuse one leg for good (an agreement that nobody has
signed), and no listing tells."""


def note(state: EngineState, hedge: Hedge, step: Plan, out: Actions) -> None:
    """These orders leave: do they take back a leg of a hedge that should have grown?"""
    unwinds = any(draft.purpose is Purpose.UNWIND for draft in step.drafts)
    smaller = min(abs(leg.quantity_base) for leg in hedge.legs)
    if not unwinds or hedge.target_base <= smaller or hedge.id in state.undoing:
        return
    state.undoing.add(hedge.id)
    count = state.setbacks.get(hedge.id, (0, 0))[0] + 1
    pause_ms = min(PAUSE_MS * 2 ** (count - 1), PAUSE_MS_MAX)
    state.setbacks[hedge.id] = count, state.book.now.mono_ms + pause_ms
    out.warning(
        "hedge.undone",
        rule=r10_leg_imbalance.RULE,
        hedge=hedge.id,
        coin=hedge.coin,
        attempt=count,
        wait_s=pause_ms / 1000,
        done="the leg that filled is sold back; the next entry waits",
    )


def settled(state: EngineState, hedge: Hedge) -> None:
    """The legs cancel again."""
    state.undoing.discard(hedge.id)


def forget(state: EngineState, hedge: Hedge) -> None:
    """The hedge is where it should be, or gone."""
    state.undoing.discard(hedge.id)
    state.setbacks.pop(hedge.id, None)


def waits(state: EngineState, hedge: Hedge) -> bool:
    """Whether the hedge may not grow yet."""
    found = state.setbacks.get(hedge.id)
    return found is not None and state.book.now.mono_ms < found[1]
