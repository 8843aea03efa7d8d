"""Paper trading as its owner runs it: `carrybot simulate` plays the live market, the daemon fills on its own account.

The daemon is killed in the middle: its account and its books must come back, with the funding that fell in between.
"""

import json
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend import oracle, papered
from tests.endtoend.owner import Exchange, Owner, wait_for
from tests.endtoend.papered import account, live_market

pytestmark = pytest.mark.slow
"""40 s of wall time: hedges open, market days pass, a restart."""

SPEED = 7200


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Owner, dict[str, Any]]]:
    """A killed run, a restarted one that ended well, and the account's own record after it."""
    with live_market(tmp_path_factory.mktemp("live"), SPEED) as market:
        yield story(market, tmp_path_factory.mktemp("paper"))


def story(market: Exchange, data: Path) -> tuple[Owner, dict[str, Any]]:
    execution = "execution: {guard_bps: 60, basis_guard_bps: 15, repair_guard_bps: 100}\n"
    owner, log = papered.owner(market, data, execution), data / "daemon.log"
    first = owner.start(log=log)
    wait_for(lambda: len(owner.events("hedge.opened")) >= 8, 30, "no hedges were opened")
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    time.sleep(5)  # ten market hours: funding falls due that nobody is there to see
    last = owner.start("--for", "20s", log=log)
    assert last.wait(60) == 0, log.read_text()[-3000:]
    return owner, account(data / "paper" / "binance.db")


def outage(owner: Owner) -> tuple[int, int]:
    """Market time (UTC ms) of the killed run's last line, and of the restarted one's first from the venue on."""
    lines = [json.loads(line) for line in (owner.data / "daemon.log").read_text().splitlines()]
    restarted = [number for number, line in enumerate(lines) if line["event"] == "daemon.starting"][1]
    # Until the venue tells the time, it is the one at which the books end.
    connected = [number for number, line in enumerate(lines) if line["event"] == "venue.connected"][1]
    parts = lines[:restarted], lines[connected:]
    told = [[line["market_time"] for line in part if "market_time" in line] for part in parts]
    down, up = (datetime.fromisoformat(text + "+00:00") for text in (told[0][-1], told[1][0]))
    return int(down.timestamp() * 1000), int(up.timestamp() * 1000)


def test_no_key_was_needed_and_hedges_opened_on_paper_money(run) -> None:
    owner, _ = run
    assert all(line["money"] == "paper" for line in owner.events("daemon.starting"))
    hedges = owner.asked("hedges")
    assert len(hedges) >= 8
    assert all(abs(Decimal(repr(h["imbalance_base"]))) <= Decimal("1.1") for h in hedges)


def test_funding_was_received_also_for_the_time_of_the_outage(run) -> None:
    owner, record = run
    charged = [row for row in record["incomes"] if row["kind"] == "FUNDING_FEE"]
    booked = owner.asked("receipts", "--limit", "100000")
    ours = {row["venue_id"]: Decimal(row["payment"]) for row in booked}
    theirs = {str(row["id"]): Decimal(row["amount"]) for row in charged}
    assert len(theirs) > 30
    assert len({(row["symbol"], row["at_ms"]) for row in charged}) == len(charged), "charged twice"
    # What was charged in the last moment is booked at the next start.
    assert ours.items() <= theirs.items()
    assert len(theirs) - len(ours) <= len(owner.asked("hedges"))
    down_ms, up_ms = outage(owner)
    assert any(down_ms < row["at_ms"] < up_ms for row in charged), "nothing was charged for the time of the outage"


def test_the_books_verify_against_the_paper_account(run) -> None:
    owner, _ = run
    assert oracle.books_verify(owner) >= 9


def test_no_order_was_filled_twice(run) -> None:
    owner, record = run
    seen = [row["client_id"] for row in record["orders"]]
    assert len(seen) == len(set(seen)) > 30
    intents = {row[0] for row in owner.rows("select client_id from order_intents")}
    assert set(seen) <= intents


def test_books_of_play_money_are_not_taken_for_another_kind(run) -> None:
    owner, _ = run
    done = Owner(owner.data).command("run")
    assert done.returncode == 1
    assert "are of paper money" in done.stdout + done.stderr
    assert "CARRYBOT_DATA" in done.stdout + done.stderr
