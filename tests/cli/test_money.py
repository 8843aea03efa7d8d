"""A data folder belongs to one kind of money, from its first run on."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_process import ROOT, Outcome

from bot.cli.failure import Failure
from bot.cli.money import MARK, Money, claim, money_of, must_be_of
from bot.settings import Settings, load, redacted
from bot.store.database import SqlStore

Run = Callable[..., Outcome]

VENUES = {
    Money.REAL: "{adapter: binance}",
    Money.PAPER: "{adapter: binance, paper: {enabled: true}}",
    Money.SIMULATED: "{adapter: binance, simulator: {embedded: true}}",
}


def settings(folder: Path, money: Money) -> Settings:
    file = folder / f"{money}.yaml"
    file.write_text(f"venues: {{binance: {VENUES[money]}}}\ndata_dir: {folder}\n")
    return load(file, {})


@pytest.mark.parametrize("money", Money)
def test_a_folder_is_marked_once_and_kept_apart(tmp_path: Path, money: Money) -> None:
    own = settings(tmp_path, money)
    assert money_of(own) is money
    assert claim(own) is claim(own) is money
    for other in Money:
        if other is not money:
            with pytest.raises(Failure, match=f"are of {money} money, {other}.yaml trades {other} money"):
                claim(settings(tmp_path, other))


def test_a_folder_from_before_there_were_marks_tells_by_its_simulator(tmp_path: Path) -> None:
    (tmp_path / "simulator").mkdir()
    with pytest.raises(Failure, match="of simulated money"):
        claim(settings(tmp_path, Money.REAL))
    assert claim(settings(tmp_path, Money.SIMULATED)) is Money.SIMULATED


@pytest.mark.parametrize("money", Money)
def test_an_empty_mark_of_a_first_start_on_a_full_disk_refuses_nothing(tmp_path: Path, money: Money) -> None:
    (tmp_path / MARK).touch()
    assert claim(settings(tmp_path, money)) is money
    assert (tmp_path / MARK).read_text().strip() == money


def kept(settings: Settings) -> str:
    return json.dumps(redacted(settings))


@pytest.mark.parametrize("money", Money)
def test_books_go_on_for_the_account_that_they_were_kept_for(tmp_path: Path, money: Money) -> None:
    own = settings(tmp_path, money)
    for before in (kept(own), None, "limits: {}\n", "{}", '{"venues": []}'):
        must_be_of(own, before)
    for other in Money:
        if other is not money:
            with pytest.raises(Failure, match=f"{money} money, {other}.yaml names .*, {other} money"):
                must_be_of(settings(tmp_path, other), kept(own))


@pytest.mark.parametrize("change", [("binance:", "spot:"), ("adapter: binance", "adapter: binance, account: b")])
def test_another_name_of_the_venue_or_the_account_is_refused(tmp_path: Path, change: tuple[str, str]) -> None:
    own = settings(tmp_path, Money.REAL)
    other = tmp_path / "other.yaml"
    other.write_text(own.source.read_text().replace(*change))
    with pytest.raises(Failure, match="the books are of binance: account main of binance, real money"):
        must_be_of(load(other, {}), kept(own))


def test_a_start_on_books_of_another_account_ends_before_it_asks_or_sends(tmp_path: Path, carrybot: Run) -> None:
    """Under another name each receipt of the last days was booked again, and hedges were left to themselves."""
    data = tmp_path / "data"
    url = f"sqlite:///{data / 'carrybot.db'}"
    assert carrybot("db", "upgrade").code == 0

    async def keep() -> None:
        async with SqlStore(url) as store:
            await store.save_config(kept(load(ROOT / "config" / "demo.yaml", {})))

    asyncio.run(keep())
    refused = carrybot("run", "--for", "1s", CARRYBOT_VENUES__BINANCE__ACCOUNT="second")
    assert refused.code == 1
    assert "account second" in refused.err
    assert "CARRYBOT_DATA" in refused.err
    assert not (data / "simulator").exists()
