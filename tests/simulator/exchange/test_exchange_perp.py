"""Positions, margin, transfers, funding and liquidation of the perp wallet."""

from dataclasses import replace

import pytest
from exchange_market import HOUR_MS, KEY, START_MS, D, ScriptedMarket, exchange, perp, spot, steps

from bot.simulator.model import Book, MarginTier, Mark, Settlement, Status, TimeInForce, VenueError

IOC = TimeInForce.IOC


def wallet(core) -> D:
    return core.wallet(KEY, Book.PERP)["USDT"][0]


def incomes(core) -> list[tuple[str, D]]:
    return [(i.kind, i.amount) for i in core.income(KEY)]


def test_average_entry_realised_on_reduction_and_flip():
    core = exchange(ScriptedMarket({"AAA": steps((0, "100"), (1000, "110"), (2000, "120"))}))
    core.place(KEY, perp("BUY", "1"), START_MS)
    core.place(KEY, perp("BUY", "2"), START_MS + 1000)
    (position,) = core.positions(KEY)
    assert (position.quantity, position.entry_price) == (D(3), D("106.766666666666667"))
    _, (first, second, third), _ = core.place(KEY, perp("SELL", "5"), START_MS + 2000)
    # entry cost 320.30; two of three leave with 213.53333333, the last with the exact rest
    assert first.realized_pnl == D("26.26666667")
    assert second.realized_pnl == D(1) * D("119.8") - D("106.76666667")
    assert third.realized_pnl == 0
    (position,) = core.positions(KEY)
    assert (position.quantity, position.entry_price) == (D(-2), D("119.75"))
    total = sum((amount for _, amount in incomes(core)), D(0))
    assert wallet(core) == D(10_000) + total
    assert sum((a for k, a in incomes(core) if k == "REALIZED_PNL"), D(0)) == D("119.9") * 2 + D("119.8") - D("320.3")


def test_reduce_only_fills_at_most_the_position_and_never_flips():
    core = exchange()
    core.place(KEY, perp("SELL", "1"), START_MS)
    with pytest.raises(VenueError, match="-2022"):
        core.place(KEY, perp("SELL", "1", reduce_only=True), START_MS)
    order, trades, _ = core.place(KEY, perp("BUY", "3", reduce_only=True), START_MS)
    assert (order.status, [t.quantity for t in trades]) == (Status.EXPIRED, [D(1)])
    assert core.positions(KEY) == []


def test_open_reduce_only_orders_use_up_the_position_and_expire_without_one():
    core = exchange(ScriptedMarket({"AAA": steps((0, "100"), (60_000, "95"))}))
    core.place(KEY, perp("SELL", "3"), START_MS)
    resting, _, _ = core.place(KEY, perp("BUY", "3", "96", reduce_only=True), START_MS)
    with pytest.raises(VenueError, match="-2022"):
        core.place(KEY, perp("BUY", "1", reduce_only=True), START_MS)
    core.place(KEY, perp("BUY", "2"), START_MS)  # not reduce-only: takes most of the position away
    core.advance(START_MS + 60_000)
    assert (resting.filled, resting.status) == (D(1), Status.PARTIALLY_FILLED)
    core.advance(START_MS + 61_000)
    assert resting.status is Status.EXPIRED
    assert core.positions(KEY) == []


def test_reduce_only_is_free_of_the_minimum_notional():
    core = exchange()
    core.place(KEY, perp("BUY", "0.06"), START_MS)
    order, _, _ = core.place(KEY, perp("SELL", "0.04", reduce_only=True), START_MS)
    assert order.status is Status.FILLED


def test_margin_of_positions_and_open_orders():
    core = exchange(perp="1000")
    core.set_leverage(KEY, "AAAUSDT", 10)
    core.place(KEY, perp("SELL", "2"), START_MS)
    core.place(KEY, perp("BUY", "1", "99"), START_MS)
    core.place(KEY, perp("SELL", "3", "101"), START_MS)
    margin = core.margin_usd(KEY, START_MS)
    assert margin["position_initial"] == D(20)
    # short 2 at the mark of 100 and 3 more offered at 101: 503 at 10x
    assert margin["initial"] == D("50.3")
    assert margin["order_initial"] == D("30.3")
    assert margin["unrealized"] == D("-0.2")
    assert margin["maintenance"] == D(2)
    assert margin["wallet_balance"] == D(1000) - D("0.0999")
    assert margin["available"] == margin["margin_balance"] - D("50.3")


def test_leverage_rules():
    core = exchange(perp="500")
    assert core.leverage(KEY, "AAAUSDT") == 20
    with pytest.raises(VenueError, match="-4028: Leverage 51 is not valid"):
        core.set_leverage(KEY, "AAAUSDT", 51)
    core.place(KEY, perp("BUY", "50"), START_MS)
    with pytest.raises(VenueError, match="-2028"):
        core.set_leverage(KEY, "AAAUSDT", 5)
    core.set_leverage(KEY, "AAAUSDT", 40)
    assert core.leverage(KEY, "AAAUSDT") == 40


