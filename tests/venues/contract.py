"""What every `ports.Venue` must do, told against a simulated exchange over HTTPS and WSS.

A test module for a venue subclasses `VenueContract` and gives a `bench` fixture: a connected venue with running
streams, listing BTC, ETH and SOL as spot and perpetual, whose account has a million USDT in the spot wallet when
the session starts.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bot.domain.actions import Severity
from bot.domain.events import (
    Event,
    FeedAlive,
    FeedLost,
    OrderFilled,
    OrderNotFound,
    OrderOutcomeUnknown,
    OrderReported,
    TransferFailed,
    TransferSettled,
    TransferUnknown,
)
from bot.domain.hedges import TransferIntent
from bot.domain.instruments import Kind
from bot.domain.market import Mark, Quote
from bot.domain.orders import Fill, OrderIntent, OrderState, Purpose, Side, TimeInForce
from bot.ports import Venue
from bot.simulator.process import ask
from bot.simulator.wire.options import Endpoint

_numbers = itertools.count(1)
HOUR_MS = 3_600_000


@dataclass
class Bench:
    """A venue, what it delivered and logged, and the simulated exchange's own controls."""

    endpoint: Endpoint
    events: list[Event] = field(default_factory=list)
    quotes: dict[str, Quote] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    feeds: dict[str, int] = field(default_factory=dict)
    logged: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    venue: Any = None

    def deliver(self, event: Event) -> None:
        match event:
            case Quote():
                self.quotes[event.instrument] = event
            case Mark():
                self.marks[event.instrument] = event
            case FeedAlive():
                self.feeds[event.feed] = self.feeds.get(event.feed, 0) + 1
            case _:
                self.events.append(event)

    def log(self, severity: Severity, name: str, fields: Mapping[str, Any]) -> None:
        self.logged.append((name, fields))

    def streams_up(self) -> bool:
        return len(self.quotes) >= 6 and len(self.marks) >= 3 and len(self.feeds) >= 4

    async def until(self, done: Callable[[], bool], within_s: float = 15) -> None:
        deadline = time.monotonic() + within_s
        while not done():
            assert time.monotonic() < deadline, f"not within {within_s} s; log: {self.logged[-5:]}"
            await asyncio.sleep(0.02)

    async def control(self, method: str, path: str, document: Any = None) -> Any:
        answer = await asyncio.to_thread(ask, self.endpoint, method, path, document)
        assert answer is not None, f"{method} {path} was not answered"
        return answer

    async def truth(self) -> Any:
        return await self.control("GET", "/truth")

    def of(self, kind: type[Any], client_id: str | None = None) -> list[Any]:
        found = [e for e in self.events if isinstance(e, kind)]
        if client_id is None:
            return found
        return [e for e in found if (e.fill if isinstance(e, OrderFilled) else e).client_id == client_id]

    def intent(
        self,
        instrument: str,
        side: Side,
        quantity: str,
        *,
        away: str = "0.01",
        force: TimeInForce = TimeInForce.IOC,
        reduce_only: bool = False,
    ) -> OrderIntent:
        """A limit order `away` (share of the mid) on the far side of the mid; negative: resting.

        Far enough that it fills by a quote of before the clock was set back, on a machine that is busy.
        """
        mid = self.quotes[instrument].mid
        number = next(_numbers)
        return OrderIntent(
            client_id=f"cb-{time.time_ns()}-{number}",
            hedge_id="h-1",
            leg=0,
            venue="binance",
            instrument=instrument,
            side=side,
            quantity_base=Decimal(quantity),
            limit_price=mid * (1 + side.sign * Decimal(away)),
            time_in_force=force,
            reduce_only=reduce_only,
            purpose=Purpose.OPEN,
            created_ms=self.venue.market_ms(),
            decided_price=mid,
        )

    async def ask_until_nowhere(self, client_id: str, instrument: str, since_ms: int) -> None:
        """Until the order is not found in full: the first answer may be that one view has to catch up."""
        for _ in range(100):
            await self.venue.query(client_id, instrument, None, since_ms, self.deliver)
            if self.of(OrderNotFound, client_id)[-1].sources > 1:
                return
            await asyncio.sleep(0.1)

    async def move(self, amount: str, source: str = "spot", target: str = "perp") -> Any:
        number = f"t-{next(_numbers)}"
        intent = TransferIntent(number, "binance", "USDT", Decimal(amount), source, target, self.venue.market_ms())
        await self.venue.transfer(intent, self.deliver)
        outcomes = (TransferSettled, TransferFailed, TransferUnknown)
        return next(e for e in reversed(self.events) if isinstance(e, outcomes) and e.transfer_id == number)


