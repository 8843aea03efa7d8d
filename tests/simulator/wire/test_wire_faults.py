"""Injected faults reach real clients as they would at the venue."""

import asyncio
import json
import time

import aiohttp
import pytest
import websockets
from client import KEY, Site, drained

SPOT, FUTURES = "https://api.binance.com", "https://fapi.binance.com"
BUY = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "MARKET",
    "quantity": "0.01",
    "newClientOrderId": "fault-1",
}


async def orders(site: Site) -> list[str]:
    return [row["client_id"] for row in (await site.control("GET", "/truth"))["orders"]]


async def test_reply_lost_after_applying(site: Site) -> None:
    rule = {"kind": "reply_lost", "path": "/api/v3/order", "method": "POST", "how": "hang", "count": 1}
    await site.control("POST", "/faults", rule)
    with pytest.raises(TimeoutError):
        await site.call("POST", f"{SPOT}/api/v3/order", BUY, signed=True, timeout_s=0.5)
    reference = {"symbol": "BTCUSDT", "origClientOrderId": "fault-1"}
    found = await site.call("GET", f"{SPOT}/api/v3/order", reference, signed=True)
    assert found.body["status"] == "FILLED"
    assert (await site.control("GET", "/faults"))["fired"] == {"reply_lost": 1}


@pytest.mark.parametrize("how", ["reset", "5xx", "unknown"])
async def test_reply_lost_in_other_ways(site: Site, how: str) -> None:
    await site.control("POST", "/faults", {"kind": "reply_lost", "how": how, "path": "/api/v3/order"})
    if how == "reset":
        with pytest.raises(aiohttp.ClientError):
            await site.call("POST", f"{SPOT}/api/v3/order", BUY, signed=True)
    else:
        answer = await site.call("POST", f"{SPOT}/api/v3/order", BUY, signed=True)
        assert answer.status >= 400
        assert answer.code in {None, -1007}
    assert await orders(site) == ["fault-1"]


async def test_reset_before_applying(site: Site) -> None:
    await site.control("POST", "/faults", {"kind": "reset", "path": "/api/v3/order"})
    with pytest.raises(aiohttp.ClientError):
        await site.call("POST", f"{SPOT}/api/v3/order", BUY, signed=True)
    assert await orders(site) == []


async def test_delay_429_and_maintenance(site: Site) -> None:
    url = f"{FUTURES}/fapi/v1/time"
    await site.control("POST", "/faults", {"kind": "delay", "delay_ms": 300, "count": 1})
    started = time.monotonic()
    assert (await site.call("GET", url)).status == 200
    assert time.monotonic() - started > 0.29
    await site.control("POST", "/faults", {"kind": "rate_limit_429", "retry_after_s": 7, "count": 1})
    refused = await site.call("GET", url)
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (429, -1003, "7")
    await site.control("POST", "/faults", {"kind": "maintenance", "wall_s": 0.3})
    assert (await site.call("GET", url)).status == 503
    with pytest.raises(websockets.InvalidStatus):
        async with site.socket("wss://fstream.binance.com/ws/btcusdt@bookTicker"):
            pass
    await asyncio.sleep(0.5)
    assert (await site.call("GET", url)).status == 200


async def test_rejected_and_partly_filled(site: Site) -> None:
    await site.control("POST", "/faults", {"kind": "reject", "code": -2010, "message": "No.", "count": 1})
    assert (await site.call("POST", f"{SPOT}/api/v3/order", BUY, signed=True)).code == -2010
    await site.control("POST", "/faults", {"kind": "partial_fill", "fraction": 0.5, "count": 1})
    filled = (await site.call("POST", f"{SPOT}/api/v3/order", BUY, signed=True)).body
    assert filled["executedQty"] == "0.00500000"


async def test_silent_feed_still_answers_pings(site: Site) -> None:
    async with site.socket("wss://fstream.binance.com/ws/!markPrice@arr@1s") as socket:
        await asyncio.wait_for(socket.recv(), 3)
        added = await site.control("POST", "/faults", {"kind": "silent_feed"})
        await asyncio.sleep(0.2)
        await drained(socket)
        await asyncio.wait_for(await socket.ping(), 2)
        await site.control("DELETE", f"/faults?id={added['ids'][0]}")
        await asyncio.wait_for(socket.recv(), 3)
        await site.control("POST", "/faults", {"kind": "silent_feed", "stream": "pong"})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(await socket.ping(), 0.4)


async def test_stream_reset_duplicates_and_late_events(site: Site) -> None:
    key = (await site.call("POST", f"{SPOT}/api/v3/userDataStream", key=KEY)).body["listenKey"]
    url = f"wss://stream.binance.com:9443/ws/{key}"
    await site.control(
        "POST", "/faults", {"kind": "duplicate_event", "stream": "userData@executionReport", "copies": 1}
    )
    async with site.socket(url) as socket, asyncio.timeout(5):
        await site.call("POST", f"{SPOT}/api/v3/order", BUY, signed=True)
        events = [json.loads(await socket.recv()) for _ in range(5)]
        assert [e.get("x") for e in events] == ["NEW", "NEW", "TRADE", "TRADE", None]
    await site.control("DELETE", "/faults")
    late = {"kind": "late_event", "stream": "userData@*", "delay_ms": 300}
    await site.control("POST", "/faults", late)
    async with site.socket(url) as socket, asyncio.timeout(5):
        started = time.monotonic()
        await site.call("POST", f"{SPOT}/api/v3/order", {**BUY, "newClientOrderId": "fault-2"}, signed=True)
        await socket.recv()
        assert time.monotonic() - started > 0.29
    await site.control("DELETE", "/faults")
    await site.control("POST", "/faults", {"kind": "reset", "stream": "*@bookTicker"})
    with pytest.raises(websockets.ConnectionClosed):
        async with (
            site.socket("wss://stream.binance.com:9443/ws/btcusdt@bookTicker") as socket,
            asyncio.timeout(5),
        ):
            await socket.recv()


async def test_wrong_rules_are_refused_with_a_reason(site: Site) -> None:
    assert "kind" in (await site.control("POST", "/faults", {"kind": "earthquake"}))["error"]
    assert "error" in await site.control("POST", "/faults", 5)
    assert "error" in await site.control("POST", "/clock", {"speed": "fast"})
    assert "error" in await site.control("GET", "/truth?key=nobody")
    assert (await site.control("GET", "/faults"))["rules"] == []
