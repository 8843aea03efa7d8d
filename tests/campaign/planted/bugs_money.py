"""Planted bugs of what things cost, what the venue takes, and money that comes and goes."""

import dataclasses
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

from bot.domain.numbers import ceil_to, floor_to
from bot.domain.orders import Fill, Side
from bot.engine import comparing, guarding, liquidations, margin_moves
from bot.execution import plan as execution_plan
from bot.execution import repair
from bot.ledger import postings
from bot.risk.rules import r07_liquidation
from bot.venues.binance.margin import CrossMargin
from tests.campaign.planted.catalogue import approves, planted, put


@planted("an order's limit is near the touch")
def limit_far_from_the_touch(stack: ExitStack) -> None:
    def generous(instrument: Any, quote: Any, side: Side, guard_bps: Decimal) -> Decimal:
        del guard_bps
        if side is Side.BUY:
            return floor_to(quote.ask * Decimal("1.02"), instrument.tick)
        return ceil_to(quote.bid * Decimal("0.98"), instrument.tick)

    put(stack, execution_plan, "limit_price", generous)
    put(stack, repair, "limit_price", generous)


@planted("no order brings liquidation nearer than the warning")
def liquidation_distance_ignored(stack: ExitStack) -> None:
    put(stack, r07_liquidation, "permit", lambda *_, **__: approves("R7"))
    put(stack, r07_liquidation, "check", lambda *_, **__: approves("R7"))


@planted("a fill is unique with its instrument")
def fill_key_without_instrument(stack: ExitStack) -> None:
    def by_number(fill: Fill) -> str:
        return f"fill:{fill.trade_id}"

    put(stack, postings, "fill_id", by_number)


@planted("a transfer is booked once")
def transfer_booked_twice(stack: ExitStack) -> None:
    settled = margin_moves.settled

    def again(state: Any, event: Any, out: Any) -> None:
        intent = state.book.transfers.get(event.transfer_id)
        settled(state, event, out)
        if intent is not None:
            state.book.transfers[intent.id] = intent
            settled(state, dataclasses.replace(event, venue_id=f"{event.venue_id}+"), out)

    put(stack, margin_moves, "settled", again)


@planted("what the venue charges for a liquidation is booked")
def liquidation_charge_dropped(stack: ExitStack) -> None:
    put(stack, liquidations, "charged", lambda *_: None)


@planted("deposits and withdrawals are booked")
def deposits_dropped(stack: ExitStack) -> None:
    put(stack, guarding, "capital_moved", lambda *_: None)


@planted("a difference is never booked away")
def differences_papered_over(stack: ExitStack) -> None:
    compare = comparing.compare_account

    def papered(state: Any, event: Any, out: Any) -> None:
        if event.complete and state.ledger.balances:
            for (venue, wallet, asset), amount in comparing._differences(state, event).items():
                if wallet != comparing.POSITION:
                    entries = postings.capital_entries(venue, wallet, asset, amount)
                    name = postings.capital_id(venue, f"adjusted:{state.ledger.count}")
                    out.persist(state.ledger.post(name, state.book.now.market_ms, "capital", None, entries))
        compare(state, event, out)

    put(stack, comparing, "compare_account", papered)


@planted("collateral counts as the venue counts it")
def haircut_unread(stack: ExitStack) -> None:
    async def untold(self: Any) -> list[Any]:
        return []

    put(stack, CrossMargin, "fetch_collateral", untold)
