"""The contract of every venue, for Binance: over HTTPS and WSS against the simulated exchange."""

import asyncio
import socket
import time
import traceback
from decimal import Decimal

import pytest

from bot.domain.events import OrderReported, TransferSettled
from bot.domain.orders import OrderState, Side
from bot.ports import VenueError, VenueSetupError
from bot.simulator.wire.options import Endpoint
from bot.venues.binance import BinanceVenue, income, trades
from bot.venues.binance import rates as rate_pages
from bot.venues.transport import Transport
from tests.venues.contract import HOUR_MS, PERP, SPOT, Bench, VenueContract


class TestBinance(VenueContract):
    async def test_the_account_is_set_up_as_the_bot_needs_it(self, bench: Bench) -> None:
        modes = await bench.venue.account_modes()
        assert modes.problem is None

    async def test_after_429_nothing_is_sent_before_retry_after(self, bench: Bench) -> None:
        rule = {"kind": "rate_limit_429", "path": "/api/v3/order", "retry_after_s": 3, "count": 1}
        await bench.control("POST", "/faults", rule)
        first = bench.intent(SPOT, Side.BUY, "0.001")
        await bench.venue.place([first], reducing=False, deliver=bench.deliver)
        report = bench.of(OrderReported, first.client_id)[-1]
        assert (report.state, report.filled_base) == (OrderState.REJECTED, 0)
        # the adapter waits at most its time-out of 2 s, then says that it did not send
        started = time.monotonic()
        second = bench.intent(SPOT, Side.BUY, "0.001")
        await bench.venue.place([second], reducing=True, deliver=bench.deliver)
        assert time.monotonic() - started >= 1.9
        assert bench.of(OrderReported, second.client_id)[-1].reason.startswith("not sent")
        third = bench.intent(SPOT, Side.BUY, "0.001")
        await bench.venue.place([third], reducing=True, deliver=bench.deliver)
        assert time.monotonic() - started >= 2.5
        assert bench.of(OrderReported, third.client_id)[-1].state is OrderState.FILLED


