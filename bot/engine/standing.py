"""Verdicts of the rules that no single order asks for: R1b, R1c, R12 and R14 on one pair, as `explain` shows them."""

from collections.abc import Iterator
from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.hedges import Hedge
from bot.domain.instruments import Pair
from bot.domain.numbers import ZERO
from bot.engine.state import EngineState
from bot.risk.rules import r01_negative_funding, r01c_funding_stop, r12_receipts, r14_cash_rate
from bot.risk.verdicts import judge
from bot.strategy.propose import worth_of_entering


def verdicts(state: EngineState, nav: Decimal, pair: Pair, hedge: Hedge | None) -> Iterator[Verdict]:
    """One of each rule; R14 only where there is an estimate."""
    yield _readmission(state, pair)
    yield _funding_stop(state, pair, hedge)
    yield _receipts(state, pair)
    worth = worth_of_entering(state.book, nav, pair)
    if worth is not None:
        yield r14_cash_rate.check(state.book, *worth)


def _readmission(state: EngineState, pair: Pair) -> Verdict:
    removal = state.book.removals.get((*pair.key, pair.structure.direction))
    wanted = f"{state.config.limits.readmit_days} positive days"
    if removal is None or not removal.removed:
        return judge(r01_negative_funding.READMISSION, ok=True, limit=wanted, observed="not removed")
    seen = f"{removal.positive_days} positive days"
    return judge(r01_negative_funding.READMISSION, ok=False, limit=wanted, observed=seen, detail=removal.reason)


def _funding_stop(state: EngineState, pair: Pair, hedge: Hedge | None) -> Verdict:
    """What a hedge has paid in the window, or would pay at the next settlement, whichever is more."""
    stop, mark = state.config.limits.funding_stop, state.market.marks.get(pair.perp.id)
    coming = -pair.structure.facing(mark.predicted_rate) if mark is not None else ZERO
    paid = r01c_funding_stop.paid_share(state.book, hedge, pair.perp.id) if hedge is not None else ZERO
    what = f"of notional, paid in {stop.window_h:g} h" if paid >= coming else "of notional, by the predicted rate"
    worst = max(paid, coming, ZERO)
    return judge(r01c_funding_stop.RULE, ok=worst <= stop.share, limit=stop.share, observed=worst, detail=what)


def _receipts(state: EngineState, pair: Pair) -> Verdict:
    due = [at_ms for name, at_ms in state.receipts_due_ms if name == pair.perp.id]
    grace_s = state.config.limits.receipt_grace_s
    if not due:
        return judge(r12_receipts.RULE, ok=True, limit=grace_s, observed="no receipt is awaited")
    waited_s = (state.book.now.market_ms - min(due)) / 1000
    detail = "seconds of market time since a settlement without its receipt"
    return judge(r12_receipts.RULE, ok=waited_s <= grace_s, limit=grace_s, observed=waited_s, detail=detail)
