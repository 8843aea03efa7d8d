"""Runs the core again over a recorded tape and compares every decision with what was decided then, byte for byte."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bot.engine.core import step
from bot.engine.state import EngineState
from bot.runtime.snapshot import snapshots
from bot.store.tape.codec import Entry, actions_bytes, actions_shown
from bot.store.tape.reader import TapeReader

PROGRESS_EVERY = 5_000
FAILED = "the core failed"

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first decision that came out otherwise: at which event, and the first action that differs."""

    seq: int
    market_ms: int
    event: str
    action: int
    """Place of the action among those of its step, from 0."""
    taped: Any
    replayed: Any


@dataclass(slots=True)
class Outcome:
    """What a replay of one file found. `same` only when every decision had the same bytes."""

    file: str
    epoch: int
    part: int
    same_core: bool
    first_seq: int = 0
    last_seq: int = 0
    events: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    difference: Difference | None = None
    note: str | None = None

    @property
    def same(self) -> bool:
        return self.difference is None


def replay(path: Path, progress: Progress | None = None) -> Outcome:
    """Replay one file up to its end or its first difference. Raises TapeError."""
    with TapeReader(path) as tape:
        header = tape.header
        outcome = Outcome(str(path), header.epoch, header.part, header.same_core)
        for entry in tape.entries():
            outcome.first_seq = outcome.first_seq or entry.at.seq
            outcome.last_seq = entry.at.seq
            outcome.events[type(entry.event).__name__] += 1
            outcome.difference = _again(tape.state, entry, outcome)
            if outcome.difference is not None:
                return outcome
            if progress is not None and entry.at.seq % PROGRESS_EVERY == 0:
                progress(entry.at.seq)
        outcome.note = tape.note
    return outcome


def _again(state: EngineState, entry: Entry, outcome: Outcome) -> Difference | None:
    try:
        actions = snapshots(step(state, entry.event, entry.at))
    except Exception as error:  # noqa: BLE001 - whatever the core raises here is a finding
        if entry.actions is None:
            return None
        return _difference(entry, entry.actions, [["core", f"{FAILED}: {type(error).__name__}: {error}"]])
    decided = actions_bytes(actions)
    for action in actions:
        outcome.actions[type(action).__name__] += 1
    if decided == entry.actions:
        return None
    return _difference(entry, entry.actions, actions_shown(decided))


def _difference(entry: Entry, taped: bytes | None, replayed: list[Any]) -> Difference:
    shown = [["core", FAILED]] if taped is None else actions_shown(taped)
    pairs = enumerate(zip_longest(shown, replayed))
    # As they are written: 1 and 1.0 are equal, and other bytes.
    place, pair = next((place, pair) for place, pair in pairs if repr(pair[0]) != repr(pair[1]))
    return Difference(
        entry.at.seq, entry.at.market_ms, type(entry.event).__name__, place, taped=pair[0], replayed=pair[1]
    )
