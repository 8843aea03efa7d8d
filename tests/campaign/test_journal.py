"""A long run in several calls adds up to the run in one."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.campaign import __main__ as command
from tests.campaign import journal as journals
from tests.campaign.journal import Journal, JournalError
from tests.campaign.session import Result


def result(seed: int, *violations: tuple[int, str]) -> Result:
    fired, checked, said = Counter(crash=2), Counter({7: seed}), Counter({"order.unknown": 1})
    return Result(seed, list(violations), fired, checked, said, Counter(open=3), 20, 0.5, 90.0, 259_200.0)


def test_a_later_call_goes_on_and_adds_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.jsonl"
    for name, seeds in (("aaa", range(50, 200)), ("bbb", range(200, 210))):
        monkeypatch.setattr(journals, "commit", lambda name=name: name)
        journal = Journal(path, first=50)
        assert journal.next_seed == seeds[0]
        for seed in seeds:
            journal.add(result(seed, *([(8, "a gap")] if seed == 120 else [])))
        journal.close()
    again = Journal(path, first=0)
    assert again.next_seed == 210
    assert again.commits == {"aaa": 150, "bbb": 10}
    assert again.total.document() == journal.total.document()
    total = again.total
    assert (total.seeds, total.orders, total.fired["crash"], total.checked[7]) == (
        160,
        3_200,
        320,
        sum(range(50, 210)),
    )
    assert total.said["purpose open"] == 480
    assert [(one.seed, one.violations) for one in total.failed] == [(120, [(8, "a gap")])]


def test_what_was_killed_loses_no_line(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    journal = Journal(path, first=0)
    for seed in range(journals.LINE_SEEDS + 7):
        journal.add(result(seed))
    assert Journal(path, first=0).next_seed == journals.LINE_SEEDS


@pytest.mark.parametrize("text", ["{", "[]", '{"first": 3}', '"seeds"'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(text + "\n")
    with pytest.raises(JournalError, match=r"run\.jsonl, line 1"):
        Journal(path, first=0)


def test_a_hole_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    journal = Journal(path, first=0)
    journal.add(result(0))
    journal.close()
    line = json.loads(path.read_text())
    path.write_text(json.dumps(line) + "\n" + json.dumps(line | {"first": 5}) + "\n")
    with pytest.raises(JournalError, match="seed 1 should follow, not 5"):
        Journal(path, first=0)


def test_two_calls_run_each_seed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.jsonl"
    arguments = ["--processes", "1", "--first", "3", "--journal", str(path), "--json", "--seeds"]
    assert command.main([*arguments, "2", "--seconds", "0"]) == 0
    assert json.loads(capsys.readouterr().out)["seeds"] == 1
    assert command.main([*arguments, "2"]) == 0
    assert json.loads(capsys.readouterr().out)["seeds"] == 2
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["first"], line["seeds"]) for line in lines] == [(3, 1), (4, 1)]
