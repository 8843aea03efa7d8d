"""Funding statistics: known shares and sums out of the recordings, and the rules of days, runs and intervals."""

import gzip
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.funding_command import moment
from bot.domain.time import DAY_MS, HOUR_MS
from bot.research import funding_stats_report as report
from bot.research import funding_stats_runs as runs_of
from bot.research.funding_fixed_size import with_closes
from bot.research.funding_stats import as_json, statistics
from bot.research.funding_stats_source import (
    FundingError,
    Rates,
    Settlement,
    embedded,
    from_directory,
    parts_of,
    pick,
    read_file,
)
from bot.simulator.market.table import HistoryError

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
recorded = pytest.mark.skipif(
    not (DATA / "funding").is_dir(), reason=f"{DATA}/funding, the recorded rates, is absent"
)


def of(coin, venue=None, since=None, until=None):
    from_ms = None if since is None else moment(since, end=False)
    until_ms = None if until is None else moment(until, end=True)
    return statistics(from_directory(DATA, coin, venue), from_ms, until_ms)


@recorded
@pytest.mark.parametrize(("venue", "share"), [("binance", "87.36"), ("bybit", "86.37")])
def test_the_known_shares_of_positive_rates(venue, share):
    """Up to the end of 30 June 2024 as a calendar day: the midnight after it is in July."""
    found = of("BTC", venue, until="2024-06-30")
    assert f"{100 * found.share_positive:.2f}" == share
    assert found.rates.symbol == "BTCUSDT"


@recorded
@pytest.mark.parametrize(("symbol", "total"), [("XBTUSD", "-0.012727"), ("ETHUSD", "0.016301")])
def test_the_bitmex_sums_of_2019(symbol, total):
    found = of(symbol, "bitmex", "2019-04-20T04:00", "2019-05-02T20:00")
    assert found.rate_sum == Decimal(total)
    assert len(found.settlements) == 39


@recorded
def test_sol_in_november_2022():
    found = as_json(of("SOL", None, "2022-11-08", "2022-11-18"))
    assert f"{100 * found['sum_rate']:.1f}" == "-32.4"
    assert [each["hours"] for each in found["intervals"]] == [8, 4, 2, 8]
    assert [each["from"] for each in found["intervals"][1:3]] == ["2022-11-09T20:00Z", "2022-11-10T06:00Z"]
    assert found["irregular"] == []
    assert found["longest_negative_days"] == 12, "7 November, whose midnight settlement is in the window, to the 18th"


@recorded
def test_zero_is_not_positive_and_hourly_venues_are_days_too():
    bnb = of("BNB")
    assert bnb.share_zero == pytest.approx(0.459, abs=0.001)
    assert bnb.share_positive + bnb.share_zero < 0.72
    arb = of("ARB", "hyperliquid")
    assert [each.hours for each in arb.intervals] == [8, 1]
    assert len(arb.irregular) == 3
    assert arb.mean_annual == pytest.approx(0.1795, abs=0.0005)


@recorded
def test_every_recorded_file_is_read_and_reported():
    for folder in sorted((DATA / "funding").iterdir()):
        for path in sorted(folder.glob("*.csv.gz"))[:2]:
            symbol = path.name.removesuffix(".csv.gz")
            found = statistics(from_directory(DATA, symbol, folder.name))
            assert found.rates.symbol == symbol
            assert found.longest_negative_days >= 0
            assert len(found.intervals) < 8, (folder.name, symbol)


@recorded
@pytest.mark.parametrize(
    ("row", "window"),
    [
        ("| BTCUSDT, Binance,", ("BTC", "binance", None, "2024-06-30")),
        ("| BTCUSDT, Bybit,", ("BTC", "bybit", None, "2024-06-30")),
        ("| SOLUSDT, Binance,", ("SOL", None, "2022-11-08", "2022-11-18")),
        ("| XBTUSD, BitMEX,", ("XBTUSD", "bitmex", "2019-04-20T04:00", "2019-05-02T20:00")),
        ("| ETHUSD, BitMEX,", ("ETHUSD", "bitmex", "2019-04-20T04:00", "2019-05-02T20:00")),
    ],
)
def test_the_documents_figures_are_the_programs(row, window):
    text = (Path(__file__).resolve().parents[2] / "docs" / "funding.md").read_text(encoding="utf-8")
    cells = [
        each.strip() for each in next(line for line in text.splitlines() if line.startswith(row)).split("|")[2:6]
    ]
    found = of(*window)
    assert cells[0] == f"{len(found.settlements):,}"
    assert cells[1] == f"{100 * found.share_positive:.2f} %".replace("100.00", "100")
    total = f"{100 * found.rate_sum:+.4f}"
    assert cells[2] in (f"{100 * found.mean_annual:.2f} %", f"(sum {total} %)")
    assert cells[3] == (f"{found.longest_negative_days} days" if found.longest else "none")


def rates(*rows, symbol="AUSDT"):
    """(hours after the epoch's day 100, rate)."""
    start = 100 * DAY_MS
    return Rates("A", symbol, "v", "s", tuple(Settlement(start + h * HOUR_MS, Decimal(r)) for h, r in rows))


