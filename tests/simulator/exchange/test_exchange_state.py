"""The contract's other promises: several accounts, the journal, brackets, exact rounding, recorded funding."""

import csv
import decimal
import gzip
from pathlib import Path

import pytest
from exchange_market import HOUR_MS, KEY, START_MS, TIERS, D, ScriptedMarket, exchange, perp, spot, steps

from bot.simulator.exchange.core import Exchange
from bot.simulator.exchange.interface import ExchangeCore, ExchangeFactory
from bot.simulator.exchange.margin import maintenance_of, notional_max, tier_of
from bot.simulator.exchange.money import (
    average_price,
    ceil_to_step,
    decimals,
    half_even,
    plain,
    to_step,
    truncated,
)
from bot.simulator.model import Book, Settlement, Status, TimeInForce

DATA = Path(__file__).parents[4] / "shared" / "data"


def two_accounts() -> Exchange:
    accounts = {key: {Book.SPOT: {"USDT": D(1000)}, Book.PERP: {"USDT": D(1000)}} for key in ("one", "two")}
    return Exchange(ScriptedMarket({"AAA": steps((0, "100"), (60_000, "98"))}), accounts, START_MS, 1)


def test_accounts_share_the_depth_and_nothing_else():
    core = two_accounts()
    ioc = spot("BUY", "2", "100.1", tif=TimeInForce.IOC, client_id="same")
    first, _, _ = core.place("one", ioc, START_MS)
    second, _, _ = core.place("two", ioc, START_MS)
    assert (first.filled, second.filled) == (D(2), D(0))
    core.place("two", perp("BUY", "1", "99", client_id="same"), START_MS)
    core.place("one", perp("BUY", "1", "99", client_id="same"), START_MS)
    happened = core.advance(START_MS + 60_000)
    # time priority between accounts; each happening goes to its own account
    assert [(key, h.kind) for key, h in happened] == [
        ("two", "ORDER"),
        ("two", "BALANCE"),
        ("one", "ORDER"),
        ("one", "BALANCE"),
    ]
    trades = [t for key in ("one", "two") for b in Book for t in core.trades(key, b, None)]
    assert len({t.number for t in trades}) == len({(t.book, t.symbol, t.id) for t in trades}) == len(trades) == 3
    assert len({t.id for t in trades}) == 2, "ids count within a book and symbol, as the venue's do"
    assert core.api_keys == ["one", "two"]


def test_the_truth_tells_trades_of_all_symbols_in_the_order_of_their_time():
    core = exchange()
    for number, place in enumerate((spot, spot, perp)):
        at_ms = START_MS + 1_000 * number
        core.advance(at_ms)
        core.place(KEY, place("BUY", "0.5", "100.1", tif=TimeInForce.IOC, client_id=f"c{number}"), at_ms)
    told = core.truth(KEY, START_MS + 5_000)["trades"]
    assert [t["client_id"] for t in told] == ["c0", "c1", "c2"]
    assert told[2]["id"] == told[0]["id"], "ids do not tell the order"


def test_the_contract_is_implemented():
    core: ExchangeCore = exchange()
    factory: ExchangeFactory = Exchange
    for name in [n for n in dir(ExchangeCore) if not n.startswith("_")]:
        assert hasattr(core, name), name
    assert factory.restore(ScriptedMarket(), core.snapshot()).now_ms == START_MS


def test_the_journal_gives_each_change_once_and_is_small():
    core = exchange(ScriptedMarket({"AAA": steps((0, "100"), (60_000, "98"))}))
    order, _, _ = core.place(KEY, perp("BUY", "1", "99"), START_MS)
    core.transfer(KEY, "USDT", D(5), Book.SPOT, Book.PERP, START_MS)
    first = core.checkpoint()
    assert [(r.table, r.id) for r in first.records] == [
        ("orders", order.id),
        ("incomes", core.income(KEY)[0].id),
        ("transfers", core.transfers(KEY)[0].id),
    ]
    assert core.checkpoint().records == []
    core.advance(START_MS + 60_000)
    second = core.checkpoint().records
    assert [r.table for r in second] == ["orders", "trades", "incomes"]
    assert (second[0].id, second[0].row["status"]) == (order.id, "FILLED")
    assert first.records[0].row["status"] == "NEW"


def test_a_state_without_its_records_is_refused():
    core = exchange()
    core.place(KEY, spot("BUY", "1", "99"), START_MS)
    with pytest.raises(ValueError, match="open orders of 'key' differ"):
        Exchange.restore(ScriptedMarket(), core.live_state(), [])
    with pytest.raises(ValueError, match="exchange state of version 99"):
        Exchange.restore(ScriptedMarket(), {**core.live_state(), "version": 99}, [])


def test_starting_balances_are_checked():
    with pytest.raises(ValueError, match="holds USDT only, not BNB"):
        Exchange(ScriptedMarket(), {KEY: {Book.PERP: {"BNB": D(1)}}}, START_MS, 1)
    with pytest.raises(ValueError, match="negative starting balance"):
        exchange(spot={"USDT": "-1"})


