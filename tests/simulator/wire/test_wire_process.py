"""The simulator as a process: what it acknowledged survives kill -9; it can be found, stopped, and ends idle."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from client import KEY, Process, Site, eventually, running

from bot.simulator.process import SimulatorError, find_running, start_detached, stop
from bot.simulator.wire.options import SimulatorOptions
from bot.simulator.wire.persistence import StateError

SPOT, FUTURES = "https://api.binance.com", "https://fapi.binance.com"


async def trade(site: Site, number: int) -> str:
    name = f"kill-{number}"
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", "newClientOrderId": name}
    answer = await site.call("POST", f"{SPOT}/api/v3/order", order, signed=True)
    assert answer.status == 200, answer.body
    return name


def facts(truth: dict[str, Any]) -> dict[str, Any]:
    return {key: truth[key] for key in ("balances", "orders", "trades", "transfers")}


async def test_kill_and_restart_keep_everything_acknowledged(tmp_path: Path) -> None:
    state = tmp_path / "state"
    number, listen_key, market_time = 0, "", 0
    known: list[str] = []
    for _ in range(3):
        process = Process(state, "--speed", "3600")
        try:
            site = process.site()
            if not known:
                await site.call(
                    "POST",
                    f"{SPOT}/sapi/v1/asset/transfer",
                    {"type": "MAIN_UMFUTURE", "asset": "USDT", "amount": "1000"},
                    signed=True,
                )
                listen_key = (await site.call("POST", f"{FUTURES}/fapi/v1/listenKey", key=KEY)).body["listenKey"]
                await site.control("POST", "/faults", {"kind": "maintenance", "path": "/never"})
            truth = await site.control("GET", "/truth")
            assert [row["client_id"] for row in truth["orders"]] == known
            assert truth["market_time"] >= market_time
            assert len((await site.control("GET", "/faults"))["rules"]) == 1
            assert (await site.call("PUT", f"{FUTURES}/fapi/v1/listenKey", key=KEY)).body["listenKey"] == listen_key
            for _ in range(5):
                number += 1
                known.append(await trade(site, number))
            before = await site.control("GET", "/truth")
            market_time = before["market_time"]
        finally:
            process.kill()
    process = Process(state)
    try:
        site = process.site()
        after = await site.control("GET", "/truth")
        assert facts(after) == facts(before)
        assert after["speed"] == 3_600
        assert process.terminate() == 0
    finally:
        process.kill()
    assert not (state / "endpoint.json").exists()
    assert "ending: stopped" in (state / "simulator.log").read_text()


async def test_receipts_survive_with_their_ids(tmp_path: Path) -> None:
    async with running(tmp_path, speed=36_000.0) as (site, _):
        await site.call(
            "POST",
            f"{SPOT}/sapi/v1/asset/transfer",
            {"type": "MAIN_UMFUTURE", "asset": "USDT", "amount": "100000"},
            signed=True,
        )
        short = {"symbol": "ETHUSDT", "side": "SELL", "type": "MARKET", "quantity": "3"}
        await site.call("POST", f"{FUTURES}/fapi/v1/order", short, signed=True)
        await eventually(lambda: site.control("GET", "/truth"), lambda truth: len(truth["receipts"]) >= 2)
        await site.control("POST", "/clock", {"paused": True})
        before = (await site.control("GET", "/truth"))["receipts"]
    async with running(tmp_path) as (site, _):
        assert (await site.control("GET", "/health"))["paused"] is True
        assert (await site.control("GET", "/truth"))["receipts"] == before


async def test_two_simulators_never_share_a_folder(tmp_path: Path) -> None:
    options = SimulatorOptions(state_dir=tmp_path, tick_ms=50, ca_file=tmp_path / "given" / "ca.pem")
    endpoint = await asyncio.to_thread(start_detached, options)
    try:
        assert find_running(tmp_path) == endpoint
        assert await asyncio.to_thread(start_detached, options) == endpoint
        second = Process(tmp_path)
        with pytest.raises(AssertionError, match="another simulator already uses"):
            second.site()
        assert second.wait() == 1
        assert (tmp_path / "given" / "ca.pem").read_bytes() == (tmp_path / "tls" / "ca.pem").read_bytes()
    finally:
        await stop(endpoint)
    assert find_running(tmp_path) is None


async def test_a_dead_process_is_not_found(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.site()
    process.kill()
    assert (tmp_path / "endpoint.json").exists()
    assert find_running(tmp_path) is None


async def test_a_taken_port_is_an_error(tmp_path: Path) -> None:
    async with running(tmp_path / "one") as (site, _):
        options = SimulatorOptions(state_dir=tmp_path / "two", port=site.port)
        with pytest.raises(SimulatorError, match="cannot listen"):
            await asyncio.to_thread(start_detached, options)


async def test_it_ends_by_itself_when_nobody_is_there(tmp_path: Path) -> None:
    process = Process(tmp_path, "--idle-exit", "0.7")
    site = process.site()
    async with site.socket("wss://fstream.binance.com/ws/!markPrice@arr@1s") as socket:
        await asyncio.sleep(1.2)
        await socket.recv()
    assert await asyncio.to_thread(process.wait) == 0


async def test_another_seed_needs_another_folder(tmp_path: Path) -> None:
    async with running(tmp_path):
        pass
    with pytest.raises(StateError, match="another state folder"):
        async with running(tmp_path, seed=7):
            pass
