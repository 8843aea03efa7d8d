"""The embedded market, made once, and the recorded data where a checkout has it beside the project."""

from pathlib import Path

import pytest

from bot.simulator.market import HistoryMarket

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture(scope="session")
def market():
    return HistoryMarket.embedded()


@pytest.fixture(scope="session")
def recorded():
    if not (RECORDED / "funding" / "binance-usdm").is_dir():
        pytest.skip("the recorded data is not at ../shared/data")
    return RECORDED
