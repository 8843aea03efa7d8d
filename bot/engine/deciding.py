"""What should change: trims and forced changes at any time, the strategy's proposals every few hours."""

from collections.abc import Mapping
from decimal import Decimal

from bot.domain.actions import VerdictGiven
from bot.domain.hedges import Control, Hedge, HedgeState
from bot.domain.instruments import Pair
from bot.domain.numbers import ZERO, floor_to
from bot.domain.time import HOUR_MS
from bot.engine import guarding
from bot.engine.hedging import aim, guard, open_hedge
from bot.engine.refusals import ENTRY, ENTRY_BORROWED, say
from bot.engine.state import Actions, EngineState
from bot.risk.review import entry_refusal, forced_changes
from bot.risk.rules import (
    r01_negative_funding,
    r01c_funding_stop,
    r08_universe,
    r10_leg_imbalance,
    r11_stale,
    r14_cash_rate,
)
from bot.risk.verdicts import Forced, judge
from bot.strategy.builders import estimate
from bot.strategy.drift import trims
from bot.strategy.propose import propose, worth_of_entering

PATIENCE_MS = 10_000
"""Wall time after which a decision that lacked fresh prices of a coin is taken again."""
TRIMMED = "drifted towards the end of its cap's band"
SAME_TARGET = 0.995
"""A forced target within half a per cent of the present one is the present one."""


def adjust(state: EngineState, nav: Decimal, out: Actions) -> None:
    """What live hedges have to give up: first what the strategy trims itself, then what the rules still demand."""
    hedges = [hedge for hedge in state.book.live_hedges() if state.book.ready.get(hedge.venue)]
    if not hedges:
        return
    if state.book.control is Control.RUNNING and not state.stopping:
        _trim(state, nav, out)
    _force(state, nav, hedges, out)


def _trim(state: EngineState, nav: Decimal, out: Actions) -> None:
    for hedge, wanted in list(trims(state.book, nav)):
        pair = state.book.pair_of(hedge)
        if pair is None or not state.book.ready.get(hedge.venue):
            continue
        target = floor_to(wanted, pair.step)
        if target != hedge.target_base:
            aim(state, hedge, target, TRIMMED, out)


def _force(state: EngineState, nav: Decimal, hedges: list[Hedge], out: Actions) -> None:
    for change in forced_changes(state.book, nav, hedges, lambda hedge: _carry(state, hedge)):
        hedge = state.hedges[change.hedge_id]
        pair = state.book.pair_of(hedge)
        if pair is None or hedge.state is HedgeState.CLOSING:
            continue
        target = floor_to(change.target_base, pair.step)
        if float(target) >= SAME_TARGET * float(hedge.target_base):
            continue
        _record(state, hedge, change, out)
        if change.rule == r01c_funding_stop.RULE:
            removal = r01_negative_funding.removal_of(state.book, hedge.venue, hedge.coin, hedge.direction)
            r01_negative_funding.remove(removal, state.book.now.market_ms, change.reason)
            out.persist(removal)
            out.warning(
                "coin.removed", coin=hedge.coin, venue=hedge.venue, rule=change.rule, observed=change.observed
            )
        aim(state, hedge, target, change.reason, out)
        guarding.applied(state, hedge, change, out)


def _record(state: EngineState, hedge: Hedge, change: Forced, out: Actions) -> None:
    verdict = judge(change.rule, ok=False, limit=change.limit, observed=change.observed, detail=change.reason)
    out.persist(VerdictGiven(state.book.now.market_ms, hedge.id, hedge.coin, verdict))
    out.warning(
        "risk.forced",
        rule=change.rule,
        limit=change.limit,
        observed=change.observed,
        hedge=hedge.id,
        coin=hedge.coin,
        target_base=change.target_base,
    )


def _carry(state: EngineState, hedge: Hedge) -> float:
    """What it is worth to go on holding it; without an estimate nothing at all."""
    pair = state.book.pair_of(hedge)
    found = estimate(state.book, pair, 0.0) if pair is not None else None
    return found.held if found is not None else float("-inf")


