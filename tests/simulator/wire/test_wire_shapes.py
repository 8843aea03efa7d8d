# ruff: noqa: E501 (one row a case reads better than any wrapping)
"""Every answer and frame has the keys and JSON types of the venue's own, recorded or documented."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from captures import DATA, differences, documented, load, mocked, recorded_frame
from client import Site, eventually, running

pytestmark = [
    pytest.mark.skipif(not DATA.is_dir(), reason=f"recorded payloads are not at {DATA}"),
    pytest.mark.asyncio(loop_scope="module"),
]

SPOT, FUTURES = "https://api.binance.com", "https://fapi.binance.com"
R = "rest-capture-2026-07"
NONE: frozenset[str] = frozenset()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def busy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A simulator whose account has filled, resting and canceled orders, a position and receipts."""
    async with running(Path(tmp_path_factory.mktemp("shapes"))) as (site, _):
        await must(site, "POST", f"{SPOT}/sapi/v1/asset/transfer", type="MAIN_UMFUTURE", asset="USDT", amount=200_000)
        for base, quantity in ((f"{SPOT}/api/v3/order", "0.02"), (f"{FUTURES}/fapi/v1/order", "0.2")):
            side = "BUY" if "api.b" in base and "fapi" not in base else "SELL"
            await must(site, "POST", base, symbol="BTCUSDT", side=side, type="MARKET", quantity=quantity)
            resting = {"type": "LIMIT", "timeInForce": "GTC", "quantity": quantity, "price": "95000.0"}
            await must(site, "POST", base, symbol="BTCUSDT", side="BUY", newClientOrderId="rest-1", **resting)
        await site.control("POST", "/clock", {"speed": 72_000})
        await eventually(lambda: site.control("GET", "/truth"), lambda truth: truth["receipts"])
        await site.control("POST", "/clock", {"speed": 60})
        yield site


async def must(site: Site, method: str, url: str, **params: Any) -> Any:
    answer = await site.call(method, url, params, signed=True)
    assert answer.status == 200, answer.body
    return answer.body


