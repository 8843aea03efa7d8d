"""Files of the tape: bounded, in order, readable up to the last whole block, and never in trading's way."""

import errno
import os
import pickle
import random
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.domain.actions import Emit, QueryOrder, Severity
from bot.domain.books import Books
from bot.domain.config import CoreConfig
from bot.domain.events import Event, Tick
from bot.domain.hedges import Control
from bot.domain.market import Quote
from bot.domain.time import Stamp
from bot.engine.recovery import restore
from bot.engine.state import EngineState
from bot.store.tape import writer
from bot.store.tape.blocks import TapeError
from bot.store.tape.codec import Entry, actions_bytes
from bot.store.tape.folder import files
from bot.store.tape.frozen import freeze, thaw
from bot.store.tape.reader import TapeReader
from bot.store.tape.writer import TapeWriter

MIB = 1 << 20


class Unsettled:
    """An order in flight, for whoever asks only that."""

    settled = False


class Session:
    """A writer fed with quotes of random prices (which compress badly) and now and then a decision."""

    def __init__(self, folder: Path, size_bytes: int = 64 * MIB) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.state: EngineState = restore(Books(epoch=7), CoreConfig())
        self.tape = TapeWriter(folder, size_bytes, lambda _severity, name, **facts: self.said.append((name, facts)))
        self.fed: list[tuple[Event, Stamp, bytes | None]] = []
        self.rng = random.Random(4)
        self.tape.begin(self.state)

    def feed(self, count: int) -> None:
        for _ in range(count):
            number = len(self.fed) + 1
            at = Stamp(number, 1_700_000_000_000 + number, number * 10)
            prices = (Decimal(self.rng.getrandbits(40)).scaleb(-4) for _ in range(4))
            event: Event = Tick() if number % 5 == 0 else Quote(f"binance:C{number % 9}:spot", *prices, number)
            actions = [QueryOrder(f"c{number}", "x", None, number)] if number % 50 == 0 else []
            self.fed.append((event, at, actions_bytes(actions)))
            self.tape.record(event, at, actions)
            self.tape.turn_ended(at.mono_ms)


def read(path: Path) -> tuple[list[Entry], str | None]:
    with TapeReader(path) as tape:
        return list(tape.entries()), tape.note


def as_fed(entries: list[Entry]) -> list[tuple[Event, Stamp, bytes | None]]:
    return [(entry.event, entry.at, entry.actions) for entry in entries]


