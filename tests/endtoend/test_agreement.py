"""Live and backtest agree: the inputs of a short demo through the backtest's path give the daemon's own orders."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.research import agreement
from bot.simulator.market import HistoryMarket
from tests.endtoend.owner import Owner

pytestmark = pytest.mark.slow


class SlowOwner(Owner):
    """Ten minutes a second: what comes back after a second comes back after ten minutes of market time.

    Large slices: all coins are entered within a second, and the venue takes only so many orders in ten: what has to
    wait leaves hours of market time later.
    """

    @property
    def environment(self) -> dict[str, str]:
        ours = {"CARRYBOT_VENUES__BINANCE__SIMULATOR__SPEED": "600", "CARRYBOT_EXECUTION__SLICE_USD": "50000"}
        return {**super().environment, **ours}


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Owner:
    found = SlowOwner(tmp_path_factory.mktemp("agreement"))
    log = found.data / "daemon.log"
    assert found.start("--for", "30s", log=log).wait(150) == 0, log.read_text()[-3000:]
    return found


def tape(owner: Owner) -> Path:
    return owner.data / "tape" / "000001-0001.tape"


def test_the_backtest_sends_what_the_daemon_sent(owner: Owner) -> None:
    answer = owner.offline("replay", "--backtest", str(tape(owner)), "--json")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    done = json.loads(answer.stdout)
    assert done["agrees"] is True
    assert done["share"] >= agreement.SHARE_MIN
    assert len(done["coins"]) >= 10
    exactly = [row for row in done["coins"] if row["live"] == row["backtest"] == row["same"] and not row["deviation"]]
    assert len(exactly) >= len(done["coins"]) / 2, "most coins to the last lot"
    sent = owner.rows("select count(*) from order_intents")[0][0]
    assert sum(row["live"] for row in done["coins"]) == sent


def test_with_other_limits_it_would_not(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    class Reader(agreement.TapeReader):
        def __enter__(self) -> Any:
            found = super().__enter__()
            config = found.state.book.config
            found.state.book.config = replace(config, limits=replace(config.limits, per_coin_cap=Decimal("0.02")))
            return found

    monkeypatch.setattr(agreement, "TapeReader", Reader)
    found = agreement.compare(tape(owner), HistoryMarket.embedded())
    assert not found.agrees, json.dumps(found.share)
