"""From a driver's error to a StoreError that names the books and the remedy, and never a stored value."""

import sqlite3
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError, StatementError

from bot.ports import StoreError

UPGRADE = "run `carrybot db upgrade`"

DATABASE_ERRORS: tuple[type[Exception], ...] = (
    SQLAlchemyError,
    sqlite3.Error,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
)
"""What a driver, a column type or the file system can raise while the books are used."""

_REMEDIES = {
    "SQLITE_BUSY": "another process is writing to it; stop that process",
    "SQLITE_LOCKED": "another process is writing to it; stop that process",
    "SQLITE_FULL": "the disk is full; make room and start again",
    "SQLITE_IOERR": "the disk reported an error; check it, then restore the latest backup if the file is damaged",
    "SQLITE_READONLY": "it cannot be written; check the owner and the rights of the file and its folder",
    "SQLITE_CANTOPEN": "it cannot be opened; check the owner and the rights of the file and its folder",
    "SQLITE_NOTADB": "it is not a SQLite database; move it away or correct the URL",
    "SQLITE_CORRUPT": "it is damaged; restore the latest backup",
}


def parse(url: str) -> URL:
    """The URL of the books; StoreError when it is none."""
    try:
        return make_url(url)
    except ArgumentError:
        raise StoreError("the books' URL cannot be read; write it like sqlite:///data/books.db") from None


def file_of(url: str) -> Path | None:
    """The SQLite file of a URL, None for another database. In-memory databases are refused: books must last."""
    parsed = parse(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or ":memory:" in parsed.database or parsed.database.startswith("file:"):
        raise StoreError("the books need a file of their own; write the URL like sqlite:///data/books.db")
    return Path(parsed.database)


def name_of(url: str) -> str:
    """How the books are called in messages: the file, or the URL without user and password."""
    path = file_of(url)
    if path is not None:
        return str(path)
    parsed = parse(url)
    return f"{parsed.get_backend_name()}://{parsed.host or ''}/{parsed.database or ''}"


def refusal(url: str, error: BaseException) -> StoreError:
    """The StoreError for what went wrong; raise it `from None`, since drivers put stored values in their texts."""
    cause: BaseException = error
    if isinstance(error, StatementError) and error.orig is not None:
        cause = error.orig
    return StoreError(f"{name_of(url)}: {_reason(cause)}")


def _reason(cause: BaseException) -> str:
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorname", None) or ""
        for known, remedy in _REMEDIES.items():
            if code.startswith(known):
                return remedy
        if isinstance(cause, sqlite3.IntegrityError):
            # SQLite names the constraint and its columns here, never a value.
            return f"a record is refused and nothing was written: {cause}"
        if "no such" in str(cause):
            return f"its tables are not those of this version; {UPGRADE}"
        return f"the database refused ({code or type(cause).__name__}); nothing was written"
    if isinstance(cause, OSError):
        return f"{cause.strerror or type(cause).__name__}; check the file and its folder"
    if isinstance(cause, TypeError | ValueError | OverflowError):
        return f"a record cannot be stored and nothing was written ({type(cause).__name__})"
    return f"the database refused ({type(cause).__name__}); nothing was written"
