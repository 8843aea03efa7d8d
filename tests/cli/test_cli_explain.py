"""`explain`, `scan`, `reload` and `alerts test` where there is no daemon or no channel to ask."""

from collections.abc import Callable
from pathlib import Path

from cli_process import Outcome

Carrybot = Callable[..., Outcome]
HEAD = "venues: {binance: {adapter: binance}}\n"


def test_scan_and_explain_say_that_they_need_a_daemon(carrybot: Carrybot) -> None:
    assert carrybot("db", "upgrade").code == 0
    scan = carrybot("scan")
    assert scan.code == 1
    assert "no daemon is running" in scan.err
    explained = carrybot("explain", "sol")
    assert explained.code == 1
    assert "the books hold no refusal or forced action of SOL" in explained.out
    assert "no daemon is running" in explained.err
    as_json = carrybot("explain", "SOL", "--json")
    assert as_json.code == 1
    assert as_json.json == {"coin": "SOL", "last_verdicts": []}


def test_reload_needs_a_daemon(carrybot: Carrybot) -> None:
    done = carrybot("reload")
    assert done.code == 1
    assert "no daemon is running" in done.err


def test_alerts_test_without_a_channel_says_where_to_add_one(carrybot: Carrybot, tmp_path: Path) -> None:
    config = tmp_path / "my.yaml"
    config.write_text(HEAD)
    done = carrybot("alerts", "test", "-c", str(config))
    assert done.code == 1
    assert "names no channel" in done.err
    assert "docs/configuration.md" in done.err


def test_a_failing_channel_is_told_without_its_secret(carrybot: Carrybot, tmp_path: Path) -> None:
    config = tmp_path / "my.yaml"
    config.write_text(HEAD + "alerts: {channels: [{url_env: MY_CHANNEL}]}\n")
    secret = "hunter2-never-to-be-seen"
    done = carrybot("alerts", "test", "-c", str(config), MY_CHANNEL=f"json://me:{secret}@127.0.0.1:9/{secret}")
    assert done.code == 1
    assert "failed" in done.out
    assert secret not in done.out + done.err
