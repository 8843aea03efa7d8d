"""Other histories: what `--history DIR` accepts, and what it says about files it cannot use."""

import gzip
import math
from decimal import Decimal

import pytest

from bot.simulator.market import HistoryError, HistoryMarket
from bot.simulator.market.build_table import build
from bot.simulator.market.directory import read_directory, split_symbol
from bot.simulator.market.table import DAY_MS, STEP_MS, Source, read_table, write_table
from bot.simulator.model import Book

FROM_MS = 1_600_000_000_000 // DAY_MS * DAY_MS
UNTIL_MS = FROM_MS + 20 * DAY_MS
KLINES = "open_time_ms,open,high,low,close,volume\n"
FUNDING = "timestamp_ms,funding_rate,mark_price\n"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))


def candles(scale, step_ms=STEP_MS, skip=()):
    rows = []
    for index, open_ms in enumerate(range(FROM_MS - step_ms, UNTIL_MS, step_ms)):
        if index not in skip:
            close = scale * math.exp(0.01 * math.sin(index))
            rows.append(f"{open_ms},{close:.7g},{close:.7g},{close:.7g},{close:.7g},1000")
    return KLINES + "\n".join(rows) + "\n"


def rates(interval_ms=8 * 3_600_000, rate="0.0002"):
    times = range(FROM_MS, UNTIL_MS + 1, interval_ms)
    return FUNDING + "".join(f"{at_ms + 7},{rate},\n" for at_ms in times)


@pytest.fixture
def directory(tmp_path):
    write(tmp_path / "funding/binance-usdm/1000PEPEUSDT.csv.gz", rates())
    write(tmp_path / "klines/binance/um-perp/1000PEPEUSDT-4h.csv.gz", candles(0.02))
    write(tmp_path / "funding/binance-usdm/BTCUSDT.csv.gz", rates())
    write(tmp_path / "klines/binance/um-perp/BTCUSDT-1h.csv.gz", candles(50_000, 3_600_000))
    write(tmp_path / "klines/binance/spot/BTCUSDT-4h.csv.gz", candles(49_900, skip=(30, 31)))
    return tmp_path


def test_symbols_split_into_coin_and_multiplier():
    assert split_symbol("BTCUSDT") == ("BTC", Decimal(1))
    assert split_symbol("1000SHIBUSDT") == ("SHIB", Decimal(1000))
    assert split_symbol("1000000MOGUSDT") == ("MOG", Decimal(1_000_000))
    assert split_symbol("1MBABYDOGEUSDT") == ("BABYDOGE", Decimal(1_000_000))
    assert split_symbol("1INCHUSDT") == ("1INCH", Decimal(1))


def test_a_directory_becomes_a_market(directory):
    market = HistoryMarket.from_directory(directory, FROM_MS, UNTIL_MS)
    perp = market.listings[Book.PERP, "1000PEPEUSDT"]
    spot = market.listings[Book.SPOT, "PEPEUSDT"]
    assert (perp.coin, perp.multiplier, spot.coin, spot.multiplier) == ("PEPE", 1000, "PEPE", 1)
    at_ms = market.start_ms + 3_000_000
    ratio = market.mark("1000PEPEUSDT", at_ms).index / market.last_price(Book.SPOT, "PEPEUSDT", at_ms)
    assert abs(ratio / 1000 - 1) < Decimal("0.001")
    assert len(market.settlements_of("BTCUSDT", FROM_MS - 1, UNTIL_MS)) == 61
    assert market.settlements_of("BTCUSDT", FROM_MS - 1, UNTIL_MS)[0].at_ms == FROM_MS


def test_the_window_defaults_to_the_end_of_the_recording(directory):
    with pytest.raises(HistoryError, match="no coin covers the window"):
        read_directory(directory)
    assert read_directory(directory, FROM_MS).until_ms == UNTIL_MS


def test_missing_rows_are_filled_and_flagged(directory):
    write(directory / "klines/binance/um-perp/1000PEPEUSDT-4h.csv.gz", candles(0.02, skip=(50, 51)))
    table = read_directory(directory, FROM_MS, UNTIL_MS)
    pepe, btc = table.coins
    assert [index for index, source in enumerate(pepe.sources) if source is Source.INTERPOLATED] == [50, 51]
    assert min(pepe.perp[49], pepe.perp[52]) <= pepe.perp[50] <= max(pepe.perp[49], pepe.perp[52])
    assert [index for index, source in enumerate(btc.sources) if source is Source.SPOT_MODELLED] == [30, 31]
    for index in (30, 31):
        assert abs(btc.perp[index] / btc.spot[index] - 1) < 0.002


