"""Planted bugs of the rules of the book: more is held than a rule lets be held, or opened although one forbids it."""

from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.domain import time as domain_time
from bot.engine import core, trust
from bot.execution import plan as execution_plan
from bot.execution import repair
from bot.risk.rules import (
    r01_negative_funding,
    r01c_funding_stop,
    r02_coin_cap,
    r04_spread,
    r05_drawdown,
    r06_extreme,
    r08_universe,
)
from bot.venues.binance import orders as venue_orders
from tests.campaign.planted.catalogue import planted, put

ZERO = Decimal(0)


@planted("five negative funding days remove a coin")
def funding_days_ignored(stack: ExitStack) -> None:
    judged = r01_negative_funding.judged

    def patient(runs: Any, day: Any, at_ms: int, limits: Any) -> Any:
        return judged(runs, day, at_ms, replace(limits, negative_funding_days=50))

    put(stack, r01_negative_funding, "judged", patient)


@planted("the settlement of midnight closes the day before it")
def midnight_opens_the_day(stack: ExitStack) -> None:
    put(stack, r01_negative_funding, "funding_day", lambda settled_ms: settled_ms // domain_time.DAY_MS)


@planted("funding that costs too much closes a hedge")
def funding_stop_off(stack: ExitStack) -> None:
    put(stack, r01c_funding_stop, "forced", lambda *_: None)


@planted("a coin that has drifted beyond its cap is trimmed")
def drifted_coin_kept(stack: ExitStack) -> None:
    put(stack, r02_coin_cap, "forced", lambda *_: None)


@planted("a basis that widens against a hedge has it reduced")
def wide_basis_kept(stack: ExitStack) -> None:
    put(stack, r04_spread, "forced", lambda *_: None)


@planted("losses beyond the hard limit close all and halt")
def losses_without_end(stack: ExitStack) -> None:
    put(stack, r05_drawdown, "update", lambda book: None)


@planted("nothing opens after losses beyond the soft limit")
def losses_do_not_matter(stack: ExitStack) -> None:
    put(stack, r05_drawdown, "allows", lambda book: True)


@planted("nothing opens in an extreme event")
def entries_in_extremes(stack: ExitStack) -> None:
    put(stack, r06_extreme, "allows", lambda book: True)


@planted("nothing opens before an extreme event has been over for a while")
def no_calm_after_extremes(stack: ExitStack) -> None:
    put(stack, r06_extreme, "runs", lambda book: bool(book.guards.extreme.silent))


@planted("a core coin's move has the other coins cut to half")
def nothing_is_cut(stack: ExitStack) -> None:
    put(stack, r06_extreme, "forced", lambda *_: None)


@planted("nothing is opened whose depth is not known")
def depth_unknown_is_enough(stack: ExitStack) -> None:
    illiquid = r08_universe._illiquid

    def lenient(universe: Any, name: str, liquidity: Any) -> Any:
        return None if liquidity is None else illiquid(universe, name, liquidity)

    put(stack, r08_universe, "_illiquid", lenient)


@planted("a slice takes a quarter of the depth")
def depth_ignored(stack: ExitStack) -> None:
    def by_size_alone(book: Any, now: Any) -> Decimal:
        base = book.config.execution.slice_usd / now.coin_quote.ask
        return max(execution_plan._least_base(now), min(base, execution_plan._largest_base(now)))

    put(stack, execution_plan, "_slice_base", by_size_alone)


@planted("nothing opens after an order was refused for want of money until the account was read")
def doubt_ignored(stack: ExitStack) -> None:
    put(stack, trust, "_begins", lambda *_: False)


@planted("nothing opens beside a difference of which the owner was alarmed")
def alarm_alone(stack: ExitStack) -> None:
    put(stack, core, "_explain", lambda *_: None)


@planted("the leg that leads is unwound, not the other one")
def unwinds_the_wrong_leg(stack: ExitStack) -> None:
    unwind = repair._unwind

    def other(book: Any, hedge: Any, pair: Any, spot: Any, perp: Any, gap: Decimal) -> Any:
        return unwind(book, hedge, pair, spot, perp, -gap)

    put(stack, repair, "_unwind", other)


@planted("an unwound perpetual is bought back reduce-only as well")
def unwinds_without_reduce_only(stack: ExitStack) -> None:
    params = venue_orders.order_params

    def closing_alone(intent: Any, instrument: Any) -> Any:
        found = params(intent, instrument)
        if found is not None and intent.purpose.value == "unwind":
            found.pop("reduceOnly", None)
        return found

    put(stack, venue_orders, "order_params", closing_alone)
