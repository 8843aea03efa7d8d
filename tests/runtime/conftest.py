"""A real migrated database for each test."""

import shutil
from pathlib import Path

import pytest

from bot.store.migrate import upgrade


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "empty.db"
    upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> str:
    path = shutil.copy(migrated, tmp_path / "carrybot.db")
    return f"sqlite+aiosqlite:///{path}"
