"""A loan on paper as its owner has it: SOL's fall of November 2022 sold on loan without a key, at modelled rates.

The daemon is killed while it owes and asked about its books beside it; then the owner closes the hedge.
"""

import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend import oracle, papered
from tests.endtoend.owner import Exchange, Owner, wait_for
from tests.endtoend.papered import account, live_market

pytestmark = pytest.mark.slow
"""60 s of wall time: a week of market time until the rate turns, a restart, the end."""

COIN = "SOL22"
SPEED, SLOWER = 14_400, 600
D = Decimal


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Owner, dict[str, Any]]]:
    """The owner, and the account's own record when all is over."""
    with live_market(tmp_path_factory.mktemp("live"), SPEED) as market:
        yield story(market, tmp_path_factory.mktemp("paper"))


def story(market: Exchange, data: Path) -> tuple[Owner, dict[str, Any]]:
    # The lender of the model takes half of what the funding pays: more than the shipped limits agree to just now.
    more = (
        "strategies: [cash_and_carry, reverse_carry]\nreverse_carry: {rate_max: 20, rate_alarm: 25}\n"
        f"universe: {{coins: [{COIN}, BTC], core: [BTC]}}\n"
        "execution: {guard_bps: 120, basis_guard_bps: 15, repair_guard_bps: 200}\n"
    )
    owner, log = papered.owner(market, data, more), data / "daemon.log"
    first = owner.start(log=log)
    wait_for(lambda: owing(owner), 90, lambda: f"nothing was sold on loan\n{log.read_text()[-2000:]}")
    time.sleep(2)  # eight market hours: interest is charged
    oracle.books_verify(owner)
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    last = owner.start(log=log)
    wait_for(lambda: len(owner.events("daemon.running")) == 2, 40, "the daemon did not come back")
    # An hour passes between two frames, and with it more interest than a lot: none between a decision and its fill.
    market.ask("POST", "/clock", {"speed": SLOWER})
    assert owner.command("close", COIN).returncode == 0
    wait_for(lambda: not owing(owner), 40, "the loan was not repaid")
    last.send_signal(signal.SIGTERM)
    assert last.wait(30) == 0, log.read_text()[-3000:]
    return owner, account(data / "paper" / "binance.db")


def owing(owner: Owner) -> bool:
    """Whether a hedge owes the coin now."""
    opened = {line["hedge"] for line in owner.events("hedge.opened")}
    rows = owner.rows("select id, state from hedges where strategy = 'reverse_carry'") if opened else []
    return any(state != "closed" and name in opened for name, state in rows)


def loans(record: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [row for row in record["loans"] if row["kind"] == kind]


def test_it_was_borrowed_charged_and_repaid(run) -> None:
    _, record = run
    borrowed, charged, repaid = (
        sum((D(row["amount"]) for row in loans(record, kind)), D(0)) for kind in ("BORROW", "INTEREST", "REPAY")
    )
    assert borrowed > 100
    assert 0 < charged < borrowed / 10
    assert repaid == borrowed + charged, "nothing stays owed"


def test_interest_is_booked_once_and_all_of_it(run) -> None:
    owner, record = run
    booked = {
        name.rsplit(":", 1)[1]: -D(amount)
        for name, amount in owner.rows(
            "select t.id, e.amount from ledger_transactions t join ledger_entries e on e.number = t.number "
            "where t.kind = 'interest' and e.account = 'venue:binance:margin'"
        )
    }
    assert booked == {str(row["id"]): D(row["amount"]) for row in loans(record, "INTEREST")}
    assert len(booked) > 5


def test_the_hedge_tells_what_it_cost_and_the_books_verify(run) -> None:
    owner, _ = run
    (hedge,) = (row for row in owner.asked("hedges", "--all") if row["strategy"] == "reverse_carry")
    assert (hedge["coin"], hedge["state"]) == (COIN, "closed")
    assert hedge["borrow_usd"] > 0
    assert oracle.books_verify(owner) >= 2
