"""The `play` fixture: makes playbooks and checks at the end that nothing left the daemon unmentioned."""

from collections.abc import Callable, Iterator

import pytest

from bot.domain.config import CoreConfig
from bot.engine.state import EngineState
from tests.engine.playbook import Playbook

Play = Callable[..., Playbook]


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
