"""The fault plan: validation, seeded draws, counters, and what the core itself applies."""

import pytest
from exchange_market import KEY, START_MS, D, exchange, perp, spot

from bot.simulator.exchange.faults import FaultKind, FaultPlan, FaultRuleError
from bot.simulator.model import Book, Status, TimeInForce, VenueError

REFUSED_RULES = [
    ({}, "kind None is none of"),
    ({"kind": "explode"}, "kind 'explode' is none of"),
    ({"kind": "delay", "delay": 5}, "unknown key 'delay'; known are delay_ms, when"),
    ({"kind": "delay", "delay_ms": "5"}, "delay_ms is '5' but must be wall milliseconds"),
    ({"kind": "delay", "delay_ms": True}, "delay_ms is True"),
    ({"kind": "delay", "fraction": 0.5}, "unknown key 'fraction'"),
    ({"kind": "reject"}, "code is missing"),
    ({"kind": "reject", "code": 5}, "code is 5 but must be a venue's code"),
    ({"kind": "reset", "probability": 1.5}, "probability is 1.5 but must be 0..1"),
    ({"kind": "reset", "count": 0}, "count is 0"),
    ({"kind": "reset", "book": "margin"}, "book is 'margin' but must be 'spot' or 'perp'"),
    ({"kind": "reset", "from_ms": 5, "until_ms": 5}, "until_ms must be above from_ms"),
    ("reset", "must be an object, not str"),
]


@pytest.mark.parametrize(("rule", "message"), REFUSED_RULES)
def test_bad_rules_are_refused_whole(rule, message):
    plan = FaultPlan(1)
    with pytest.raises(FaultRuleError, match="rule 1") as refusal:
        plan.add([{"kind": "reset"}, rule])
    assert message in str(refusal.value)
    assert plan.rules() == []


def test_filters_limits_and_counters():
    plan = FaultPlan(1)
    (rule,) = plan.add(
        [
            {
                "kind": "reply_lost",
                "path": "/fapi/v1/order*",
                "method": "POST",
                "symbol": "AAAUSDT",
                "skip": 1,
                "count": 2,
                "from_ms": 10,
                "until_ms": 20,
                "wall_s": 3,
            }
        ]
    )
    assert rule.wall_s == 3.0

    def ask(path="/fapi/v1/order", now_ms=10, method="POST", symbol="AAAUSDT"):
        return [f.kind for f in plan.transport(path, now_ms, method=method, symbol=symbol)]

    misses = [ask("/api/v3/order"), ask(now_ms=9), ask(now_ms=20), ask(method="GET"), ask(symbol="BBBUSDT")]
    assert misses == [[]] * 5
    assert [ask() for _ in range(4)] == [[], [FaultKind.REPLY_LOST], [FaultKind.REPLY_LOST], []]
    assert plan.counters() == {"reply_lost": 2}
    assert plan.describe()[0]["fired"] == 2
    assert plan.stream("aaausdt@bookTicker", 10) == []
    assert plan.clear() == 1
    assert plan.counters() == {"reply_lost": 2}


def test_defaults_are_filled_in_and_reset_goes_by_stream():
    plan = FaultPlan(1)
    plan.add([{"kind": "rate_limit_429"}, {"kind": "reset", "stream": "*@bookTicker"}, {"kind": "silent_feed"}])
    (limit,) = plan.transport("/api/v3/order", 0)
    assert dict(limit.parameters) == {"retry_after_s": 5, "http_status": 429}
    assert [f.kind for f in plan.stream("aaausdt@bookTicker", 0)] == [FaultKind.RESET, FaultKind.SILENT_FEED]
    assert [f.kind for f in plan.stream("user", 0)] == [FaultKind.SILENT_FEED]


def test_draws_depend_on_seed_rule_and_count_alone():
    def draws(seed: int, others: int) -> list[bool]:
        plan = FaultPlan(seed)
        plan.add([{"kind": "delay", "probability": 0.3, "path": "/a"}])
        plan.add([{"kind": "delay", "path": "/b"}] * others)
        result = []
        for _ in range(400):
            for _ in range(others):
                plan.transport("/b", 0)
            result.append(bool(plan.transport("/a", 0)))
        return result

    assert draws(1, 0) == draws(1, 3) != draws(2, 0)
    assert 80 < sum(draws(1, 0)) < 160


def test_state_continues_exactly():
    plan = FaultPlan(5)
    plan.add([{"kind": "delay", "probability": 0.5, "count": 30}, {"kind": "reject", "code": -1013}])
    for _ in range(20):
        plan.transport("/x", 0)
    copy = FaultPlan.restored(plan.state())
    assert [plan.transport("/x", 0) for _ in range(60)] == [copy.transport("/x", 0) for _ in range(60)]
    assert copy.state() == plan.state()
    assert [r.id for r in copy.add([{"kind": "reset"}])] == [3]


def test_reject_leaves_no_order():
    core = exchange()
    core.faults.add([{"kind": "reject", "code": -2019, "message": "Margin is insufficient.", "count": 1}])
    with pytest.raises(VenueError, match="-2019: Margin is insufficient"):
        core.place(KEY, spot("BUY", "1"), START_MS)
    assert core.all_orders(KEY, Book.SPOT, "AAAUSDT") == []
    assert core.place(KEY, spot("BUY", "1"), START_MS)[0].status is Status.FILLED


@pytest.mark.parametrize(
    ("request_", "filled", "status"),
    [
        (perp("BUY", "1.01", "101", tif=TimeInForce.IOC), "0.25", Status.EXPIRED),
        (spot("BUY", "1.01"), "0.25", Status.EXPIRED),
        (spot("BUY", "1.01", "101"), "0.25", Status.PARTIALLY_FILLED),
        (spot("BUY", "1.01", "101", tif=TimeInForce.FOK), "0", Status.EXPIRED),
        (spot("SELL", "1.01", "101"), "0", Status.NEW),
    ],
)
def test_partial_fill_leaves_the_rest(request_, filled, status):
    core = exchange(spot={"USDT": "1000", "AAA": "10"})
    core.faults.add([{"kind": "partial_fill", "fraction": 0.25, "symbol": "AAAUSDT"}])
    order, _, _ = core.place(KEY, request_, START_MS)
    assert (order.filled, order.status) == (D(filled), status)


def test_not_found_hides_an_order_that_lives():
    core = exchange()
    order, _, _ = core.place(KEY, spot("BUY", "1", "99"), START_MS)
    core.faults.add([{"kind": "not_found", "count": 1, "book": "spot"}])
    with pytest.raises(VenueError, match="-2013"):
        core.order(KEY, Book.SPOT, "AAAUSDT", order.id, None)
    assert core.order(KEY, Book.SPOT, "AAAUSDT", order.id, None) is order
