from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from client import Site, running

from bot.simulator.wire.host import Host


@pytest.fixture
async def sim(tmp_path: Path) -> AsyncIterator[tuple[Site, Host]]:
    async with running(tmp_path / "sim") as pair:
        yield pair


@pytest.fixture
def site(sim: tuple[Site, Host]) -> Site:
    return sim[0]
