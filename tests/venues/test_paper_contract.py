"""The contract of every venue, for the paper account: live market over HTTPS and WSS, orders in its own core.

What the contract says about the wire of orders has no place here: an order never leaves the process.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.domain.events import OrderFilled, OrderReported, TransferFailed, TransferSettled
from bot.domain.instruments import FeeRates
from bot.domain.orders import OrderState, Side
from bot.simulator.paper import PaperTerms, PaperVenue
from bot.simulator.process import ask
from bot.simulator.wire.options import Endpoint
from bot.venues.binance import BinanceVenue
from bot.venues.transport import Transport
from tests.venues.conftest import streaming
from tests.venues.contract import SPOT, Bench, VenueContract

TERMS = PaperTerms(
    Decimal(1_000_000),
    FeeRates(Decimal("0.001"), Decimal("0.001")),
    FeeRates(Decimal("0.0002"), Decimal("0.0005")),
)


class PaperBench(Bench):
    async def truth(self) -> Any:
        return self.venue.truth()


def paper(
    endpoint: Endpoint,
    bench: Bench,
    state: Path,
    cash: Decimal = TERMS.cash,
    *,
    borrows: bool = False,
    looks: bool = False,
) -> PaperVenue:
    """A paper account at the live market that the simulator plays; the adapter has no key."""
    transport = Transport("127.0.0.1", endpoint.port, endpoint.ca_file)
    coins = ("BTC", "ETH", "SOL")
    live = BinanceVenue("binance", "main", "", "", transport=transport, coins=coins, timeout_s=2.0, log=bench.log)
    return PaperVenue(live, "main", state, replace(TERMS, cash=cash), bench.log, borrows=borrows, looks=looks)


@pytest.fixture
async def bench(simulator: Endpoint, tmp_path: Path) -> AsyncIterator[Bench]:
    bench = PaperBench(endpoint=simulator)
    bench.venue = paper(simulator, bench, tmp_path / "paper.db")
    async with streaming(bench):
        try:
            yield bench
        finally:
            ask(simulator, "DELETE", "/faults")
            ask(simulator, "POST", "/clock", {"speed": 1, "paused": False})


class TestPaper(VenueContract):
    # The wire of orders, transfers and private streams: there is none.
    test_a_lost_reply_is_unknown_and_the_query_finds_the_order = None  # type: ignore[assignment]
    test_a_lagging_view_is_not_believed = None  # type: ignore[assignment]
    test_no_answer_to_a_query_is_not_not_found = None  # type: ignore[assignment]
    test_an_expired_listen_key_is_renewed = None  # type: ignore[assignment]
    test_transfers_settle_fail_and_stay_unknown = None  # type: ignore[assignment]

    async def test_transfers_settle_and_fail(self, bench: Bench) -> None:
        since_ms = bench.venue.market_ms() - 1_000
        settled = await bench.move("25")
        assert isinstance(settled, TransferSettled)
        assert isinstance(await bench.move("999999999"), TransferFailed)
        (booked,) = (await bench.venue.fetch_history(since_ms, [])).transfers
        assert (booked.venue_id, booked.amount, booked.source) == (settled.venue_id, Decimal(25), "spot")

    async def test_an_order_walks_the_live_order_book(self, bench: Bench) -> None:
        book = await bench.venue._source.fetch_order_book(SPOT)
        best = book.asks[0][1]
        intent = bench.intent(SPOT, Side.BUY, str((best * 3).quantize(Decimal("0.00001"))), away="0.01")
        await bench.venue.place([intent], reducing=False, deliver=bench.deliver)
        fills = [e.fill for e in bench.of(OrderFilled, intent.client_id)]
        assert len({fill.price for fill in fills}) > 1
        assert sum(f.quantity_base for f in fills) == intent.quantity_base

    async def test_without_a_live_order_book_nothing_is_filled(self, bench: Bench) -> None:
        await bench.control("POST", "/faults", {"kind": "maintenance", "path": "/api/v3/depth", "count": 3})
        intent = bench.intent(SPOT, Side.BUY, "0.01")
        await bench.venue.place([intent], reducing=False, deliver=bench.deliver)
        (report,) = bench.of(OrderReported, intent.client_id)
        assert report.state is OrderState.REJECTED
        assert report.reason.startswith("not sent: no live order book")
        assert (await bench.venue.fetch_account()).balances["spot"] == {"USDT": Decimal(1_000_000)}


async def test_the_account_outlives_the_daemon_and_is_charged_for_the_time_between(
    simulator: Endpoint, tmp_path: Path
) -> None:
    perp = "binance:ETHUSDT:perp"
    bench = PaperBench(endpoint=simulator)
    bench.venue = paper(simulator, bench, tmp_path / "paper.db")
    async with streaming(bench):
        assert isinstance(await bench.move("20000"), TransferSettled)
        sell = bench.intent(perp, Side.SELL, "1")
        await bench.venue.place([sell], reducing=False, deliver=bench.deliver)
        before = bench.venue.truth()
    assert len(before["trades"]) >= 1
    assert not before["receipts"]
    await bench.control("POST", "/clock", {"speed": 20_000})
    await asyncio.sleep(3.5)
    await bench.control("POST", "/clock", {"speed": 1})
    again = PaperBench(endpoint=simulator)
    again.venue = paper(simulator, again, tmp_path / "paper.db")
    async with streaming(again):
        after = again.venue.truth()
        told = await again.venue._source.fetch_settlements(before["market_time"], [perp])
    assert after["trades"] == before["trades"]
    charged = {row["settled_at"]: Decimal(row["payment"]) for row in after["receipts"]}
    assert len(charged) == len(after["receipts"]) >= 2
    assert charged == {one.settled_ms: (one.rate * one.mark_price).quantize(Decimal("1E-8")) for one in told}


async def test_a_question_before_the_first_run_opens_no_account(simulator: Endpoint, tmp_path: Path) -> None:
    for cash in (1_000_000, 5_000):
        bench = PaperBench(endpoint=simulator)
        bench.venue = paper(simulator, bench, tmp_path / "paper.db", Decimal(cash))
        await bench.venue.connect()
        assert (await bench.venue.fetch_account()).balances["spot"] == {"USDT": Decimal(cash)}
        await bench.venue.close()


async def test_who_only_looks_changes_nothing_and_sees_what_the_daemon_has_saved(
    simulator: Endpoint, tmp_path: Path
) -> None:
    """`ledger --verify` beside a daemon: an account that charged itself again would not be the daemon's any more."""
    perp, file = "binance:ETHUSDT:perp", tmp_path / "paper.db"
    daemon, other = PaperBench(endpoint=simulator), PaperBench(endpoint=simulator)
    daemon.venue = paper(simulator, daemon, file)
    async with streaming(daemon):
        assert isinstance(await daemon.move("20000"), TransferSettled)
        sell = daemon.intent(perp, Side.SELL, "1")
        await daemon.venue.place([sell], reducing=False, deliver=daemon.deliver)
    await daemon.control("POST", "/clock", {"speed": 20_000})
    await asyncio.sleep(3.5)
    await daemon.control("POST", "/clock", {"speed": 1})
    before = stored(file)
    other.venue = paper(simulator, other, file, looks=True)
    await other.venue.connect()
    try:
        seen = await other.venue.fetch_account()
        assert list(await other.venue.fetch_receipts(0)) == []
        assert stored(file) == before
        again = PaperBench(endpoint=simulator)
        again.venue = paper(simulator, again, file)
        async with streaming(again):
            charged = await again.venue.fetch_receipts(0)
            assert len(charged) >= 2
            assert await other.venue.fetch_receipts(0) == charged
            assert await other.venue.fetch_account() == await again.venue.fetch_account() != seen
        saved = stored(file)
    finally:
        await other.venue.close()
    assert stored(file) == saved


def stored(file: Path) -> dict[str, list[Any]]:
    """All rows of an account's file, read with nothing of ours."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return {table: connection.execute(f"select * from {table}").fetchall() for table in ("record", "state")}
    finally:
        connection.close()
