"""A loan as its owner has it: SOL's fall of November 2022 sold on loan by the daemon, which is killed while it owes.

Then the lender wants the coin back: both legs end together before it is due. Collateral, loan, interest and repayment
are held against the exchange's own record.
"""

import json
import signal
import time
from decimal import Decimal
from typing import Any

import pytest

from tests.endtoend import oracle
from tests.endtoend.owner import DEMO, Exchange, Owner, wait_for

pytestmark = pytest.mark.slow
"""80 s of wall time: a week of market time until the rate turns, a restart, a recall."""

COIN = "SOL22"
SLOWER = 1_800
GRACE_S = 47 * 3_600
D = Decimal


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Owner:
    folder = tmp_path_factory.mktemp("loans")
    config = folder / "my.yaml"
    config.write_text(
        DEMO.read_text() + "strategies: [cash_and_carry, reverse_carry]\n"
        f"universe: {{coins: [{COIN}, BTC], core: [BTC]}}\n"
        "api: {port: 0}\nhealth: {port: 0}\n"
    )
    return Owner(folder, config)


@pytest.fixture(scope="module")
def run(owner: Owner) -> dict[str, Any]:
    """The exchange's truth and what was owed at each step of the story."""
    log = owner.data / "daemon.log"
    first = owner.start(log=log)
    wait_for(lambda: held(owner), 90, lambda: f"nothing was sold on loan\n{log.read_text()[-2000:]}")
    exchange = running(owner)
    time.sleep(2)  # eight market hours: interest is charged
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    killed = exchange.truth()
    last = owner.start(log=log)
    wait_for(lambda: len(owner.events("daemon.running")) == 2, 40, "the daemon did not come back")
    exchange = running(owner)
    exchange.ask("POST", "/clock", {"speed": SLOWER})
    returned = exchange.truth()
    fault = {"kind": "loan_recall", "asset": COIN, "grace_s": GRACE_S}
    exchange.ask("POST", "/faults", fault)
    wait_for(lambda: owner.events("loan.recalled"), 60, "the recall was not noticed")
    wait_for(lambda: not held(owner), 40, "the loan was not repaid")
    last.send_signal(signal.SIGTERM)
    assert last.wait(30) == 0, log.read_text()[-3000:]
    with owner.exchange() as stopped:
        return {"killed": killed, "returned": returned, "end": stopped.truth()}


def running(owner: Owner) -> Exchange:
    return Exchange(json.loads((owner.exchange_folder / "endpoint.json").read_text()))


def held(owner: Owner) -> bool:
    """Whether a hedge owes the coin now."""
    opened, closed = (
        [line["hedge"] for line in owner.events(name) if line["coin"] == COIN]
        for name in ("hedge.opened", "hedge.closed")
    )
    live = set(opened) - set(closed)
    owing = [row[0] for row in owner.rows("select id from hedges where strategy = 'reverse_carry'")] if live else []
    return bool(live.intersection(owing))


def interest(truth: dict[str, Any]) -> dict[str, Decimal]:
    return {row["id"]: D(row["amount"]) for row in truth["margin"]["loans"] if row["kind"] == "INTEREST"}


def test_the_loan_was_hedged_when_the_daemon_died_and_when_it_came_back(run) -> None:
    for moment in ("killed", "returned"):
        truth = run[moment]
        long = sum((D(p["quantity"]) for p in truth["positions"] if p["symbol"] == f"{COIN}USDT"), D(0))
        owed = -D(truth["margin"]["net"][COIN])
        assert owed > 0
        assert abs(long - owed) < owed / 1_000, (moment, long, owed)  # the interest of some hours


def test_a_recall_is_obeyed_before_it_is_due(owner: Owner, run) -> None:
    truth = run["end"]
    (recall,) = (row for row in truth["margin"]["loans"] if row["kind"] == "RECALL")
    assert not truth["margin"]["owed"], "nothing is owed any more"
    repaid = [int(row["at_ms"]) for row in truth["margin"]["loans"] if row["kind"] == "REPAY"]
    assert max(repaid) < int(recall["at_ms"])
    assert not [p for p in truth["positions"] if p["symbol"] == f"{COIN}USDT" and D(p["quantity"])]
    (line,) = owner.events("loan.recalled")
    assert (line["level"], line["coin"]) == ("critical", COIN)
    forced = [line for line in owner.events("risk.forced") if line["coin"] == COIN]
    assert {line["rule"] for line in forced} == {"R9"}


def test_interest_is_booked_once_and_all_of_it(owner: Owner, run) -> None:
    booked = {
        name.rsplit(":", 1)[1]: -D(amount)
        for name, amount in owner.rows(
            "select t.id, e.amount from ledger_transactions t join ledger_entries e on e.number = t.number "
            "where t.kind = 'interest' and e.account = 'venue:binance:margin'"
        )
    }
    charged = interest(run["end"])
    assert len(charged) > 8
    assert booked == charged
    assert len(interest(run["returned"])) > 2


def test_the_collateral_came_home_and_the_books_verify(owner: Owner, run) -> None:
    moved = [row for row in run["end"]["margin"]["loans"] if row["kind"] == "TRANSFER"]
    assert any(D(row["amount"]) > 0 for row in moved)
    assert oracle.books_verify(owner) >= 2
    assert oracle.receipts_agree(owner, run["end"]) > 0
    oracle.no_order_sent_twice(owner, run["end"])


def test_the_owner_can_ask_why(owner: Owner, run) -> None:
    counted = {(row["rule"], row["coin"]) for row in owner.asked("verdicts", "--count")}
    assert ("R9", COIN) in counted
    pnl = owner.asked("hedges", "--all")
    assert sum(row["borrow_usd"] for row in pnl if row["coin"] == COIN) > 0
