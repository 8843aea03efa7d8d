"""Cross margin over the wire: collateral, an order that borrows, interest by the hour, one that repays, histories."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from client import KEY, Site, drained, eventually, running

API = "https://api.binance.com"
MARGIN = f"{API}/sapi/v1/margin"
D = Decimal
SELL = {
    "symbol": "SOLUSDT",
    "side": "SELL",
    "type": "LIMIT",
    "timeInForce": "IOC",
}
EFFECTS = {"SELL": "MARGIN_BUY", "BUY": "AUTO_REPAY"}


async def ask(site: Site, path: str, **params: Any) -> Any:
    answer = await site.call("GET", f"{MARGIN}/{path}", params, signed=True)
    assert answer.status == 200, answer.body
    return answer.body


async def collateral(site: Site, usdt: str = "10000", kind: str = "MAIN_MARGIN") -> Any:
    move = {"type": kind, "asset": "USDT", "amount": usdt}
    return await site.call("POST", f"{API}/sapi/v1/asset/transfer", move, signed=True)


async def price(site: Site) -> Decimal:
    ticker = await site.call("GET", f"{API}/api/v3/ticker/bookTicker", {"symbol": "SOLUSDT"})
    return D(ticker.body["bidPrice"])


async def order(site: Site, **changes: Any) -> Any:
    side = changes.get("side", "SELL")
    limit = (await price(site)) * (D("0.99") if side == "SELL" else D("1.02"))
    sent = {**SELL, "quantity": "10", "price": f"{limit:.2f}", "sideEffectType": EFFECTS[side], **changes}
    return await site.call("POST", f"{MARGIN}/order", sent, signed=True)


async def asset(site: Site, name: str) -> dict[str, Decimal]:
    rows = (await ask(site, "account"))["userAssets"]
    row = next(row for row in rows if row["asset"] == name)
    return {key: D(row[key]) for key in ("free", "borrowed", "netAsset")}


async def test_a_round_trip_on_loan(site: Site) -> None:
    assert (await collateral(site)).status == 200
    sold = await order(site, newClientOrderId="cb1-1-1")
    assert (sold.body["status"], sold.body["isIsolated"]) == ("FILLED", False)
    assert sum(D(fill["qty"]) for fill in sold.body["fills"]) == 10
    assert {fill["commissionAsset"] for fill in sold.body["fills"]} == {"USDT"}
    assert await asset(site, "SOL") == {"free": 0, "borrowed": 10, "netAsset": -10}
    assert D((await ask(site, "account"))["marginLevel"]) > 2
    again = await ask(site, "order", symbol="SOLUSDT", origClientOrderId="cb1-1-1")
    assert (again["orderId"], again["executedQty"]) == (sold.body["orderId"], "10.00000000")
    trades = await ask(site, "myTrades", symbol="SOLUSDT")
    assert [trade["orderId"] for trade in trades] == [sold.body["orderId"]] * len(trades)
    back = await order(site, side="BUY", quantity="10.02")
    assert back.body["status"] == "FILLED"
    held = await asset(site, "SOL")
    assert (held["borrowed"], held["free"]) == (0, D("10.02") * D("0.999") - 10)
    rows = (await ask(site, "borrow-repay", type="BORROW", asset="SOL"))["rows"]
    assert [(row["amount"], row["status"]) for row in rows] == [("10.00000000", "CONFIRMED")]
    repaid = (await ask(site, "borrow-repay", type="REPAY"))["rows"]
    assert sum(D(row["amount"]) for row in repaid) == 10
    assert await ask(site, "openOrders") == []


async def test_the_spot_account_knows_nothing_of_it(site: Site) -> None:
    await collateral(site)
    async with site.session() as session:
        headers = {"X-MBX-APIKEY": KEY}
        key = (await (await session.post(f"{API}/api/v3/userDataStream", headers=headers)).json())["listenKey"]
    async with site.socket(f"wss://stream.binance.com:9443/ws/{key}") as socket:
        sold = await order(site, newClientOrderId="cb1-1-1")
        assert not [frame for frame in await drained(socket) if frame["e"] == "executionReport"]
    reference = {"symbol": "SOLUSDT", "orderId": sold.body["orderId"]}
    assert (await site.call("GET", f"{API}/api/v3/order", reference, signed=True)).code == -2013
    for path in ("myTrades", "allOrders"):
        assert (await site.call("GET", f"{API}/api/v3/{path}", {"symbol": "SOLUSDT"}, signed=True)).body == []


async def test_interest_is_charged_by_the_hour_and_listed(site: Site) -> None:
    await collateral(site)
    await order(site)
    await site.control("POST", "/clock", {"speed": 20_000})
    found = await eventually(lambda: ask(site, "interestHistory", asset="SOL"), lambda body: body["total"] >= 3)
    await site.control("POST", "/clock", {"speed": 1})
    oldest = (await ask(site, "interestHistory", asset="SOL", size=100))["rows"][-1]
    assert found["rows"][0]["type"] == "PERIODIC"
    assert oldest["interestAccuredTime"] % 3_600_000 == 0
    rate = D(
        (await ask(site, "next-hourly-interest-rate", assets="SOL", isIsolated="FALSE"))[0]["nextHourlyInterestRate"]
    )
    assert D(oldest["interest"]) == (10 * rate).quantize(D("0.00000001"))
    rows = (await ask(site, "interestHistory", asset="SOL", size=100))["rows"]
    owed = (await asset(site, "SOL"))["borrowed"]
    assert owed >= 10 + sum(D(row["interest"]) for row in rows)


async def test_what_can_be_borrowed(site: Site) -> None:
    nothing = await ask(site, "maxBorrowable", asset="SOL")
    assert D(nothing["amount"]) == 0, "no collateral"
    await collateral(site)
    some = await ask(site, "maxBorrowable", asset="SOL")
    assert D(some["amount"]) == pytest.approx(D(20_000) / await price(site), rel=D("0.01"))
    limit = {"kind": "borrow_limit", "asset": "SOL", "available": 3}
    spike = {"kind": "borrow_rate", "asset": "SOL", "rate_year": 8.76}
    await site.control("POST", "/faults", [limit, spike])
    assert (await ask(site, "maxBorrowable", asset="SOL"))["amount"] == "3.00000000"
    (row,) = await ask(site, "next-hourly-interest-rate", assets="SOL")
    assert row == {"asset": "SOL", "nextHourlyInterestRate": "0.00100000"}
    assert (await order(site)).code == -3045


async def test_collateral_comes_back_and_is_listed(site: Site) -> None:
    await collateral(site)
    assert (await collateral(site, "4000", "MARGIN_MAIN")).status == 200
    assert (await collateral(site, "7000", "MARGIN_MAIN")).code == -5013
    query = {"type": "MARGIN_MAIN"}
    history = (await site.call("GET", f"{API}/sapi/v1/asset/transfer", query, signed=True)).body
    assert [(row["amount"], row["type"]) for row in history["rows"]] == [("4000", "MARGIN_MAIN")]
    assert (await asset(site, "USDT"))["free"] == 6000


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sideEffectType": "NO_SIDE_EFFECT"}, -1128),
        ({"sideEffectType": "AUTO_BORROW_REPAY"}, -1128),
        ({"sideEffectType": "MARGIN_BUY", "side": "BUY"}, -1128),
        ({"sideEffectType": "AUTO_REPAY"}, -1128),
        ({"isIsolated": "TRUE"}, -11001),
        ({"timeInForce": "GTC"}, -1116),
        ({"quantity": "2000"}, -3006),
        ({"symbol": "NOTHING"}, -1121),
    ],
)
async def test_refusals(site: Site, changes: dict[str, str], code: int) -> None:
    await collateral(site)
    assert (await order(site, **changes)).code == code


async def test_a_loan_outlives_the_process(tmp_path: Path) -> None:
    async with running(tmp_path / "sim") as (site, _):
        await collateral(site)
        sold = await order(site)
        before = await site.control("GET", "/truth")
    async with running(tmp_path / "sim") as (site, _):
        after = await site.control("GET", "/truth")
        again = await ask(site, "order", symbol="SOLUSDT", orderId=sold.body["orderId"])
    assert before["margin"]["owed"] == {"SOL": "10"}
    assert {key: after["margin"][key] for key in ("owed", "net")} == {
        key: before["margin"][key] for key in ("owed", "net")
    }
    assert [entry["kind"] for entry in after["margin"]["loans"]] == ["TRANSFER", "BORROW"]
    assert again["status"] == "FILLED"