def decide(state: EngineState, nav: Decimal, out: Actions) -> None:
    """Ask the strategy what to hold, within what the rules let grow."""
    state.decide_due, state.decide_again_mono_ms = False, None
    state.decided_slot = _slot(state)
    stale: set[tuple[str, str]] = set()
    may_enter = _may_grow(state, state.market.pairs, stale, ENTRY, out)
    may_borrow = _may_grow(state, state.market.reverse, stale, ENTRY_BORROWED, out)
    if state.config.limits.cash_rate > 0:
        _say_idle(state, nav, may_enter, out)
    for growing in state.book.live_hedges():
        allowed = may_borrow if growing.structure.owes else may_enter
        if growing.target_base > growing.size_base and (growing.venue, growing.coin) in allowed:
            guard(state, growing)
    for proposal in propose(state.book, nav, may_enter, stale, may_borrow):
        hedge = state.book.hedge_of(proposal.venue, proposal.coin)
        if hedge is not None and guarding.adding(state, hedge) and ZERO < proposal.target_base <= hedge.target_base:
            continue  # R4's own addition is on its way; what closes is not held up by it
        if (
            hedge is not None
            and not r10_leg_imbalance.allows(hedge)
            and ZERO < proposal.target_base < hedge.target_base
        ):
            continue  # it may not grow until its legs match, which is no reason to want less of it
        if hedge is not None and proposal.shrinks and hedge.target_base < proposal.target_base:
            continue  # a rule has just demanded more than the strategy gives up
        if hedge is not None:
            aim(state, hedge, proposal.target_base, proposal.reason, out)
        elif proposal.target_base > 0:
            open_hedge(state, proposal.pair, proposal, out)


def _may_grow(
    state: EngineState, pairs: Mapping[tuple[str, str], Pair], stale: set[tuple[str, str]], asked: str, out: Actions
) -> set[tuple[str, str]]:
    """Keys of the pairs that every rule lets grow; says why of the others, and adds to `stale` what lacks facts."""
    allowed: set[tuple[str, str]] = set()
    for key, pair in pairs.items():
        refused = entry_refusal(state.book, pair)
        if refused is None:
            allowed.add(key)
            continue
        if not r11_stale.allows(state.book, pair) or not r08_universe.known(state.book, pair):
            stale.add(key)  # whatever else refuses it: what is held or being built is not judged by what is not known
        if refused.rule == r11_stale.RULE:
            state.decide_again_mono_ms = state.book.now.mono_ms + PATIENCE_MS
        say(state, pair.coin, asked, refused, out)
    for coin, rule in [key for key in state.refusals if key[1] == asked]:
        if any(key[1] == coin for key in allowed):
            del state.refusals[coin, rule]
    return allowed


def _say_idle(state: EngineState, nav: Decimal, may_enter: set[tuple[str, str]], out: Actions) -> None:
    """Coins that would pay for their own costs and not for the cash that they use (R14)."""
    for key in sorted(may_enter):
        pair = state.market.pairs[key]
        found = None if state.book.hedge_of(*key) is not None else worth_of_entering(state.book, nav, pair)
        if found is None:
            continue
        worth, factor = found
        verdict = r14_cash_rate.check(state.book, worth, factor)
        if worth > 0 and not verdict.approved:
            say(state, pair.coin, "idle", verdict, out)
        else:
            state.refusals.pop((pair.coin, "idle"), None)


def decision_due(state: EngineState) -> bool:
    """Every few hours, after each settlement, soon again when prices were missing; only while running and ready."""
    if state.book.control is not Control.RUNNING or state.stopping or not any(state.book.ready.values()):
        return False
    new_slot = _slot(state) != state.decided_slot
    again = state.decide_again_mono_ms is not None and state.book.now.mono_ms >= state.decide_again_mono_ms
    return state.decide_due or new_slot or again


def _slot(state: EngineState) -> int:
    """Number of the stretch of market time that one decision is good for."""
    return int(state.book.now.market_ms // (state.config.strategy.decide_every_h * HOUR_MS))


def flatten(state: EngineState, reason: str, out: Actions) -> None:
    for hedge in list(state.book.live_hedges()):
        if hedge.target_base != ZERO or hedge.state is not HedgeState.CLOSING:
            aim(state, hedge, ZERO, reason, out)
