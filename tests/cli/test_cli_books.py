"""Questions answered out of the books while the daemon is down, and the db commands."""

import asyncio
import csv
import io
import json
import os
import socket
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from cli_process import Outcome

from bot.domain.actions import Alert, ControlSet, LastPrice, NavPoint, Persist, Severity
from bot.domain.hedges import Control, Hedge, HedgeState, Leg, Receipt, Removal
from bot.domain.instruments import Kind
from bot.domain.ledger import Entry
from bot.domain.orders import Fill, OrderIntent, OrderRecord, OrderState, Purpose, Side, TimeInForce
from bot.domain.time import DAY_MS, HOUR_MS
from bot.ledger.journal import Ledger
from bot.observe.reports import Books
from bot.runtime.lock import InstanceLock
from bot.store.database import SqlStore
from bot.store.migrate import upgrade

Run = Callable[..., Outcome]
AT_MS = 1_733_000_000_000
SPOT, PERP = "binance:BTCUSDT:spot", "binance:BTCUSDT:perp"


def hedge(number: int, state: HedgeState, quantity: str) -> Hedge:
    base = Decimal(quantity)
    legs = (
        Leg(SPOT, Kind.SPOT, 1, base, base * 90_000, Decimal(0)),
        Leg(PERP, Kind.PERP, -1, -base, -base * 90_100, Decimal(0)),
    )
    closed_ms = AT_MS if state is HedgeState.CLOSED else None
    return Hedge(
        f"h{number}",
        number,
        "cash_and_carry",
        "BTC",
        "binance",
        state,
        legs,
        base,
        AT_MS - 10_000,
        closed_ms,
        funding_usd=Decimal("12.50"),
        fees_usd=Decimal("3.25"),
        slippage_usd=Decimal("1.5"),
        reason="carry pays",
    )


def records() -> list[Persist]:
    ledger = Ledger()
    opening = ledger.post(
        "opening:binance",
        AT_MS - 20_000,
        "opening",
        None,
        [Entry("venue:binance:spot", "USDT", Decimal(1000)), Entry("equity:opening", "USDT", Decimal(-1000))],
    )
    paid = ledger.post(
        "funding:main:1",
        AT_MS,
        "funding",
        "h1",
        [Entry("venue:binance:perp", "USDT", Decimal("0.1")), Entry("funding:h1", "USDT", Decimal("-0.1"))],
    )
    intent = OrderIntent(
        "cb1-1-1",
        "h1",
        0,
        "binance",
        SPOT,
        Side.BUY,
        Decimal("0.5"),
        Decimal("90010.1"),
        TimeInForce.IOC,
        reduce_only=False,
        purpose=Purpose.OPEN,
        created_ms=AT_MS - 9_000,
        decided_price=Decimal(90_000),
    )
    fill = Fill(
        "binance",
        SPOT,
        "77",
        "cb1-1-1",
        "5",
        Side.BUY,
        Decimal(90_000),
        Decimal("0.5"),
        Decimal("0.0005"),
        "BTC",
        Decimal(0),
        maker=False,
        traded_ms=AT_MS - 8_000,
    )
    receipt = Receipt(
        "binance", "main", PERP, "BTC", AT_MS, Decimal("0.00010000"), Decimal("-0.5"), Decimal(90_000),
        Decimal("0.10000000"), "USDT", "991",
    )  # fmt: skip
    assert opening is not None
    assert paid is not None
    made = [
        opening,
        paid,
        hedge(1, HedgeState.HEDGED, "0.5"),
        hedge(2, HedgeState.CLOSED, "0"),
        intent,
        OrderRecord(intent, OrderState.FILLED, "5", Decimal("0.5"), Decimal("0.5")),
        fill,
        receipt,
        NavPoint(AT_MS, Decimal("1000.1"), Decimal("0.045"), Decimal(45), Decimal(0)),
        LastPrice(SPOT, Decimal(91_000), AT_MS),
        LastPrice(PERP, Decimal(91_050), AT_MS),
        Removal("binance", "SOL", 1, removed=True, removed_ms=AT_MS, reason="R1"),
        Alert(AT_MS, Severity.WARNING, "coin.removed", "coin SOL, rule R1"),
        ControlSet(Control.HALTED, "holidays", AT_MS),
    ]
    return [Persist(record) for record in made]


@pytest.fixture
def books(data: Path) -> Path:
    path = data / "carrybot.db"
    url = f"sqlite+aiosqlite:///{path}"
    upgrade(url)

    async def fill() -> None:
        async with SqlStore(url) as store:
            await store.load()
            await store.commit(records())

    asyncio.run(fill())
    return path


