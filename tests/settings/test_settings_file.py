"""What can be wrong with the file itself: each is one plain sentence with the file, the line and a remedy."""

import os
from pathlib import Path

import pytest

from bot.settings import Problem, SettingsError, load, shipped_files

VENUE = "venues: {binance: {adapter: binance}}\n"


def problems(path: Path | str, environ: dict[str, str] | None = None) -> tuple[Problem, ...]:
    with pytest.raises(SettingsError) as caught:
        load(path, environ or {})
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return caught.value.problems


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "my.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def deep(levels: int) -> str:
    return "venues: " + "[" * levels + "]" * levels


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nvenues: *c\n"

FILES: dict[str, tuple[str | bytes, int | None, str]] = {
    "empty": ("", 1, "holds no settings"),
    "comments alone": ("# nothing\n\n", 1, "holds no settings"),
    "null": ("~\n", 1, "must be a mapping"),
    "a list": ("\n- a\n- b\n", 2, "must be a mapping"),
    "a word": ("hello\n", 1, "must be a mapping"),
    "two documents": (VENUE + "---\n" + VENUE, 2, "a second document"),
    "an empty second document": (VENUE + "---\n", 2, "a second document"),
    "alias bomb": (BOMB, 1, "anchors and aliases"),
    "anchor alone": ("venues: {binance: &b {adapter: binance}}\n", 1, "anchors and aliases"),
    "alias alone": (VENUE + "limits: *x\n", 2, "anchors and aliases"),
    "merge key": ("limits:\n  <<: {stale_s: 5}\n" + VENUE, 2, "unknown key"),
    "a tag": (VENUE + "limits:\n  stale_s: !!float 5\n", 3, "the tag tag:yaml.org,2002:float"),
    "a python tag": (VENUE + "limits: !!python/object/apply:os.system [id]\n", 2, "the tag"),
    "tab": ("venues:\n\tbinance:\n", 2, "a tab is not accepted"),
    "tab inside": (VENUE + "limits:\n  liquidation:\n\t warn: 0.3\n", 4, "a tab is not accepted"),
    "open quote": (VENUE + 'data_dir: "x\n', 3, "not valid YAML"),
    "open bracket": (VENUE + "strategies: [a\nlimits: {}\n", 3, "not valid YAML"),
    "two colons": (VENUE + "data_dir: a: b\n", 2, "not valid YAML"),
    "bad indentation": (VENUE + "limits:\n    stale_s: 5\n  readmit_days: 3\n", 4, "not valid YAML"),
    "not UTF-8": (VENUE.encode() + b"data_dir: \xff\xfe\n", 2, "not UTF-8"),
    "UTF-16": (VENUE.encode("utf-16"), 1, "not UTF-8"),
    "control character": (VENUE + "data_dir: a\x00b\n", 2, "control character"),
    "escaped control character": (VENUE + 'data_dir: "a\\0b"\n', 2, "\\u0000 is not allowed"),
    "half of a character": (VENUE + 'universe:\n  coins: [BTC, "\\ud800"]\n', 3, "\\ud800 is not allowed"),
    "half of a character as key": (VENUE + '"\\udfff": 1\n', 2, "\\udfff is not allowed"),
    "too large": (VENUE + "#" * 200_000, None, "larger than 128 KiB"),
    "too deep": (deep(2_000), 1, "levels of nesting"),
    "too many values": ("venues: [" + "1," * 30_000 + "]", 1, "more than 20000 values"),
    "duplicate key": (VENUE + "limits: {}\nlimits: {}\n", 3, "line 2 already has it"),
    "duplicate nested key": (VENUE + "limits:\n  stale_s: 5\n  readmit_days: 3\n  stale_s: 6\n", 5, "line 3 already"),
    "a list as key": (VENUE + "[a, b]: 1\n", 2, "a key must be plain text"),
}


@pytest.mark.parametrize("name", FILES)
def test_bad_files(tmp_path, name):
    content, line, words = FILES[name]
    path = write(tmp_path, content)
    found = problems(path)
    assert (str(path), line) in [(each.where, each.line) for each in found]
    assert any(words in str(each) for each in found), str(found)
    assert all(each.remedy for each in found)
    assert all("\n" not in str(each) and "Traceback" not in str(each) for each in found)


def test_a_missing_file_is_named_with_the_shipped_ones(tmp_path):
    (found,) = problems(tmp_path / "no.yaml")
    assert str(found).startswith(f"{tmp_path}/no.yaml: there is no such file; shipped files: ")
    assert "config/demo.yaml" in str(found)
    assert "config/live.yaml" in str(found)
    assert [each.name for each in shipped_files()] == ["demo.yaml", "live.yaml", "paper.yaml"]


def test_a_directory_is_not_a_file(tmp_path):
    (found,) = problems(tmp_path)
    assert "a directory" in found.wrong


def test_a_file_below_a_file(tmp_path):
    (found,) = problems(write(tmp_path, VENUE) / "x")
    assert "cannot be opened" in found.wrong


def test_a_name_that_no_file_can_have():
    (found,) = problems("a\0b")
    assert "cannot be opened" in found.wrong


def test_an_unreadable_file(tmp_path):
    path = write(tmp_path, VENUE)
    path.chmod(0)
    superuser = os.geteuid() == 0
    if superuser:  # who may read everything
        os.seteuid(65_534)
    try:
        (found,) = problems(path)
    finally:
        if superuser:
            os.seteuid(0)
    assert "permission denied" in found.wrong


def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (found,) = problems(tmp_path / "pipe")
    assert "not a regular file" in found.wrong


@pytest.mark.parametrize("content", [VENUE, "\ufeff" + VENUE, "---\n" + VENUE + "...\n", VENUE.replace("\n", "\r\n")])
def test_harmless_forms_load(tmp_path, content):
    assert list(load(write(tmp_path, content), {}).venues) == ["binance"]


def test_every_problem_is_listed_in_the_order_of_lines(tmp_path):
    path = write(
        tmp_path,
        "venues:\n  binance: {adapter: binance}\nlimits:\n  stale_s: x\n  stale_s: 1\n  foo: 1\nlog: {level: loud}\n",
    )
    found = problems(path, {"CARRYBOT_LIMITS__READMIT_DAYS": "0"})
    assert [(each.line, each.key) for each in found] == [
        (4, "limits.stale_s"),
        (5, "limits.stale_s"),
        (6, "limits.foo"),
        (7, "log.level"),
        (None, "limits.readmit_days"),
    ]