async def test_the_leverage_setting_of_a_symbol_bounds_what_the_venue_lets_in(bench: Bench) -> None:
    """150,000 USD of SOL are within its bracket at the usual 20x, and beyond the one at 50x."""
    sol = "binance:SOLUSDT:perp"
    assert isinstance(await bench.move("20000"), TransferSettled)
    try:
        await bench.venue._rest.data("fapiPrivatePostLeverage", {"symbol": "SOLUSDT", "leverage": 50})
        settings = {one.symbol: one.leverage for one in (await bench.venue.fetch_listing()).instruments}
        assert settings["SOLUSDT"] == 50
        much = bench.intent(sol, Side.SELL, str(150_000 // bench.quotes[sol].mid), away="0.01")
        await bench.venue.place([much], reducing=False, deliver=bench.deliver)
        refusal = bench.of(OrderReported, much.client_id)[-1]
        assert refusal.state is OrderState.REJECTED
        assert refusal.reason.startswith("-2027")
        await bench.venue._rest.data("fapiPrivatePostLeverage", {"symbol": "SOLUSDT", "leverage": 2})
        await bench.venue.fetch_listing()
        assert ("venue.leverage_low", {"venue": "binance", "symbols": "SOLUSDT"}) in bench.logged
    finally:
        await bench.venue._rest.data("fapiPrivatePostLeverage", {"symbol": "SOLUSDT", "leverage": 20})


async def test_what_the_venue_gives_back_of_fees_is_told_once_with_its_record(bench: Bench) -> None:
    """A referred account gets a part of each futures fee back: a difference that no other record explains."""
    since_ms = bench.venue.market_ms() - HOUR_MS
    before = await bench.venue.fetch_account()
    opening = bench.intent(PERP, Side.SELL, "0.01", away="0.01")
    assert isinstance(await bench.move("2000"), TransferSettled)
    await bench.venue.place([opening], reducing=False, deliver=bench.deliver)
    number = (await bench.control("POST", "/grant", {"kind": "REFERRAL_KICKBACK", "quantity": "0.00123"}))["id"]
    found = {one.venue_id: one for one in await bench.venue.fetch_capital(since_ms)}
    row = found[f"income:REFERRAL_KICKBACK:account:{number}"]
    assert (row.wallet, row.asset, row.amount) == ("perp", "USDT", Decimal("0.00123"))
    assert not [name for name in found if "COMMISSION:" in name or "TRANSFER" in name or "FUNDING_FEE" in name]
    assert (await bench.venue.fetch_account()).balances["perp"] != before.balances.get("perp")


async def test_a_symbol_that_the_account_may_not_trade_is_left_out(simulator: Endpoint, bench: Bench) -> None:
    """Its purchase is refused while the short beside it fills; what may be held stays listed."""
    await bench.control("POST", "/permissions", {"unpermitted": ["SOLUSDT"]})
    transport = Transport("127.0.0.1", simulator.port, simulator.ca_file)
    coins = ("BTC", "SOL")
    venue = BinanceVenue(
        "binance", "main", "demo-key", "demo-secret", transport=transport, coins=coins, log=bench.log
    )
    try:
        purchase = bench.intent("binance:SOLUSDT:spot", Side.BUY, "1")
        await bench.venue.place([purchase], reducing=False, deliver=bench.deliver)
        assert bench.of(OrderReported, purchase.client_id)[-1].reason.startswith(
            "-2010: This symbol is not permitted"
        )
        await venue.connect()
        assert {one.coin for one in (await venue.fetch_listing()).instruments} == {"BTC"}
        assert bench.logged.count(("venue.not_permitted", {"venue": "binance", "symbols": "SOLUSDT"})) == 1
        venue.keep_listed(["binance:SOLUSDT:perp"])
        kept = (await venue.fetch_listing()).instruments
        assert {one.coin for one in kept} == {"BTC", "SOL"}
        assert {one.id for one in kept if one.barred} == {"binance:SOLUSDT:spot"}
    finally:
        await venue.close()
        await bench.control("POST", "/permissions", {"unpermitted": []})


async def test_a_key_that_can_withdraw_is_refused(simulator: Endpoint) -> None:
    transport = Transport("127.0.0.1", simulator.port, simulator.ca_file)
    venue = BinanceVenue("binance", "main", "withdraw-key", "withdraw-secret", transport=transport, coins=("BTC",))
    with pytest.raises(VenueSetupError, match="the key can withdraw"):
        await venue.connect()


async def test_errors_carry_no_secret_and_no_url(simulator: Endpoint) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed_port = unused.getsockname()[1]
    for port, secret in ((closed_port, "demo-secret"), (simulator.port, "canary-wrong-secret")):
        venue = BinanceVenue(
            "binance",
            "main",
            "demo-key",
            secret,
            transport=Transport("127.0.0.1", port, simulator.ca_file),
            timeout_s=2.0,
        )
        with pytest.raises(VenueError) as caught:
            await venue.connect()
        shown = "".join(traceback.format_exception(caught.value))
        for hidden in ("demo-key", secret, "signature=", "https://", "timestamp="):
            assert hidden not in shown


class TestPaging:
    """The same histories must come out whatever the size of a page; many rows share one time stamp."""

    async def test_small_pages_tell_the_same(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        for _ in range(5):
            assert isinstance(await bench.move("10000"), TransferSettled)
            both = [bench.intent(SPOT, Side.BUY, "0.002"), bench.intent(PERP, Side.SELL, "0.002")]
            both.append(bench.intent("binance:SOLUSDT:perp", Side.SELL, "1"))
            await bench.venue.place(both, reducing=False, deliver=bench.deliver)
        await bench.control("POST", "/clock", {"speed": 20_000})
        await asyncio.sleep(6)
        await bench.control("POST", "/clock", {"speed": 1})
        since_ms = bench.venue.market_ms() - 20 * 24 * HOUR_MS
        instruments = [SPOT, PERP, "binance:SOLUSDT:perp"]
        whole = await bench.venue.fetch_history(since_ms, instruments)
        rates = await bench.venue.fetch_rates(since_ms)
        assert len(whole.fills) >= 15
        assert len(whole.receipts) >= 6
        monkeypatch.setattr(trades, "PAGE", 3)
        monkeypatch.setattr(income, "PAGE", 4)
        monkeypatch.setattr(income, "TRANSFER_PAGE", 2)
        monkeypatch.setattr(rate_pages, "PAGE", 60)
        paged = await bench.venue.fetch_history(since_ms, instruments)
        assert paged.fills == whole.fills
        assert paged.receipts == whole.receipts
        assert paged.transfers == whole.transfers
        assert list(await bench.venue.fetch_rates(since_ms)) == list(rates)

    async def test_more_rows_at_one_time_than_a_page_holds_is_an_error(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rate_pages, "PAGE", 5)
        with pytest.raises(VenueError):
            await bench.venue.fetch_rates(bench.venue.market_ms() - 48 * HOUR_MS)