def test_status_of_a_stopped_daemon(carrybot: Run, books: Path) -> None:
    view = carrybot("status", "--json").json
    assert view["state"] == "stopped"
    assert view["market_time"] == "2024-11-30T20:53:20.000Z"
    assert (view["nav_usd"], view["leverage"], view["hedges"], view["unhedged_usd"]) == (1000.1, 0.045, 1, 0)
    assert view["receipts_usd"] == 0.1
    assert view["control"] == "halted"
    assert view["removed"] == ["SOL"]
    (venue,) = view["venues"]
    assert venue["name"] == "binance"
    assert venue["connected"] is False
    assert 0 <= venue["data_age_s"] < 120
    table = carrybot("status").out
    assert "stopped" in table
    assert "1,000.10 USD" in table


def test_what_is_owed_or_was_closed_of_late_stays_listed_when_its_owner_excludes_it(books: Path) -> None:
    """After the restart a late payment of it, or what the venue buys back of a loan's crumb, has to be read."""
    url = f"sqlite+aiosqlite:///{books}"

    def closed(number: int, coin: str, at_ms: int, owed: str = "0") -> Hedge:
        legs = (
            Leg(f"binance:{coin}USDT:margin", Kind.MARGIN, -1, -Decimal(owed), Decimal(0), Decimal(0)),
            Leg(f"binance:{coin}USDT:perp", Kind.PERP, 1, Decimal(0), Decimal(0), Decimal(0)),
        )
        one = hedge(number, HedgeState.CLOSED, "0")
        return replace(one, coin=coin, strategy="reverse_carry", legs=legs, closed_ms=at_ms)

    async def listed() -> set[str]:
        async with SqlStore(url) as store:
            await store.load()
            found = closed(7, "SOL", AT_MS - HOUR_MS), closed(8, "ETH", AT_MS - 9 * DAY_MS)
            crumb = closed(9, "XRP", AT_MS - 9 * DAY_MS, "0.0004")
            await store.commit([Persist(one) for one in (*found, crumb)])
        return await Books(url, ("binance",)).coins_in_use()

    assert asyncio.run(listed()) == {"BTC", "SOL", "XRP"}


def test_hedges_are_valued_at_the_last_stored_prices(carrybot: Run, books: Path) -> None:
    (view,) = carrybot("hedges", "--json").json
    assert view["id"] == "h1"
    assert view["notional_usd"] == 45_525
    assert view["imbalance_base"] == 0
    assert view["basis_pnl_usd"] == 500 - 475 + 1.5
    assert view["legs"][1] == {
        "instrument": PERP,
        "kind": "perp",
        "quantity_base": -0.5,
        "entry_price": 90_100,
        "mark_price": 91_050,
    }
    every = carrybot("hedges", "--all", "--json").json
    assert [hedge["state"] for hedge in every] == ["hedged", "closed"]
    shown = carrybot("hedges").out
    assert "BTC" in shown
    assert "cash_and_carry" in shown, "which way round it is held"


def test_receipts_and_orders_are_exact_text(carrybot: Run, books: Path) -> None:
    (receipt,) = carrybot("receipts", "--json").json
    assert receipt == {
        "venue": "binance",
        "account": "main",
        "instrument": PERP,
        "coin": "BTC",
        "settled_at": "2024-11-30T20:53:20.000Z",
        "settled_ms": AT_MS,
        "rate": "0.0001",
        "quantity_base": "-0.5",
        "mark_price": "90000",
        "payment": "0.1",
        "asset": "USDT",
        "venue_id": "991",
    }
    assert carrybot("receipts", "--coin", "eth", "--json").json == []
    (order,) = carrybot("orders", "--json").json
    assert (order["client_id"], order["state"], order["limit_price"]) == ("cb1-1-1", "filled", "90010.1")
    assert carrybot("orders", "--limit", "0").code == 1


