"""Quantities, prices, positions and weights: what is sent, and what is concluded."""

import asyncio
import time
from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.instruments import Kind, margin_twin
from bot.domain.orders import OrderIntent, Purpose, Side, TimeInForce
from bot.ports import VenueError
from bot.venues.binance import gate
from bot.venues.binance.clock import MarketClock
from bot.venues.binance.gate import (
    EDGE_S,
    WEIGHT_SHARE_ALL,
    WEIGHT_SHARE_OPENING,
    OrderGate,
    Priority,
    WeightBudget,
)
from bot.venues.binance.income import position_of
from bot.venues.binance.liquidity import depth_usd
from bot.venues.binance.orders import order_params
from bot.venues.binance.outcomes import NotSentError
from bot.venues.binance.rates import Settled
from bot.venues.binance.rest import BORROWING_LIMITS, BinanceRest, share_of
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


@pytest.mark.parametrize(("side", "effect"), [(Side.SELL, "MARGIN_BUY"), (Side.BUY, "AUTO_REPAY")])
def test_a_sale_on_margin_borrows_and_a_purchase_only_repays(side: Side, effect: str) -> None:
    params = order_params(intent(side, "2", "61837.64", TimeInForce.IOC), margin_twin(BTC_SPOT))
    assert params is not None
    assert (params["sideEffectType"], params["isIsolated"]) == (effect, "FALSE")
    assert (params["symbol"], params["timeInForce"], params["newOrderRespType"]) == ("BTCUSDT", "IOC", "FULL")


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
    queue = OrderGate(WeightBudget(100), ((1, 0.2),))
    order: list[str] = []

    async def send(name: str, priority: Priority) -> None:
        await queue.enter(priority, within_s=5, counted=True)
        order.append(name)

    await queue.enter(Priority.REDUCING, within_s=5, counted=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(send("in the throttler already", Priority.REDUCING))
        await asyncio.sleep(0)
        group.create_task(send("query", Priority.ASKING))
        group.create_task(send("reduce", Priority.REDUCING))
    assert order == ["in the throttler already", "reduce", "query"]


async def test_orders_that_borrow_are_limited_and_those_that_repay_are_not() -> None:
    queue = OrderGate(WeightBudget(100), ((100, 0.1),), ((2, 60.0),))
    for _ in range(2):
        await queue.enter(Priority.OPENING, within_s=0.05, counted=True)
    with pytest.raises(NotSentError):
        await queue.enter(Priority.OPENING, within_s=0.05, counted=True)
    for priority in (Priority.REDUCING, Priority.COMPLETING):
        await queue.enter(priority, within_s=0.05, counted=True)
    rest = BinanceRest("key", "secret", None)
    assert [limit for gate, limit in ((g, g.opening_limits) for g in rest._gates.values()) if limit] == [
        BORROWING_LIMITS
    ]


class Minute:
    """The gate's two clocks, `into_s` seconds into a minute; this machine's has jumped ahead by `ahead_s`."""

    AHEAD_S = 1_790_000_040 - 1_000
    """The machine's clock less the monotonic one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, into_s: float) -> None:
        self.into_s, self.ahead_s = into_s, 0.0
        monkeypatch.setattr(gate, "monotonic", lambda: 1_000 + self.into_s)
        monkeypatch.setattr(gate, "time_ns", lambda: int((1_790_000_040 + self.into_s + self.ahead_s) * 1e9))


def used(weight: int) -> dict[str, str]:
    return {"x-mbx-used-weight-1m": str(weight)}


async def test_weight_is_kept_for_what_reduces(monkeypatch: pytest.MonkeyPatch) -> None:
    Minute(monkeypatch, 30)
    budget = WeightBudget(100)
    budget.observe(used(81), 200)
    queue = OrderGate(budget, ((100, 1.0),))
    with pytest.raises(NotSentError):
        await queue.enter(Priority.OPENING, within_s=0.05, counted=True)
    for priority in (Priority.REDUCING, Priority.COMPLETING, Priority.ASKING):
        await queue.enter(priority, within_s=0.05, counted=True)


@pytest.mark.parametrize(
    ("weight", "public", "history", "account"), [(80, 0, 0, 0), (81, 30, 0, 0), (91, 30, 30, 0), (96, 30, 30, 30)]
)
def test_the_account_is_asked_for_longer_than_its_history_and_that_longer_than_public_data(
    monkeypatch: pytest.MonkeyPatch, weight: int, public: int, history: int, account: int
) -> None:
    Minute(monkeypatch, 30)
    budget = WeightBudget(100)
    budget.observe(used(weight), 200)
    questions = "publicGetDepth", "fapiPrivateGetIncome", "fapiPrivateV3GetAccount"
    expected = [pause_s and pause_s + EDGE_S for pause_s in (public, history, account)]
    assert [budget.pause_s(share_of(one)) for one in questions] == pytest.approx(expected)
    assert budget.pause_s(WEIGHT_SHARE_ALL) == 0, "orders that reduce are never held back for weight"


def test_used_weight_counts_in_the_venues_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Minute(monkeypatch, 50)
    budget = WeightBudget(100, clock_offset_s=Minute.AHEAD_S + 5)
    budget.observe(used(90), 200)
    assert budget.pause_s(WEIGHT_SHARE_OPENING) == pytest.approx(5 + EDGE_S), "the venue is ahead of this machine"
    clock.into_s = 55 + EDGE_S / 2
    assert budget.pause_s(WEIGHT_SHARE_OPENING) > 0, "how far ahead is an estimate"
    clock.into_s = 55.01 + EDGE_S
    assert budget.pause_s(WEIGHT_SHARE_OPENING) == 0
    budget.observe(used(91), 200)
    clock.into_s = 60
    assert budget.pause_s(WEIGHT_SHARE_OPENING) == 0, "so early, it may be what was used in the minute before"
    budget.observe(used(92), 200)
    assert budget.pause_s(WEIGHT_SHARE_OPENING) == pytest.approx(55 + EDGE_S)


def test_a_clock_that_jumps_moves_no_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would have a minute that is nearly over begin again, and everything wait for its end."""
    clock = Minute(monkeypatch, 50)
    budget = WeightBudget(100, clock_offset_s=Minute.AHEAD_S)
    budget.observe(used(90), 200)
    clock.ahead_s = 12.5
    assert budget.pause_s(WEIGHT_SHARE_OPENING) == pytest.approx(10 + EDGE_S)
    clock.into_s = 62.5
    assert budget.pause_s(WEIGHT_SHARE_OPENING) == 0


async def test_nothing_goes_before_retry_after() -> None:
    budget = WeightBudget(100)
    budget.observe({"retry-after": "1"}, 429)
    assert 0.9 < budget.pause_s(WEIGHT_SHARE_ALL) <= 1
    with pytest.raises(NotSentError):
        await budget.admit(WEIGHT_SHARE_ALL, within_s=0.5)
    await budget.admit(WEIGHT_SHARE_ALL, within_s=2)
    assert budget.pause_s(WEIGHT_SHARE_ALL) == 0


def test_a_shorter_retry_after_ends_no_longer_one() -> None:
    """Of requests that were on their way together each is refused, and the last answer may be the mildest."""
    budget = WeightBudget(100)
    budget.observe({"retry-after": "60"}, 418)
    budget.observe({"retry-after": "1"}, 429)
    assert budget.pause_s(WEIGHT_SHARE_ALL) > 50


async def test_what_stands_in_the_clients_own_queue_heeds_a_ban_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """All were let out before the first one's answer asked for a pause."""
    left: list[str] = []

    async def answered(exchange: Any, url: str, *more: Any) -> Any:
        left.append(url)
        exchange.handle_errors(429, "", url, "GET", {"Retry-After": "60"}, "{}", {"code": -1003}, None, None)

    monkeypatch.setattr(ccxt.binance, "fetch", answered)
    rest = BinanceRest("", "", None)
    await rest.open()
    try:
        asked = (rest.data("publicGetDepth", {"symbol": "BTCUSDT", "limit": 100}) for _ in range(4))
        answers = await asyncio.gather(*asked, return_exceptions=True)
    finally:
        await rest.close()
    assert len(left) == 1, "no request before a Retry-After has passed"
    assert all(isinstance(answer, VenueError) for answer in answers)
