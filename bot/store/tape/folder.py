"""The tape's files in their folder: `<epoch>-<part>.tape`, each number as long as it needs to be."""

from pathlib import Path

SUFFIX = ".tape"
_LAST = 1 << 62


def files(folder: Path) -> list[Path]:
    """The tape's files, oldest first: by their numbers, as the ten thousandth part of an epoch is longer by a digit.

    Files with names of their own come last: they are somebody's copies.
    """
    return sorted(folder.glob(f"*{SUFFIX}"), key=_place)


def _place(path: Path) -> tuple[int, int, str]:
    epoch, _, part = path.stem.partition("-")
    if epoch.isdecimal() and part.isdecimal():
        return int(epoch), int(part), path.name
    return _LAST, _LAST, path.name
