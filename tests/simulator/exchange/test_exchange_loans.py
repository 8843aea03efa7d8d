"""The margin account: what is sold is borrowed, what is bought repays; hourly interest, recall and liquidation."""

from dataclasses import replace
from decimal import Decimal

import pytest
from exchange_market import HOUR_MS, KEY, START_MS, ScriptedMarket, exchange, request, steps
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.simulator.exchange.core import Exchange
from bot.simulator.model import Book, OrderRequest, Status, TimeInForce, VenueError

D = Decimal


def margin(side: str, quantity: str, price: str | None = None, **more) -> OrderRequest:
    tif = {"tif": TimeInForce.IOC, **more}
    return replace(request(Book.SPOT, "AAAUSDT", side, quantity, price, **tif), margin=True)


def account(own: str = "1000", market: ScriptedMarket | None = None) -> Exchange:
    """A margin wallet with so much USDT of our own; AAA costs 100."""
    core = exchange(market)
    core.set_lending("AAA", D("0.001"), D(50))
    core.move_collateral(KEY, D(own), START_MS)
    return core


def net(core: Exchange, asset: str) -> D:
    free, owed = core.margin_wallet(KEY)[asset]
    return free - owed


def test_a_sale_borrows_and_a_purchase_repays():
    core = account()
    order, trades, _ = core.place(KEY, margin("SELL", "2"), START_MS)
    assert order.status is Status.FILLED
    assert all(trade.margin and trade.fee_asset == "USDT" for trade in trades)
    assert core.margin_wallet(KEY)["AAA"] == (D(0), D(2))
    proceeds = sum(trade.quote_quantity - trade.fee for trade in trades)
    assert net(core, "USDT") == D(1000) + proceeds
    _, back, _ = core.place(KEY, margin("BUY", "2.01"), START_MS + 1000)
    arrived = sum(trade.quantity - trade.fee for trade in back)
    assert core.margin_wallet(KEY)["AAA"] == (arrived - 2, D(0)), "what is over stays, nothing is owed"
    booked = [(entry.kind, entry.amount) for entry in core.loans(KEY)]
    assert booked[:2] == [("TRANSFER", D(1000)), ("BORROW", D(2))]
    assert {kind for kind, _ in booked[2:]} == {"REPAY"}
    assert sum(amount for _, amount in booked[2:]) == 2


def test_interest_is_charged_on_what_is_owed_at_each_full_hour():
    core = account()
    core.place(KEY, margin("SELL", "2"), START_MS + 1)
    told = core.advance(START_MS + 2 * HOUR_MS)
    charged = [happening.loan for _, happening in told if happening.kind == "LOAN"]
    assert [(entry.amount, entry.at_ms, entry.rate) for entry in charged] == [
        (D("0.002"), START_MS + HOUR_MS, D("0.001")),
        (D("0.002002"), START_MS + 2 * HOUR_MS, D("0.001")),
    ]
    assert core.margin_wallet(KEY)["AAA"][1] == D("2.004002")


