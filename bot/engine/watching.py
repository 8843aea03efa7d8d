"""Rates and bases that an owner wants to hear of: far from the usual, of coins that are held or may be."""

from bot.domain.instruments import Pair
from bot.domain.market import Mark
from bot.domain.time import MINUTE_MS
from bot.engine.state import Actions, EngineState
from bot.risk.rules import r08_universe

EVERY_MS = MINUTE_MS
EIGHT_HOURS_S = 8 * 3_600
RATE, BASIS = "rate", "basis"


def watch(state: EngineState, out: Actions) -> None:
    """Once a market minute: what became unusual is told once, until it is usual again."""
    now_ms = state.book.now.market_ms
    if now_ms - state.unusual_ms < EVERY_MS:
        return
    state.unusual_ms = now_ms
    unusual = state.config.strategy.unusual
    marks = state.market.marks
    for pair in state.market.pairs.values():
        mark = marks.get(pair.perp.id)
        if mark is None or not mark.index:
            continue
        rate = float(mark.predicted_rate) * EIGHT_HOURS_S / state.market.funding_interval_s(pair.perp)
        if _crossed(state, pair, RATE, abs(rate), unusual.rate_8h):
            _tell_rate(state, pair, rate, out)
        basis = float(mark.mark) / float(mark.index) - 1
        if _crossed(state, pair, BASIS, abs(basis), unusual.basis):
            _tell_basis(state, pair, mark, basis, out)


def _crossed(state: EngineState, pair: Pair, what: str, size: float, limit: float) -> bool:
    """Whether this begins or ends to be unusual; `state.unusual` is changed with it."""
    key = pair.venue, pair.coin, what
    if key in state.unusual:
        if size > limit * state.config.strategy.unusual.calm:
            return False
        state.unusual.discard(key)
        return True
    if size <= limit or not _concerns(state, pair):
        return False
    state.unusual.add(key)
    return True


def _concerns(state: EngineState, pair: Pair) -> bool:
    return state.book.hedge_of(pair.venue, pair.coin) is not None or r08_universe.check(state.book, pair).approved


def _tell_rate(state: EngineState, pair: Pair, rate: float, out: Actions) -> None:
    seen = f"{rate:.3%}"
    if (pair.venue, pair.coin, RATE) not in state.unusual:
        out.info("rate.usual", coin=pair.coin, venue=pair.venue, rate_8h=seen)
        return
    limit = f"{state.config.strategy.unusual.rate_8h:.3%}"
    out.warning("rate.unusual", coin=pair.coin, venue=pair.venue, rate_8h=seen, limit=limit)


def _tell_basis(state: EngineState, pair: Pair, mark: Mark, basis: float, out: Actions) -> None:
    seen = f"{basis:.3%}"
    if (pair.venue, pair.coin, BASIS) not in state.unusual:
        out.info("basis.usual", coin=pair.coin, venue=pair.venue, basis=seen)
        return
    out.warning(
        "basis.unusual",
        coin=pair.coin,
        venue=pair.venue,
        basis=seen,
        limit=f"{state.config.strategy.unusual.basis:.3%}",
        mark=mark.mark,
        index=mark.index,
    )