# The endpoint, its parameters, the venue's payload, and the paths left out of the comparison with the reason.
PUBLIC = {
    "spot exchangeInfo": (f"{SPOT}/api/v3/exchangeInfo", {}, lambda: load(f"{R}/20260703T051738Z__api-v3-exchangeInfo-curated-BTCETHXVG.json"), NONE),
    "spot book, one": (f"{SPOT}/api/v3/ticker/bookTicker", {"symbol": "BTCUSDT"}, lambda: load(f"{R}/20260715T0651Z__api-v3-ticker-bookTicker-BTCUSDT.json"), NONE),
    "spot book, some": (f"{SPOT}/api/v3/ticker/bookTicker", {"symbols": '["BTCUSDT","ETHUSDT"]'}, lambda: load(f"{R}/20260715T0651Z__api-v3-ticker-bookTicker-symbols-batch.json"), NONE),
    "spot book, all": (f"{SPOT}/api/v3/ticker/bookTicker", {}, lambda: load(f"{R}/20260715T0651Z__api-v3-ticker-bookTicker-full.json"), NONE),
    "spot day, one": (f"{SPOT}/api/v3/ticker/24hr", {"symbol": "BTCUSDT"}, lambda: mocked("api-v3-ticker-24hr.json", query="symbol=BTCUSDT"), NONE),
    "spot price": (f"{SPOT}/api/v3/ticker/price", {"symbol": "BTCUSDT"}, lambda: mocked("api-v3-ticker-price.json"), NONE),
    "spot depth": (f"{SPOT}/api/v3/depth", {"symbol": "BTCUSDT", "limit": 20}, lambda: mocked("api-v3-depth.json"), NONE),
    "spot klines": (f"{SPOT}/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1h", "limit": 3}, lambda: mocked("api-v3-klines.json"), NONE),
    "perp exchangeInfo": (f"{FUTURES}/fapi/v1/exchangeInfo", {}, lambda: load(f"{R}/20260704T155543Z__fapi-v1-exchangeInfo.json"), NONE),
    "perp book, one": (f"{FUTURES}/fapi/v1/ticker/bookTicker", {"symbol": "BTCUSDT"}, lambda: load(f"{R}/20260715T0651Z__fapi-v1-ticker-bookTicker-BTCUSDT.json"), NONE),
    "perp book, all": (f"{FUTURES}/fapi/v1/ticker/bookTicker", {}, lambda: load(f"{R}/20260715T0651Z__fapi-v1-ticker-bookTicker-full.json"), NONE),
    "perp day": (f"{FUTURES}/fapi/v1/ticker/24hr", {"symbol": "BTCUSDT"}, lambda: mocked("fapi-v1-ticker-24hr.json", query="symbol=BTCUSDT"), NONE),
    "perp price": (f"{FUTURES}/fapi/v1/ticker/price", {"symbol": "BTCUSDT"}, lambda: mocked("fapi-v1-ticker-price.json", query="symbol=BTCUSDT"), NONE),
    "perp depth": (f"{FUTURES}/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": 5}, lambda: mocked("fapi-v1-depth.json"), NONE),
    "perp klines": (f"{FUTURES}/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "5m", "limit": 3}, lambda: mocked("fapi-v1-klines.json"), NONE),
    "mark klines": (f"{FUTURES}/fapi/v1/markPriceKlines", {"symbol": "BTCUSDT", "interval": "1h", "limit": 3}, lambda: documented("Endpoints__UsdFutures__ExchangeData__GetMarkPriceKlines"), NONE),
    "premiumIndex, all": (f"{FUTURES}/fapi/v1/premiumIndex", {}, lambda: load(f"{R}/20260704T155543Z__fapi-v1-premiumIndex.json"), NONE),
    "premiumIndex, one": (f"{FUTURES}/fapi/v1/premiumIndex", {"symbol": "BTCUSDT"}, lambda: load(f"{R}/20260713T000000Z__fapi-v1-premiumIndex-BTCUSDT.json"), NONE),
    "fundingRate": (f"{FUTURES}/fapi/v1/fundingRate", {"symbol": "BTCUSDT", "limit": 3}, lambda: load(f"{R}/20260704T044945Z__fapi-v1-fundingRate-BTCUSDT-limit3.json"), NONE),
    "fundingInfo": (f"{FUTURES}/fapi/v1/fundingInfo", {}, lambda: load(f"{R}/20260704T2030Z__fapi-v1-fundingInfo.json"), NONE),
    "openInterest": (f"{FUTURES}/fapi/v1/openInterest", {"symbol": "BTCUSDT"}, lambda: mocked("fapi-v1-openInterest.json"), NONE),
    "time": (f"{FUTURES}/fapi/v1/time", {}, lambda: mocked("fapi-v1-time.json"), NONE),
}  # fmt: skip

