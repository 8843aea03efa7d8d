"""The tape's files in their folder: `<epoch>-<part>.tape`, each number as long as it needs to be."""

from pathlib import Path

SUFFIX = ".tape"
_LAST = 1 << 62


def files(folder: Path) -> list[Path]:
    """The tape's files, oldest first: by their numbers, as the ten thousandth part of an epoch is longer by a digit.

    Files with names of their own come last: they are somebody's copies.
    """
    return sorted(folder.glob(f"*{SUFFIX}"), key=_place)


def oldest_first(folder: Path) -> list[Path]:
    """The same by when they were last written, for what goes first: new books in a folder of old ones begin to count
    at 1 again."""
    found = [(path, path.stat().st_mtime_ns) for path in files(folder)]
    return [path for path, written_ns in sorted(found, key=lambda one: (_place(one[0])[0] == _LAST, one[1]))]


def _place(path: Path) -> tuple[int, int, str]:
    epoch, _, part = path.stem.partition("-")
    if epoch.isdecimal() and part.isdecimal():
        return int(epoch), int(part), path.name
    return _LAST, _LAST, path.name
