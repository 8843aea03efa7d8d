"""The recorded data where a checkout has it beside the project."""

from pathlib import Path

import pytest

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def recorded() -> Path:
    if not (RECORDED / "funding" / "binance-usdm").is_dir():
        pytest.skip("the recorded data is not at ../shared/data")
    return RECORDED
