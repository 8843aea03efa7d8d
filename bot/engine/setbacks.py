"""Entries that had to be undone: each one costs fees on the leg that filled, so the next one waits, longer each time.

A venue that refuses one leg of a pair for minutes would otherwise be tried as fast as legs can be bought and sold.
What is counted is the pair's and not the hedge's, and is written down: the leg that is refused for good is refused to
the next hedge, and after a restart, as well.
"""

from decimal import Decimal

from bot.domain.books import Books
from bot.domain.guards import Remembered
from bot.domain.hedges import Hedge
from bot.domain.numbers import ZERO
from bot.domain.orders import Purpose
from bot.domain.time import HOUR_MS
from bot.engine.state import Actions, EngineState
from bot.execution.drafts import Plan
from bot.risk.rules import r10_leg_imbalance

PAUSE_MS = 10_000
PAUSE_MS_MAX = 6 * HOUR_MS
"""About as long as the trouble has lasted so far: a venue may refuse one leg for good (an agreement that nobody has
signed), and no listing tells."""
DOUBLED_MAX = 20
NAME = "setbacks"
"""Under which they are remembered, by pair and direction."""


def note(state: EngineState, hedge: Hedge, step: Plan, out: Actions) -> None:
    """These orders leave: do they take back a leg of a hedge that should have grown?"""
    unwinds = any(draft.purpose is Purpose.UNWIND for draft in step.drafts)
    smaller = min(abs(leg.quantity_base) for leg in hedge.legs)
    if not unwinds or hedge.target_base <= smaller or hedge.id in state.undoing:
        return
    state.undoing.add(hedge.id)
    _recall(state, hedge)
    count = state.setbacks.get(_pair(hedge), (0, 0))[0] + 1
    pause_ms = _pause_ms(count)
    state.setbacks[_pair(hedge)] = count, state.book.now.mono_ms + pause_ms
    _remember(state, hedge, count, out)
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
    """The legs cancel again, or are gone."""
    state.undoing.discard(hedge.id)


def forget(state: EngineState, hedge: Hedge, out: Actions) -> None:
    """The hedge has grown to what it should be."""
    state.undoing.discard(hedge.id)
    _recall(state, hedge)
    if state.setbacks.pop(_pair(hedge), None) is not None:
        _remember(state, hedge, 0, out)


def waits(state: EngineState, hedge: Hedge) -> bool:
    """Whether the hedge may not grow yet."""
    _recall(state, hedge)
    found = state.setbacks.get(_pair(hedge))
    return found is not None and state.book.now.mono_ms < found[1]


def restore(books: Books, state: EngineState) -> None:
    for one in books.remembered:
        if (one.rule, one.name) == (r10_leg_imbalance.RULE, NAME):
            state.setbacks_before[one.subject] = int(one.value), one.market_ms


def _pair(hedge: Hedge) -> str:
    return f"{hedge.venue}:{hedge.coin}:{hedge.direction}"


def _pause_ms(count: int) -> int:
    return min(PAUSE_MS << min(count - 1, DOUBLED_MAX), PAUSE_MS_MAX)


def _remember(state: EngineState, hedge: Hedge, count: int, out: Actions) -> None:
    value = Decimal(count) if count else ZERO
    out.persist(Remembered(r10_leg_imbalance.RULE, _pair(hedge), NAME, value, state.book.now.market_ms))


def _recall(state: EngineState, hedge: Hedge) -> None:
    """What the books had at the start: of its pause, what is left on the venue's clock, which ran on meanwhile."""
    found = state.setbacks_before.pop(_pair(hedge), None)
    if found is not None:
        count, noted_ms = found
        passed_ms = max(0, state.book.now.market_ms - noted_ms)
        left_ms = max(0, _pause_ms(count) - passed_ms)
        state.setbacks[_pair(hedge)] = count, state.book.now.mono_ms + left_ms
