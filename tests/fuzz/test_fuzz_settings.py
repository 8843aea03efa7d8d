"""Whatever stands in the settings file: settings, or a SettingsError that names the file. Nothing else."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS, fuzzed

from bot.settings import Settings, SettingsError, load

CONFIG = Path(__file__).resolve().parents[2] / "config"
WHOLE = (CONFIG / "live.yaml").read_text(encoding="utf-8")
NASTY_SCALARS = (
    *(each for each in NASTY_TEXTS if "\x00" not in each),
    *("[", "]", "{", "}", "[1, 2]", "{a: 1}", "&a", "*a", "!!python/object:os.system", "|", ">", "- 1", "'", '"'),
    *(r'"\ud800"', r'"\ud800://x"', r'"\0"', r'"\x1b[2J"', r'{"\udfff": 1}', r'["\ud800"]'),
    *("no", "yes", "1:30", "0o17", "2024-01-01", "~", "%", "@", "`", "? x", "a: b: c", "\t1", "-.inf", ".nan", "="),
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """The commented example with a few lines changed, dropped, doubled, moved or indented otherwise."""
    lines = WHOLE.splitlines()
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(("value", "key", "drop", "double", "move", "indent", "text"))):
            case "value":
                value = ": " + draw(st.sampled_from(NASTY_SCALARS))
                lines[place] = re.sub(r":.*", lambda _, value=value: value, lines[place], count=1)
            case "key":
                key = draw(st.text(max_size=5)) + ":"
                lines[place] = re.sub(r"\w+:", lambda _, key=key: key, lines[place], count=1)
            case "drop":
                del lines[place]
            case "double":
                lines.insert(place, lines[place])
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(place))
            case "indent":
                lines[place] = " " * draw(st.integers(0, 9)) + lines[place].lstrip()
            case _:
                lines.insert(place, draw(st.text(max_size=30)))
    return "\n".join(lines)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "settings.yaml"


def refusal(file: Path, environment: dict[str, str]) -> str:
    """What the loader says against it; empty when these are settings."""
    try:
        assert isinstance(load(file, environment), Settings)
    except SettingsError as error:
        told = str(error)
        assert told.encode(), "a log and a terminal can take it"
        return told
    return ""


def loads(file: Path, raw: bytes) -> None:
    file.write_bytes(raw)
    refused = refusal(file, {})
    assert not refused or str(file) in refused
    assert len(refused) < 100_000


@fuzzed
@given(text=texts())
def test_the_example_with_faults(file: Path, text: str) -> None:
    loads(file, text.encode("utf-8", "surrogatepass"))


@fuzzed
@given(raw=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_anything(file: Path, raw: bytes) -> None:
    loads(file, raw)


@fuzzed
@given(
    name=st.sampled_from(
        ("LIMITS__PER_COIN_CAP", "LOG__LEVEL", "VENUES__BINANCE__API_KEY", "LIMITS", "X", "__", "DATA")
    ),
    value=st.sampled_from((*NASTY_TEXTS, "\udcff", "\udcff://x")) | st.text(max_size=20),
)
def test_the_environment(file: Path, name: str, value: str) -> None:
    file.write_text(WHOLE, encoding="utf-8")
    refused = refusal(file, {f"CARRYBOT_{name}": value})
    assert not refused or "CARRYBOT_" in refused or str(file) in refused
