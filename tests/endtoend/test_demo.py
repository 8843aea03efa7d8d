"""`carrybot run --for 90s` on the demo, judged from the exchange's own record by an oracle that shares no code."""

import json
from typing import Any

import pytest

from tests.endtoend import oracle
from tests.endtoend.owner import Owner

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Owner, dict[str, Any], list[dict[str, Any]]]:
    """One demo run of 90 s of wall time (15 days of market time); the exchange's truth and the daemon's log."""
    owner = Owner(tmp_path_factory.mktemp("demo"))
    log = owner.data / "daemon.log"
    process = owner.start("--for", "90s", log=log)
    assert process.wait(180) == 0, log.read_text()[-3000:]
    with owner.exchange() as exchange:
        truth = exchange.truth()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return owner, truth, lines


def test_fifteen_hedges_were_opened_and_all_are_flat_at_rest(run) -> None:
    owner, truth, _ = run
    opened = [hedge for hedge in owner.asked("hedges", "--all") if hedge["fees_usd"] > 0]
    assert len(opened) >= 15
    assert oracle.hedges_are_flat(owner, truth) >= 10


def test_receipts_are_the_exchanges_own(run) -> None:
    owner, truth, _ = run
    assert oracle.receipts_agree(owner, truth) > 300


def test_the_ledger_verifies_to_the_last_digit(run) -> None:
    owner, _, _ = run
    assert oracle.books_verify(owner) >= 10


def test_a_coin_was_removed_by_r1_and_is_held_no_more(run) -> None:
    owner, _, lines = run
    assert any(line["event"] == "coin.removed" and line["rule"] == "R1" for line in lines)
    assert oracle.removed_by_r1(owner)


def test_no_order_broke_a_limit(run) -> None:
    owner, truth, _ = run
    worst = oracle.limits_were_kept(owner, truth)
    assert worst["leverage"] > 0.5, "the book was hardly deployed"


def test_each_order_was_sent_once_and_had_an_intent(run) -> None:
    owner, truth, _ = run
    assert oracle.no_order_sent_twice(owner, truth) > 100


def test_status_tells_of_a_stopped_daemon(run) -> None:
    owner, _, _ = run
    status = owner.asked("status")
    assert status["state"] == "stopped"
    assert status["receipts_usd"] > 500
    assert 0.5 < status["leverage"] < 1.1
