"""A data folder belongs to one kind of money, from its first run on."""

from pathlib import Path

import pytest

from bot.cli.failure import Failure
from bot.cli.money import MARK, Money, claim, money_of
from bot.settings import Settings, load

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