def test_one_long_jump_charges_as_many_hours_as_short_ones():
    far, near = account(), account()
    for core in (far, near):
        core.place(KEY, margin("SELL", "2"), START_MS + 1)
    far.advance(START_MS + 24 * HOUR_MS)
    for minute in range(24 * 4 + 1):
        near.advance(START_MS + minute * HOUR_MS // 4)
    assert far.margin_wallet(KEY) == near.margin_wallet(KEY)
    assert len(far.loans(KEY)) == 2 + 24


@pytest.mark.parametrize(
    ("own", "quantity", "code"),
    [("1000", "60", -3045), ("1000", "21", -3006), ("1000", "19.9", None)],
)
def test_the_pool_and_the_collateral_bound_a_loan(own: str, quantity: str, code: int | None):
    """Level 1.5: 1,000 of own money bear 2,000 of debt."""
    core = account(own)
    if code is None:
        core.place(KEY, margin("SELL", quantity), START_MS)
        return
    with pytest.raises(VenueError) as refused:
        core.place(KEY, margin("SELL", quantity), START_MS)
    assert refused.value.code == code
    assert "AAA" not in core.margin_wallet(KEY)


def test_what_others_owe_is_not_there_to_borrow():
    core = account("10000")
    core.place(KEY, margin("SELL", "30"), START_MS)
    assert core.lending_terms("AAA", START_MS) == (D("0.001"), D(20))


def test_quote_is_not_lent_and_margin_orders_do_not_rest():
    core = account("100")
    with pytest.raises(VenueError, match="insufficient balance"):
        core.place(KEY, margin("BUY", "2"), START_MS)
    with pytest.raises(VenueError, match="-1116"):
        core.place(KEY, margin("SELL", "0.1", "101", tif=TimeInForce.GTC), START_MS)


def test_collateral_may_leave_down_to_level_two():
    core = account("1000")
    core.place(KEY, margin("SELL", "5"), START_MS)
    with pytest.raises(VenueError, match="-3015"):
        core.move_collateral(KEY, D(-600), START_MS)
    core.move_collateral(KEY, D(-400), START_MS)
    with pytest.raises(VenueError, match="-5013"):
        core.move_collateral(KEY, D(-5000), START_MS)


def test_a_rate_fault_and_a_limit_fault_hold_in_their_window():
    core = account()
    core.faults.add(
        [
            {"kind": "borrow_rate", "asset": "AAA", "rate_year": 8.76, "from_ms": START_MS + HOUR_MS},
            {"kind": "borrow_limit", "asset": "AAA", "available": 3, "until_ms": START_MS + HOUR_MS},
        ]
    )
    assert core.lending_terms("AAA", START_MS) == (D("0.001"), D(3))
    assert core.lending_terms("AAA", START_MS + HOUR_MS) == (D("0.001"), D(50))
    assert core.lending_terms("BBB", START_MS)[1] == 1_000_000
    core.faults.clear()
    core.faults.add([{"kind": "borrow_rate", "asset": "AAA", "rate_year": 17.52}])
    assert core.lending_terms("AAA", START_MS)[0] == D("0.002")


def test_a_recall_is_told_once_and_the_venue_buys_back_when_it_is_due():
    core = account()
    core.place(KEY, margin("SELL", "2"), START_MS)
    core.faults.add([{"kind": "loan_recall", "asset": "AAA", "grace_s": 5400, "from_ms": START_MS + HOUR_MS}])
    told = [happening for _, happening in core.advance(START_MS + HOUR_MS)]
    (recall,) = [happening.loan for happening in told if happening.kind == "RECALL"]
    assert (recall.asset, recall.at_ms) == ("AAA", START_MS + HOUR_MS + 5_400_000)
    assert not [h for _, h in core.advance(START_MS + 2 * HOUR_MS) if h.kind == "RECALL"]
    late = [happening for _, happening in core.advance(START_MS + 3 * HOUR_MS)]
    (trade,) = [happening.trade for happening in late if happening.kind == "LIQUIDATION" and happening.trade]
    assert trade.client_id.startswith("autoclose-")
    assert trade.at_ms == recall.at_ms
    assert core.margin_wallet(KEY)["AAA"][1] == 0


def test_what_is_repaid_in_time_is_not_bought_back():
    core = account()
    core.place(KEY, margin("SELL", "2"), START_MS)
    core.faults.add([{"kind": "loan_recall", "asset": "AAA", "grace_s": 5400}])
    core.advance(START_MS + HOUR_MS)
    core.place(KEY, margin("BUY", "2.01"), START_MS + HOUR_MS)
    assert not [h for _, h in core.advance(START_MS + 9 * HOUR_MS) if h.kind == "LIQUIDATION"]
    with pytest.raises(VenueError, match="-3045"):
        core.place(KEY, margin("SELL", "2"), START_MS + 9 * HOUR_MS)


def test_prices_that_rise_to_the_liquidation_level_close_the_loan():
    """2,000 assets against 1,000 owed: at 1.1 the coin has risen by 82 %."""
    market = ScriptedMarket({"AAA": steps((0, "100"), (2 * HOUR_MS, "180"), (4 * HOUR_MS, "183"))})
    core = account("1000", market)
    core.place(KEY, margin("SELL", "10"), START_MS)
    assert not [h for _, h in core.advance(START_MS + 3 * HOUR_MS) if h.kind == "LIQUIDATION"]
    assert [h for _, h in core.advance(START_MS + 4 * HOUR_MS) if h.kind == "LIQUIDATION"]
    free, owed = core.margin_wallet(KEY)["AAA"]
    assert (free < D("0.01"), owed) == (True, 0)
    assert net(core, "USDT") >= 0


def cut(ratio: float, from_ms: int = START_MS) -> list[dict[str, object]]:
    return [{"kind": "collateral_ratio", "asset": "USDT", "ratio": ratio, "from_ms": from_ms}]


def test_collateral_counts_at_its_ratio_for_what_is_lent_and_what_may_leave():
    """900 of 1,000 count, and 90 of each 100 that a sale brings: 1,500 can be borrowed instead of 2,000."""
    core = account("1000")
    assert core.collateral_ratio("USDT", START_MS) == 1
    core.faults.add(cut(0.9))
    assert (core.collateral_ratio("USDT", START_MS), core.collateral_ratio("AAA", START_MS)) == (D("0.9"), 1)
    with pytest.raises(VenueError, match="-3006"):
        core.place(KEY, margin("SELL", "15.1"), START_MS)
    core.place(KEY, margin("SELL", "5"), START_MS)
    with pytest.raises(VenueError, match="-3015"):
        core.move_collateral(KEY, D(-400), START_MS)
    core.move_collateral(KEY, D(-380), START_MS)


def test_a_cut_that_takes_the_level_to_liquidation_closes_the_loan():
    """2,000 assets against 1,000 owed: at 0.56 of their worth they count 1.12 times, at 0.54 less than 1.1."""
    for ratio, closed in ((0.56, False), (0.54, True)):
        core = account("1000")
        core.place(KEY, margin("SELL", "10"), START_MS)
        core.faults.add(cut(ratio, START_MS + HOUR_MS))
        assert not [h for _, h in core.advance(START_MS + HOUR_MS - 1) if h.kind == "LIQUIDATION"]
        assert bool([h for _, h in core.advance(START_MS + 2 * HOUR_MS) if h.kind == "LIQUIDATION"]) is closed


def test_a_restored_exchange_goes_on_exactly():
    core = account()
    core.place(KEY, margin("SELL", "2"), START_MS)
    core.faults.add([{"kind": "loan_recall", "asset": "AAA", "grace_s": 7200, "from_ms": START_MS + HOUR_MS}])
    core.advance(START_MS + HOUR_MS)
    market = ScriptedMarket()
    records, live = core.drain_journal(), core.live_state()
    for again in (Exchange.restore(market, live, records), Exchange.restore(market, core.snapshot())):
        assert again.snapshot() == core.snapshot()
        assert again.loans(KEY) == core.loans(KEY)
        told = [happening.kind for _, happening in again.advance(START_MS + 5 * HOUR_MS)]
        assert "LOAN" in told, "interest goes on"
        assert "LIQUIDATION" in told, "and the recall is due when it was"
        assert "RECALL" not in told, "it was told before"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["SELL", "BUY", "IN", "OUT", "WAIT"]), st.integers(1, 300)), max_size=25))
