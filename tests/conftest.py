"""A canary for the whole test run: the environment holds a secret that must come out nowhere.

It is the venue's API secret as far as every daemon, command and test knows. No report, log line, traceback or file
that the run leaves behind may contain it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

CANARY = "canary7c1f9e52b8d04a36nowhere"
VARIABLES = ("CARRYBOT_VENUES__BINANCE__API_KEY", "CARRYBOT_VENUES__BINANCE__API_SECRET")
leaks: list[str] = []


def pytest_configure() -> None:
    for variable in VARIABLES:
        os.environ[variable] = CANARY


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    said = [report.longreprtext, *(text for _, text in report.sections)]
    if any(CANARY in text for text in said):
        leaks.append(f"{report.nodeid}: in its output or traceback")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


@pytest.fixture(scope="session", autouse=True)
def no_canary_comes_out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield
    leaks.extend(str(path) for path in _files(tmp_path_factory.getbasetemp()) if CANARY.encode() in path.read_bytes())
    assert not leaks, f"the canary came out: {leaks}"