def test_a_midnight_settlement_closes_the_day_before():
    days = runs_of.daily(rates((8, "1"), (16, "1"), (24, "-5"), (32, "1")).settlements)
    assert days == {100: Decimal(-3), 101: Decimal(1)}


def test_a_day_without_settlement_neither_extends_nor_ends_a_run():
    found = runs_of.negative_runs({1: Decimal(-1), 2: Decimal(-1), 4: Decimal(-1), 5: Decimal(0), 6: Decimal(-1)})
    assert [(run.first_day, run.last_day, run.days) for run in found] == [(1, 4, 3), (6, 6, 1)]
    assert found[0].rate_sum == -3


def hours_of(*gaps):
    at, rows = 0, [(0, "0")]
    for gap in gaps:
        at += gap
        rows.append((at, "0"))
    hours, strange = runs_of.interval_hours(rates(*rows).settlements)
    return hours, [each.hours for each in strange]


def test_intervals_follow_the_distance_before():
    assert hours_of(8, 8, 4, 4, 2, 2) == ([8, 8, 8, 4, 4, 2, 2], [])


def test_holes_and_odd_times_are_no_change_of_interval():
    assert hours_of(8, 8, 16, 8, 8) == ([8] * 6, [16])
    assert hours_of(8, 8, 10, 6, 8) == ([8] * 6, [10, 6])
    assert hours_of(8, 8, 3, 5, 8, 8) == ([8] * 7, [3, 5])
    assert hours_of(8, 4, 4, 4) == ([4] * 5, [8])
    assert hours_of(8) == ([8, 8], [])


def test_a_change_of_interval_changes_the_annual_mean_and_not_the_sum():
    found = statistics(rates((8, "0.001"), (16, "0.001"), (24, "0.001"), (26, "0.001"), (28, "0.001")))
    assert found.hours == (8, 8, 8, 2, 2)
    assert found.mean_annual == pytest.approx(0.005 / 28 * 8760)
    assert found.mean_8h == pytest.approx((3 * 0.001 + 2 * 0.004) / 5)


def test_the_interval_of_a_window_is_that_of_the_recording():
    """The first settlement of a window paid for the interval before it, which the window does not hold."""
    whole = rates((8, "1e-4"), (16, "1e-4"), (24, "1e-4"), (26, "1e-4"), (28, "1e-4"))
    found = statistics(whole, whole.settlements[2].at_ms)
    assert found.hours == (8, 2, 2)


def test_a_short_of_fixed_size_is_paid_on_the_mark():
    start = 100 * DAY_MS
    rows = [(8, "-0.01", 100.0), (16, "-0.01", 50.0)]
    made = tuple(Settlement(start + h * HOUR_MS, Decimal(r), mark) for h, r, mark in rows)
    found = statistics(Rates("A", "A", "v", "s", made)).fixed_size
    assert found is not None
    assert (found.share, found.entry_price) == (pytest.approx(-0.015), 100.0)
    later = statistics(Rates("A", "A", "v", "s", (*made, *_again(made))), made[1].at_ms + 1).fixed_size
    assert later is not None
    assert (later.entry_ms, later.entry_price) == (made[1].at_ms, 50.0)
    assert later.share == pytest.approx(-0.03)
    assert later.share_from_first == pytest.approx(-0.015)


def _again(made):
    """The same settlements a day later."""
    return tuple(Settlement(each.at_ms + DAY_MS, each.rate, each.mark) for each in made)


@recorded
def test_what_a_short_of_sol_paid_in_november_2022():
    """14.8 % of its notional when it was entered at the settlement before, 16.35 % of the first settlement's."""
    rates = with_closes(DATA, from_directory(DATA, "SOL", None))
    from_ms, until_ms = moment("2022-11-08", end=False), moment("2022-11-18", end=True)
    found = statistics(rates, from_ms, until_ms).fixed_size
    assert found is not None
    assert found.share == pytest.approx(-0.148, abs=5e-4)
    assert found.share_from_first == pytest.approx(-0.1635, abs=5e-5)
    assert (found.entry_ms, found.entry_price) == (from_ms - 8 * HOUR_MS, 32.8)


def test_half_lives_of_a_known_memory():
    """Sums that halve each day: correlation near a half, half-life of a day by either measure."""
    days = {day: Decimal(2) ** -(day % 40) for day in range(400)}
    first = runs_of.autocorrelation(days, [1])[0]
    assert runs_of.half_life_days(0.5) == pytest.approx(1.0)
    assert runs_of.half_life_days(0.25) == pytest.approx(0.5)
    assert first == pytest.approx(0.5, abs=0.05)
    assert runs_of.observed_half_life_days([0.75, 0.25]) == pytest.approx(1.5)
    assert runs_of.observed_half_life_days([0.9, 0.8]) is None
    assert runs_of.half_life_days(-0.1) is None
    assert runs_of.autocorrelation({1: Decimal(1), 2: Decimal(1)}, [1]) == [None]


