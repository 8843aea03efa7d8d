"""The contract of every venue, for Binance: over HTTPS and WSS against the simulated exchange."""

import socket
import time
import traceback

import pytest

from bot.domain.events import OrderReported
from bot.domain.orders import OrderState, Side
from bot.ports import VenueError
from bot.simulator.wire.options import Endpoint
from bot.venues.binance import BinanceVenue
from bot.venues.transport import Transport
from tests.venues.contract import SPOT, Bench, VenueContract


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