@pytest.mark.parametrize("words", [("orders",), ("receipts",), ("alerts",), ("verdicts",)])
def test_long_lists_are_read_beside_a_daemon_and_not_by_it(
    carrybot: Run, books: Path, data: Path, words: tuple[str, ...]
) -> None:
    """It built the rows of months on the loop on which it decides."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        endpoint = {"host": "127.0.0.1", "port": listening.getsockname()[1], "pid": os.getpid()}
        (data / "endpoint.json").write_text(json.dumps(endpoint))
        (data / "api.token").write_text("x\n")
        for more in (("--json",), ("--json", "--limit", "5000")):
            done = carrybot(*words, *more)
            assert done.code == 0, done.err
            assert isinstance(done.json, list)
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_a_long_list_is_asked_of_the_daemon_where_the_books_cannot_be_read(carrybot: Run, data: Path) -> None:
    """Alerts, for one, are then those that it remembers."""
    data.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4_096)
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n[{"name": "a"}]')

        answering = threading.Thread(target=answer)
        answering.start()
        endpoint = {"host": "127.0.0.1", "port": listening.getsockname()[1], "pid": os.getpid()}
        (data / "endpoint.json").write_text(json.dumps(endpoint))
        (data / "api.token").write_text("x\n")
        done = carrybot("alerts", "--json")
        answering.join()
    assert done.json == [{"name": "a"}]


def test_ledger_pnl_and_alerts(carrybot: Run, books: Path) -> None:
    ledger = carrybot("ledger", "--json").json
    assert ledger["transactions"] == 2
    assert {"account": "venue:binance:perp", "asset": "USDT", "balance": "0.1"} in ledger["accounts"]
    pnl = carrybot("pnl", "--json").json
    assert pnl["funding_usd"] == 25
    assert pnl["total_usd"] == pnl["funding_usd"] + pnl["basis_usd"] + pnl["fees_usd"] + pnl["slippage_usd"]
    rows = list(csv.DictReader(io.StringIO(carrybot("pnl", "--csv").out)))
    assert [row["hedge"] for row in rows] == ["h1", "h2"]
    assert rows[0]["funding_usd"] == "12.5"
    (alert,) = carrybot("alerts", "--json").json
    assert (alert["severity"], alert["name"]) == ("warning", "coin.removed")


def test_db_commands(carrybot: Run, books: Path, tmp_path: Path) -> None:
    assert "nothing to do" in carrybot("db", "upgrade").out
    assert carrybot("db", "check", "--json").json["sound"] is True
    copy = tmp_path / "copy.db"
    made = carrybot("db", "backup", str(copy)).out
    assert "integrity checked" in made
    assert "chain of 2 transactions verified" in made
    assert carrybot("db", "check", "--file", str(copy), "--json").json["transactions"] == 2
    assert carrybot("db", "backup", str(copy)).code == 1, "a backup overwrites nothing"
    connection = sqlite3.connect(copy)
    assert connection.execute("select count(*) from receipts").fetchone() == (1,)
    connection.close()
    refused = carrybot("db", "restore", str(copy))
    assert refused.code == 1
    assert "move them away first" in refused.err
    moved = {"CARRYBOT_DATA": str(tmp_path / "moved")}
    assert "restored" in carrybot("db", "restore", str(copy), **moved).out
    assert carrybot("receipts", "--json", **moved).json == carrybot("receipts", "--json").json


def test_an_altered_past_does_not_verify(carrybot: Run, books: Path) -> None:
    connection = sqlite3.connect(books, isolation_level=None)
    for (name,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
        connection.execute(f"drop trigger {name}")
    connection.execute("update ledger_entries set amount = '2000' where number = 1 and line = 0")
    connection.close()
    done = carrybot("db", "check")
    assert done.code == 1
    assert "transaction 1" in done.out


def test_a_database_of_something_else_is_refused_in_one_line(carrybot: Run, data: Path) -> None:
    data.mkdir()
    (data / "carrybot.db").write_text("not a database, but long enough to be looked at" * 40)
    done = carrybot("status")
    assert done.code == 1
    assert len(done.err.strip().splitlines()) <= 2


def test_books_are_made_by_db_upgrade(carrybot: Run, data: Path) -> None:
    assert "newly made" in carrybot("db", "upgrade").out
    view = carrybot("status", "--json").json
    assert (view["hedges"], view["nav_usd"], view["market_time"]) == (0, None, None)
    assert carrybot("receipts").out.strip() == "no funding received yet"


def test_nothing_is_restored_beside_a_daemon_whose_books_were_moved_away(carrybot: Run, data: Path) -> None:
    """It goes on with the file that was moved, whatever its name is."""
    url = f"sqlite:///{data / 'carrybot.db'}"
    upgrade(url)
    copy = data.parent / "copy.db"
    assert carrybot("db", "backup", str(copy)).code == 0
    with InstanceLock(data / "carrybot.lock"):
        for path in data.glob("carrybot.db*"):
            path.rename(data.parent / path.name)
        refused = carrybot("db", "restore", str(copy))
    assert refused.code == 1
    assert "a daemon runs on" in refused.err
    assert not (data / "carrybot.db").exists()
    assert carrybot("db", "restore", str(copy)).code == 0