def test_what_was_fed_is_read_in_order(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.feed(5_000)
    session.tape.close()
    (path,) = files(tmp_path)
    assert path.name == "000007-0001.tape"
    entries, note = read(path)
    assert as_fed(entries) == session.fed
    assert note is None
    assert session.tape.total_bytes == path.stat().st_size


def test_the_size_is_bounded_and_each_file_stands_alone(tmp_path: Path) -> None:
    allowed = MIB
    session = Session(tmp_path, allowed)
    largest = 0
    for _ in range(60):
        session.feed(1_000)
        wait_until_written(session.tape)
        largest = max(largest, sum(path.stat().st_size for path in files(tmp_path)))
    session.tape.close()
    kept = files(tmp_path)
    assert largest <= allowed + 64 * 1024, "one hand-over more than allowed at most"
    assert len(kept) >= 4
    assert kept[0].name > "000007-0001.tape", "the oldest went"
    together: list[Entry] = []
    for path in kept:
        entries, note = read(path)
        assert note is None
        together += entries
    assert as_fed(together) == session.fed[-len(together) :], "no gap between files"


def test_the_ten_thousandth_file_of_an_epoch_is_not_taken_for_the_oldest(tmp_path: Path) -> None:
    session = Session(tmp_path, MIB)
    session.tape._part = 9_996
    for _ in range(60):
        session.feed(1_000)
        wait_until_written(session.tape)
    session.tape.close()
    kept = files(tmp_path)
    assert kept[0].name != "000007-9997.tape", "the oldest went"
    assert kept[-1].name == f"000007-{session.tape._part}.tape"
    assert len(kept) >= 4
    assert as_fed(read(kept[-1])[0])[-1] == session.fed[-1]
    together = [entry for path in kept for entry in read(path)[0]]
    assert as_fed(together) == session.fed[-len(together) :], "no gap between files"


def test_an_event_that_no_tape_can_hold_pauses_it_and_is_named(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.feed(1_000)
    wait_until_written(session.tape)
    one = Decimal(1)
    session.tape.record(Quote("binance:C1:spot", one, one, one, one, 1 << 80), Stamp(1_001, 0, 20_000), [])
    session.feed(1_000)
    wait_until_written(session.tape)
    session.feed(1_000)
    assert [name for name, _ in session.said] == ["tape.paused"]
    assert "cannot be written" in session.said[0][1]["reason"]
    for _ in range(4):
        wait_until_written(session.tape)
        session.feed(1_000)
    session.tape.close()
    first, second = files(tmp_path)
    assert as_fed(read(first)[0]) == session.fed[: len(read(first)[0])]
    assert as_fed(read(second)[0])[-1] == session.fed[-1], "it went on"


def test_a_new_file_waits_for_orders_in_flight_but_not_for_ever(tmp_path: Path) -> None:
    session = Session(tmp_path, MIB // 2)
    session.state.orders["c1"] = Unsettled()  # type: ignore[assignment]
    frozen: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "freeze", lambda state: frozen.append(len(session.fed)) or freeze(state))
        for _ in range(5):
            session.feed(1_000)
            wait_until_written(session.tape)
        assert session.tape._full, "a new file is due"
        assert frozen == [], "50 s of monotonic time: it still waits"
        for _ in range(7):
            session.feed(1_000)
            wait_until_written(session.tape)
    session.tape.close()
    assert len(frozen) == 1
    assert len(files(tmp_path)) == 2


def test_a_late_thread_is_asked_for_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was handed over before is still the old file's, which is full: it froze the state a second time and left a
    file that held next to nothing."""
    session = Session(tmp_path, MIB)
    frozen: list[int] = []
    monkeypatch.setattr(writer, "freeze", lambda state: frozen.append(len(session.fed)) or freeze(state))
    late, real = threading.Event(), writer.encode
    monkeypatch.setattr(writer, "encode", lambda taken: late.wait(30) and real(taken))
    late.set()
    while not session.tape._full:
        session.feed(100)
        wait_until_written(session.tape)
    late.clear()
    while not frozen:
        session.feed(1)
    late.set()
    wait_until_written(session.tape)
    session.feed(1_000)
    wait_until_written(session.tape)
    session.feed(1_000)
    session.tape.close()
    assert len(frozen) == 1
    first, second = files(tmp_path)
    assert as_fed(read(first)[0]) + as_fed(read(second)[0]) == session.fed


def test_new_books_in_the_folder_of_old_tapes_keep_their_own(tmp_path: Path) -> None:
    """Their epochs begin at 1 again: the new tapes were deleted first, and one whose name was taken was not begun."""
    for epoch, part in ((7, 1), (7, 2), (7, 3), (9, 1)):
        path = tmp_path / f"{epoch:06}-{part:04}.tape"
        path.write_bytes(b"x" * (MIB // 5))
        os.utime(path, ns=(1_000 * epoch + part, 1_000 * epoch + part))
    own = tmp_path / "kept.tape"
    own.write_bytes(b"x" * 100)
    os.utime(own, ns=(1, 1))
    session = Session(tmp_path, MIB)
    session.feed(1_000)
    wait_until_written(session.tape)
    assert session.said == []
    assert session.tape._part == 4, "those names are taken"
    for _ in range(30):
        session.feed(1_000)
        wait_until_written(session.tape)
    session.tape.close()
    kept = [path.name for path in files(tmp_path)]
    assert kept[-1] == "kept.tape", "a copy of somebody's own goes last"
    assert not {"000007-0001.tape", "000009-0001.tape"} & set(kept)
    together = [entry for path in files(tmp_path)[:-1] for entry in read(path)[0]]
    assert as_fed(together) == session.fed[-len(together) :]


def test_a_torn_end_is_dropped_with_a_note(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.feed(3_000)
    session.tape.close()
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    counts = set()
    for cut in (1, 5, 20, len(whole) // 3, len(whole) // 2):
        path.write_bytes(whole[:-cut])
        entries, note = read(path)
        assert as_fed(entries) == session.fed[: len(entries)]
        assert note is not None
        counts.add(len(entries))
    assert max(counts) == 3_000, "only the end's own block was cut"
    assert 0 < min(counts) < 2_000


def test_a_damaged_block_ends_the_reading_there(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.feed(3_000)
    session.tape.close()
    (path,) = files(tmp_path)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0x10
    path.write_bytes(bytes(raw))
    entries: list[Entry] = []
    with TapeReader(path) as tape, pytest.raises(TapeError, match="it is damaged at byte"):
        entries.extend(tape.entries())
    assert 0 < len(entries) < 3_000
    assert as_fed(entries) == session.fed[: len(entries)]


@pytest.mark.parametrize(
    "raw", [b"", b"carrybot", b"SQLite format 3\0" + b"x" * 100, writer.MARK, writer.MARK + b"HH"]
)
def test_what_is_no_tape_is_refused_by_name(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.tape"
    path.write_bytes(raw)
    with pytest.raises(TapeError, match=r"a\.tape"):
        read(path)


def test_a_state_can_hold_values_only(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path}/ran",)

    with pytest.raises(TapeError):
        thaw(pickle.dumps(Trap()))
    with pytest.raises(TapeError):
        thaw(pickle.dumps({"not": "a state"}))
    assert not (tmp_path / "ran").exists()


def test_a_state_keeps_which_objects_are_the_same() -> None:
    state = restore(Books(epoch=3, balances={("venue:toy:spot", "USDT"): Decimal("1.50")}), CoreConfig())
    again = thaw(freeze(state))
    assert again == state
    assert again.book.balances is again.ledger.balances, "one object, as the engine has it"


class EarlyMember:
    """A member of an enumeration as the first releases of Python 3.11 (Debian 12 has one) write it."""

    def __init__(self, kind: type, name: str) -> None:
        self.asked = kind, name

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, self.asked


def test_a_state_that_an_early_python_wrote_is_read() -> None:
    state = restore(Books(epoch=3), CoreConfig())
    state.book.control = EarlyMember(Control, "FLATTENING")  # type: ignore[assignment]
    assert thaw(freeze(state)).book.control is Control.FLATTENING


@pytest.mark.parametrize(("kind", "name"), [(Decimal, "from_float"), (Control, "__init__"), (EngineState, "hedges")])
def test_nothing_but_a_member_of_an_enumeration_is_looked_up(kind: type, name: str) -> None:
    state = restore(Books(epoch=3), CoreConfig())
    state.book.control = EarlyMember(kind, name)  # type: ignore[assignment]
    with pytest.raises(TapeError):
        thaw(freeze(state))


class FullDisk:
    """Takes some bytes, then none, until room is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        original = TapeWriter._write

        def write(tape: TapeWriter, file: Any, data: bytes) -> None:
            if self.room < len(data):
                file = self
            self.room -= len(data)
            original(tape, file, data)

        monkeypatch.setattr(TapeWriter, "_write", write)

    def write(self, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_pauses_the_tape_and_it_goes_on_in_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch, 60_000)
    session = Session(tmp_path)
    for _ in range(8):
        session.feed(1_000)
        wait_until_written(session.tape)
    assert {name for name, _ in session.said} == {"tape.paused"}
    assert len(session.said) <= 3, "told when it pauses, each half minute at most"
    assert "No space left" in session.said[0][1]["reason"]
    disk.room = 10 * MIB
    for _ in range(5):
        session.feed(1_000)
        wait_until_written(session.tape)
    session.tape.close()
    first, second = (read(path) for path in files(tmp_path))
    assert as_fed(first[0]) == session.fed[: len(first[0])]
    assert first[1] is not None
    assert second[0]
    assert as_fed(second[0]) == session.fed[-len(second[0]) :]


def test_a_thread_that_falls_behind_pauses_the_tape_and_bounds_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    original = TapeWriter._put

    def stuck(tape: TapeWriter, *arguments: Any) -> None:
        gate.wait(20)
        original(tape, *arguments)

    monkeypatch.setattr(TapeWriter, "_put", stuck)
    monkeypatch.setattr(writer, "WAITING_MAX", 3_000)
    session = Session(tmp_path)
    session.feed(10_000)
    assert [name for name, _ in session.said] == ["tape.paused"]
    assert session.tape._handed <= 3_000 + writer.HAND_OVER_EVENTS
    assert session.tape._taken == []
    gate.set()
    for _ in range(5):
        wait_until_written(session.tape)
        session.feed(1_000)
    session.tape.close()
    assert [len(files(tmp_path)), len(session.said)] == [2, 1]


def test_little_room_is_left_to_the_books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(tmp_path)

    class Stat:
        f_bavail, f_frsize = 10, real.f_frsize

    monkeypatch.setattr(writer.os, "statvfs", lambda _: Stat)
    session = Session(tmp_path)
    session.feed(2_000)
    wait_until_written(session.tape)
    session.feed(1_000)
    session.tape.close()
    assert "left to the books" in session.said[0][1]["reason"]
    assert files(tmp_path) == []


def test_a_step_that_raised_is_on_the_tape(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.tape.record(Tick(), Stamp(1, 2, 3), None)
    session.tape.close()
    (path,) = files(tmp_path)
    assert as_fed(read(path)[0]) == [(Tick(), Stamp(1, 2, 3), None)]


def wait_until_written(tape: TapeWriter) -> None:
    for _ in wait():
        if tape._handed == tape._written:
            return
    raise AssertionError("the thread did not write")


def wait() -> Iterator[None]:
    pause = threading.Event()
    for _ in range(1_000):
        yield
        pause.wait(0.01)


def test_emits_with_amounts_are_decisions(tmp_path: Path) -> None:
    session = Session(tmp_path)
    said = Emit(Severity.WARNING, "a.b", {"usd": Decimal("1.10"), "share": 0.1, "none": None, "yes": True})
    session.tape.record(Tick(), Stamp(1, 2, 3), [said])
    session.tape.close()
    assert read(files(tmp_path)[0])[0][0].actions == actions_bytes([said])
