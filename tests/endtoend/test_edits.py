"""The owner edits the settings while the daemon trades: twenty mistakes, then valid edits; and alerts arrive.

One channel takes the alerts, one is dead and one hangs: trading notices none of them.
"""

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.endtoend.owner import DEMO, Owner, wait_for
from tests.observe.alert_endpoints import Inbox, dead, hanging, inbox

pytestmark = pytest.mark.slow

MISTAKES = (
    # what is appended to the file, the line of it that is at fault, words of the refusal
    ("limits:\n  per_coin_cap: 5\n", 2, "must be at most 1"),
    ("limits:\n  per_coin_cup: 0.1\n", 2, "did you mean 'per_coin_cap'?"),
    ("limits:\n  per_coin_cap: five\n", 2, "expected a number"),
    ("limits:\n  per_coin_cap: 5%\n", 2, "write 0.05"),
    ("limits:\n  per_coin_cap:\n", 2, "expected a number, got nothing"),
    ("limits:\n  liquidation:\n    min: 0.3\n", 3, "is not below limits.liquidation.warn"),
    ("limits:\n  drawdown:\n    soft: 0.05\n", 3, "limits.drawdown"),
    ("limits:\n  leverage_ceiling: -1\n", 2, "must be above 0"),
    ("limits: 7\n", 1, "expected a section"),
    ("limits:\n  negative_funding_days: 2.5\n", 2, "expected a whole number"),
    ("limits:\n\tper_coin_cap: 0.1\n", 2, "tab"),
    ("limits:\n  per_coin_cap: 0.1\n  per_coin_cap: 0.2\n", 3, "written twice"),
    ("universe:\n  coins: BTC\n", 2, "expected a list"),
    ("universe:\n  coins: [btc]\n", 2, "write BTC"),
    ("universe:\n  core: [BTC]\n  exclude: [BTC]\n", 2, "also in universe.exclude"),
    ("strategies: [cash_and_cary]\n", 1, "did you mean 'cash_and_carry'?"),
    ("universe: {coins: [BTC, ETH\n", 2, "not valid YAML"),
    ("limitz: {}\n", 1, "did you mean 'limits'?"),
    ("log:\n  level: loud\n", 2, "expected one of"),
    ("database:\n  password: hunter2-never-shown\n", 2, "a secret does not belong in this file"),
)


class CalmOwner(Owner):
    """What the demonstration sets under `limits`, which the mistakes are about, stands in the environment."""

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "CARRYBOT_LIMITS__CASH_RATE": "0"}


@dataclass
class Trading:
    owner: Owner
    good: str
    service: Inbox
    log: Any

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def said(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["event"] == event]

    def write(self, more: str) -> None:
        part = self.owner.config.with_suffix(".part")
        part.write_text(self.good + more)
        part.replace(self.owner.config)

    def receipts(self) -> int:
        return int(self.owner.rows("select count(*) from receipts")[0][0])


@pytest.fixture(scope="module")
def trading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trading]:
    folder = tmp_path_factory.mktemp("edits")
    with ExitStack() as stack:
        service, silent = stack.enter_context(inbox()), stack.enter_context(hanging())
        channels = "".join(f"    - {{url: '{url}', min_severity: info}}\n" for url in (service.url, dead(), silent))
        ports = "api: {port: 0}\nhealth: {port: 0}\n"
        alerts = f"alerts:\n  rate_per_hour: 3600\n  channels:\n{channels}"
        good = re.sub(r"^limits:\n(?: .*\n)+", "", DEMO.read_text(), flags=re.MULTILINE) + ports + alerts
        config = folder / "my.yaml"
        config.write_text(good)
        owner = CalmOwner(folder / "data", config)
        owner.data.mkdir()
        found = Trading(owner, good, service, folder / "daemon.log")
        process = owner.start(log=found.log)
        try:
            wait_for(lambda: found.said("daemon.running") and found.said("funding.received"), 90, "it does not trade")
            yield found
        finally:
            process.terminate()
            process.wait(30)


