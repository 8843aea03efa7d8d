"""The owner's commands, and the switch behind them (R15). What the owner asked for survives restarts."""

from decimal import Decimal
from functools import reduce

from bot.domain.actions import ControlSet
from bot.domain.events import CloseCoin, Flatten, Halt, Readmit, Resume
from bot.domain.hedges import Control, Hedge
from bot.domain.numbers import ZERO, ceil_to, common_step
from bot.domain.structures import STRUCTURES
from bot.engine.deciding import flatten
from bot.engine.guarding import accept_drawdown
from bot.engine.hedging import aim
from bot.engine.state import Actions, EngineState
from bot.risk.rules import r01_negative_funding, r05_drawdown


def switch(state: EngineState, control: Control, reason: str, out: Actions) -> None:
    before = state.book.control
    state.wanted, state.wanted_reason, state.book.control = control, reason, control
    out.persist(ControlSet(control, reason, state.book.now.market_ms))
    if before is not control:
        out.warning(f"control.{control.value}", reason=reason, before=before.value)


def halt(state: EngineState, event: Halt, out: Actions) -> None:
    switch(state, Control.HALTED, event.reason, out)
    for hedge in state.book.live_hedges():
        reach = _reach_base(state, hedge)
        if hedge.target_base > reach:
            aim(state, hedge, reach, "halted", out)


def _reach_base(state: EngineState, hedge: Hedge) -> Decimal:
    """What both legs will hold once everything in flight has filled: what left before the halt is not undone."""
    reach = {position: abs(leg.quantity_base) for position, leg in enumerate(hedge.legs)}
    for order in state.book.orders_of(hedge):
        if order.intent.side.sign == hedge.legs[order.intent.leg].direction:
            reach[order.intent.leg] += order.open_base
    lots = [one.lot for leg in hedge.legs if (one := state.market.instruments.get(leg.instrument)) is not None]
    least = min(reach.values())
    return ceil_to(least, reduce(common_step, lots)) if lots else least


def drawdown_halt(state: EngineState, out: Actions) -> None:
    """R5's hard limit: close everything in order, then stay halted until the owner resumes."""
    drawdown, limits = state.book.guards.drawdown, state.config.limits.drawdown
    out.critical(
        "drawdown.hard",
        rule=r05_drawdown.RULE,
        limit=limits.hard,
        observed=round(drawdown.share, 6),
        high_usd=drawdown.high_usd,
        done="closing every hedge, then halted",
        remedy="find out what was lost (`carrybot pnl`); `carrybot resume` accepts it and starts a new mark",
    )
    flatten_all(state, Flatten(f"{r05_drawdown.RULE}: NAV fell beyond the hard limit"), out)


def resume(state: EngineState, event: Resume, out: Actions) -> None:
    accept_drawdown(state, out)
    switch(state, Control.RUNNING, event.reason, out)
    state.decide_due = True


def flatten_all(state: EngineState, event: Flatten, out: Actions) -> None:
    switch(state, Control.FLATTENING, event.reason, out)
    flatten(state, f"flatten: {event.reason}", out)


def finish_flattening(state: EngineState, out: Actions) -> None:
    """Once everything is closed the book stays halted until the owner resumes."""
    if state.book.control is Control.FLATTENING and not state.book.live_hedges():
        switch(state, Control.HALTED, "flattened: all hedges are closed", out)


def close_coin(state: EngineState, event: CloseCoin, out: Actions) -> None:
    """Close a coin's hedges and keep the coin out until the owner readmits it, also in a direction that cannot be
    held yet."""
    reason = f"{r01_negative_funding.BY_HAND}: {event.reason}"
    for venue in sorted({pair.venue for pair in state.market.all_pairs() if pair.coin == event.coin}):
        for direction in STRUCTURES:
            removal = r01_negative_funding.removal_of(state.book, venue, event.coin, direction)
            r01_negative_funding.remove(removal, state.book.now.market_ms, reason)
            out.persist(removal)
    for hedge in state.book.live_hedges():
        if hedge.coin == event.coin:
            aim(state, hedge, ZERO, reason, out)
    out.info("coin.closing", coin=event.coin, reason=event.reason)


def readmit(state: EngineState, event: Readmit, out: Actions) -> None:
    for removal in state.book.removals.values():
        if removal.coin == event.coin and removal.removed:
            r01_negative_funding.readmit(removal, state.book.now.market_ms)
            out.persist(removal)
            out.info("coin.readmitted", coin=event.coin, rule="by hand", reason=event.reason)
    state.decide_due = True
