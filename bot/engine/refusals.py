"""Refusals as the owner hears of them: recorded, told, and told again only when the reason has changed."""

from bot.domain.actions import Verdict, VerdictGiven
from bot.domain.hedges import Hedge
from bot.engine.state import Actions, EngineState
from bot.risk.review import entry_refusal

ENTRY, ENTRY_BORROWED = "entry", "entry on loan"
"""What decisions ask of each coin: entering with a short, and with a long perpetual."""


def say(state: EngineState, coin: str, what: str, verdict: Verdict, out: Actions, hedge: str | None = None) -> bool:
    """Tell of a refusal; False if it was told before. `what` names the kind of asking; orders of a hedge repeat by
    detail, decisions by rule."""
    reason = verdict.rule if hedge is None else verdict.detail
    if state.refusals.get((coin, what)) == reason:
        return False
    state.refusals[coin, what] = reason
    out.persist(VerdictGiven(state.book.now.market_ms, hedge, coin, verdict))
    out.info(
        "risk.refused",
        rule=verdict.rule,
        limit=verdict.limit,
        observed=verdict.observed,
        coin=coin,
        hedge=hedge,
        detail=verdict.detail,
    )
    return True


def stays_out(state: EngineState, closed: Hedge) -> bool:
    """Whether nothing may be opened again where this hedge was: by a rule or the owner, or as it is not listed."""
    pair = state.book.pair_of(closed)
    return pair is None or entry_refusal(state.book, pair) is not None
