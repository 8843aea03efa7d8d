"""Reductions that wait because a side of the book is gone: the owner is told, and they do not wait for ever.

A venue's index may stay far from what its market pays, as that of a coin which nobody can deposit any more does.
"""

from collections.abc import Iterable, Sequence

from bot.domain.actions import Verdict
from bot.domain.hedges import Hedge
from bot.domain.orders import OrderIntent, Purpose
from bot.engine.state import Actions, EngineState
from bot.risk.rules import sanity

WAIT_MS = 600_000
"""Wall time after which a hedge is made smaller at what is bid."""
REPAIRS = frozenset({Purpose.COMPLETE, Purpose.UNWIND})


def note(state: EngineState, hedge: Hedge, refused: Iterable[Verdict], out: Actions) -> None:
    """These verdicts kept the hedge's orders from leaving: was it a hole?"""
    found = next((verdict for verdict in refused if sanity.is_hole(verdict)), None)
    if found is None or hedge.id in state.held_up:
        return
    state.held_up[hedge.id] = state.book.now.mono_ms
    out.warning(
        "hedge.held_up",
        rule=sanity.RULE,
        hedge=hedge.id,
        coin=hedge.coin,
        told=found.limit,
        touch=found.observed,
        wait_s=WAIT_MS / 1000,
    )


def outwaited(state: EngineState, hedge: Hedge) -> bool:
    since_ms = state.held_up.get(hedge.id)
    return since_ms is not None and state.book.now.mono_ms - since_ms >= WAIT_MS


def tell_empty(state: EngineState, hedge: Hedge, found: Verdict, out: Actions) -> None:
    """Nobody is there to trade with on a leg: no order would bring anything, so this wait has no end of its own."""
    if state.book.guards.extreme.silent:
        return  # a venue that is out is told by R6
    out.warning("hedge.no_market", rule=found.rule, hedge=hedge.id, coin=hedge.coin, observed=found.observed)


def leave(state: EngineState, hedge: Hedge, intents: Sequence[OrderIntent]) -> None:
    """These orders leave. A repair says nothing of the hole; and after a slice that has waited the next ones do not
    wait anew: those of a hedge whose price is never confirmed would for days."""
    if hedge.id not in state.held_up or all(one.purpose in REPAIRS for one in intents):
        return
    if not any(one.purpose in sanity.SHRINKS and sanity.into_a_hole(state.book, one) for one in intents):
        forget(state, hedge)


def forget(state: EngineState, hedge: Hedge) -> None:
    """The book is there again, or nothing is wanted of it any more."""
    state.held_up.pop(hedge.id, None)
