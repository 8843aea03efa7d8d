"""What a command is told is what came of it: before the daemon runs, without room, when balances come between."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from quiet_venue import QuietVenue
from test_runtime_daemon import Life, hedged, living

from bot.cli import client
from bot.cli.failure import Failure
from bot.domain.events import AccountReported, Event, Reconciled
from bot.domain.hedges import Control

COMMANDS = ("halt", "resume", "flatten", "close", "readmit", "accept", "reload")
FIELDS = {"coin": "BTC", "asset": "USDT", "amount": "5", "reason": "a rebate"}


class Unreachable(QuietVenue):
    """Lets a daemon wait for as long as it likes, as at a ban."""

    async def connect(self) -> None:
        await asyncio.Event().wait()


def raw(data: Path, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, Any]:
    daemon = client.find(data)
    assert daemon is not None
    known = {"Authorization": f"Bearer {daemon.token}", **headers}
    request = urllib.request.Request(f"http://127.0.0.1:{daemon.port}/v1/{path}", body, known)
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


async def test_before_it_runs_every_command_is_told_so(database: str, tmp_path: Path) -> None:
    """The coin that it holds is not "no coin of this book", nor is a difference none, only because nothing is listed
    yet; and what is wanted of the file waits for nothing."""
    async with living(database, tmp_path, read_again=lambda: pytest.fail("too early")) as life:
        await life.until(lambda: hedged(life))
        assert life.daemon.phase == "running"
    async with living(database, tmp_path, Unreachable(), read_again=lambda: pytest.fail("too early")) as life:
        for name in COMMANDS[1:]:
            with pytest.raises(Failure, match="the daemon is starting"):
                await life.post(name, **FIELDS)
        with pytest.raises(Failure, match="the daemon is starting"):
            await life.get("explain", coin="BTC")
        assert (await life.get("status"))["state"] == "starting"


class Banned(QuietVenue):
    """Does not answer until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()

    async def connect(self) -> None:
        await self.ended.wait()
        await super().connect()


async def test_a_halt_is_taken_while_a_ban_keeps_the_daemon_from_starting(database: str, tmp_path: Path) -> None:
    """It was refused with "try again in a few seconds", for as long as the ban lasted; and then everything opened."""
    async with living(database, tmp_path, Banned()) as life:
        said = await life.post("halt", reason="not tonight")
        assert (said["state"], said["control"], said["hedges"]) == ("starting", "halted", 0)
    async with living(database, tmp_path, Banned()) as life:
        assert life.daemon.state.wanted is Control.HALTED, "it is written down"
        life.venue.ended.set()  # type: ignore[attr-defined]
        await life.until(lambda: life.daemon.phase == "running")
        await life.daemon.flush()
        assert (await life.get("status"))["reason"] == "not tonight"
        assert not life.venue.placed
        await life.post("resume")
        await life.until(lambda: hedged(life))


async def test_without_room_a_command_is_refused_in_words(database: str, tmp_path: Path) -> None:
    """It was a bare error 500, and the command said that no daemon runs."""
    async with living(database, tmp_path) as life:
        await life.until(lambda: life.daemon.phase == "running" and hedged(life))
        life.daemon.inbox._kept_max = 0
        for name in ("halt", "flatten", "close"):
            with pytest.raises(Failure, match="the daemon is behind"):
                await life.post(name, **FIELDS)


async def test_a_reload_without_room_is_refused_in_words(database: str, tmp_path: Path) -> None:
    async def full() -> Any:
        raise BufferError("the inbox is full")

    async with living(database, tmp_path, read_again=full) as life:
        await life.until(lambda: life.daemon.phase == "running")
        with pytest.raises(Failure, match="the daemon is behind"):
            await life.post("reload")


async def test_whatever_is_asked_the_answer_is_json(database: str, tmp_path: Path) -> None:
    def broken() -> Any:
        raise KeyError("a defect")

    async with living(database, tmp_path, read_again=broken) as life:
        await life.until(lambda: life.daemon.phase == "running")
        ask = lambda *words: asyncio.to_thread(raw, tmp_path, *words)  # noqa: E731
        assert (await ask("status", {"Authorization": "Bearer \xff"}))[0] == 401
        assert (await ask("halt", {}, b"[" * 4_000))[0] == 400
        assert (await ask("halt", {}, b"\xff"))[0] == 400
        assert (await ask("halt", {"Content-Type": "text/plain; charset=none"}, b"{}"))[0] == 400
        assert (await ask("orders?limit=" + "9" * 5_000, {}))[0] == 400
        assert await ask("reload", {}, b"") == (
            500,
            {"error": "a defect of the daemon: KeyError", "remedy": "its log says more: report it"},
        )


def look(life: Life, more: str) -> None:
    """The venue has so much more than before, and its balances are on their way to the core."""
    life.venue.balances["spot"]["USDT"] += Decimal(more)
    balances = {wallet: dict(assets) for wallet, assets in life.venue.balances.items()}
    life.daemon.deliver(AccountReported("toy", balances, dict(life.venue.positions), complete=True))
    life.daemon.deliver(Reconciled("toy"))


def after(life: Life, first: Callable[[], None]) -> None:
    """Commands find this in the inbox before them."""
    ask = life.daemon.ask

    def later(event: Event) -> "asyncio.Future[None]":
        first()
        return ask(event)

    life.daemon.ask = later  # type: ignore[method-assign]


async def differing(life: Life) -> None:
    await life.until(lambda: life.daemon.phase == "running" and hedged(life) and not life.daemon.state.orders)
    for more in ("5", "0", "0"):
        look(life, more)
    await life.daemon.flush()


async def test_a_difference_that_changed_before_it_was_booked_is_not_called_accepted(
    database: str, tmp_path: Path
) -> None:
    async with living(database, tmp_path) as life:
        await differing(life)
        after(life, lambda: look(life, "-1"))
        with pytest.raises(Failure, match=r"the difference of 4 USDT was seen 1 times"):
            await life.post("accept", **FIELDS)
        assert not life.daemon.state.ledger.balance("equity:capital", "USDT")
