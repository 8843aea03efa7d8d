"""Quantities, prices, positions and weights: what is sent, and what is concluded."""

import asyncio
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.instruments import Kind
from bot.domain.orders import OrderIntent, Purpose, Side, TimeInForce
from bot.venues.binance.clock import MarketClock
from bot.venues.binance.gate import OrderGate, Priority, WeightBudget
from bot.venues.binance.income import position_of
from bot.venues.binance.liquidity import depth_usd
from bot.venues.binance.orders import order_params
from bot.venues.binance.outcomes import NotSentError
from bot.venues.binance.rates import Settled
from bot.venues.binance.symbols import price_text, quantity_text, to_base_price, to_base_quantity
from tests.venues.test_binance_decode import BTC_SPOT, PEPE, instrument


def intent(side: Side, quantity: str, price: str, force: TimeInForce, *, reduce_only: bool = False) -> OrderIntent:
    return OrderIntent(
        "cb-1", "h", 0, "binance", "x", side, Decimal(quantity), Decimal(price), force, reduce_only,
        Purpose.OPEN, 0, Decimal(price),
    )  # fmt: skip


def test_orders_in_venue_units() -> None:
    sell = intent(Side.SELL, "5000", "0.000012345678", TimeInForce.IOC, reduce_only=True)
    assert order_params(sell, PEPE) == {
        "symbol": "1000PEPEUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "quantity": "5",
        "price": "0.0123457",
        "newClientOrderId": "cb-1",
        "timeInForce": "IOC",
        "newOrderRespType": "RESULT",
        "reduceOnly": "true",
    }
    buy = intent(Side.BUY, "2", "61837.64", TimeInForce.POST_ONLY)
    assert order_params(buy, BTC_SPOT) == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT_MAKER",
        "quantity": "2",
        "price": "61837.64",
        "newClientOrderId": "cb-1",
        "newOrderRespType": "FULL",
    }
    assert order_params(intent(Side.BUY, "1500", "1", TimeInForce.GTC), PEPE) is None


@given(
    lots=st.integers(1, 10**9),
    price=st.decimals("0.0000000001", "1000", places=10),
    side=st.sampled_from(Side),
)
def test_units_there_and_back(lots: int, price: Decimal, side: Side) -> None:
    quantity = PEPE.lot * lots
    text = quantity_text(PEPE, quantity)
    assert text is not None
    assert to_base_quantity(PEPE, Decimal(text)) == quantity
    sent = to_base_price(PEPE, Decimal(price_text(PEPE, price, side)))
    assert (sent - price) * side.sign <= 0
    assert abs(sent - price) < PEPE.tick


@given(
    lots=st.integers(-100_000, 100_000).filter(bool),
    rate=st.integers(-300, 300).filter(bool).map(lambda n: Decimal(n) / 10**6),
    mark=st.decimals("0.5", "90000", places=8),
)
def test_the_charged_position_follows_from_the_payment(lots: int, rate: Decimal, mark: Decimal) -> None:
    sol = instrument("SOLUSDT", Kind.PERP)
    payment = (-lots * rate * mark).quantize(Decimal("1E-8"))
    assert position_of(payment, Settled(rate, mark), sol) in {Decimal(lots), None}
    if abs(rate * mark) > Decimal("1E-6"):
        assert position_of(payment, Settled(rate, mark), sol) == lots


def test_no_position_is_concluded_without_grounds() -> None:
    sol = instrument("SOLUSDT", Kind.PERP)
    assert position_of(Decimal("-1.5"), Settled(Decimal("0.0001"), None), sol) is None
    assert position_of(Decimal(0), Settled(Decimal(0), Decimal(100)), sol) is None
    assert position_of(Decimal("-0.015"), Settled(Decimal("0.0001"), Decimal(100)), sol) is None
    assert position_of(Decimal("0.02"), Settled(Decimal("0.0001"), Decimal(100)), sol) == -2


def test_depth_counts_the_thinner_side_within_ten_basis_points() -> None:
    book = {"bids": [["99.95", "10"], ["99.9", "1"], ["99", "1000"]], "asks": [["100.05", "3"], ["101", "9"]]}
    assert depth_usd(book) == pytest.approx(300.15)
    assert depth_usd({"bids": [], "asks": []}) == 0.0


def test_market_time_never_falls_and_goes_on_by_itself() -> None:
    clock = MarketClock()
    assert clock.now_ms() == 0
    clock.observe(1_000_000)
    first = clock.now_ms()
    clock.observe(999_000)
    time.sleep(0.02)
    later = clock.now_ms()
    assert first >= 1_000_000
    assert later >= first + 15
    clock.observe(1_000_001)
    assert clock.now_ms() >= later


async def test_what_reduces_goes_first() -> None:
    gate = OrderGate(WeightBudget(100), ((1, 0.2),))
    order: list[str] = []

    async def send(name: str, priority: Priority) -> None:
        await gate.enter(priority, within_s=5, counted=True)
        order.append(name)

    await gate.enter(Priority.REDUCING, within_s=5, counted=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(send("in the throttler already", Priority.REDUCING))
        await asyncio.sleep(0)
        group.create_task(send("query", Priority.ASKING))
        group.create_task(send("reduce", Priority.REDUCING))
    assert order == ["in the throttler already", "reduce", "query"]


async def test_weight_is_kept_for_what_reduces() -> None:
    budget = WeightBudget(100)
    budget.observe({"x-mbx-used-weight-1m": "81"}, 200)
    gate = OrderGate(budget, ((100, 1.0),))
    if budget.pause_s(reserved=False) == 0:
        pytest.skip("the minute ended between two lines")
    with pytest.raises(NotSentError):
        await gate.enter(Priority.OPENING, within_s=0.05, counted=True)
    await gate.enter(Priority.REDUCING, within_s=0.05, counted=True)


async def test_nothing_goes_before_retry_after() -> None:
    budget = WeightBudget(100)
    budget.observe({"retry-after": "1"}, 429)
    assert 0.9 < budget.pause_s(reserved=True) <= 1
    with pytest.raises(NotSentError):
        await budget.admit(reserved=True, within_s=0.5)
    await budget.admit(reserved=True, within_s=2)
    assert budget.pause_s(reserved=True) == 0