SPOT, PERP = "binance:BTCUSDT:spot", "binance:BTCUSDT:perp"


class VenueContract:
    async def test_is_a_venue(self, bench: Bench) -> None:
        venue: Venue = bench.venue
        assert venue.name == "binance"

    async def test_listing_has_pairs_with_fees_and_tiers(self, bench: Bench) -> None:
        listing = await bench.venue.fetch_listing()
        assert {(i.coin, i.kind) for i in listing.instruments} == {
            (coin, kind) for coin in ("BTC", "ETH", "SOL") for kind in (Kind.SPOT, Kind.PERP)
        }
        for instrument in listing.instruments:
            assert instrument.tick > 0
            assert instrument.lot > 0
            assert instrument.notional_min > 0
            assert listing.fees[instrument.id].taker > 0
            assert (instrument.kind is Kind.PERP) == (instrument.id in listing.tiers)
            assert instrument.fee_in_base == (instrument.kind is Kind.SPOT)

    async def test_quotes_and_marks_flow_and_market_time_never_falls(self, bench: Bench) -> None:
        stamps = [bench.venue.market_ms()]
        before = dict(bench.quotes)
        for _ in range(20):
            await asyncio.sleep(0.05)
            stamps.append(bench.venue.market_ms())
        assert stamps == sorted(stamps)
        assert bench.quotes[SPOT] is not before[SPOT]
        assert bench.quotes[PERP].bid < bench.quotes[PERP].ask
        truth = await bench.truth()
        assert abs(bench.venue.market_ms() - truth["market_time"]) < 2_000
        assert {"binance:spot", "binance:perp", "binance:user-spot", "binance:user-perp"} <= set(bench.feeds)

    async def test_both_legs_fill_with_fees_and_a_query_tells_the_same(self, bench: Bench) -> None:
        assert isinstance(await bench.move("50000"), TransferSettled)
        buy = bench.intent(SPOT, Side.BUY, "0.05")
        sell = bench.intent(PERP, Side.SELL, "0.05")
        await bench.venue.place([buy, sell], reducing=False, deliver=bench.deliver)
        await bench.until(lambda: bool(bench.of(OrderFilled, sell.client_id)))
        for intent in (buy, sell):
            reports = bench.of(OrderReported, intent.client_id)
            assert any(r.state is OrderState.FILLED for r in reports)
            fills = {e.fill.key: e.fill for e in bench.of(OrderFilled, intent.client_id)}
            assert sum(f.quantity_base for f in fills.values()) == Decimal("0.05")
            assert all(f.fee > 0 for f in fills.values())
            assert {f.fee_asset for f in fills.values()} == ({"BTC"} if intent is buy else {"USDT"})
            streamed = len(bench.of(OrderFilled, intent.client_id))
            await bench.venue.query(intent.client_id, intent.instrument, None, intent.created_ms, bench.deliver)
            asked = bench.of(OrderFilled, intent.client_id)[streamed:]
            assert {(e.fill.key, e.fill.price, e.fill.fee) for e in asked} == {
                (f.key, f.price, f.fee) for f in fills.values()
            }
        account = await bench.venue.fetch_account()
        truth = await bench.truth()
        assert account.positions[PERP] == Decimal(truth["positions"][0]["quantity"])
        assert not account.complete

    async def test_a_refused_order_is_rejected_with_the_code(self, bench: Bench) -> None:
        intent = bench.intent(SPOT, Side.BUY, "0.00001")
        await bench.venue.place([intent], reducing=False, deliver=bench.deliver)
        report = bench.of(OrderReported, intent.client_id)[-1]
        assert report.state is OrderState.REJECTED
        assert report.reason.startswith("-1013")

    async def test_reduce_only_without_a_position_is_rejected(self, bench: Bench) -> None:
        intent = bench.intent("binance:SOLUSDT:perp", Side.BUY, "1", reduce_only=True)
        await bench.venue.place([intent], reducing=True, deliver=bench.deliver)
        report = bench.of(OrderReported, intent.client_id)[-1]
        assert (report.state, report.reason[:5]) == (OrderState.REJECTED, "-2022")

    async def test_a_quantity_off_the_grid_is_not_sent(self, bench: Bench) -> None:
        intent = bench.intent(SPOT, Side.BUY, "0.000000123")
        await bench.venue.place([intent], reducing=False, deliver=bench.deliver)
        report = bench.of(OrderReported, intent.client_id)[-1]
        assert (report.state, report.reason[:8]) == (OrderState.REJECTED, "not sent")

    async def test_a_lost_reply_is_unknown_and_the_query_finds_the_order(self, bench: Bench) -> None:
        for how in ("hang", "reset", "5xx", "unknown"):
            rule = {"kind": "reply_lost", "how": how, "path": "/api/v3/order", "method": "POST", "count": 1}
            await bench.control("POST", "/faults", rule)
            intent = bench.intent(SPOT, Side.BUY, "0.001")
            await bench.venue.place([intent], reducing=False, deliver=bench.deliver)
            assert len(bench.of(OrderOutcomeUnknown, intent.client_id)) == 1, how
            await bench.venue.query(intent.client_id, SPOT, None, intent.created_ms, bench.deliver)
            assert bench.of(OrderReported, intent.client_id)[-1].state is OrderState.FILLED
            assert bench.of(OrderFilled, intent.client_id)

    async def test_a_repeated_client_id_is_unknown_not_rejected(self, bench: Bench) -> None:
        resting = bench.intent(PERP, Side.BUY, "0.01", away="-0.05", force=TimeInForce.GTC)
        assert isinstance(await bench.move("1000"), TransferSettled)
        await bench.venue.place([resting], reducing=False, deliver=bench.deliver)
        assert bench.of(OrderReported, resting.client_id)[-1].state is OrderState.LIVE
        await bench.venue.place([resting], reducing=False, deliver=bench.deliver)
        assert bench.of(OrderOutcomeUnknown, resting.client_id)
        opened = await bench.venue.fetch_open_orders()
        assert [o[:2] for o in opened] == [(resting.client_id, PERP)]
        await bench.venue.cancel(resting.client_id, PERP, bench.deliver)
        assert bench.of(OrderReported, resting.client_id)[-1].state is OrderState.CANCELLED
        await bench.venue.cancel(resting.client_id, PERP, bench.deliver)
        assert bench.of(OrderReported, resting.client_id)[-1].state is OrderState.CANCELLED

    async def test_an_order_never_sent_is_not_found_in_three_views(self, bench: Bench) -> None:
        since_ms = bench.venue.market_ms() - HOUR_MS
        for instrument in (SPOT, PERP):
            name = f"cb-never-{instrument[-4:]}"
            await bench.ask_until_nowhere(name, instrument, since_ms)
            assert bench.of(OrderNotFound, name)[-1].sources == 3

    async def test_a_lagging_view_is_not_believed(self, bench: Bench) -> None:
        intent = bench.intent(SPOT, Side.BUY, "0.001")
        await bench.venue.place([intent], reducing=False, deliver=bench.deliver)
        await bench.control("POST", "/faults", {"kind": "not_found", "book": "spot", "count": 1})
        await bench.venue.query(intent.client_id, SPOT, None, intent.created_ms, bench.deliver)
        assert not bench.of(OrderNotFound, intent.client_id)
        assert bench.of(OrderReported, intent.client_id)[-1].state is OrderState.FILLED

    async def test_no_answer_to_a_query_is_not_not_found(self, bench: Bench) -> None:
        rule = {"kind": "maintenance", "path": "/api/v3/*", "count": 5}
        await bench.control("POST", "/faults", rule)
        await bench.venue.query("cb-x", SPOT, None, 0, bench.deliver)
        assert bench.of(OrderOutcomeUnknown, "cb-x")
        assert not bench.of(OrderNotFound, "cb-x")

    async def test_transfers_settle_fail_and_stay_unknown(self, bench: Bench) -> None:
        since_ms = bench.venue.market_ms() - 1_000
        settled = await bench.move("25")
        assert isinstance(settled, TransferSettled)
        assert isinstance(await bench.move("5", "perp", "spot"), TransferSettled)
        failed = await bench.move("999999999")
        assert isinstance(failed, TransferFailed), failed
        rule = {"kind": "reply_lost", "how": "reset", "path": "/sapi/v1/asset/transfer", "method": "POST"}
        await bench.control("POST", "/faults", {**rule, "count": 1})
        assert isinstance(await bench.move("7"), TransferUnknown)
        history = await bench.venue.fetch_history(since_ms, [])
        moved = [(t.amount, t.source, t.target) for t in history.transfers]
        assert (Decimal(25), "spot", "perp") in moved
        assert (Decimal(5), "perp", "spot") in moved
        assert (Decimal(7), "spot", "perp") in moved
        assert settled.venue_id in {t.venue_id for t in history.transfers}

    async def test_history_equals_the_truth(self, bench: Bench) -> None:
        for _ in range(3):
            await bench.venue.place([bench.intent(SPOT, Side.BUY, "0.001")], reducing=False, deliver=bench.deliver)
        await asyncio.sleep(0.6)
        truth = await bench.truth()
        instruments = [i.id for i in (await bench.venue.fetch_listing()).instruments]
        history = await bench.venue.fetch_history(truth["market_time"] - 40 * 24 * HOUR_MS, instruments)
        expected = {
            (str(t["id"]), t["client_id"], Decimal(t["price"]), Decimal(t["quantity"]), Decimal(t["fee"]))
            for t in truth["trades"]
        }
        assert {(f.trade_id, f.client_id, f.price, f.quantity_base, f.fee) for f in history.fills} == expected
        assert len(history.fills) == len(expected)

    async def test_receipts_after_settlements_carry_rate_quantity_and_mark(self, bench: Bench) -> None:
        assert isinstance(await bench.move("20000"), TransferSettled)
        sell = bench.intent("binance:ETHUSDT:perp", Side.SELL, "1")
        await bench.venue.place([sell], reducing=False, deliver=bench.deliver)
        assert bench.of(OrderReported, sell.client_id)[-1].state is OrderState.FILLED, bench.events
        await bench.control("POST", "/clock", {"speed": 20_000})
        await asyncio.sleep(4)
        await bench.control("POST", "/clock", {"speed": 1})
        truth = await bench.truth()
        receipts = await bench.venue.fetch_receipts(truth["market_time"] - 30 * 24 * HOUR_MS)
        booked = {r["venue_id"]: Decimal(r["payment"]) for r in truth["receipts"]}
        assert {r.venue_id: r.payment for r in receipts} == booked
        assert len([r for r in receipts if r.coin == "ETH"]) >= 2
        for receipt in receipts:
            assert receipt.rate is not None
            assert receipt.mark_price is not None
            assert receipt.settled_ms % 60_000 == 0
            if receipt.coin == "ETH":
                assert receipt.quantity_base == Decimal(-1)
        close = bench.intent("binance:ETHUSDT:perp", Side.BUY, "1", reduce_only=True, away="0.01")
        await bench.venue.place([close], reducing=True, deliver=bench.deliver)

    async def test_rates_all_at_once_and_by_instrument_agree(self, bench: Bench) -> None:
        since_ms = bench.venue.market_ms() - 10 * 24 * HOUR_MS
        together = await bench.venue.fetch_rates(since_ms)
        alone = await bench.venue.fetch_rates(since_ms, [PERP])
        assert [r for r in together if r.instrument == PERP] == list(alone)
        assert len(alone) >= 29
        assert all(r.interval_s == 8 * 3_600 and r.settled_ms % HOUR_MS == 0 for r in alone)

    async def test_liquidity_is_in_usd(self, bench: Bench) -> None:
        spot, perp = await bench.venue.fetch_liquidity([SPOT, PERP])
        assert spot.instrument == SPOT
        assert spot.volume_usd > 1e6
        assert perp.depth_usd > 1e4
        assert perp.open_interest_usd > 1e6
        assert spot.open_interest_usd is None

    async def test_key_rights(self, bench: Bench) -> None:
        rights = await bench.venue.key_rights()
        assert rights.can_read
        assert rights.can_trade_spot
        assert rights.can_trade_perp
        assert not rights.can_withdraw

    async def test_a_reset_stream_comes_back_and_is_reported_lost(self, bench: Bench) -> None:
        rule = {"kind": "reset", "stream": "btcusdt@bookTicker", "book": "spot", "count": 1}
        await bench.control("POST", "/faults", rule)
        await bench.until(lambda: any(e.feed == "binance:spot" for e in bench.of(FeedLost)))
        alive, quote = bench.feeds["binance:spot"], bench.quotes[SPOT]
        await bench.until(lambda: bench.feeds["binance:spot"] > alive and bench.quotes[SPOT] is not quote)

    async def test_an_expired_listen_key_is_renewed(self, bench: Bench) -> None:
        await bench.control("POST", "/listen-keys/expire")
        feed = "binance:user-perp"
        await bench.until(lambda: len([e for e in bench.of(FeedLost) if e.feed == feed]) >= 2)
        alive = bench.feeds[feed]
        await bench.until(lambda: bench.feeds[feed] > alive)
        assert isinstance(await bench.move("2000"), TransferSettled)
        sell = bench.intent(PERP, Side.SELL, "0.01", away="0.01")
        await bench.venue.place([sell], reducing=False, deliver=bench.deliver)
        assert bench.of(OrderReported, sell.client_id)[-1].state is OrderState.FILLED, bench.events
        await bench.until(lambda: bool(bench.of(OrderFilled, sell.client_id)))


def fills_of(events: list[Event]) -> list[Fill]:
    return [e.fill for e in events if isinstance(e, OrderFilled)]