def test_twenty_mistakes_are_refused_with_their_line_and_trading_goes_on(trading: Trading) -> None:
    assert len(MISTAKES) == 20
    first = trading.good.count("\n")
    started, received = time.monotonic(), trading.receipts()
    for number, (text, line, words) in enumerate(MISTAKES, 1):
        trading.write(text)
        wait_for(lambda n=number: len(trading.said("config.refused")) >= n, 15, f"{text!r} was not refused")
        refused = trading.said("config.refused")
        assert len(refused) == number, text
        assert f"{trading.owner.config}:{first + line}: " in refused[-1]["problems"], refused[-1]
        assert words in refused[-1]["problems"], refused[-1]
    passed_s = time.monotonic() - started
    assert not trading.said("config.changed")
    assert trading.receipts() - received > passed_s, "funding is booked all the while"
    assert trading.owner.asked("status")["state"] == "running"
    assert not trading.said("task.died")
    assert "hunter2" not in trading.log.read_text()


DAMAGE = (
    # what became of the file, words of the refusal
    (None, "there is no such file"),
    (b"", "the file holds no settings"),
    (b"\xff\xfe\x00limits", "not UTF-8"),
    (b"[limits, universe]\n", "must be a mapping"),
)


def test_a_file_that_is_gone_or_no_settings_changes_nothing(trading: Trading) -> None:
    for content, words in DAMAGE:
        before = len(trading.said("config.refused"))
        if content is None:
            trading.owner.config.unlink()
        else:
            trading.owner.config.write_bytes(content)
        wait_for(lambda n=before: len(trading.said("config.refused")) > n, 15, f"{words!r} was not refused")
        assert words in trading.said("config.refused")[-1]["problems"]
    assert not trading.said("config.changed")
    trading.write("")
    wait_for(lambda: trading.said("config.valid"), 15, "the good file was not noticed")


def test_each_refusal_reached_the_owner_beside_a_dead_and_a_hanging_channel(trading: Trading) -> None:
    def arrived() -> int:
        return sum(each["message"].count("An edit of the settings was refused") for each in trading.service.got)

    wait_for(lambda: arrived() >= len(MISTAKES) + len(DAMAGE), 20, "alerts are missing")
    text = "\n".join(each["message"] for each in trading.service.got)
    assert "You: Put it right and save" in text
    assert "hunter2" not in text
    wait_for(lambda: trading.said("alerts.undelivered"), 20, "nobody said that a channel is dead")
    assert trading.said("alerts.undelivered")[0]["channel"] == "2:json"


def test_a_valid_edit_takes_effect_at_once_and_is_kept(trading: Trading) -> None:
    trading.write("limits:\n  per_coin_cap: 0.02\nlog:\n  format: json\n")
    wait_for(lambda: trading.said("config.changed"), 15, "the edit was not taken over")
    assert "limits.per_coin_cap 0.05 -> 0.02" in trading.said("config.changed")[-1]["changes"]
    wait_for(lambda: trading.said("config.needs_restart"), 15, "nobody said what needs a restart")
    assert "log.format auto -> json" in trading.said("config.needs_restart")[-1]["keys"]

    def trimmed() -> bool:
        held = trading.owner.asked("hedges")
        return bool(held) and all(each["notional_usd"] < 24_000 for each in held)

    wait_for(trimmed, 60, "hedges above the new cap were not trimmed")
    database = next(trading.owner.data.glob("*.db"))
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        versions = connection.execute("select content from config_versions order by seq").fetchall()
    connection.close()
    assert [json.loads(each[0])["limits"]["per_coin_cap"] for each in versions] == ["0.05", "0.02"]


def test_a_coin_that_is_excluded_is_not_entered_again_and_the_answer_says_why(trading: Trading) -> None:
    trading.write("limits:\n  per_coin_cap: 0.02\nuniverse:\n  exclude: [DOGE]\n")
    done = trading.owner.command("reload")
    assert done.returncode == 0, done.stderr
    (explanation,) = trading.owner.asked("explain", "DOGE")["explanations"]
    refused = [each["rule"] for each in explanation["verdicts"] if not each["approved"]]
    assert "R8" in refused


def test_reload_refuses_a_faulty_file_with_exit_code_two(trading: Trading) -> None:
    trading.write("limits:\n  per_coin_cap: 9\n")
    done = trading.owner.command("reload")
    assert done.returncode == 2
    assert "limits.per_coin_cap: must be at most 1" in done.stderr
    assert "the old settings stay in force" in done.stderr


def test_alerts_test_says_which_channels_took_it(trading: Trading) -> None:
    trading.write("")
    before = len(trading.service.got)
    done = trading.owner.command("alerts", "test", "--json", timeout_s=90)
    assert done.returncode == 1
    assert [each["result"] for each in json.loads(done.stdout)] == ["sent", "failed", "failed"]
    assert "a test" in str([each["title"] for each in trading.service.got[before:]])