# Fields that the venue has added since these documents were written are compared the other way: see KNOWN_NEWER.
_DOC_SPOT = "Endpoints__Spot__"
_DOC_PERP = "Endpoints__UsdFutures__"
NOT_TRAILING = frozenset({"[].activatePrice", "[].priceRate"})  # only of trailing stops, which are not simulated
SIGNED = {
    "spot account": (f"{SPOT}/api/v3/account", {}, lambda: load("nautilus/spot__http_json__account_response.json"), NONE),
    "spot order": (f"{SPOT}/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": "rest-1"}, lambda: load("nautilus/spot__http_json__order_response.json"), NONE),
    "spot open orders": (f"{SPOT}/api/v3/openOrders", {}, lambda: load("nautilus/spot__http_json__open_orders_response.json"), NONE),
    "spot all orders": (f"{SPOT}/api/v3/allOrders", {"symbol": "BTCUSDT"}, lambda: load("nautilus/spot__http_json__all_orders_response.json"), NONE),
    "spot trades": (f"{SPOT}/api/v3/myTrades", {"symbol": "BTCUSDT"}, lambda: load("nautilus/spot__http_json__account_trades_response.json"), NONE),
    # specialCommission came after the document was written
    "spot commission": (f"{SPOT}/api/v3/account/commission", {"symbol": "BTCUSDT"}, lambda: documented(f"{_DOC_SPOT}Account__GetCommissionRates"), frozenset({"specialCommission"})),
    "coins": (f"{SPOT}/sapi/v1/capital/config/getall", {}, lambda: documented(f"{_DOC_SPOT}Account__GetUserAssets"), NONE),
    "trade fees": (f"{SPOT}/sapi/v1/asset/tradeFee", {}, lambda: documented(f"{_DOC_SPOT}Account__GetTradeFee"), NONE),
    "transfers": (f"{SPOT}/sapi/v1/asset/transfer", {"type": "MAIN_UMFUTURE"}, lambda: documented(f"{_DOC_SPOT}Account__GetTransfers"), NONE),
    "account status": (f"{SPOT}/sapi/v1/account/status", {}, lambda: documented(f"{_DOC_SPOT}Account__GetAccountStatus"), NONE),
    # the document shows the shared part of the accountConfig answer without dualSidePosition, and older positions
    "perp account v2": (f"{FUTURES}/fapi/v2/account", {}, lambda: load("nautilus/futures__http_json__account_info_v2.json"), frozenset({"dualSidePosition", "positions[].breakEvenPrice", "positions[].notional", "positions[].isolatedWallet"})),
    "perp account v3": (f"{FUTURES}/fapi/v3/account", {}, lambda: documented(f"{_DOC_PERP}Account__GetAccountInfoV3"), NONE),
    "perp balance": (f"{FUTURES}/fapi/v3/balance", {}, lambda: documented(f"{_DOC_PERP}Account__GetBalances"), NONE),
    "positions v2": (f"{FUTURES}/fapi/v2/positionRisk", {}, lambda: load("nautilus/futures__http_json__position_risk.json"), NONE),
    "perp order": (f"{FUTURES}/fapi/v1/order", {"symbol": "BTCUSDT", "origClientOrderId": "rest-1"}, lambda: load("nautilus/futures__http_json__order_response.json"), NONE),
    "perp open order": (f"{FUTURES}/fapi/v1/openOrder", {"symbol": "BTCUSDT", "origClientOrderId": "rest-1"}, lambda: documented(f"{_DOC_PERP}Trading__GetOpenOrder"), frozenset({"activatePrice", "priceRate"})),
    "perp open orders": (f"{FUTURES}/fapi/v1/openOrders", {}, lambda: documented(f"{_DOC_PERP}Trading__GetOpenOrders"), NOT_TRAILING),
    "perp all orders": (f"{FUTURES}/fapi/v1/allOrders", {"symbol": "BTCUSDT"}, lambda: documented(f"{_DOC_PERP}Trading__GetOrders"), NOT_TRAILING),
    "perp trades": (f"{FUTURES}/fapi/v1/userTrades", {"symbol": "BTCUSDT"}, lambda: load("nautilus-integration/http_responses__http_futures_account_trades.json"), NONE),
    # the document writes tranId as text and tradeId once as text and once as a number; the venue's own is a number
    "income": (f"{FUTURES}/fapi/v1/income", {}, lambda: documented(f"{_DOC_PERP}Account__GetIncomeHistory"), frozenset({"[].tranId"})),
    # notionalCoef is there only for accounts with brackets of their own
    "brackets": (f"{FUTURES}/fapi/v1/leverageBracket", {}, lambda: documented(f"{_DOC_PERP}Account__GetBrackets"), frozenset({"[].notionalCoef"})),
    "perp commission": (f"{FUTURES}/fapi/v1/commissionRate", {"symbol": "BTCUSDT"}, lambda: documented(f"{_DOC_PERP}Account__GetUserCommissionRate"), NONE),
    "perp config": (f"{FUTURES}/fapi/v1/accountConfig", {}, lambda: documented(f"{_DOC_PERP}Account__GetAccountConfiguration"), NONE),
    "symbol config": (f"{FUTURES}/fapi/v1/symbolConfig", {}, lambda: documented(f"{_DOC_PERP}Account__GetSymbolConfiguration"), NONE),
    "multi assets": (f"{FUTURES}/fapi/v1/multiAssetsMargin", {}, lambda: documented(f"{_DOC_PERP}Account__GetMultiAssetsMode"), NONE),
    "position mode": (f"{FUTURES}/fapi/v1/positionSide/dual", {}, lambda: load("nautilus-integration/http_responses__http_futures_account_position_side_dual.json"), NONE),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLIC)
