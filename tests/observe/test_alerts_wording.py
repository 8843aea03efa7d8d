"""Every warning and worse that the program can emit has words for the owner: found in the source itself."""

import ast
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from string import Formatter

import pytest

from bot.domain.actions import Emit, Severity
from bot.domain.hedges import Control
from bot.observe.wording import WORDINGS, describe, said

BOT = Path(__file__).resolve().parents[2] / "bot"
EMITTING = (
    "domain",
    "strategy",
    "risk",
    "execution",
    "engine",
    "runtime",
    "venues",
    "simulator",
    "cli",
    "observe",
    "store",
)
NAME = re.compile(r"[a-z_]+\.[a-z_]+")
QUIET = ("INFO", "DEBUG")
LOG_ONLY = ("process.crashed", "process.thread_crashed", "process.warned")
"""Lines of the process about itself, for the log alone: no daemon is there to tell of them."""


def names_of(node: ast.expr) -> list[str]:
    """The names that an argument may stand for; an f-string over the switch stands for each of its positions."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value] if NAME.fullmatch(node.value) else []
    if isinstance(node, ast.IfExp):
        return names_of(node.body) + names_of(node.orelse)
    if isinstance(node, ast.JoinedStr):
        parts = [each.value if isinstance(each, ast.Constant) else "\0" for each in node.values]
        if parts == ["control.", "\0"]:
            return [f"control.{each.value}" for each in Control]
        raise AssertionError(f"an event named by {ast.unparse(node)} cannot be looked up")
    return []


def emitted(tree: ast.AST) -> Iterator[str]:
    """Names in calls `warning("a.b")`, `critical("a.b")`, and `anything(severity, "a.b")` with no quiet severity."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if function in ("warning", "critical"):
            yield from names_of(call.args[0])
        elif len(call.args) > 1 and function in (
            "report",
            "_report",
            "log",
            "_log",
            "emit",
            "Emit",
            "_write",
            "write",
        ):
            first = call.args[0]
            quiet = (isinstance(first, ast.Attribute) and first.attr in QUIET) or (
                isinstance(first, ast.Constant) and first.value in ("info", "debug")
            )
            if not quiet:
                yield from names_of(call.args[1])


PATHS = [path for room in EMITTING for path in (BOT / room).rglob("*.py")]
FOUND = sorted({name for path in PATHS for name in emitted(ast.parse(path.read_text()))} - set(LOG_ONLY))


def test_the_search_finds_them():
    assert len(FOUND) >= 35
    assert {"store.failed", "control.halted", "risk.forced", "venue.stream_lost", "position.taken"} <= set(FOUND)


@pytest.mark.parametrize("name", FOUND)
def test_every_warning_has_words(name):
    assert name in WORDINGS, f"write an entry for {name} in bot/observe/words_trading.py or words_running.py"


@pytest.mark.parametrize("name", FOUND)
def test_the_manual_says_what_to_look_at(name):
    manual = (BOT.parent / "docs/operating.md").read_text()
    table = manual[manual.index("## When something is wrong") :]
    assert f"`{name}`" in table, f"add {name} to the table of docs/operating.md"


@pytest.mark.parametrize("name", sorted(WORDINGS))
def test_an_entry_has_three_sentences(name):
    wording = WORDINGS[name]
    for part in (wording.happened, wording.did, wording.todo):
        assert part.endswith(".")
        assert part[0].isupper() or part[0] in "{`"
        assert all(field is None or field.isidentifier() for _, field, _, _ in Formatter().parse(part))


def test_values_stand_in_the_sentences():
    text = describe(Emit(Severity.WARNING, "coin.removed", {"coin": "SOL", "venue": "binance", "rule": "R1"}))
    assert text.startswith("SOL was removed at binance by rule R1 (?).")
    assert "`carrybot readmit SOL`" in text


def test_an_unknown_event_and_odd_values_are_still_told():
    emit = Emit(Severity.CRITICAL, "new.event", {"a": Decimal("1E+3"), "b": None, "c": "x\n\x1b[31my" + "z" * 900})
    text = said(emit).happened
    assert text.startswith("new.event: a 1000, c x [31myzz")
    assert "\x1b" not in text
    assert len(text) < 600
