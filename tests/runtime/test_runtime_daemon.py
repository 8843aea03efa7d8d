"""The daemon as a whole on a real database and a small venue: start, trade, answer, fail, stop, start again."""

import asyncio
import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from quiet_venue import PERP, SPOT, QuietVenue

from bot.cli import client
from bot.cli.failure import Failure
from bot.domain.actions import Emit, Severity
from bot.domain.config import CoreConfig
from bot.domain.events import FeedAlive, FeedLost, OrderReported
from bot.domain.orders import OrderIntent, OrderState, Side
from bot.domain.time import Stamp
from bot.observe.alerts import Announcer
from bot.observe.answers import Answers
from bot.observe.api import ControlServer
from bot.observe.health import HealthServer, problems
from bot.observe.metrics import exposition
from bot.observe.reports import Books
from bot.ports import Deliver, StoreError, VenueError
from bot.runtime import pollers
from bot.runtime.clock import mono_ms
from bot.runtime.daemon import Daemon, Plan
from bot.runtime.lease import Lease
from bot.runtime.pollers import Rhythm
from bot.store.database import SqlStore

QUICK = Rhythm(tick_s=0.05, receipts_s=0.3, rates_spacing_s=0.05, receipts_spacing_s=0.05)


@dataclass
class Life:
    """A running daemon with its servers, as `carrybot run` puts them together."""

    daemon: Daemon
    venue: QuietVenue
    books: Books
    announcer: Announcer
    data: Path
    health_port: int
    stop: asyncio.Event
    running: "asyncio.Task[None]"
    lines: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    async def until(self, check: Any, seconds: float = 8.0) -> None:
        async with asyncio.timeout(seconds):
            while not check():
                if self.running.done():
                    self.running.result()
                await asyncio.sleep(0.02)

    async def get(self, name: str, **query: str | None) -> Any:
        daemon = client.find(self.data)
        assert daemon is not None
        return await asyncio.to_thread(daemon.get, name, **query)

    async def post(self, name: str, **fields: str) -> Any:
        daemon = client.find(self.data)
        assert daemon is not None
        return await asyncio.to_thread(daemon.post, name, fields)

    async def ready(self) -> tuple[int, dict[str, Any]]:
        return await asyncio.to_thread(fetch, f"http://127.0.0.1:{self.health_port}/readyz")