def test_coins_that_do_not_cover_the_window_are_left_out_with_the_reason(directory):
    write(directory / "klines/binance/um-perp/1000PEPEUSDT-4h.csv.gz", candles(0.02, skip=range(40, 50)))
    table = read_directory(directory, FROM_MS, UNTIL_MS)
    assert [coin.symbol for coin in table.coins] == ["BTCUSDT"]
    assert "do not cover" in table.skipped["1000PEPEUSDT"]


def replaced_line(text, line, new):
    lines = text.split("\n")
    lines[line - 1] = new
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("funding/binance-usdm/BTCUSDT.csv.gz", "time,rate\n1,2\n", r"line 1: no column timestamp_ms"),
        ("funding/binance-usdm/BTCUSDT.csv.gz", replaced_line(rates(), 5, "x,0.1,"), r"line 5: .*milliseconds"),
        ("funding/binance-usdm/BTCUSDT.csv.gz", replaced_line(rates(), 6, "1"), r"line 6: 1 fields"),
        (
            "funding/binance-usdm/BTCUSDT.csv.gz",
            replaced_line(rates(), 7, f"{FROM_MS + 5 * 28_800_000},17,"),
            r"line 7: funding rate '17'",
        ),
        ("funding/binance-usdm/BTCUSDT.csv.gz", replaced_line(rates(), 9, "5,0.1,"), r"line 9: .*does not follow"),
        (
            "klines/binance/um-perp/1000PEPEUSDT-4h.csv.gz",
            replaced_line(candles(0.02), 4, f"{FROM_MS + STEP_MS},1,1,1,-3,1"),
            r"line 4: close is '-3', not a positive price",
        ),
        (
            "klines/binance/um-perp/1000PEPEUSDT-4h.csv.gz",
            replaced_line(candles(0.02), 4, f"{FROM_MS + STEP_MS},1,1,1,3,many"),
            r"line 4: volume is 'many'",
        ),
    ],
)
def test_a_bad_file_is_named_with_line_and_remedy(directory, file, text, said):
    write(directory / file, text)
    with pytest.raises(HistoryError, match=said) as caught:
        read_directory(directory, FROM_MS, UNTIL_MS)
    assert file.rpartition("/")[2] in str(caught.value)


def test_a_file_that_is_not_gzip_and_folders_that_are_not_there(directory, tmp_path):
    (directory / "funding/binance-usdm/BTCUSDT.csv.gz").write_text("hello")
    with pytest.raises(HistoryError, match=r"BTCUSDT.csv.gz: not a readable gzipped CSV"):
        read_directory(directory, FROM_MS, UNTIL_MS)
    with pytest.raises(HistoryError, match="no such folder"):
        read_directory(tmp_path / "nowhere")
    with pytest.raises(HistoryError, match="multiple of four hours"):
        read_directory(directory, FROM_MS + 1, UNTIL_MS)
    with pytest.raises(HistoryError, match=r"history\.json"):
        read_table(tmp_path)


def test_a_table_survives_its_files(directory, tmp_path):
    table = read_directory(directory, FROM_MS, UNTIL_MS)
    write_table(table, tmp_path / "out")
    again = read_table(tmp_path / "out")
    assert [coin.perp for coin in again.coins] == [coin.perp for coin in table.coins]
    assert [coin.settlements for coin in again.coins] == [coin.settlements for coin in table.coins]
    assert (again.from_ms, again.until_ms, again.period_ms) == (table.from_ms, table.until_ms, table.period_ms)


def test_the_embedded_table_is_what_the_tool_builds(market, recorded):
    built = build(recorded)
    assert (built.from_ms, built.until_ms, built.demo_start_ms) == (
        market.table.from_ms,
        market.table.until_ms,
        market.table.demo_start_ms,
    )
    for ours, theirs in zip(market.table.coins, built.coins, strict=True):
        assert (ours.symbol, ours.perp, ours.spot) == (theirs.symbol, theirs.perp, theirs.spot)
        assert (ours.sources, ours.settlements) == (theirs.sources, theirs.settlements)


def test_the_recorded_data_is_a_history_directory_as_it_is(recorded):
    market = HistoryMarket.from_directory(recorded)
    assert len(market.table.coins) == 24
    assert market.top(Book.SPOT, "ETHUSDT", market.start_ms).bid > 0
