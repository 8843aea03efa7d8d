"""Rows of a recorded table, whatever form its file has: CSV, gzipped or not, or Parquet."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bot.simulator.market.table import HistoryError, rows_of

FORMS = (".csv.gz", ".csv", ".parquet")
"""Endings of the names of files that can be read; of several with one name the first is taken."""


def find_table(folder: Path, name: str) -> Path | None:
    """The file of that name in any of the forms."""
    return next((path for form in FORMS if (path := folder / f"{name}{form}").is_file()), None)


def name_of(path: Path) -> str:
    """The file's name without the ending of its form."""
    form = next((each for each in FORMS if path.name.endswith(each)), "")
    return path.name.removesuffix(form)


def tables_in(folder: Path) -> list[Path]:
    """Every table of a folder by name, each name once."""
    names = {
        name_of(path) for path in folder.iterdir() if path.name.endswith(FORMS) and not path.name.startswith(".")
    }
    return [path for name in sorted(names) if (path := find_table(folder, name)) is not None]


def table_rows(path: Path, columns: Iterable[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """(number of the line or row, the wanted columns as text). Raises HistoryError for what cannot be read.

    In Parquet times may be integers (ms) or timestamps (any unit, UTC unless they say otherwise), and numbers
    integers, floats, decimals or text; floats become their shortest exact text, and nothing becomes an empty one.
    """
    if path.suffix != ".parquet":
        yield from rows_of(path, columns)
        return
    wanted = list(columns)
    for number, row in enumerate(_parquet(path, wanted).iter_rows(), start=1):
        yield number, [_text(value) for value in row]


def columns_of(path: Path) -> list[str]:
    """The names of a Parquet file's columns. Raises HistoryError."""
    import polars as pl

    try:
        return list(pl.read_parquet_schema(path))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, error) from None


def _parquet(path: Path, wanted: list[str]) -> Any:
    import polars as pl

    known = columns_of(path)
    missing = [name for name in wanted if name not in known]
    if missing:
        raise HistoryError(f"{path}: no column {', '.join(missing)} among {', '.join(known)}")
    try:
        frame = pl.read_parquet(path, columns=wanted)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, error) from None
    stamps = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    return frame.select(wanted).with_columns(pl.col(name).dt.epoch("ms") for name in stamps)


def _unreadable(path: Path, error: Exception) -> HistoryError:
    reason = str(error).partition("\n")[0]
    return HistoryError(f"{path}: not a readable Parquet file ({reason}); write it again")


def _text(value: object) -> str:
    return "" if value is None else str(value)
