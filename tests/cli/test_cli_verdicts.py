"""`verdicts`: refusals and forced actions out of the books, by rule, coin and time, listed and counted."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_process import Outcome

from bot.domain.actions import Persist, Verdict, VerdictGiven
from bot.domain.time import DAY_MS
from bot.store.database import SqlStore
from bot.store.migrate import upgrade

Carrybot = Callable[..., Outcome]
DAY = 1_732_924_800_000
"""2024-11-30, 00:00 UTC."""


def given(rule: str, coin: str, days: int, hedge: str | None = None) -> Persist:
    return Persist(VerdictGiven(DAY + days * DAY_MS, hedge, coin, Verdict(rule, False, "5", "6", f"of {coin}")))


@pytest.fixture
def books(data: Path) -> Path:
    url = f"sqlite+aiosqlite:///{data / 'carrybot.db'}"

    async def fill() -> None:
        async with SqlStore(url) as store:
            await store.load()
            records = [
                given("R2", "SOL", 0, "h1"),
                given("R1c", "SOL", 1),
                given("R2", "ETH", 2),
                given("R2", "SOL", 3),
            ]
            await store.commit(records)

    data.mkdir()
    upgrade(url)
    asyncio.run(fill())
    return data


@pytest.mark.usefixtures("books")
def test_they_are_listed_by_rule_coin_and_time(carrybot: Carrybot) -> None:
    every = carrybot("verdicts", "--json").json
    assert [(v["rule"], v["coin"]) for v in every] == [("R2", "SOL"), ("R1c", "SOL"), ("R2", "ETH"), ("R2", "SOL")]
    assert every[0] == {
        "at": "2024-11-30T00:00:00.000Z",
        "hedge": "h1",
        "coin": "SOL",
        "rule": "R2",
        "name": "coin cap",
        "approved": False,
        "limit": "5",
        "observed": "6",
        "detail": "of SOL",
    }
    assert len(carrybot("verdicts", "--coin", "sol", "--json").json) == 3
    assert len(carrybot("verdicts", "--rule", "r2", "--json").json) == 3
    assert len(carrybot("verdicts", "--rule", "r1c", "--json").json) == 1
    assert [v["coin"] for v in carrybot("verdicts", "--since", "2024-12-02", "--json").json] == ["ETH", "SOL"]
    assert [v["coin"] for v in carrybot("verdicts", "--limit", "1", "--json").json] == ["SOL"]


@pytest.mark.usefixtures("books")
def test_they_are_counted(carrybot: Carrybot) -> None:
    counted = carrybot("verdicts", "--count", "--json").json
    assert counted[0] == {"rule": "R2", "coin": "SOL", "times": 2, "last": "2024-12-03T00:00:00.000Z"}
    assert len(counted) == 3
    shown = carrybot("verdicts", "--count", "--rule", "R2", "--since", "2024-12-01").out
    assert "SOL" in shown
    assert "R1c" not in shown


@pytest.mark.usefixtures("books")
def test_a_day_that_is_none_is_refused(carrybot: Carrybot) -> None:
    done = carrybot("verdicts", "--since", "yesterday")
    assert done.code == 2
    assert "write it like 2026-11-26" in done.err
