"""The `carrybot` fixture runs a command in a process of its own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_process import ROOT, Outcome, environment


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def carrybot(data: Path) -> Callable[..., Outcome]:
    def run(*words: str, seconds: float = 60, **more: str) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "bot", *words],
            cwd=ROOT,
            env=environment(data, **more),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run
