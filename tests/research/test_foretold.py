"""The rate that a backtest announces: the venue's formula on what was seen, within caps that the past tells."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from recorded_kit import START_MS, make

from bot.domain.time import DAY_MS, HOUR_MS
from bot.research.bars import BarMarket
from bot.research.foretold import RateCaps, announced
from bot.research.recordings import read_recordings

EIGHT_MS = 8 * HOUR_MS


def test_later_premiums_weigh_more_as_at_the_venue() -> None:
    """0.2 % in the first of two observations, 0.6 % in the second with three times its weight: 0.5 %, less 0.05 %."""
    assert announced([0.002, 0.006], EIGHT_MS, 0.02) == Decimal("0.0045")
    assert announced([0.002, 0.006], 4 * HOUR_MS, 0.02) == Decimal("0.00225")


def test_a_rate_stays_within_the_cap() -> None:
    assert announced([-0.2], EIGHT_MS, 0.0075) == Decimal("-0.0075")
    assert announced([0.2], EIGHT_MS, 0.003) == Decimal("0.003")


@pytest.mark.parametrize(("symbol", "cap"), [("BTCUSDT", 0.003), ("ETHUSDT", 0.00375), ("SOLUSDT", 0.0075)])
def test_caps_are_the_venues_share_of_the_maintenance_ratio(symbol, cap) -> None:
    assert RateCaps(symbol, ()).at(0) == pytest.approx(cap)


def test_a_cap_is_wider_from_when_a_wider_rate_has_settled() -> None:
    caps = RateCaps("SOLUSDT", [(10, Decimal("-0.0075")), (20, Decimal("-0.02")), (30, Decimal("0.0001"))])
    assert [caps.at(at_ms) for at_ms in (9, 10, 19, 20, 29, 40)] == pytest.approx([0.0075] * 3 + [0.02] * 3)


def test_the_bars_announce_what_has_been_seen_of_the_interval(tmp_path) -> None:
    """Hour by hour from the market's own bases; at the first moment of an interval the basis of now."""
    market = BarMarket(read_recordings(make(tmp_path, days=10)), START_MS, START_MS + 10 * DAY_MS, HOUR_MS)
    bars = market.coins["ADAUSDT"]
    begins = 5 * 24
    for hours in range(8):
        at_ms = market.times_ms[begins + hours]
        seen = bars.basis[begins + 1 : begins + hours + 1] or [bars.basis[begins]]
        rate, next_ms, interval_ms = market.coming(bars, begins + hours, at_ms)
        assert (next_ms, interval_ms) == (market.times_ms[begins] + EIGHT_MS, EIGHT_MS)
        assert rate == announced(seen, EIGHT_MS, 0.0075)


def test_sol_stood_at_its_cap_until_the_venue_widened_it(recorded: Path) -> None:
    """November 2022: -0.75 % while the perpetual stood 5 % under spot, more once -1.5 and -2 % had settled."""
    first, wider, last = (
        int(datetime(2022, 11, day, hour, tzinfo=UTC).timestamp() * 1000) for day, hour in ((8, 0), (9, 16), (11, 0))
    )
    market = BarMarket(read_recordings(recorded, ("SOL",)), first, last, HOUR_MS)
    bars = market.coins["SOLUSDT"]
    told = [market.mark("SOLUSDT", at_ms).predicted_rate for at_ms in market.times_ms]
    before = (wider - first) // HOUR_MS
    assert min(bars.basis[:before]) < -0.05
    assert min(told[:before]) == Decimal("-0.0075")
    assert min(told[before : before + 4]) == Decimal("-0.015")
    assert min(told) == Decimal("-0.02")