def test_the_records_account_for_every_digit(steps_taken: list[tuple[str, int]]):
    """What is there less what is owed is the sum of trades, transfers and interest, per asset, exactly."""
    core, at_ms = account("2000"), START_MS
    for kind, amount in steps_taken:
        try:
            if kind in ("SELL", "BUY"):
                core.place(KEY, margin(kind, str(D(amount) / 100)), at_ms)
            elif kind == "WAIT":
                at_ms += amount * 60_000
                core.advance(at_ms)
            else:
                core.move_collateral(KEY, D(amount if kind == "IN" else -amount), at_ms)
        except VenueError:
            continue
    sums = {"AAA": D(0), "USDT": D(0)}
    for trade in core.trades(KEY, Book.SPOT, None):
        sign = 1 if trade.side.value == "BUY" else -1
        sums["AAA"] += sign * trade.quantity
        sums["USDT"] -= sign * trade.quote_quantity
        sums[trade.fee_asset] -= trade.fee
    for entry in core.loans(KEY):
        if entry.kind == "TRANSFER":
            sums["USDT"] += entry.amount
        elif entry.kind == "INTEREST":
            sums[entry.asset] -= entry.amount
    held = core.margin_wallet(KEY)
    assert {asset: free - owed for asset, (free, owed) in held.items()} == {a: sums[a] for a in held}
    for free, owed in held.values():
        assert free >= 0
        assert owed >= 0
    borrowed = sum(
        e.amount if e.kind in ("BORROW", "INTEREST") else -e.amount for e in core.loans(KEY) if e.asset == "AAA"
    )
    assert borrowed == held.get("AAA", (0, 0))[1]
