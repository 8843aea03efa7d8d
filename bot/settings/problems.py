"""What is wrong with the owner's settings, said so that it can be put right without reading this code."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. `where` is a file path or `environment NAME`; `line` counts from 1; `key` is dotted or empty."""

    where: str
    line: int | None
    key: str
    wrong: str
    remedy: str = ""

    def __str__(self) -> str:
        place = self.where if self.line is None else f"{self.where}:{self.line}"
        subject = f"{place}: {self.key}" if self.key else place
        return f"{subject}: {self.wrong}" + (f"; {self.remedy}" if self.remedy else "")


class SettingsError(Exception):
    """The settings cannot be used. `problems` is never empty and holds no secret; the text has one line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=_place))
        assert self.problems, "an error without a problem"
        super().__init__("\n".join(map(str, self.problems)))


def _place(each: Problem) -> tuple[bool, str, int, str, str]:
    """The file first, line by line, then the environment."""
    return each.where.startswith("environment "), each.where, each.line or 0, each.key, each.wrong


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, or None."""
    found = get_close_matches(word.lower(), [each for each in known if each], n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy for an unknown word: the nearest known one, and all of them when they are few."""
    choices = list(known)
    meant = nearest(word, choices)
    if meant is not None:
        return f"did you mean '{meant}'?"
    return f"known here: {', '.join(choices)}" if choices else ""


def shown(value: object, length_max: int = 40) -> str:
    """A value as it appears in a message: one line, cut short."""
    text = value if isinstance(value, str) else repr(value)
    flat = " ".join(text.split())
    return f"'{flat}'" if len(flat) <= length_max else f"'{flat[:length_max]}...'"
