"""Money that the owner moves on the venue's page, while the daemon runs and while it is down, end to end."""

import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.process import ask, find_running
from bot.simulator.wire.options import Endpoint
from tests.endtoend import oracle
from tests.endtoend.owner import DEMO, Owner, wait_for

pytestmark = pytest.mark.slow
"""A minute of wall time: a run, moves during it, a stop, a deposit, another run."""
PATIENCE_S = 180
"""Deposits are asked for each ten seconds, twice at least; on a busy machine all takes several times as long."""


class Bank:
    """The owner at the simulated venue's own page."""

    def __init__(self, owner: Owner) -> None:
        found = find_running(owner.exchange_folder)
        assert found is not None
        self.endpoint: Endpoint = found

    def post(self, path: str, **document: Any) -> Any:
        answer = ask(self.endpoint, "POST", path, document)
        assert isinstance(answer, dict)
        assert "id" in answer, answer
        return answer["id"]


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    config = tmp_path / "my.yaml"
    # A slower market: the drawdown that is watched here must not come from four hours a second.
    config.write_text(DEMO.read_text().replace("speed: 14400", "speed: 600") + "api: {port: 0}\nhealth: {port: 0}\n")
    return Owner(tmp_path / "data", config)


def capital(owner: Owner) -> list[tuple[str, Decimal]]:
    """(asset, what the owner put in) of each capital transaction, in the order of the books."""
    rows = owner.rows(
        "select e.asset, e.amount from ledger_entries e join ledger_transactions t using (number) "
        "where t.kind = 'capital' and e.account like 'venue:%' order by number"
    )
    return [(asset, Decimal(amount)) for asset, amount in rows]


def test_deposits_withdrawals_and_what_nobody_explains(owner: Owner) -> None:
    owner.data.mkdir()
    log = owner.data / "daemon.log"
    process = owner.start(log=log)
    try:
        wait_for(lambda: log.exists() and len(owner.events("hedge.opened")) >= 5, PATIENCE_S, "no hedges were opened")
        bank = Bank(owner)
        before = Decimal(owner.rows("select nav_usd from nav_history order by market_ms desc")[0][0])
        bank.post("/capital", asset="USDT", quantity="300000")
        wait_for(lambda: len(owner.events("capital.moved")) == 1, PATIENCE_S, "the deposit was not seen")
        bank.post("/capital", asset="USDT", quantity="-150000", fee="1.5")
        wait_for(lambda: len(owner.events("capital.moved")) == 2, PATIENCE_S, "the withdrawal was not seen")
        bank.post("/capital", asset="ETH", quantity="2.5")
        wait_for(lambda: len(owner.events("capital.moved")) == 3, PATIENCE_S, "the deposited coin was not seen")
        bank.post("/transfer", quantity="10", source="spot", target="perp")
        wait_for(lambda: len(owner.events("capital.moved")) == 5, PATIENCE_S, "the move by hand was not seen")
        bank.post("/grant", kind="REFERRAL_KICKBACK", quantity="0.37")
        wait_for(lambda: len(owner.events("capital.moved")) == 6, PATIENCE_S, "the part of the fees was not seen")
        assert capital(owner)[5] == ("USDT", Decimal("0.37"))
        assert capital(owner)[:3] == [("USDT", 300_000), ("USDT", Decimal("-150001.5")), ("ETH", Decimal("2.5"))]
        assert not owner.events("drawdown.soft"), "an eighth of the account left, and nothing was lost"
        assert not owner.events("ledger.difference")
        nav = owner.asked("status")["nav_usd"]
        ether_usd = 10_000
        assert abs(Decimal(repr(nav)) - before - Decimal("149998.5") - ether_usd) < 5_000
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    deposit_while_it_is_down(owner)
    again = owner.start(log=log)
    try:
        wait_for(lambda: len(owner.events("capital.moved")) == 7, PATIENCE_S, "the deposit of the night was not seen")
        assert owner.events("capital.moved")[-1]["amount"] == "7777"
        Bank(owner).post("/capital", asset="USDT", quantity="-42", told=False)
        wait_for(lambda: owner.events("ledger.difference"), PATIENCE_S, "an unexplained balance raised no alarm")
        (alarm,) = owner.events("ledger.difference")
        assert (alarm["asset"], alarm["venue_less_ledger"], alarm["level"]) == ("USDT", "-42", "critical")
        refused = owner.command("accept", "USDT", "-41", "--reason", "a guess")
        assert (refused.returncode, "the difference is -42 USDT" in refused.stderr) == (1, True), refused.stderr
        owner.asked("accept", "USDT", "-42", "--reason", "a fee that the venue does not list")
        wait_for(lambda: owner.events("venue.explained"), PATIENCE_S, "what was accepted is still in the way")
    finally:
        again.send_signal(signal.SIGTERM)
        again.wait(30)
    assert [amount for _, amount in capital(owner)][7:] == [-42]


def deposit_while_it_is_down(owner: Owner) -> None:
    with owner.exchange():
        Bank(owner).post("/capital", asset="USDT", quantity="7777")
        proof = owner.asked("ledger", "--verify")
    (row,) = [row for row in proof["assets"] if row["asset"] == "USDT"]
    assert Decimal(str(row["difference"])) == 0
    assert proof["unbooked_facts"] >= 1
    assert oracle.books_verify(owner) > 3