def fetch(url: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(url, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@asynccontextmanager
async def living(
    database: str,
    data: Path,
    venue: QuietVenue | None = None,
    config: CoreConfig | None = None,
    lease: Lease | None = None,
    read_again: Any = None,
) -> AsyncIterator[Life]:
    venue = venue or QuietVenue()
    lines: list[tuple[str, str, dict[str, Any]]] = []
    announcer = Announcer(lambda level, name, **fields: lines.append((level, name, fields)))
    books = Books(database, ("toy",))
    async with SqlStore(database) as store, books.opened():
        plan = Plan(config or CoreConfig(), QUICK, books_floor_ms=await books.opened_ms(), lease=lease)
        daemon = Daemon({"toy": venue}, store, plan, announcer)
        await daemon.load()
        health = HealthServer(daemon, exposition(daemon, lambda: announcer.counts))
        port = await health.start("127.0.0.1", 0)
        answers = Answers(daemon, books, announcer, read_again)
        control = ControlServer(data, data / "api.token", answers.gets(), answers.posts())
        await control.start("127.0.0.1", 0, ("127.0.0.1", port))
        stop = asyncio.Event()
        running = asyncio.ensure_future(daemon.run(stop))
        life = Life(daemon, venue, books, announcer, data, port, stop, running, lines)
        try:
            yield life
        finally:
            stop.set()
            await asyncio.wait([running], timeout=10)
            await control.close()
            await health.close()
            if running.done() and running.exception() is None:
                running.result()


def hedged(life: Life) -> bool:
    return any(hedge.state.value == "hedged" and hedge.size_base for hedge in life.daemon.state.hedges.values())


async def test_a_full_inbox_does_not_keep_it_from_an_orderly_end(database: str, tmp_path: Path) -> None:
    async with living(database, tmp_path) as life:
        await life.until(lambda: life.daemon.phase == "running" and hedged(life))
        life.daemon.inbox._kept_max = 0
        life.stop.set()
        await asyncio.wait([life.running], timeout=10)
        life.running.result()
        assert [name for _, name, _ in life.lines if name == "daemon.stopped"]


async def test_the_daemons_own_commits_confirm_its_lease(database: str, tmp_path: Path) -> None:
    async def not_now() -> None:
        raise StoreError("it waits behind a commit")

    lease = Lease(mono_ms, not_now)
    async with living(database, tmp_path, lease=lease) as life:
        await life.until(lambda: life.daemon.phase == "running" and hedged(life))
        assert lease.refusal() is None


async def test_it_opens_a_hedge_answers_and_stops_with_complete_books(database: str, tmp_path: Path) -> None:
    async with living(database, tmp_path) as life:
        await life.until(lambda: life.daemon.phase == "running" and hedged(life))
        life.venue.now_ms += 60_000
        life.venue.pay("1.25", 1)
        await life.until(lambda: life.daemon.state.ledger.balance("funding:h1", "USDT") == Decimal("-1.25"))
        await life.daemon.flush()  # the core knows it before it is committed
        status = await life.get("status")
        assert status["state"] == "running"
        assert status["hedges"] == 1
        assert status["receipts_usd"] == 1.25
        assert {"market_time", "nav_usd", "leverage", "unhedged_usd"} <= status.keys()
        assert status["venues"][0] | {"data_age_s": 0} == {"name": "toy", "connected": True, "data_age_s": 0}
        (hedge,) = await life.get("hedges")
        assert hedge["coin"] == "BTC"
        assert abs(hedge["imbalance_base"]) <= 0.001
        assert [leg["instrument"] for leg in hedge["legs"]] == [SPOT, PERP]
        (receipt,) = await life.get("receipts")
        assert (receipt["payment"], receipt["venue_id"]) == ("1.25", "1")
        assert {order["state"] for order in await life.get("orders")} == {"filled"}
        assert await life.ready() == (200, {"ready": True, "problems": []})
        life.venue.now_ms += 60_000
        life.venue.pay("0.5", 2)
        life.stop.set()
        await asyncio.wait_for(life.running, 5)
    state = await Books(database, ("toy",)).ledger_state("toy")
    assert state.problem is None
    held: dict[str, Decimal] = {}
    for assets in life.venue.balances.values():
        for asset, amount in assets.items():
            held[asset] = held.get(asset, Decimal(0)) + amount
    assert {asset: amount for asset, amount in state.balances.items() if amount} == {
        asset: amount for asset, amount in held.items() if amount
    }


async def test_a_repair_that_the_last_look_asks_for_is_booked_before_the_end(database: str, tmp_path: Path) -> None:
    """The venue took the short just before the stop: its coins are sold, and the books have both trades."""

    class SlowVenue(QuietVenue):
        async def place(self, intents: Sequence[OrderIntent], *, reducing: bool, deliver: Deliver) -> None:
            await asyncio.sleep(1.1)  # longer than a look at the account and its repeats
            await super().place(intents, reducing=reducing, deliver=deliver)

    venue = SlowVenue()
    async with living(database, tmp_path, venue) as life:
        await life.until(lambda: hedged(life) and not life.daemon.state.orders)
        held, venue.now_ms = -venue.positions[PERP], venue.now_ms + 60_000
        venue.fill(
            replace(venue.placed[-1], instrument=PERP, client_id="adl_autoclose", side=Side.BUY, quantity_base=held)
        )
        life.stop.set()
        await asyncio.wait_for(life.running, 8)
        assert not [record for record in life.daemon.state.orders.values() if not record.settled]
    assert venue.placed[-1].side is Side.SELL
    state = await Books(database, ("toy",)).ledger_state("toy")
    assert state.balances["BTC"] == venue.balances["spot"]["BTC"] < held / 100


async def test_the_next_life_goes_on_with_the_same_hedge_and_sends_nothing_twice(
    database: str, tmp_path: Path
) -> None:
    venue = QuietVenue()
    async with living(database, tmp_path, venue) as life:
        await life.until(lambda: hedged(life))
    sent = len(venue.placed)
    venue.now_ms += 3_600_000
    venue.pay("2", 1)
    async with living(database, tmp_path, venue) as life:
        await life.until(lambda: life.daemon.phase == "running")
        await life.daemon.flush()
        assert list(life.daemon.state.hedges) == ["h1"]
        assert venue.kept == {leg.instrument for leg in life.daemon.state.hedges["h1"].legs}, "they stay listed"
        assert life.daemon.state.ledger.balance("funding:h1", "USDT") == -2, "paid while nobody ran"
        assert life.daemon.state.differences == {}
    ids = [intent.client_id for intent in venue.placed]
    assert len(set(ids)) == len(ids)
    assert not {intent.purpose.value for intent in venue.placed[sent:]} - {"open", "reduce"}


async def test_halt_and_resume_answer_when_they_are_durable(database: str, tmp_path: Path) -> None:
    async with living(database, tmp_path) as life:
        await life.until(lambda: hedged(life))
        reply = await life.post("halt", reason="a test")
        assert reply["state"] == "halted"
        connection = sqlite3.connect(tmp_path / "carrybot.db")
        (found,) = connection.execute("select control, reason from control order by seq desc limit 1").fetchall()
        connection.close()
        assert found == ("halted", "a test")
        assert (await life.get("status"))["reason"] == "a test"
        assert (await life.post("resume"))["state"] == "running"
        alerts = await life.get("alerts")
        assert [alert["name"] for alert in alerts][-2:] == ["control.halted", "control.running"]


async def test_close_takes_the_coin_out_and_readmit_lets_it_in(database: str, tmp_path: Path) -> None:
    async with living(database, tmp_path) as life:
        await life.until(lambda: hedged(life))
        with pytest.raises(Failure) as unknown:
            await life.post("close", coin="NOPE")
        assert "known: BTC" in unknown.value.remedy
        with pytest.raises(Failure):
            await life.post("close")
        with pytest.raises(Failure):
            await life.post("readmit", coin="BTC")
        assert (await life.post("close", coin="btc"))["hedges_closing"] == 1
        await life.until(lambda: not life.daemon.state.hedges)
        await life.post("halt", reason="a test")  # its answer comes with the commit of all that was before
        (closed,) = await life.get("hedges", all="1")
        assert closed["state"] == "closed"
        await life.post("resume")
        assert (await life.get("status"))["removed"] == ["BTC"]
        assert (await life.get("pnl"))["hedges"][0]["coin"] == "BTC"
        await life.post("readmit", coin="BTC")
        await life.until(lambda: hedged(life))


async def test_the_control_port_asks_for_its_token_and_explains_bad_requests(database: str, tmp_path: Path) -> None:
    async with living(database, tmp_path) as life:
        await life.until(lambda: life.daemon.phase == "running")
        found = client.find(tmp_path)
        assert found is not None
        base = f"http://127.0.0.1:{found.port}/v1"
        right = {"Authorization": f"Bearer {found.token}"}
        assert (tmp_path / "api.token").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "endpoint.json").stat().st_mode & 0o777 == 0o600
        ask = lambda *a: asyncio.to_thread(fetch, *a)  # noqa: E731
        assert (await ask(f"{base}/status"))[0] == 401
        assert (await ask(f"{base}/status", {"Authorization": "Bearer x"}))[0] == 401
        assert (await ask(f"{base}/status", right))[0] == 200
        assert (await ask(f"{base}/nothing", right))[0] == 404
        assert (await ask(f"{base}/halt", right))[0] == 405
        for body in (b"{", b"[]", b'{"coin": 5}'):
            status, answer = await ask(f"{base}/close", right, body)
            assert status == 400
            assert {"error", "remedy"} <= answer.keys()
        assert (await ask(f"{base}/receipts?limit=-1", right))[0] == 400
        assert (await ask(f"{base}/halt", right, b'{"reason": "' + b"x" * 9_000 + b'"}'))[0] == 413
    assert client.find(tmp_path) is None, "the files go when the daemon ends"


async def test_readiness_fails_when_the_feed_is_silent_and_says_why(database: str, tmp_path: Path) -> None:
    config = CoreConfig(limits=replace(CoreConfig().limits, stale_s=0.3))
    async with living(database, tmp_path, config=config) as life:
        await life.until(lambda: life.daemon.phase == "running" and not problems(life.daemon))
        life.venue.alive = False
        await asyncio.sleep(1.6)
        status, answer = await life.ready()
        assert status == 503
        assert any("toy:spot has been silent" in problem for problem in answer["problems"])
        life.venue.alive = True
        await life.until(lambda: not problems(life.daemon))


async def test_readiness_fails_while_a_stream_of_the_account_is_lost(database: str, tmp_path: Path) -> None:
    async with living(database, tmp_path) as life:
        await life.until(lambda: life.daemon.phase == "running" and not problems(life.daemon))
        life.daemon.deliver(FeedLost("toy:user-perp", "the venue refuses its key"))
        await life.until(lambda: problems(life.daemon) == ["toy:user-perp is lost"])
        life.daemon.deliver(FeedAlive("toy:user-perp"))
        await life.until(lambda: not problems(life.daemon))


async def test_readiness_fails_for_an_unbalanced_hedge(database: str, tmp_path: Path) -> None:
    async with living(database, tmp_path) as life:
        await life.until(lambda: hedged(life) and not problems(life.daemon))
        (hedge,) = life.daemon.state.hedges.values()
        await life.post("halt")
        hedge.unbalanced_mono_ms = life.daemon.clock.mono_ms() - 60_000
        assert any("out of balance" in problem for problem in problems(life.daemon))


async def test_a_database_that_refuses_halts_trading_and_is_told_without_it(database: str, tmp_path: Path) -> None:
    async with living(database, tmp_path) as life:
        await life.until(lambda: hedged(life))
        file = tmp_path / "carrybot.db"
        blocker = sqlite3.connect(file, isolation_level=None)
        blocker.execute("create trigger refuse before insert on nav_history begin select raise(abort, 'no'); end")
        blocker.close()
        life.venue.now_ms += 7_200_000
        await life.until(lambda: life.daemon.store_error is not None)
        assert ("critical", "store.failed") in [(level, name) for level, name, _ in life.lines]
        await life.until(lambda: life.daemon.state.control.value == "halted")
        sent = len(life.venue.placed)
        assert any("database refuses" in problem for problem in problems(life.daemon))
        assert any(alert["name"] == "store.failed" for alert in await life.get("alerts")), "from memory"
        with pytest.raises(Failure, match="in force, but not written down"):
            await life.post("halt")
        blocker = sqlite3.connect(file, isolation_level=None)
        blocker.execute("drop trigger refuse")
        blocker.close()
        await life.until(lambda: life.daemon.store_error is None)
        assert len(life.venue.placed) == sent
    rows = sqlite3.connect(file)
    assert rows.execute("select control from control order by seq desc limit 1").fetchone() == ("halted",)
    rows.close()


async def test_a_commit_that_neither_ends_nor_fails_is_told(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that hangs: no step is made any more, so that nothing that is wrong would be told by one."""
    stuck, commit = asyncio.Event(), SqlStore.commit
    stuck.set()

    async def hanging(self: SqlStore, records: Sequence[Any]) -> None:
        await stuck.wait()
        await commit(self, records)

    monkeypatch.setattr(SqlStore, "commit", hanging)
    async with living(database, tmp_path) as life:
        await life.until(lambda: life.daemon.phase == "running" and hedged(life))
        life.daemon.vitals.watch("consumer", 300)
        stuck.clear()
        life.venue.now_ms += 7_200_000
        await life.until(lambda: any(name == "task.stalled" for _, name, _ in life.lines))
        (told,) = [(level, fields["task"]) for level, name, fields in life.lines if name == "task.stalled"]
        assert told == ("critical", "consumer")
        stuck.set()
        await life.until(lambda: any(name == "task.moves" for _, name, _ in life.lines))


async def test_a_venue_that_is_down_at_start_is_tried_again_and_then_given_up(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.runtime.daemon.CONNECT_TRIES", 2)
    venue = QuietVenue()
    venue.down = True
    async with living(database, tmp_path, venue) as life:
        with pytest.raises(ExceptionGroup) as failed:
            await asyncio.wait_for(life.running, 10)
    assert failed.group_contains(VenueError, match="does not answer connect")
    assert venue.placed == []


class Silent(QuietVenue):
    """Does not answer at first, and its time is unknown until it does."""

    def market_ms(self) -> int:
        return self.now_ms if self.connected.is_set() else 0


async def test_what_is_told_before_the_venue_answers_is_among_the_newest_alerts(
    database: str, tmp_path: Path
) -> None:
    """Of no time, it came before all others: `alerts`, which shows the newest, never showed it."""
    venue = Silent()
    async with living(database, tmp_path, venue) as life:
        await life.until(lambda: hedged(life))
        for _ in range(3):
            await life.post("halt")
            await life.post("resume")
    venue.connected.clear()
    venue.failing.add("connect")
    async with living(database, tmp_path, venue) as life:
        assert (await life.get("status"))["market_time"] == "2024-11-01T00:00:00.000Z"
        await life.until(lambda: life.daemon.phase == "running")
        await life.daemon.flush()
        newest = await life.get("alerts", limit="1")
        assert [(one["name"], one["at"]) for one in newest] == [("venue.unreachable", "2024-11-01T00:00:00.000Z")]


class Banned(QuietVenue):
    """Wants no question for a while, more often than a start tries."""

    async def connect(self) -> None:
        self.asked.append("connect")
        if len(self.asked) <= 4:
            error = VenueError("418: banned")
            error.wait_s = 0.05
            raise error
        await super().connect()


async def test_a_start_waits_for_the_end_of_a_ban(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new process would know nothing of it, ask again at once and be banned for longer."""
    monkeypatch.setattr("bot.runtime.daemon.CONNECT_TRIES", 2)
    async with living(database, tmp_path, Banned()) as life:
        await life.until(lambda: life.daemon.phase == "running")
        told = [fields for _, name, fields in life.lines if name == "venue.unreachable"]
    assert [each["attempt"] for each in told] == [1] * 4


async def test_stopping_while_it_starts_ends_at_once(database: str, tmp_path: Path) -> None:
    venue = QuietVenue()
    venue.down = True
    async with living(database, tmp_path, venue) as life:
        await asyncio.sleep(0.1)
        life.stop.set()
        await asyncio.wait_for(life.running, 1)


async def test_metrics_show_the_book(database: str, tmp_path: Path) -> None:
    async with living(database, tmp_path) as life:
        await life.until(lambda: hedged(life) and ("info", "hedge.opened") in life.announcer.counts)
        rules = {("R2", "risk.refused"): 3}
        body, kind = exposition(life.daemon, lambda: life.announcer.counts, dict, lambda: rules)()
        text = body.decode()
        assert kind.startswith("text/plain")
        assert 'carrybot_hedges{state="hedged"} 1.0' in text
        assert "carrybot_commits_total" in text
        assert 'carrybot_rules_total{name="risk.refused",rule="R2"} 3.0' in text
        assert 'carrybot_lines_total{name="hedge.opened",severity="info"} 1.0' in text


def test_an_announced_line_is_logged_counted_and_remembered() -> None:
    lines: list[tuple[str, str, dict[str, Any]]] = []
    announcer = Announcer(lambda level, name, **fields: lines.append((level, name, fields)))
    announcer(Emit(Severity.CRITICAL, "x.happened", {"usd": Decimal("1.50"), "event": "clash"}), Stamp(1, 1000, 0))
    assert lines == [("critical", "x.happened", {"market_time": "1970-01-01 00:00:01", "usd": "1.5"})]
    assert announcer.counts["critical", "x.happened"] == 1
    assert ["usd 1.5" in alert.text for alert in announcer.latest] == [True]


async def test_an_order_that_does_not_fit_has_the_listing_fetched_anew(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pollers, "DOUBTED_S", 0.1)
    async with living(database, tmp_path) as life:
        await life.until(lambda: life.daemon.phase == "running")
        asked = life.venue.asked.count("listing")
        life.daemon.deliver(OrderReported("cb1-1-1", OrderState.REJECTED, Decimal(0), None, "-4004", misfit=True))
        await life.until(lambda: life.venue.asked.count("listing") > asked)