@given(st.lists(st.decimals("-0.01", "0.01", places=5), min_size=2, max_size=200))
def test_parts_sum_to_the_whole(values):
    found = statistics(rates(*((8 * (place + 1), value) for place, value in enumerate(values))))
    assert sum(found.histogram) == len(values)
    assert sum(found.days.values()) == found.rate_sum == sum(values)
    assert found.negative_days == sum(value < 0 for value in found.days.values())
    assert sum(each.settlements for each in found.intervals) == len(values)
    shares = as_json(found)
    assert shares["share_positive"] + shares["share_zero"] + shares["share_negative"] == pytest.approx(1)
    assert report.terminal_charts(found)
    for part in report.html(found).split("<svg")[1:]:
        ET.fromstring("<svg" + part.partition("</svg>")[0] + "</svg>")


@pytest.mark.parametrize(
    ("symbol", "parts"),
    [
        ("BTCUSDT", ("BTC", "USDT")), ("1000PEPEUSDT", ("PEPE", "USDT")), ("kPEPE", ("PEPE", "")),
        ("BTC-USDT-SWAP", ("BTC", "USDT")), ("XBTUSD", ("BTC", "USD")), ("BTC_USDT", ("BTC", "USDT")),
        ("BTCUSD_PERP", ("BTC", "USD")), ("BTC-PERPETUAL", ("BTC", "")), ("BTCUSDTM", ("BTC", "USDT")),
        ("ATOM", ("ATOM", "")), ("SOL22USDT", ("SOL22", "USDT")), ("ARUSDT", ("AR", "USDT")), ("FTM", ("FTM", "")),
    ],
)  # fmt: skip
def test_symbols_name_their_coin(symbol, parts):
    assert parts_of(symbol) == parts


def test_a_symbol_is_exact_a_coin_takes_the_usdt_contract():
    known = ["XBTUSD", "XBTUSDT", "ETHUSD"]
    assert pick(known, "BTC") == ("XBTUSDT", ("XBTUSD",))
    assert pick(known, "xbtusd") == ("XBTUSD", ("XBTUSDT",))
    assert pick(known, "SOL") == (None, ())


def test_the_embedded_table_answers_without_data():
    found = statistics(embedded("sol", None))
    assert found.rates.symbol == "SOLUSDT"
    assert found.longest_negative_days == 6
    with pytest.raises(FundingError, match="--data"):
        embedded("BTC", "bybit")
    with pytest.raises(FundingError, match="--data"):
        embedded("NOSUCH", None)


def written(folder, text, name="AUSDT"):
    path = folder / "funding" / "binance-usdm" / f"{name}.csv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else gzip.compress(text.encode()))
    return path


HEADER = "timestamp_ms,funding_rate\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEADER + "1700000000000,0.0001\n1700000000,0.0001\n", "line 3: timestamp_ms 1700000000 is not milliseconds"),
        (HEADER + "1700000000000,0.0001\n1700000000000,0.0002\n", "line 3: the settlement is not after"),
        (HEADER + "1700000000000,much\n", "line 2: funding rate 'much' is not a fraction"),
        (HEADER + "noon,0.0001\n", "line 2: timestamp_ms is 'noon'"),
        (HEADER + "1700000000000\n", "line 2: 1 fields where the header has 2"),
        ("time,rate\n", "line 1: no column timestamp_ms, funding_rate"),
        ("timestamp_ms,funding_rate,mark_price\n1700000000000,0.0001,-5\n", "line 2: mark_price is '-5'"),
        (b"no gzip", "not a readable gzipped CSV file"),
    ],
)
def test_bad_files_are_named_with_line_and_remedy(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(HistoryError) as caught:
        read_file(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "; " in str(caught.value), "the remedy comes after it"


def test_jitter_is_taken_out_and_marks_are_optional(tmp_path):
    path = written(
        tmp_path, "timestamp_ms,funding_rate,mark_price\n1600012800047,0.0001,\n1600041599990,0.0001,12.5\n"
    )
    first, second = read_file(path)
    assert (first.at_ms, first.mark) == (1600012800000, None)
    assert (second.at_ms, second.mark) == (1600041600000, 12.5)


def test_what_is_not_there_is_said_with_what_is(tmp_path):
    with pytest.raises(FundingError, match="no such folder"):
        from_directory(tmp_path, "A", None)
    written(tmp_path, HEADER + "1700000000000,0.0001\n")
    with pytest.raises(FundingError, match="it has A"):
        from_directory(tmp_path, "B", None)
    with pytest.raises(FundingError, match="one of: binance-usdm"):
        from_directory(tmp_path, "A", "kraken")
    (tmp_path / "funding" / "bybit-linear").mkdir()
    with pytest.raises(FundingError, match="give --venue one of: binance-usdm"):
        from_directory(tmp_path, "A", "bybit")
    with pytest.raises(FundingError, match="fewer than two settlements"):
        statistics(from_directory(tmp_path, "A", None))
