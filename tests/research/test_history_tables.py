"""The same recordings from gzipped CSV, plain CSV and Parquet; what cannot be read is named."""

import gzip
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from recorded_kit import make

from bot.research.funding_stats import statistics
from bot.research.funding_stats_source import from_directory
from bot.research.history.tables import columns_of, find_table, table_rows, tables_in
from bot.research.recordings import read_recordings
from bot.simulator.market.table import HistoryError


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    return make(tmp_path / "zipped", coins=("BTC", "ETH"), days=5)


def as_parquet(zipped: Path, folder: Path, **kinds: pl.DataType) -> Path:
    """The same rows; columns named in `kinds` are stored as these."""
    for path in zipped.rglob("*.csv.gz"):
        target = folder / path.relative_to(zipped).with_name(path.name.removesuffix(".csv.gz") + ".parquet")
        target.parent.mkdir(parents=True, exist_ok=True)
        frame = pl.read_csv(path.read_bytes())
        frame.cast({name: kind for name, kind in kinds.items() if name in frame.columns}).write_parquet(target)
    return folder


def test_every_form_gives_the_same_recordings(zipped: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(zipped, plain)
    for path in list(plain.rglob("*.csv.gz")):
        path.with_name(path.name.removesuffix(".gz")).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    expected = read_recordings(zipped)
    assert len(expected) == 2
    assert read_recordings(plain) == expected
    assert read_recordings(as_parquet(zipped, tmp_path / "numbers")) == expected
    ms = {"open_time_ms": pl.Datetime("ms"), "timestamp_ms": pl.Datetime("ms"), "close": pl.Utf8()}
    dated = as_parquet(zipped, tmp_path / "dated", **ms)
    assert read_recordings(dated) == expected
    for path in dated.rglob("*.parquet"):
        frame = pl.read_parquet(path)
        stamps = pl.col(frame.columns[0]).dt.replace_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
        frame.with_columns(stamps).write_parquet(path)
    assert read_recordings(dated) == expected


def test_funding_statistics_of_parquet(zipped: Path, tmp_path: Path) -> None:
    other = as_parquet(zipped, tmp_path / "parquet")
    one, two = (statistics(from_directory(folder, "BTC", None)) for folder in (zipped, other))
    assert one.settlements == two.settlements


def test_cells_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pl.DataFrame(
        {
            "at": [datetime(2024, 1, 1, tzinfo=UTC), None],
            "exact": pl.Series(["0.00010000", "-1.5"]).cast(pl.Decimal(20, 8)),
            "float": [1e-05, 0.1],
            "word": ["a", ""],
            "unused": [1, 2],
        }
    ).write_parquet(path)
    assert columns_of(path) == ["at", "exact", "float", "word", "unused"]
    rows = list(table_rows(path, ("float", "at", "exact", "word")))
    assert rows[0] == (1, ["1e-05", "1704067200000", "0.00010000", "a"])
    assert (rows[1][1][1], Decimal(rows[1][1][2])) == ("", Decimal("-1.5"))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    broken, lacking = tmp_path / "broken.parquet", tmp_path / "lacking.parquet"
    broken.write_bytes(b"PAR1 no more of it")
    pl.DataFrame({"a": [1]}).write_parquet(lacking)
    with pytest.raises(HistoryError, match="not a readable Parquet file"):
        list(table_rows(broken, ("a",)))
    with pytest.raises(HistoryError, match="no column b among a"):
        list(table_rows(lacking, ("a", "b")))


def test_of_several_forms_the_gzipped_one_is_taken(tmp_path: Path) -> None:
    for name in ("A.parquet", "A.csv.gz", "A.csv", "B.csv", ".C.csv.gz.7", "D.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in tables_in(tmp_path)] == ["A.csv.gz", "B.csv"]
    assert find_table(tmp_path, "E") is None