def test_fee_rates_can_be_set():
    core = exchange()
    assert core.fee_rates(KEY, Book.PERP, "AAAUSDT") == (D("0.0002"), D("0.0005"))
    core.set_fee_rates(KEY, Book.PERP, D("0.0001"), D("0.0003"))
    _, (trade,), _ = core.place(KEY, perp("BUY", "1"), START_MS)
    assert trade.fee == D("0.03003")
    with pytest.raises(ValueError, match="must be fractions"):
        core.set_fee_rates(KEY, Book.SPOT, D(0), D(1))


def test_brackets():
    listing = ScriptedMarket().listings[(Book.PERP, "AAAUSDT")]
    table = [("1000", 0, "10"), ("50000", 0, "500"), ("50001", 1, "500.02"), ("500000", 1, "9500")]
    table += [("600000", 2, "14500"), ("90000000", 2, "4484500")]
    for notional, index, maintenance in table:
        assert tier_of(listing, D(notional)) is TIERS[index]
        assert maintenance_of(listing, D(notional)) == D(maintenance)
    assert [notional_max(listing, x) for x in (50, 21, 20, 1, 51)] == [50_000, 50_000, 500_000, 5_000_000, 0]


@pytest.mark.parametrize("ambient", [decimal.ROUND_UP, decimal.ROUND_DOWN, decimal.ROUND_HALF_UP])
def test_rounding_is_ours(ambient):
    with decimal.localcontext() as context:
        context.rounding = ambient
        assert half_even(D("0.000000005")) == 0
        assert half_even(D("0.000000015")) == D("0.00000002")
        assert truncated(D("-0.000000019")) == D("-0.00000001")
        assert average_price(D(2), D(3)) == D("0.666666666666666667")
        assert str(plain(D("1E+3"))) == "1000"
        assert str(plain(D("1.500"))) == "1.5"
        assert to_step(D("1.99"), D("0.5")) == D("1.5")
        assert ceil_to_step(D("1.51"), D("0.5")) == D("2.0")
        assert decimals(D("1.2300")) == 2


def test_truth_tells_everything_as_text():
    core = exchange()
    core.place(KEY, spot("BUY", "1", client_id="s"), START_MS)
    core.place(KEY, perp("SELL", "1", client_id="p"), START_MS)
    core.advance(START_MS + 8 * HOUR_MS)
    truth = core.truth(KEY, START_MS + 8 * HOUR_MS)
    assert truth["balances"]["spot"]["AAA"] == {"free": "0.99900000", "locked": "0"}
    assert truth["positions"][0]["quantity"] == "-1"
    assert [(o["client_id"], o["status"], o["filled"]) for o in truth["orders"]] == [
        ("s", "FILLED", "1"),
        ("p", "FILLED", "1"),
    ]
    (receipt,) = truth["receipts"]
    assert receipt == {
        "venue_id": str(core.income(KEY)[-1].id),
        "symbol": "AAAUSDT",
        "settled_at": START_MS + 8 * HOUR_MS,
        "rate": "0.0001",
        "quantity": "-1",
        "mark_price": "100",
        "payment": "0.01000000",
        "asset": "USDT",
    }


def test_solana_in_november_2022():
    """2 h settlements at the -2 % cap, stamped milliseconds late: the rates of 8 to 18 November sum to -32.4 %."""
    rates_file = DATA / "funding" / "binance-usdm" / "SOLUSDT.csv.gz"
    prices_file = DATA / "klines" / "binance" / "um-perp" / "SOLUSDT-1h.csv.gz"
    if not rates_file.exists() or not prices_file.exists():
        pytest.skip(f"the recorded data is not at {DATA}")
    start_ms, until_ms = 1_667_865_600_000, 1_668_816_000_000
    with gzip.open(prices_file, "rt") as lines:
        opens = {int(row["open_time_ms"]): D(row["open"]) for row in csv.DictReader(lines)}
    with gzip.open(rates_file, "rt") as lines:
        recorded = [(int(r["timestamp_ms"]), D(r["funding_rate"])) for r in csv.DictReader(lines)]
    rows = [(t, rate) for t, rate in recorded if start_ms <= t < until_ms]
    market = ScriptedMarket()
    market.settlements = lambda after_ms, to_ms: [
        Settlement("AAAUSDT", t, rate, opens[t // HOUR_MS * HOUR_MS], 7200)
        for t, rate in rows
        if after_ms < t <= to_ms
    ]
    accounts = {KEY: {Book.PERP: {"USDT": D(10_000)}}}
    core = Exchange(market, accounts, start_ms - 60_000, 1)
    order, _, _ = core.place(KEY, perp("SELL", "10"), start_ms - 60_000)
    assert order.status is Status.FILLED
    for t in range(start_ms, until_ms + 1, 5 * HOUR_MS // 2):
        core.advance(t)
    core.advance(until_ms)
    receipts = [i for i in core.income(KEY) if i.kind == "FUNDING_FEE"]
    assert [r.at_ms for r in receipts] == [t for t, _ in rows]
    assert round(sum(r.rate for r in receipts), 3) == D("-0.324")
    expected = [half_even(10 * opens[t // HOUR_MS * HOUR_MS] * rate) for t, rate in rows]
    assert [r.amount for r in receipts] == expected