async def test_public(busy: Site, name: str) -> None:
    url, params, real, ignored = PUBLIC[name]
    answer = await busy.call("GET", url, params)
    assert answer.status == 200
    assert answer.body
    assert differences(real(), answer.body, ignored) == []


@pytest.mark.parametrize("name", SIGNED)
async def test_signed(busy: Site, name: str) -> None:
    url, params, real, ignored = SIGNED[name]
    answer = await busy.call("GET", url, params, signed=True)
    assert answer.status == 200, answer.body
    assert answer.body
    assert differences(real(), answer.body, ignored) == []


async def test_new_and_canceled_orders(busy: Site) -> None:
    url = f"{SPOT}/api/v3/order"
    filled = await must(busy, "POST", url, symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.002")
    assert differences(load("nautilus/spot__http_json__new_order_full_response.json"), filled) == []
    canceled = await must(busy, "DELETE", url, symbol="BTCUSDT", origClientOrderId="rest-1")
    assert differences(load("nautilus/spot__http_json__cancel_order_response.json"), canceled) == []
    perp = f"{FUTURES}/fapi/v1/order"
    trailing = frozenset({"activatePrice", "priceRate"})
    sold = await must(busy, "POST", perp, symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.01")
    assert differences(documented(f"{_DOC_PERP}Trading__PlaceOrder"), sold, trailing) == []
    gone = await must(busy, "DELETE", perp, symbol="BTCUSDT", origClientOrderId="rest-1")
    assert differences(documented(f"{_DOC_PERP}Trading__CancelOrder"), gone, trailing | {"avgPrice"}) == []
    leverage = await must(busy, "POST", f"{FUTURES}/fapi/v1/leverage", symbol="BTCUSDT", leverage=10)
    assert differences(documented(f"{_DOC_PERP}Account__ChangeInitialLeverage"), leverage) == []


# The stream host, its name, the recorded or documented frame.
STREAMS = {
    "spot bookTicker": ("stream", "btcusdt@bookTicker", lambda: recorded_frame("spot", "bookTicker"), NONE),
    "spot depth": ("stream", "btcusdt@depth@100ms", lambda: recorded_frame("spot", "depth@100ms"), NONE),
    "spot partial": ("stream", "btcusdt@depth5@100ms", lambda: documented("Subscriptions__Spot__ExchangeData__PartialBook"), NONE),
    "spot ticker": ("stream", "btcusdt@ticker", lambda: documented("Subscriptions__Spot__ExchangeData__Ticker"), NONE),
    "perp bookTicker": ("fstream", "btcusdt@bookTicker", lambda: recorded_frame("usdm", "bookTicker"), NONE),
    "perp depth": ("fstream", "btcusdt@depth@0ms", lambda: recorded_frame("usdm", "depth@0ms"), NONE),
    "perp partial": ("fstream", "btcusdt@depth5@100ms", lambda: documented("Subscriptions__UsdFutures__PartialBook"), NONE),
    "perp mark": ("fstream", "btcusdt@markPrice@1s", lambda: documented("Subscriptions__UsdFutures__MarkPrice"), NONE),
    "perp ticker": ("fstream", "btcusdt@ticker", lambda: documented("Subscriptions__UsdFutures__Ticker"), NONE),
    "perp kline": ("fstream", "btcusdt@kline_1m", lambda: load("nautilus/futures__market_data_json__kline_stream_open.json"), NONE),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
async def test_stream(busy: Site, name: str) -> None:
    host, stream, real, ignored = STREAMS[name]
    async with busy.socket(f"wss://{host}.binance.com/stream?streams={stream}") as socket, asyncio.timeout(5):
        frame = json.loads(await socket.recv())
    assert frame["stream"] == stream
    assert differences(real(), frame["data"], ignored) == []


async def test_public_trades(busy: Site) -> None:
    # The recorded spot trade, by now without the buyer's and seller's order ids.
    for host, market, url in (
        ("stream", "spot", f"{SPOT}/api/v3/order"),
        ("fstream", "usdm", f"{FUTURES}/fapi/v1/order"),
    ):
        async with (
            busy.socket(f"wss://{host}.binance.com/ws/btcusdt@trade") as socket,
            asyncio.timeout(5),
        ):
            await must(busy, "POST", url, symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.002")
            frame = json.loads(await socket.recv())
        assert differences(recorded_frame(market, "trade"), frame) == []


async def test_private_streams(busy: Site) -> None:
    real = {
        "executionReport": load("nautilus/spot__user_data_json__execution_report_wrapped.json")["event"],
        "outboundAccountPosition": load("nautilus/spot__user_data_json__account_position.json"),
        "balanceUpdate": load("nautilus/spot__user_data_json__balance_update.json"),
        "ORDER_TRADE_UPDATE": documented("Subscriptions__UsdFutures__OrderUpdate"),
        "ACCOUNT_UPDATE": documented("Subscriptions__UsdFutures__AccountUpdate"),
    }
    # AP, cr: trailing stops; N is null until there is a fee; ma came later
    ignored = frozenset({"o.AP", "o.cr", "N", "a.P[].ma"})
    spot = (await busy.call("POST", f"{SPOT}/api/v3/userDataStream", key="demo-key")).body["listenKey"]
    perp = (await busy.call("POST", f"{FUTURES}/fapi/v1/listenKey", key="demo-key")).body["listenKey"]
    seen: dict[str, Any] = {}
    events = "&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE"
    async with (
        busy.socket(f"wss://stream.binance.com:9443/ws/{spot}") as one,
        busy.socket(f"wss://fstream.binance.com/private/ws?listenKey={perp}{events}") as other,
        asyncio.timeout(5),
    ):
        for url in (f"{SPOT}/api/v3/order", f"{FUTURES}/fapi/v1/order"):
            await must(busy, "POST", url, symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.002")
        await must(busy, "POST", f"{SPOT}/sapi/v1/asset/transfer", type="UMFUTURE_MAIN", asset="USDT", amount=5)
        while set(seen) != set(real):
            for socket in (one, other):
                event = json.loads(await socket.recv())
                if event["e"] not in {"executionReport", "ORDER_TRADE_UPDATE"} or "TRADE" in str(event):
                    seen[event["e"]] = event
    for name, event in seen.items():
        assert differences(real[name], event, ignored) == [], name


async def test_funding_event(busy: Site) -> None:
    """As recorded: the wallet's new balance and the change, no positions."""
    perp = (await busy.call("POST", f"{FUTURES}/fapi/v1/listenKey", key="demo-key")).body["listenKey"]
    await busy.control("POST", "/clock", {"speed": 72_000})
    async with (
        busy.socket(f"wss://fstream.binance.com/ws/{perp}") as socket,
        asyncio.timeout(10),
    ):
        event = json.loads(await socket.recv())
    await busy.control("POST", "/clock", {"speed": 60})
    assert event["a"]["m"] == "FUNDING_FEE"
    assert event["a"]["P"] == []
    assert differences(load("misc/account_update_funding_fee_20230430.json"), event) == []
