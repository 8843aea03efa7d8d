"""`replay` over a folder as a daemon leaves it: files of other versions, and what a kill left empty."""

from collections.abc import Callable
from pathlib import Path

from cli_process import Outcome

from bot.domain.books import Books
from bot.domain.config import CoreConfig
from bot.domain.events import Tick
from bot.domain.time import Stamp
from bot.engine.core import step
from bot.engine.recovery import restore
from bot.runtime.snapshot import snapshots
from bot.store.tape.blocks import MARK, Kind, Packer
from bot.store.tape.writer import TapeWriter

Run = Callable[..., Outcome]


def tape(folder: Path, epoch: int) -> Path:
    state = restore(Books(epoch=epoch), CoreConfig())
    writer = TapeWriter(folder, 1 << 24, lambda *_, **__: None)
    writer.begin(state)
    for number in range(1, 20):
        at = Stamp(number, 1_700_000_000_000 + number, number * 10)
        writer.record(Tick(), at, snapshots(step(state, Tick(), at)))
        writer.turn_ended(at.mono_ms)
    writer.close()
    return folder / f"{epoch:06}-0001.tape"


def another_versions(path: Path) -> None:
    header = b'{"epoch": 1, "part": 1, "kinds": ["Other"], "core": ""}'
    path.write_bytes(MARK + Packer().pack(Kind.HEADER, header))


def test_a_file_of_another_version_does_not_hide_what_the_others_say(carrybot: Run, tmp_path: Path) -> None:
    another_versions(tmp_path / "000001-0001.tape")
    tape(tmp_path, 2)
    done = carrybot("replay", str(tmp_path), "--json", "--quiet")
    assert [each["epoch"] for each in done.json] == [2]
    assert done.json[0]["same"]
    assert "000001-0001.tape: recorded by another version" in done.err
    assert done.code == 1, "not every decision was compared"


def test_what_a_kill_left_empty_is_no_failure(carrybot: Run, tmp_path: Path) -> None:
    whole = tape(tmp_path, 1).read_bytes()
    for epoch, size in ((2, 0), (3, 7), (4, len(MARK)), (5, len(MARK) + 30), (6, len(MARK) + 400)):
        (tmp_path / f"{epoch:06}-0001.tape").write_bytes(whole[:size])
    done = carrybot("replay", str(tmp_path), "--quiet")
    assert "000001-0001.tape: epoch 1, 19 events" in done.out.replace("\n", "")
    assert done.err.count("it ends before anything was recorded") == 5
    assert done.code == 0


def test_a_folder_that_holds_nothing_whole_says_why(carrybot: Run, tmp_path: Path) -> None:
    (tmp_path / "000001-0001.tape").write_bytes(b"")
    done = carrybot("replay", str(tmp_path))
    assert (done.code, done.out) == (1, "")
    assert "it ends before anything was recorded" in done.err


def test_a_damaged_file_does_not_pass_for_one_that_a_kill_tore(carrybot: Run, tmp_path: Path) -> None:
    """Most of it was left out, all of it where the state was hit, and the answer was that all came out the same."""
    whole = tape(tmp_path / "whole", 1).read_bytes()
    tape(tmp_path, 9)
    places = {1: len(MARK) + 12, 2: len(whole) // 2, 3: whole.rindex(b"E") + 12}
    for epoch, at in places.items():
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        (tmp_path / f"{epoch:06}-0001.tape").write_bytes(damaged)
    done = carrybot("replay", str(tmp_path), "--quiet")
    said = " ".join(done.err.split())
    assert said.count("it is damaged at byte") == 3
    assert "000009-0001.tape: epoch 9, 19 events" in done.out.replace("\n", "")
    assert done.code == 1
