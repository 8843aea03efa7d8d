"""Unmodified ccxt, spot and swap, with its own URLs, trades on the simulator."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import ccxt.async_support as rest
import ccxt.pro as streaming
import pytest
from client import KEY, SECRET, Site, eventually


@contextlib.asynccontextmanager
async def exchange(site: Site, kind: str, *, pro: bool = False) -> AsyncIterator[Any]:
    session = site.session()
    options = {
        "apiKey": KEY,
        "secret": SECRET,
        "session": session,
        "enableRateLimit": False,
        "options": {"defaultType": kind, "createOrder": {"quoteOrderQty": False, "timeInForce": "GTC"}},
    }
    client = (streaming if pro else rest).binance(options)
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()
        await session.close()


async def test_spot_markets_and_prices(site: Site) -> None:
    async with exchange(site, "spot") as client:
        market = client.market("BTC/USDT")
        assert market["spot"]
        assert market["precision"]["price"] == 0.01
        assert client.market("BTC/USDT:USDT")["swap"]
        assert client.currencies["USDT"]["id"] == "USDT"
        ticker = await client.fetch_ticker("BTC/USDT")
        assert ticker["bid"] < ticker["ask"]
        book = await client.fetch_order_book("BTC/USDT", 20)
        assert len(book["bids"]) == 20
        touches = await client.fetch_bids_asks(["BTC/USDT", "ETH/USDT"])
        assert set(touches) == {"BTC/USDT", "ETH/USDT"}
        candles = await client.fetch_ohlcv("BTC/USDT", "1h", limit=5)
        assert len(candles) == 5
        assert (await client.fetch_trading_fee("BTC/USDT"))["taker"] == pytest.approx(0.001)
        assert (await client.fetch_status())["status"] == "ok"


async def test_spot_orders(site: Site) -> None:
    async with exchange(site, "spot") as client:
        before = await client.fetch_balance()
        assert before["USDT"]["free"] == 1_000_000
        bought = await client.create_order("BTC/USDT", "market", "buy", "0.01", None, {"newClientOrderId": "first-1"})
        assert bought["status"] == "closed"
        assert bought["filled"] == 0.01
        fetched = await client.fetch_order(None, "BTC/USDT", {"origClientOrderId": "first-1"})
        assert fetched["id"] == bought["id"]
        trades = await client.fetch_my_trades("BTC/USDT")
        assert sum(Decimal(t["info"]["qty"]) for t in trades) == Decimal("0.01")
        assert trades[0]["fee"]["currency"] == "BTC"
        price = client.price_to_precision("BTC/USDT", bought["average"] * 0.9)
        resting = await client.create_order("BTC/USDT", "limit", "buy", "0.01", price)
        assert resting["status"] == "open"
        assert [o["id"] for o in await client.fetch_open_orders("BTC/USDT")] == [resting["id"]]
        canceled = await client.cancel_order(resting["id"], "BTC/USDT")
        assert canceled["status"] == "canceled"
        assert {o["id"] for o in await client.fetch_orders("BTC/USDT")} == {bought["id"], resting["id"]}
        maker = await client.create_order("BTC/USDT", "limit", "buy", "0.01", price, {"postOnly": True})
        assert maker["info"]["type"] == "LIMIT_MAKER"
        await client.cancel_all_orders("BTC/USDT")
        with pytest.raises(rest.OrderNotFound):
            await client.fetch_order("999999", "BTC/USDT")
        with pytest.raises(rest.InsufficientFunds):
            await client.create_order("BTC/USDT", "market", "buy", "50")


async def test_swap_life(site: Site) -> None:
    async with exchange(site, "swap") as client:
        symbol = "BTC/USDT:USDT"
        moved = await client.transfer("USDT", 300_000, "spot", "swap")
        assert moved["id"]
        balance = await client.fetch_balance()
        assert balance["USDT"]["total"] == 300_000
        await client.set_leverage(5, symbol)
        with contextlib.suppress(rest.MarginModeAlreadySet):  # how the venue answers, too
            await client.set_margin_mode("cross", symbol)
        sold = await client.create_order(symbol, "market", "sell", "0.5", None, {"newClientOrderId": "short-1"})
        assert sold["status"] == "closed"
        position = (await client.fetch_positions([symbol]))[0]
        assert position["side"] == "short"
        assert position["contracts"] == 0.5
        account = await client.fetch_positions([symbol], {"method": "account"})
        assert account[0]["contracts"] == 0.5
        fetched = await client.fetch_order(None, symbol, {"origClientOrderId": "short-1"})
        assert fetched["filled"] == 0.5
        assert (await client.fetch_my_trades(symbol))[0]["order"] == sold["id"]
        closed = await client.create_order(symbol, "market", "buy", "0.5", None, {"reduceOnly": True})
        assert closed["status"] == "closed"
        assert await client.fetch_positions([symbol]) == []
        with pytest.raises(rest.InvalidOrder):
            await client.create_order(symbol, "market", "buy", "0.5", None, {"reduceOnly": True})
        history = await client.fetch_transfers("USDT", None, None, {"type": "MAIN_UMFUTURE"})
        assert history[0]["amount"] == 300_000


async def test_swap_market_data(site: Site) -> None:
    async with exchange(site, "swap") as client:
        symbol = "BTC/USDT:USDT"
        rate = await client.fetch_funding_rate(symbol)
        assert rate["fundingTimestamp"] > rate["timestamp"]
        rates = await client.fetch_funding_rates()
        assert len(rates) >= 20
        history = await client.fetch_funding_rate_history(symbol, limit=10)
        assert len(history) == 10
        intervals = await client.fetch_funding_intervals()
        assert all(row["interval"].endswith("h") for row in intervals.values())
        tiers = await client.fetch_leverage_tiers([symbol])
        assert tiers[symbol][0]["maxLeverage"] == 125
        assert (await client.fetch_open_interest(symbol))["openInterestAmount"] > 0
        assert (await client.fetch_trading_fee(symbol))["taker"] == pytest.approx(0.0005)
        assert (await client.fetch_ticker(symbol))["last"] > 0
        assert len(await client.fetch_ohlcv(symbol, "1h", limit=3)) == 3
        assert (await client.fetch_position_mode(symbol))["hedged"] is False
        touches = await client.fetch_bids_asks()
        assert touches[symbol]["bid"] < touches[symbol]["ask"]
        assert len(await client.fetch_mark_prices()) >= 20


async def test_funding_is_paid(site: Site) -> None:
    async with exchange(site, "swap") as client:
        symbol = "ETH/USDT:USDT"
        await client.transfer("USDT", 100_000, "spot", "swap")
        await client.create_order(symbol, "market", "sell", "5")
        await site.control("POST", "/clock", {"speed": 36_000})
        receipts = await eventually(lambda: client.fetch_funding_history(symbol))
        truth = await site.control("GET", "/truth")
        assert receipts[0]["info"]["tranId"] == int(truth["receipts"][0]["venue_id"])
        assert Decimal(receipts[0]["info"]["income"]) == Decimal(truth["receipts"][0]["payment"])


async def test_public_streams(site: Site) -> None:
    async with exchange(site, "spot", pro=True) as client, asyncio.timeout(15):
        ticker = await client.watch_ticker("BTC/USDT", {"name": "ticker"})
        assert ticker["bid"] < ticker["ask"]
        touch = await client.watch_bids_asks(["BTC/USDT", "ETH/USDT"])
        assert touch
        book = await client.watch_order_book("BTC/USDT")
        assert book["bids"][0][0] < book["asks"][0][0]
    async with exchange(site, "swap", pro=True) as client, asyncio.timeout(15):
        assert (await client.watch_ticker("BTC/USDT:USDT"))["last"] > 0
        assert await client.watch_bids_asks(["BTC/USDT:USDT"])
        mark = await client.watch_mark_price("BTC/USDT:USDT")
        assert mark["markPrice"] > 0
        assert await client.watch_ohlcv("BTC/USDT:USDT", "1m")


async def test_private_spot_streams(site: Site) -> None:
    async with exchange(site, "spot", pro=True) as client, asyncio.timeout(15), asyncio.TaskGroup() as tasks:
        orders = tasks.create_task(client.watch_orders("BTC/USDT"))
        balance = tasks.create_task(client.watch_balance())
        await asyncio.sleep(0.5)
        placed = await client.create_order("BTC/USDT", "market", "buy", "0.02")
        seen = await orders
        assert seen[-1]["id"] == placed["id"]
        assert (await balance)["BTC"]["free"] == pytest.approx(0.02 * 0.999)


async def test_private_swap_streams(site: Site) -> None:
    async with exchange(site, "swap", pro=True) as client, asyncio.timeout(15):
        await client.transfer("USDT", 100_000, "spot", "swap")
        symbol = "BTC/USDT:USDT"
        async with asyncio.TaskGroup() as tasks:
            orders = tasks.create_task(client.watch_orders(symbol))
            balance = tasks.create_task(client.watch_balance())
            trades = tasks.create_task(client.watch_my_trades(symbol))
            assert await client.watch_positions([symbol]) == []  # its snapshot, over REST
            positions = tasks.create_task(client.watch_positions([symbol]))
            await asyncio.sleep(0.5)
            placed = await client.create_order(symbol, "market", "sell", "0.02")
            assert (await orders)[-1]["id"] == placed["id"]
            assert (await balance)["USDT"]["total"] < 100_000
            assert (await trades)[-1]["order"] == placed["id"]
            assert (await positions)[0]["contracts"] == 0.02
