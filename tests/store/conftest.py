"""Books on real SQLite files: one migrated file is made for the session and copied for each test."""

import shutil
from pathlib import Path

import pytest

from bot.store.migrate import upgrade


@pytest.fixture(scope="session")
def empty_books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("books") / "empty.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def path(empty_books: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(empty_books, tmp_path / "books.db"))


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"
