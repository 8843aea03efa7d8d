"""A second public client library, python-binance, trades on the simulator with its own URLs."""

import asyncio
import warnings
from decimal import Decimal

import aiohttp
import pytest
from requests.adapters import HTTPAdapter

with warnings.catch_warnings():  # it imports names that websockets has deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance import AsyncClient, BinanceSocketManager, Client
    from binance.exceptions import BinanceAPIException
    from binance.ws.reconnecting_websocket import ReconnectingWebsocket

from client import KEY, SECRET, Redirect, Site


async def async_client(site: Site) -> AsyncClient:
    connector = aiohttp.TCPConnector(resolver=Redirect(site.port), ssl=site.context)
    return await AsyncClient.create(KEY, SECRET, session_params={"connector": connector})


async def test_spot_and_futures(site: Site) -> None:
    client = await async_client(site)
    try:
        info = await client.get_symbol_info("BTCUSDT")
        assert info["status"] == "TRADING"
        order = await client.order_market_buy(symbol="BTCUSDT", quantity="0.01")
        assert order["status"] == "FILLED"
        assert sum(Decimal(f["qty"]) for f in order["fills"]) == Decimal("0.01")
        again = await client.get_order(symbol="BTCUSDT", orderId=order["orderId"])
        assert again["executedQty"] == "0.01000000"
        resting = await client.order_limit_buy(symbol="BTCUSDT", quantity="0.01", price="80000.00")
        canceled = await client.cancel_order(symbol="BTCUSDT", orderId=resting["orderId"])
        assert canceled["status"] == "CANCELED"
        balance = await client.get_asset_balance(asset="BTC")
        assert Decimal(balance["free"]) == Decimal("0.00999")
        assert (await client.make_universal_transfer(type="MAIN_UMFUTURE", asset="USDT", amount="50000"))["tranId"]
        sold = await client.futures_create_order(
            symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.1", newOrderRespType="RESULT"
        )
        assert sold["status"] == "FILLED"
        positions = await client.futures_position_information(symbol="BTCUSDT")
        assert Decimal(positions[0]["positionAmt"]) == Decimal("-0.1")
        assert Decimal((await client.futures_account())["totalWalletBalance"]) < 50_000
        income = await client.futures_income_history(incomeType="COMMISSION")
        assert Decimal(income[0]["income"]) < 0
        assert (await client.futures_mark_price(symbol="BTCUSDT"))["nextFundingTime"]
        assert len(await client.futures_funding_rate(symbol="BTCUSDT", limit=3)) == 3
        assert (await client.get_account_api_permissions())["enableWithdrawals"] is False
        with pytest.raises(BinanceAPIException) as refused:
            await client.order_market_buy(symbol="BTCUSDT", quantity="0.000001")
        assert refused.value.code == -1013
    finally:
        await client.close_connection()


def sync_client(site: Site) -> Client:
    """`requests` has no resolver to replace: an adapter sends every host to the simulator's address."""

    class ToSimulator(HTTPAdapter):
        def get_connection_with_tls_context(self, request, verify, proxies=None, cert=None):
            host = request.url.split("/")[2]
            request.headers["Host"] = host
            return self.poolmanager.connection_from_host(
                "127.0.0.1",
                site.port,
                "https",
                {"ca_certs": str(site.ca_file), "server_hostname": host, "assert_hostname": host},
            )

    client = Client(KEY, SECRET, ping=False)
    client.session.mount("https://", ToSimulator())
    client.session.trust_env = False  # REQUESTS_CA_BUNDLE would go before `verify`
    client.session.verify = str(site.ca_file)
    return client


def use_synchronously(site: Site) -> None:
    loop = asyncio.new_event_loop()  # it would make one itself, and never close it
    asyncio.set_event_loop(loop)
    client = sync_client(site)
    try:
        assert client.ping() == {}
        assert client.get_server_time()["serverTime"] > 1_700_000_000_000
        bought = client.order_market_buy(symbol="ETHUSDT", quantity="0.5")
        assert bought["status"] == "FILLED"
        assert client.get_my_trades(symbol="ETHUSDT")[0]["orderId"] == bought["orderId"]
        assert client.futures_exchange_info()["futuresType"] == "U_MARGINED"
    finally:
        client.session.close()
        asyncio.set_event_loop(None)
        loop.close()


async def test_synchronous_client(site: Site) -> None:
    await asyncio.to_thread(use_synchronously, site)


async def test_streams(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    # It leaves a socket only after its receive time-out, 10 s.
    monkeypatch.setattr(ReconnectingWebsocket, "TIMEOUT", 1)
    client = await async_client(site)
    manager = BinanceSocketManager(client)
    redirected = {"host": "127.0.0.1", "port": site.port, "ssl": site.context, "proxy": None}
    manager.ws_kwargs = redirected
    client.ws_api._ws_kwargs = redirected
    try:
        async with asyncio.timeout(15):
            async with manager.symbol_book_ticker_socket("BTCUSDT") as spot:
                assert (await spot.recv())["s"] == "BTCUSDT"
            async with manager.user_socket() as user:
                order = await client.order_market_buy(symbol="BTCUSDT", quantity="0.01")
                report = await user.recv()
                assert report["e"] == "executionReport"
                assert report["i"] == order["orderId"]
            await client.make_universal_transfer(type="MAIN_UMFUTURE", asset="USDT", amount="50000")
            async with manager.futures_user_socket() as private:
                await client.futures_create_order(symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.1")
                events = [(await private.recv())["e"] for _ in range(3)]
                assert {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"} <= set(events)
    finally:
        await client.close_connection()
