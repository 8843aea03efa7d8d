"""The `play` fixture: makes playbooks and checks at the end that nothing left the daemon unmentioned."""

from collections.abc import Iterator

import pytest
from playbook import Play, Playbook

from bot.domain.config import CoreConfig
from bot.engine.state import EngineState


@pytest.fixture
def play() -> Iterator[Play]:
    books: list[Playbook] = []

    def make(
        config: CoreConfig | None = None, coins: tuple[str, ...] = ("BTC",), state: EngineState | None = None
    ) -> Playbook:
        books.append(Playbook(config, coins, state))
        return books[-1]

    yield make
    for book in books:
        book.settle()
