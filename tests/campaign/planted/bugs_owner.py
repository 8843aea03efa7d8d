"""Planted bugs of what the owner has set and asked for, and of what they do by hand at the venue."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from bot.domain.numbers import ZERO
from bot.engine import accepting, control, core, hedging, money
from bot.risk.rules import r01_negative_funding, r02_coin_cap, r04_spread, r05_drawdown, r06_extreme, r08_universe
from bot.runtime.reconcile import Reconciler
from bot.strategy import drift, propose
from bot.venues.binance import account
from bot.venues.binance.capital import CapitalReader
from tests.campaign.planted.catalogue import planted, put


@planted("orders that are not ours are left alone")
def strangers_cancelled(stack: ExitStack) -> None:
    look = Reconciler.look_for_foreign_orders

    async def tidy(self: Any) -> None:
        await look(self)
        known = {record.intent.client_id for record in self._view.unsettled()}
        for client_id, instrument, _ in await self._venue.fetch_open_orders():
            if client_id not in known:
                await self._venue.cancel(client_id, instrument, self._deliver)

    put(stack, Reconciler, "look_for_foreign_orders", tidy)


@planted("what the owner trades by hand is no hedge's")
def strangers_adopted(stack: ExitStack) -> None:
    owner = money._owner

    def whoever_holds_it(state: Any, fill: Any, order: Any) -> Any:
        hedge, leg = owner(state, fill, order)
        if hedge is None:
            hedge = next((h for h in state.hedges.values() if money._leg(h, fill.instrument) is not None), None)
            leg = None if hedge is None else money._leg(hedge, fill.instrument)
        return hedge, leg

    put(stack, money, "_owner", whoever_holds_it)


@planted("a move between the wallets by hand leaves one and comes to the other")
def own_moves_turned_round(stack: ExitStack) -> None:
    move = Reconciler._move_capital

    def turned(self: Any, venue_id: str, wallet: str, asset: str, amount: Any, at_ms: int, **more: Any) -> None:
        move(self, venue_id, wallet, asset, -amount if more.get("internal") else amount, at_ms, **more)

    put(stack, Reconciler, "_move_capital", turned)


@planted("coins that an order of the owner's has locked are in the wallet")
def locked_coins_forgotten(stack: ExitStack) -> None:
    convert = account.convert_list

    def free_only(rows: Any, kind: Any) -> Any:
        found = convert(rows, kind)
        if kind is account.SpotBalanceRow:
            for row in found:
                row.locked = ZERO
        return found

    put(stack, account, "convert_list", free_only)


@planted("coins that the owner buys by hand are no loss")
def hand_purchases_are_losses(stack: ExitStack) -> None:
    put(stack, money, "owners_dollars", lambda state, transaction, out: None)


@planted("a withdrawal that came back is no withdrawal")
def failed_withdrawals_count(stack: ExitStack) -> None:
    fetch = CapitalReader.fetch

    async def whatever_became_of_them(self: Any, *given: Any, **more: Any) -> Any:
        return [replace(one, returned=False) for one in await fetch(self, *given, **more)]

    put(stack, CapitalReader, "fetch", whatever_became_of_them)


@planted("the owner accepts the very amount that differs")
def any_amount_accepted(stack: ExitStack) -> None:
    refusal = accepting.refusal

    def generous(state: Any, event: Any) -> str | None:
        why = refusal(state, event)
        return None if why is not None and why.startswith("the difference is ") else why

    put(stack, accepting, "refusal", generous)


@planted("money that comes or goes moves the high-water mark with it")
def capital_turned_round(stack: ExitStack) -> None:
    moved = r05_drawdown.capital_moved
    put(stack, r05_drawdown, "capital_moved", lambda book, before, usd: moved(book, before, -usd))


@planted("a coin that is closed by hand is closed in both directions")
def closed_in_one_direction(stack: ExitStack) -> None:
    close = control.close_coin

    def of_the_spot(state: Any, event: Any, out: Any) -> None:
        reverse, state.market.reverse = state.market.reverse, {}
        close(state, event, out)
        state.market.reverse = reverse

    put(stack, control, "close_coin", of_the_spot)


@planted("a coin that was closed by hand returns by hand")
def closed_by_hand_returns(stack: ExitStack) -> None:
    judged = r01_negative_funding.judged

    def by_days(runs: Any, *given: Any) -> Any:
        by_hand = runs.reason.startswith(r01_negative_funding.BY_HAND)
        return judged(replace(runs, reason="R1") if by_hand else runs, *given)

    put(stack, r01_negative_funding, "judged", by_days)


@planted("a coin that the owner has excluded is not opened")
def excluded_coin_opened(stack: ExitStack) -> None:
    _overlooking(stack, lambda verdict: verdict.limit == "universe.exclude")


@planted("the younger one of both markets is old enough")
def young_perpetual_opened(stack: ExitStack) -> None:
    _overlooking(stack, lambda verdict: verdict.detail == "days since listing")


def _overlooking(stack: ExitStack, what: Any) -> None:
    refusal = r08_universe.refusal

    def lenient(book: Any, pair: Any) -> Any:
        verdict = refusal(book, pair)
        return None if verdict is not None and what(verdict) else verdict

    put(stack, r08_universe, "refusal", lenient)


@planted("a cap of a coin's own holds, also where it is the smaller one")
def own_cap_ignored(stack: ExitStack) -> None:
    cap = r02_coin_cap.coin_cap_usd

    def the_larger(limits: Any, coin: str, nav: Any) -> Any:
        return max(cap(limits, coin, nav), cap(replace(limits, per_coin_cap_overrides={}), coin, nav))

    for module in (r02_coin_cap, r04_spread, drift, propose):
        put(stack, module, "coin_cap_usd", the_larger)


@planted("core coins survive an extreme event")
def core_is_cut(stack: ExitStack) -> None:
    forced = r06_extreme.forced

    def all_alike(book: Any, hedge: Any) -> Any:
        universe = replace(book.config.universe, core=())
        return forced(replace(book, config=replace(book.config, universe=universe)), hedge)

    put(stack, r06_extreme, "forced", all_alike)


@planted("a daemon that is told to stop opens nothing more")
def opens_while_stopping(stack: ExitStack) -> None:
    work = hedging.work

    def goes_on(state: Any, hedge: Any, out: Any) -> None:
        stopping, state.stopping = state.stopping, False
        work(state, hedge, out)
        state.stopping = stopping

    put(stack, hedging, "work", goes_on)
    put(stack, core, "work", goes_on)
