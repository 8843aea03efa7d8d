"""Usage, errors and exit codes: one clear line with a remedy, never a traceback."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_process import Outcome

from bot.cli.durations import seconds
from bot.cli.failure import Failure
from bot.cli.main import _translated
from bot.runtime.lock import LOCK_FILE, InstanceLock

Run = Callable[..., Outcome]
HEAVY = ("aiohttp", "ccxt", "pydantic", "rich", "sqlalchemy", "structlog", "yaml")


def test_help_is_quick_because_nothing_heavy_is_imported(carrybot: Run) -> None:
    began = time.monotonic()
    done = carrybot("--help")
    took_s = time.monotonic() - began
    assert done.code == 0
    for command in ("run", "check", "status", "hedges", "orders", "receipts", "ledger", "pnl", "alerts", "halt"):
        assert f"  {command} " in done.out
    assert took_s < 2, "half a second on an idle machine"
    program = f"import bot.cli.main, bot.cli.client, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "words", [("nonsense",), ("close",), ("status", "--nonsense"), ("run", "--for", "soon"), ("db", "backup")]
)
def test_bad_usage_is_exit_code_2(carrybot: Run, words: tuple[str, ...]) -> None:
    done = carrybot(*words)
    assert done.code == 2
    assert done.out == ""
    assert done.err


@pytest.mark.parametrize("command", ["run", "check", "status", "hedges", "halt"])
def test_a_config_with_a_fault_is_exit_code_2_with_file_and_line(carrybot: Run, command: str, tmp_path: Path) -> None:
    config = tmp_path / "bad.yaml"
    config.write_text(
        "venues:\n  binance:\n    adapter: binance\nlimits:\n  per_coin_cap: 5\n  leverage_cieling: 2\n"
    )
    done = carrybot(command, "-c", str(config))
    assert done.code == 2
    assert f"{config}:5" in done.err
    assert f"{config}:6" in done.err
    assert "leverage_ceiling" in done.err, "the nearest known key"


def test_a_missing_config_is_exit_code_2(carrybot: Run) -> None:
    for command in ("run", "status"):
        done = carrybot(command, "-c", "nowhere.yaml")
        assert done.code == 2
        assert "nowhere.yaml" in done.err


def test_questions_without_books_say_what_to_do(carrybot: Run) -> None:
    done = carrybot("status")
    assert done.code == 1
    assert "no books yet" in done.err
    assert "db upgrade" in done.err


@pytest.mark.parametrize(
    "words",
    [
        *(("halt",), ("resume",), ("flatten",), ("close", "BTC"), ("readmit", "BTC")),
        ("accept", "USDT", "-42", "--reason", "a gift"),
    ],
)
def test_commands_need_a_running_daemon(carrybot: Run, words: tuple[str, ...]) -> None:
    done = carrybot(*words)
    assert done.code == 1
    assert "no daemon is running" in done.err
    assert "carrybot run" in done.err


def test_the_files_of_a_dead_daemon_do_not_mislead(carrybot: Run, data: Path) -> None:
    data.mkdir()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (data / "endpoint.json").write_text(json.dumps({"host": "127.0.0.1", "port": 1, "pid": gone.pid}))
    (data / "api.token").write_text("x\n")
    assert "no daemon is running" in carrybot("halt").err


def test_a_daemon_that_starts_is_not_called_none(carrybot: Run, data: Path) -> None:
    """It migrates or reads its books, and does not listen yet: its owner must not look for another machine."""
    with InstanceLock(data / LOCK_FILE):
        done = carrybot("halt")
    assert done.code == 1
    assert f"the daemon (process {os.getpid()}) takes no commands: it is starting or ending" in done.err


def test_a_daemon_that_ends_before_it_answers_may_have_done_it(carrybot: Run, data: Path) -> None:
    """A `flatten` that was committed is none that no daemon has heard: the next one goes on with it."""
    data.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def end() -> None:
            connection, _ = listening.accept()
            connection.recv(4_096)
            connection.close()

        answering = threading.Thread(target=end)
        answering.start()
        endpoint = {"host": "127.0.0.1", "port": listening.getsockname()[1], "pid": os.getpid()}
        (data / "endpoint.json").write_text(json.dumps(endpoint))
        (data / "api.token").write_text("x\n")
        done = carrybot("flatten")
        answering.join()
    assert done.code == 1
    assert "ended before it answered: what came of the command is not known" in done.err


def test_the_schema_is_json(carrybot: Run) -> None:
    assert "limits" in carrybot("config", "schema").json["properties"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("45", 45),
        ("1.5m", 90),
        ("1D", 86400),
    ],
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "-5s", "0s", "5 s", "5x", "s5", "1e9d", "nan", "99999999999d"])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(Failure) as failed:
        seconds(text)
    assert failed.value.code == 2


def test_an_unexpected_error_is_short_and_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "canary-9f8e7d6c5b4a"
    monkeypatch.setenv("CARRYBOT_VENUES__BINANCE__API_SECRET", canary)
    failure = _translated(ExceptionGroup("x", [RuntimeError(f"signature={canary} " + "x" * 2_000)]))
    assert failure.code == 1
    assert canary not in failure.what
    assert len(failure.what) <= 500
    assert "defect" in failure.remedy
