"""The venue's complaints, word for word where clients look at them; limits, listen keys, socket commands."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest
from client import KEY, SECRET, Site, drained, eventually, now_ms

from bot.simulator.wire.clock import MarketClock
from bot.simulator.wire.host import Host
from bot.simulator.wire.limits import FUTURES_PLAN, SPOT_PLAN, Limiter, LimitExceededError
from bot.simulator.wire.routes import Area, area_of

SPOT, FUTURES = "https://api.binance.com", "https://fapi.binance.com"
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}


async def test_authentication(site: Site) -> None:
    url = f"{FUTURES}/fapi/v3/account"
    assert (await site.call("GET", url)).code == -2014
    assert (await site.call("GET", url, key="nobody")).code == -2015
    assert (await site.call("GET", url, key="nobody")).status == 401
    unsigned = await site.call("GET", url, {"timestamp": now_ms()}, key=KEY)
    assert (unsigned.status, unsigned.code) == (400, -1102)
    assert (await site.call("GET", url, signed=True, secret="wrong")).code == -1022
    late = await site.call("GET", url, {"timestamp": now_ms() - 6_000}, signed=True)
    assert late.code == -1021
    assert (await site.call("GET", url, {"timestamp": now_ms() + 2_000}, signed=True)).code == -1021
    window = {"timestamp": now_ms() - 6_000, "recvWindow": 10_000}
    assert (await site.call("GET", url, window, signed=True)).status == 200
    assert (await site.call("GET", url, {"recvWindow": 70_000}, signed=True)).code == -1131
    assert (await site.call("GET", url, {"timestamp": "soon"}, signed=True)).code == -1100


async def test_times_are_wall_time_for_signing_and_market_time_elsewhere(site: Site) -> None:
    await site.control("POST", "/clock", {"speed": 20_000})
    wall = (await site.call("GET", f"{FUTURES}/fapi/v1/time")).body["serverTime"]
    assert abs(wall - now_ms()) < 1_000
    mark = await site.call("GET", f"{FUTURES}/fapi/v1/premiumIndex", {"symbol": "BTCUSDT"})
    assert abs(int(mark.headers["x-simulator-market-time"]) - mark.body["time"]) == 0
    assert mark.body["time"] < 1_740_000_000_000
    assert (await site.call("GET", f"{SPOT}/api/v3/account", signed=True)).status == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"symbol": ""}, -1102),
        ({"symbol": "NOTHING"}, -1121),
        ({"symbol": "btc usdt"}, -1100),
        ({"side": "HOLD"}, -1117),
        ({"type": "STOP_LOSS"}, -1116),
        ({"timeInForce": "SOON"}, -1115),
        ({"timeInForce": ""}, -1102),
        ({"price": ""}, -1102),
        ({"price": "1e5"}, -1100),
        ({"quantity": "-1"}, -1100),
        ({"newClientOrderId": "no spaces please"}, -1100),
        ({"quantity": "0.000001"}, -1013),
        ({"price": "90000.001"}, -1013),
        ({"quantity": "0.00001", "price": "60000.00"}, -1013),
        ({"price": "1.00"}, -1013),
        ({"surprise": "1"}, -1104),
        ({"quantity": "100"}, -2010),
    ],
)
async def test_spot_order_refusals(site: Site, changes: Mapping[str, str], code: int) -> None:
    answer = await site.call("POST", f"{SPOT}/api/v3/order", {**ORDER, "price": "90000.00", **changes}, signed=True)
    assert (answer.status, answer.code) == (400, code), answer.body
    assert (await site.control("GET", "/truth"))["orders"] == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"symbol": "NOTHING"}, -1121),
        ({"quantity": "0.0001"}, -1111),
        ({"price": "90000.01"}, -1111),
        ({"quantity": "0.001", "price": "60000.0"}, -4164),
        ({"positionSide": "LONG"}, -4061),
        ({}, -2019),
        ({"reduceOnly": "true"}, -2022),
    ],
)
async def test_futures_order_refusals(site: Site, changes: Mapping[str, str], code: int) -> None:
    order = {**ORDER, "price": "100000.0", **changes}
    answer = await site.call("POST", f"{FUTURES}/fapi/v1/order", order, signed=True)
    assert answer.status == 400
    assert answer.code == code, answer.body


async def test_order_test_checks_and_keeps_nothing(site: Site) -> None:
    url = f"{SPOT}/api/v3/order/test"
    assert (await site.call("POST", url, {**ORDER, "price": "100000.00"}, signed=True)).body == {}
    assert (await site.call("POST", url, {**ORDER, "price": "1.00"}, signed=True)).code == -1013
    assert (await site.control("GET", "/truth"))["orders"] == []


async def test_acknowledgement_and_result(site: Site) -> None:
    await site.call(
        "POST",
        f"{SPOT}/sapi/v1/asset/transfer",
        {"type": "MAIN_UMFUTURE", "asset": "USDT", "amount": "100000"},
        signed=True,
    )
    order = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.01"}
    ack = (await site.call("POST", f"{FUTURES}/fapi/v1/order", order, signed=True)).body
    assert (ack["status"], ack["executedQty"]) == ("NEW", "0.000")
    result = {**order, "newOrderRespType": "RESULT"}
    answer = await site.call("POST", f"{FUTURES}/fapi/v1/order", result, signed=True)
    assert (answer.body["status"], answer.body["executedQty"]) == ("FILLED", "0.010")
    assert answer.headers["x-mbx-order-count-10s"] == "2"
    assert answer.headers["x-mbx-order-count-1m"] == "2"


async def test_quote_quantity(site: Site) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "1000"}
    filled = (await site.call("POST", f"{SPOT}/api/v3/order", order, signed=True)).body
    assert filled["status"] == "FILLED"
    assert 990 < float(filled["cummulativeQuoteQty"]) <= 1_000


async def test_settings(site: Site) -> None:
    async def post(path: str, **params: Any) -> int | None:
        return (await site.call("POST", f"{FUTURES}{path}", params, signed=True)).code

    assert await post("/fapi/v1/marginType", symbol="BTCUSDT", marginType="CROSSED") == -4046
    assert await post("/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED") == -4084
    assert await post("/fapi/v1/positionSide/dual", dualSidePosition="false") == -4059
    assert await post("/fapi/v1/positionSide/dual", dualSidePosition="true") == -4084
    assert await post("/fapi/v1/leverage", symbol="BTCUSDT", leverage=500) == -4028
    assert await post("/fapi/v1/leverage") == -1102
    rights = f"{SPOT}/sapi/v1/account/apiRestrictions"
    assert (await site.call("GET", rights, signed=True)).body["enableWithdrawals"] is False
    careless = await site.call("GET", rights, signed=True, key="withdraw-key", secret="withdraw-secret")
    assert careless.body["enableWithdrawals"] is True


async def test_countdown_cancels_resting_orders(site: Site) -> None:
    await site.call(
        "POST",
        f"{SPOT}/sapi/v1/asset/transfer",
        {"type": "MAIN_UMFUTURE", "asset": "USDT", "amount": "100000"},
        signed=True,
    )
    placed = await site.call("POST", f"{FUTURES}/fapi/v1/order", {**ORDER, "price": "97000.0"}, signed=True)
    assert placed.status == 200, placed.body
    armed = {"symbol": "BTCUSDT", "countdownTime": 200}
    assert (await site.call("POST", f"{FUTURES}/fapi/v1/countdownCancelAll", armed, signed=True)).body[
        "countdownTime"
    ] == "200"
    await eventually(
        lambda: site.call("GET", f"{FUTURES}/fapi/v1/openOrders", signed=True), lambda answer: answer.body == []
    )


async def test_weights_lead_to_429_and_then_418(site: Site) -> None:
    async with site.session() as session:
        url = f"{FUTURES}/fapi/v1/ticker/24hr"  # weight 40 of 2400
        statuses = []
        for _ in range(100):
            async with session.get(url) as reply:
                statuses.append(reply.status)
                retry, used = reply.headers.get("Retry-After"), reply.headers["X-MBX-USED-WEIGHT-1M"]
                body = await reply.json()
                if reply.status == 418:
                    break
        assert statuses[0] == 200
        assert 429 in statuses
        assert statuses[-1] == 418
        assert body["code"] == -1003
        assert retry is not None
        assert int(retry) > 60
        assert int(used) > 2_400
    assert (await site.call("GET", f"{SPOT}/api/v3/time")).status == 200
    assert (await site.control("GET", "/health"))["status"] == "ok"


def test_limits_by_minute_with_a_growing_ban() -> None:
    clock = [60_000_000]
    limiter = Limiter(SPOT_PLAN, lambda: clock[0])
    assert limiter.charge("one", 6_000) == 6_000
    with pytest.raises(LimitExceededError) as refused:
        limiter.charge("one", 1)
    assert (refused.value.http_status, refused.value.retry_after_s) == (429, 60)
    assert limiter.charge("two", 1) == 1
    clock[0] += 60_000
    assert limiter.charge("one", 1) == 1
    for expected_s in (120, 240, 480):
        limiter.charge("one", 5_999)
        for _ in range(10):
            with pytest.raises(LimitExceededError, match="Too much"):
                limiter.charge("one", 10)
        with pytest.raises(LimitExceededError) as banned:
            limiter.charge("one", 10)
        assert (banned.value.http_status, banned.value.retry_after_s) == (418, expected_s)
        clock[0] += (expected_s + 60) * 1_000


def test_order_counts_per_account() -> None:
    clock = [60_000_000]
    limiter = Limiter(FUTURES_PLAN, lambda: clock[0])
    for _ in range(300):
        limiter.charge_order("one")
    with pytest.raises(LimitExceededError) as refused:
        limiter.charge_order("one")
    assert (refused.value.http_status, refused.value.code) == (429, -1015)
    limiter.charge_order("two")
    clock[0] += 10_000
    limiter.charge_order("one")
    assert limiter.order_headers("one") == {"X-MBX-ORDER-COUNT-10S": "1", "X-MBX-ORDER-COUNT-1M": "301"}


def test_clock_changes_speed_without_a_jump() -> None:
    wall_ns = [0]
    clock = MarketClock(1_000, 10, lambda: wall_ns[0])
    wall_ns[0] = 1_000_000_000
    assert clock.read_ms() == 11_000
    clock.change(20_000)
    assert clock.read_ms() == 11_000
    wall_ns[0] += 1_000_000
    assert clock.read_ms() == 31_000
    clock.change(paused=True)
    wall_ns[0] += 10**12
    assert clock.read_ms() == 31_000
    clock.change(1, paused=False)
    wall_ns[0] += 10**9
    assert clock.read_ms() == 32_000
    with pytest.raises(ValueError, match="speed"):
        clock.change(-1)


@pytest.mark.parametrize(
    ("host", "path", "area"),
    [
        ("api.binance.com", "/api/v3/time", Area.SPOT),
        ("api2.binance.com:443", "/sapi/v1/x", Area.SAPI),
        ("fapi.binance.com", "/fapi/v1/time", Area.FUTURES),
        ("dapi.binance.com", "/dapi/v1/exchangeInfo", Area.FUTURES),
        ("localhost", "/fapi/v1/time", Area.FUTURES),
        ("stream.binance.com:9443", "/ws/btcusdt@trade", Area.SPOT_STREAM),
        ("fstream.binance.com", "/private/ws", Area.FUTURES_STREAM),
        ("ws-api.binance.com", "/ws-api/v3", Area.SPOT_WSAPI),
        ("ws-fapi.binance.com", "/ws-fapi/v1", Area.FUTURES_WSAPI),
        ("simulator.carrybot", "/truth", Area.CONTROL),
        ("anything", "/_sim/truth", Area.CONTROL),
        ("anything", "/", None),
    ],
)
def test_routing(host: str, path: str, area: Area | None) -> None:
    assert area_of(host, path) is area


async def test_listen_keys(site: Site, sim: tuple[Site, Host]) -> None:
    url = f"{FUTURES}/fapi/v1/listenKey"
    key = (await site.call("POST", url, key=KEY)).body["listenKey"]
    assert (await site.call("POST", url, key=KEY)).body["listenKey"] == key
    assert (await site.call("PUT", url, key=KEY)).status == 200
    spot = f"{SPOT}/api/v3/userDataStream"
    assert (await site.call("PUT", spot, {"listenKey": key}, key=KEY)).code == -1125
    async with site.socket(f"wss://fstream.binance.com/ws/{key}") as socket, asyncio.timeout(3):
        await site.control("POST", "/listen-keys/expire")
        event = json.loads(await socket.recv())
    assert event == {"e": "listenKeyExpired", "E": event["E"], "listenKey": key}
    assert (await site.call("PUT", url, key=KEY)).code == -1125
    fresh = (await site.call("POST", url, key=KEY)).body["listenKey"]
    assert fresh != key
    assert (await site.call("DELETE", url, key=KEY)).status == 200
    assert (await site.call("PUT", url, key=KEY)).code == -1125


async def test_a_listen_key_tells_the_events_that_are_asked_for(site: Site, sim: tuple[Site, Host]) -> None:
    key = (await site.call("POST", f"{FUTURES}/fapi/v1/listenKey", key=KEY)).body["listenKey"]
    private = f"wss://fstream.binance.com/private/ws?listenKey={key}"
    async with (
        site.socket(f"{private}&events=ACCOUNT_UPDATE") as other,
        site.socket(f"{private}&events=ACCOUNT_UPDATE/listenKeyExpired") as told,
        site.socket(private) as all_told,
        asyncio.timeout(3),
    ):
        await site.control("POST", "/listen-keys/expire")
        for socket in (told, all_told):
            assert json.loads(await socket.recv())["e"] == "listenKeyExpired"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await other.recv()


async def test_socket_commands(site: Site) -> None:
    async with site.socket("wss://fstream.binance.com/ws") as socket, asyncio.timeout(5):

        async def say(message: dict[str, Any]) -> Any:
            await socket.send(json.dumps(message))
            while "id" not in (reply := json.loads(await socket.recv())):
                pass
            return reply

        wanted = ["btcusdt@bookTicker", "!markPrice@arr@1s", "nobody@bookTicker"]
        assert await say({"method": "SUBSCRIBE", "params": wanted, "id": 1}) == {"result": None, "id": 1}
        assert (await say({"method": "LIST_SUBSCRIPTIONS", "id": 2}))["result"] == sorted(wanted)
        seen = [json.loads(await socket.recv()) for _ in range(4)]
        assert any(isinstance(frame, list) and len(frame) >= 20 for frame in seen)
        assert any(isinstance(frame, dict) and frame["e"] == "bookTicker" for frame in seen)
        await say({"method": "UNSUBSCRIBE", "params": wanted, "id": 3})
        assert (await say({"method": "LIST_SUBSCRIPTIONS", "id": 4}))["result"] == []
        assert "error" in await say({"method": "DANCE", "params": [], "id": 5})


async def test_only_changed_tops_are_sent_and_frames_agree_with_rest(site: Site) -> None:
    streams = "btcusdt@bookTicker/ethusdt@bookTicker"
    async with site.socket(f"wss://stream.binance.com:9443/stream?streams={streams}") as socket:
        async with asyncio.timeout(5):
            last: dict[str, Any] = {}
            for _ in range(20):
                frame = json.loads(await socket.recv())["data"]
                before = last.get(frame["s"])
                fields = {k: v for k, v in frame.items() if k != "u"}
                assert before is None or fields != {k: v for k, v in before.items() if k != "u"}
                assert before is None or frame["u"] > before["u"]
                last[frame["s"]] = frame
        await site.control("POST", "/clock", {"paused": True})
        await asyncio.sleep(0.2)
        for wrapped in await drained(socket):
            last[wrapped["data"]["s"]] = wrapped["data"]
    rest = await site.call("GET", f"{SPOT}/api/v3/ticker/bookTicker", {"symbol": "BTCUSDT"})
    assert rest.body["bidPrice"] == last["BTCUSDT"]["b"]


async def test_depth_changes_build_the_book(site: Site) -> None:
    """The documented procedure: snapshot, then changes by update id, gives the same book as REST."""
    async with (
        site.socket("wss://stream.binance.com:9443/ws/btcusdt@depth@100ms") as socket,
        asyncio.timeout(10),
    ):
        events = [json.loads(await socket.recv())]
        snapshot = (await site.call("GET", f"{SPOT}/api/v3/depth", {"symbol": "BTCUSDT", "limit": 5000})).body
        bids = dict(snapshot["bids"])
        while len(events) < 8:
            events.append(json.loads(await socket.recv()))
        await site.control("POST", "/clock", {"paused": True})
        events += await drained(socket)
        used = [e for e in events if e["u"] > snapshot["lastUpdateId"]]
        assert used[0]["U"] <= snapshot["lastUpdateId"] + 1 <= used[0]["u"]
        for event in used:
            for price, quantity in event["b"]:
                bids[price] = quantity
                if float(quantity) == 0:
                    del bids[price]
        final = (await site.call("GET", f"{SPOT}/api/v3/depth", {"symbol": "BTCUSDT", "limit": 5000})).body
        ours = sorted(bids.items(), key=lambda level: -float(level[0]))[:200]
        assert ours == [tuple(level) for level in final["bids"][:200]]


async def test_websocket_api_runs_the_same_endpoints(site: Site) -> None:
    async with site.socket("wss://ws-api.binance.com:443/ws-api/v3") as socket, asyncio.timeout(5):
        params = {"apiKey": KEY, "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        params |= {"timestamp": str(now_ms())}
        text = "&".join(f"{k}={v}" for k, v in sorted(params.items()))
        params["signature"] = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        await socket.send(json.dumps({"id": "a", "method": "order.place", "params": params}))
        placed = json.loads(await socket.recv())
        assert (placed["status"], placed["result"]["status"]) == (200, "FILLED")
        await socket.send(json.dumps({"id": "b", "method": "order.place", "params": {"apiKey": KEY}}))
        assert json.loads(await socket.recv())["error"]["code"] == -1102
        await socket.send(json.dumps({"id": "c", "method": "order.fly"}))
        assert json.loads(await socket.recv())["status"] == 400