def test_transfers_only_what_margin_and_wallet_leave():
    core = exchange(ScriptedMarket({"AAA": steps((0, "100"), (1000, "120"))}), perp="1000")
    core.place(KEY, perp("BUY", "20"), START_MS)
    core.advance(START_MS + 1000)
    margin = core.margin_usd(KEY, START_MS + 1000)
    # Unrealised profit may back new positions but may not leave.
    assert margin["available"] > margin["withdrawable"] == margin["wallet_balance"] - D(120)
    spare = margin["withdrawable"]
    with pytest.raises(VenueError, match="-5013"):
        core.transfer(KEY, "USDT", spare + D("0.00000001"), Book.PERP, Book.SPOT, START_MS + 1000)
    transaction, happenings = core.transfer(KEY, "USDT", spare, Book.PERP, Book.SPOT, START_MS + 1000)
    assert core.wallet(KEY, Book.SPOT)["USDT"] == (D(10_000) + spare, D(0))
    assert wallet(core) == D(120)
    assert [(h.book, h.delta, h.reason) for h in happenings] == [
        (Book.SPOT, spare, "TRANSFER"),
        (Book.PERP, -spare, "TRANSFER"),
    ]
    assert core.income(KEY)[-1].id == transaction == core.transfers(KEY)[0].id
    for amount, asset, source, code in [
        ("0", "USDT", Book.SPOT, -1102),
        ("1", "AAA", Book.SPOT, -1108),
        ("0.000000001", "USDT", Book.SPOT, -1111),
        ("99999", "USDT", Book.SPOT, -5013),
    ]:
        with pytest.raises(VenueError) as refusal:
            core.transfer(KEY, asset, D(amount), source, Book.PERP, START_MS + 1000)
        assert refusal.value.code == code


