"""From rows back to domain values: the reverse of `writers`."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from bot.domain.actions import Alert, ControlSet, LastPrice, NavPoint, Severity, Verdict, VerdictGiven
from bot.domain.guards import Remembered
from bot.domain.hedges import Control, Hedge, HedgeState, Leg, Receipt, Removal, TransferIntent
from bot.domain.instruments import Kind
from bot.domain.ledger import Entry
from bot.domain.market import SettledRate
from bot.domain.orders import Fill, OrderIntent, OrderRecord, OrderState, Purpose, Side, TimeInForce
from bot.store import day_memory

AnyRow = Row[Any]

INFINITE = Decimal("Infinity")


def intent(row: AnyRow) -> OrderIntent:
    return OrderIntent(
        client_id=row.client_id,
        hedge_id=row.hedge_id,
        leg=row.leg,
        venue=row.venue,
        instrument=row.instrument,
        side=Side(row.side),
        quantity_base=row.quantity_base,
        limit_price=row.limit_price,
        time_in_force=TimeInForce(row.time_in_force),
        reduce_only=bool(row.reduce_only),
        purpose=Purpose(row.purpose),
        created_ms=row.created_ms,
        decided_price=row.decided_price,
    )


def order(row: AnyRow, fill_keys: set[tuple[str, str, str]]) -> OrderRecord:
    """`row` is of `order_intents` joined with `orders`."""
    return OrderRecord(
        intent=intent(row),
        state=OrderState(row.state),
        venue_order_id=row.venue_order_id,
        filled_base=row.filled_base,
        fills_base=row.fills_base,
        reason=row.reason,
        sent_mono_ms=row.sent_mono_ms,
        asked_mono_ms=row.asked_mono_ms,
        asked_count=row.asked_count,
        fill_keys=fill_keys,
    )


def fill(row: AnyRow) -> Fill:
    return Fill(
        venue=row.venue,
        instrument=row.instrument,
        trade_id=row.trade_id,
        client_id=row.client_id,
        venue_order_id=row.venue_order_id,
        side=Side(row.side),
        price=row.price,
        quantity_base=row.quantity_base,
        fee=row.fee,
        fee_asset=row.fee_asset,
        realized_pnl=row.realized_pnl,
        maker=bool(row.maker),
        traded_ms=row.traded_ms,
    )


def leg(row: AnyRow) -> Leg:
    return Leg(
        instrument=row.instrument,
        kind=Kind(row.kind),
        direction=row.direction,
        quantity_base=row.quantity_base,
        cost_quote=row.cost_quote,
        realized_quote=row.realized_quote,
    )


def hedge(row: AnyRow, legs: Iterable[Leg], order_ids: Iterable[str]) -> Hedge:
    return Hedge(
        id=row.id,
        number=row.number,
        strategy=row.strategy,
        coin=row.coin,
        venue=row.venue,
        state=HedgeState(row.state),
        legs=tuple(legs),
        target_base=row.target_base,
        opened_ms=row.opened_ms,
        closed_ms=row.closed_ms,
        orders_made=row.orders_made,
        funding_usd=row.funding_usd,
        fees_usd=row.fees_usd,
        slippage_usd=row.slippage_usd,
        reason=row.reason,
        last_funding_ms=row.last_funding_ms,
        unbalanced_mono_ms=row.unbalanced_mono_ms,
        rehedges=row.rehedges,
        wait_until_mono_ms=row.wait_until_mono_ms,
        borrow_usd=row.borrow_usd,
        order_ids=list(order_ids),
    )


def receipt(row: AnyRow) -> Receipt:
    return Receipt(
        venue=row.venue,
        account=row.account,
        instrument=row.instrument,
        coin=row.coin,
        settled_ms=row.settled_ms,
        rate=row.rate,
        quantity_base=row.quantity_base,
        mark_price=row.mark_price,
        payment=row.payment,
        asset=row.asset,
        venue_id=row.venue_id,
    )


def transfer(row: AnyRow) -> TransferIntent:
    return TransferIntent(
        id=row.id,
        venue=row.venue,
        asset=row.asset,
        amount=row.amount,
        source=row.source,
        target=row.target,
        created_ms=row.created_ms,
    )


def entry(row: AnyRow) -> Entry:
    return Entry(row.account, row.asset, row.amount)


def removal(row: AnyRow) -> Removal:
    days, before, floor_ms = day_memory.decode(row.days)
    return Removal(
        venue=row.venue,
        coin=row.coin,
        direction=row.direction,
        counted_until_ms=row.counted_until_ms,
        day=row.day,
        negative_days=row.negative_days,
        positive_days=row.positive_days,
        removed=bool(row.removed),
        removed_ms=row.removed_ms,
        reason=row.reason,
        days=days,
        before=before,
        floor_ms=floor_ms,
    )


def rate(row: AnyRow) -> SettledRate:
    return SettledRate(row.instrument, row.settled_ms, row.rate, row.interval_s)


def nav(row: AnyRow) -> NavPoint:
    leverage = INFINITE if row.leverage is None else row.leverage
    return NavPoint(row.market_ms, row.nav_usd, leverage, row.deployed_usd, row.unhedged_usd)


def last_price(row: AnyRow) -> LastPrice:
    return LastPrice(row.instrument, row.price, row.market_ms)


def alert(row: AnyRow) -> Alert:
    return Alert(row.market_ms, Severity(row.severity), row.name, row.text)


def control(row: AnyRow) -> ControlSet:
    return ControlSet(Control(row.control), row.reason, row.market_ms)


def remembered(row: AnyRow) -> Remembered:
    return Remembered(row.rule, row.subject, row.name, row.value, row.market_ms)


def verdict(row: AnyRow) -> VerdictGiven:
    judged = Verdict(row.rule, bool(row.approved), row.limit_text, row.observed, row.detail)
    return VerdictGiven(row.market_ms, row.hedge_id, row.coin, judged)