def test_funding_is_paid_on_the_mark_at_each_symbols_own_times():
    core = exchange()
    core.place(KEY, perp("SELL", "10"), START_MS)  # 8 h, +0.01 %
    core.place(KEY, perp("BUY", "40", symbol="BBBUSDT"), START_MS)  # 4 h, -0.03 %
    before = wallet(core)
    happened = core.advance(START_MS + 8 * HOUR_MS)
    receipts = [h.income for _, h in happened if h.kind == "FUNDING"]
    assert [(r.symbol, (r.at_ms - START_MS) // HOUR_MS, r.amount) for r in receipts] == [
        ("BBBUSDT", 4, D("0.06")),
        ("AAAUSDT", 8, D("0.1")),
        ("BBBUSDT", 8, D("0.06")),
    ]
    assert (receipts[1].rate, receipts[1].mark, receipts[1].quantity) == (D("0.0001"), D(100), D(-10))
    assert wallet(core) - before == D("0.22")
    assert len({r.id for r in receipts}) == 3
    assert core.advance(START_MS + 8 * HOUR_MS) == []  # not twice


def test_funding_goes_by_the_position_held_at_the_time():
    core = exchange()
    core.place(KEY, perp("SELL", "10"), START_MS)
    core.place(KEY, perp("BUY", "4"), START_MS + 8 * HOUR_MS - 1)
    core.advance(START_MS + 8 * HOUR_MS)
    core.place(KEY, perp("BUY", "6"), START_MS + 8 * HOUR_MS)
    core.advance(START_MS + 40 * HOUR_MS)
    assert [i.amount for i in core.income(KEY) if i.kind == "FUNDING_FEE"] == [D("0.06")]


def test_funding_that_rounds_to_nothing_leaves_no_row():
    market = ScriptedMarket()
    core = exchange(market)
    at = START_MS + HOUR_MS
    market.settlements = lambda after_ms, until_ms: [
        Settlement("AAAUSDT", t, D(rate), D(100), 3600)
        for t, rate in ((at, "0"), (at + 1, "0.000000000004"), (at + 2, "0.00000000001"))
        if after_ms < t <= until_ms
    ]
    core.place(KEY, perp("SELL", "10"), START_MS)
    core.advance(START_MS + 48 * HOUR_MS)
    assert [i.amount for i in core.income(KEY) if i.kind == "FUNDING_FEE"] == [D("0.00000001")]


def test_one_long_jump_equals_many_short_ones_without_resting_orders():
    def run(step_ms: int):
        core = exchange()
        core.place(KEY, perp("SELL", "10"), START_MS)
        for t in range(START_MS + step_ms, START_MS + 48 * HOUR_MS + 1, step_ms):
            core.advance(t)
        return core.truth(KEY, START_MS + 48 * HOUR_MS)

    assert run(48 * HOUR_MS) == run(HOUR_MS) == run(600_000)


def test_liquidation_closes_the_worst_position_first_and_keeps_the_rest():
    prices = {"AAA": steps((0, "100"), (HOUR_MS, "109")), "BBB": steps((0, "5"))}
    market = ScriptedMarket(prices)
    # With a maintenance rate above the liquidation fee something is left after closing.
    tier = MarginTier(D(0), D(10**9), 20, D("0.05"), D(0))
    listing = replace(market.listings[(Book.PERP, "AAAUSDT")], tiers=(tier,))
    market.listings[(Book.PERP, "AAAUSDT")] = listing
    core = exchange(market, perp="650")
    core.place(KEY, perp("SELL", "50"), START_MS)
    core.place(KEY, perp("BUY", "400", symbol="BBBUSDT"), START_MS)
    resting, _, _ = core.place(KEY, perp("BUY", "1", "95"), START_MS)
    core.advance(START_MS + HOUR_MS - 60_000)
    assert len(core.positions(KEY)) == 2
    happened = core.advance(START_MS + 2 * HOUR_MS)
    assert resting.status is Status.CANCELED
    kinds = [h.kind for _, h in happened]
    assert kinds == ["ORDER", "LIQUIDATION", "LIQUIDATION", "CHARGE", "BALANCE"]
    closing = happened[2][1]
    assert closing.order.request.client_id.startswith("autoclose-")
    assert (closing.trade.price, closing.trade.quantity, closing.trade.symbol) == (D(109), D(50), "AAAUSDT")
    assert START_MS + HOUR_MS <= closing.at_ms <= START_MS + HOUR_MS + 15 * 60_000
    assert [p.symbol for p in core.positions(KEY)] == ["BBBUSDT"]
    assert wallet(core) == D(650) + sum((a for _, a in incomes(core)), D(0))
    assert wallet(core) >= 0
    assert [k for k, _ in incomes(core)][-1] == "INSURANCE_CLEAR"


def test_the_insurance_fund_covers_a_gap_through_bankruptcy():
    core = exchange(ScriptedMarket({"AAA": steps((0, "100"), (HOUR_MS, "150"))}), perp="600")
    core.place(KEY, perp("SELL", "50"), START_MS)
    core.advance(START_MS + 2 * HOUR_MS)
    assert core.positions(KEY) == []
    assert wallet(core) == 0
    last = core.income(KEY)[-1]
    assert (last.kind, last.symbol) == ("INSURANCE_CLEAR", "")
    assert last.amount > 0
    assert D(600) + sum((a for _, a in incomes(core)), D(0)) == 0


def test_a_healthy_account_is_looked_at_rarely():
    market = ScriptedMarket()
    core = exchange(market)
    core.place(KEY, perp("SELL", "1"), START_MS)
    calls = []
    original = market.mark
    market.mark = lambda symbol, at_ms: calls.append(at_ms) or original(symbol, at_ms)
    core.advance(START_MS + 4 * HOUR_MS)
    assert 15 <= len(calls) <= 20
    core.advance(START_MS + 4 * HOUR_MS + 1)
    assert len(calls) <= 20


def test_position_risk_names_the_mark_of_liquidation():
    core = exchange(ScriptedMarket({"AAA": steps((0, "100"), (HOUR_MS, "105"))}), perp="600")
    core.place(KEY, perp("SELL", "20"), START_MS)
    (risk,) = core.position_risk(KEY, START_MS)
    assert (risk.mark_price, risk.notional_usd, risk.initial_usd, risk.maintenance_usd) == (
        D(100),
        D(-2000),
        D(100),
        D(20),
    )
    margin = core.margin_usd(KEY, START_MS)
    # surplus / (quantity x (1 + rate)) above the mark
    move = (margin["margin_balance"] - margin["maintenance"]) / (D(20) * D("1.01"))
    assert abs(risk.liquidation_price - (D(100) + move)) < D("0.1")


def test_buying_spot_and_perp_use_their_own_wallets():
    core = exchange(spot={"USDT": "50"}, perp="10000")
    with pytest.raises(VenueError, match="-2010"):
        core.place(KEY, spot("BUY", "1"), START_MS)
    order, _, _ = core.place(KEY, perp("BUY", "1", "100.1", tif=IOC), START_MS)
    assert order.status is Status.FILLED


def test_a_market_order_keeps_to_the_price_band():
    market = ScriptedMarket({"AAA": steps((0, "100"))})
    core = exchange(market)
    market.mark = lambda symbol, at_ms: Mark(D(80), D(80), D(0), at_ms + 1, 28_800)
    with pytest.raises(VenueError) as refusal:
        core.place(KEY, perp("BUY", "1"), START_MS)
    assert refusal.value.code == -4131
