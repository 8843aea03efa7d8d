"""One set-up for structlog, the standard library, warnings and crashes; nothing of a canary comes through."""

import asyncio
import base64
import contextlib
import io
import json
import logging
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from urllib.parse import quote, quote_plus

import pytest
import structlog

from bot.observe.logging import PINNED, configure, install_hooks, loop_exception_handler, set_level

CANARY = 'cAnArY/+s3cret&v=4lue%x"q'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook, sys.unraisablehook)
    pinned = {name: logging.getLogger(name).level for name in PINNED}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    for name, old in pinned.items():
        logging.getLogger(name).setLevel(old)
    structlog.reset_defaults()


@pytest.fixture
def out() -> io.StringIO:
    stream = io.StringIO()
    configure("json", "debug", [CANARY], stream)
    return stream


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(each) for each in out.getvalue().splitlines()]


def only(out: io.StringIO) -> dict[str, object]:
    (line,) = lines(out)
    return line


def test_a_line_is_json_with_utc_time_level_and_event_first(out):
    structlog.get_logger().info("hedge.opened", coin="BTC", notional_usd=Decimal("1E+4"), carry_apr=0.1)
    line = only(out)
    assert list(line)[:3] == ["time", "level", "event"]
    assert str(line["time"]).endswith("Z")
    assert "T" in str(line["time"])
    assert line["level"] == "info"
    assert line["event"] == "hedge.opened"
    assert line["notional_usd"] == "10000"
    assert line["carry_apr"] == 0.1


def test_plain_values_of_every_kind(out):
    class Kind(StrEnum):
        SPOT = "spot"

    @dataclass(frozen=True, slots=True)
    class Leg:
        kind: Kind
        quantity_base: Decimal

    structlog.get_logger().info(
        "x.y",
        leg=Leg(Kind.SPOT, Decimal("0.10")),
        many={"a": (1, None, True)},
        odd=float("nan"),
        raw=b"\xffok",
        error=ValueError("no"),
        what=object,
    )
    line = only(out)
    assert line["leg"] == {"kind": "spot", "quantity_base": "0.10"}
    assert line["many"] == {"a": [1, None, True]}
    assert line["odd"] == "nan"
    assert line["raw"] == "\\xffok"
    assert line["error"] == "ValueError: no"
    assert line["what"] == "<class 'object'>"


def test_depth_length_and_items_are_bounded(out):
    nested: dict[str, object] = {}
    here = nested
    for _ in range(100):
        here["in"] = {}
        here = here["in"]  # type: ignore[assignment]
    structlog.get_logger().info("x.y", nested=nested, long="a" * 10**6, many=list(range(10**5)))
    assert len(out.getvalue()) < 40_000


class Faulty:
    def __repr__(self) -> str:
        raise RuntimeError(CANARY)


class Revealing:
    def __repr__(self) -> str:
        return f"<key {CANARY}>"


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001
        return caught


def chained() -> BaseException:
    try:
        try:
            raise KeyError(CANARY)
        except KeyError as inner:
            raise ValueError(f"GET https://api.example/v3/order?apiKey={quote(CANARY)}") from inner
    except ValueError as outer:
        return outer


async def _loop_error() -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(loop_exception_handler)
    loop.call_exception_handler({"message": f"failed {CANARY}", "exception": chained(), "future": Revealing()})


def _thread_error() -> None:
    def fail() -> None:
        raise RuntimeError(f"key {CANARY}")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def _warned() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"deprecated {CANARY}", UserWarning, stacklevel=1)


def _ccxt_debug() -> None:
    logger = logging.getLogger("ccxt.base.exchange")
    logger.setLevel(logging.DEBUG)
    logger.debug("headers %s", {"X-MBX-APIKEY": CANARY})
    logger.warning("headers %s", {"X-MBX-APIKEY": CANARY})
    logger.setLevel(logging.NOTSET)


def _excepthook() -> None:
    error = chained()
    sys.excepthook(type(error), error, error.__traceback__)


def _unraisable() -> None:
    error = raised(RuntimeError(CANARY))
    found = types.SimpleNamespace(
        exc_type=type(error), exc_value=error, exc_traceback=error.__traceback__, object=Revealing(), err_msg=None
    )
    sys.unraisablehook(found)  # type: ignore[arg-type]


LOG = structlog.get_logger
WAYS: dict[str, Callable[[], object]] = {
    "value": lambda: LOG().info("a.b", note=CANARY),
    "inside a value": lambda: LOG().info("a.b", note=f"x{CANARY}y"),
    "event": lambda: LOG().info(f"a.b {CANARY}"),
    "key": lambda: LOG().info("a.b", **{CANARY: 1}),
    "bound value": lambda: LOG().bind(note=CANARY).info("a.b"),
    "url-encoded": lambda: LOG().info("a.b", url=f"https://h/p?q={quote(CANARY, safe='')}"),
    "url-encoded, plus": lambda: LOG().info("a.b", url=quote_plus(f"a b {CANARY}")),
    "url-encoded in small letters": lambda: LOG().info("a.b", url=quote(CANARY, safe="").replace("%2F", "%2f")),
    "base64": lambda: LOG().info("a.b", header=base64.b64encode(CANARY.encode()).decode()),
    "json text": lambda: LOG().info("a.b", body=json.dumps({"x": CANARY})),
    "bytes": lambda: LOG().info("a.b", body=CANARY.encode()),
    "nested mapping": lambda: LOG().info("a.b", a={"b": [{"c": (CANARY,)}]}),
    "nested key": lambda: LOG().info("a.b", a={CANARY: 1}),
    "set": lambda: LOG().info("a.b", a={CANARY}),
    "object": lambda: LOG().info("a.b", a=Revealing()),
    "faulty object": lambda: LOG().info("a.b", a=Faulty()),
    "cut text": lambda: LOG().info("a.b", a="z" * 19_990 + CANARY),
    "exception value": lambda: LOG().info("a.b", error=chained()),
    "exception trace": lambda: LOG().error("a.b", exc_info=chained()),
    "exception group": lambda: LOG().error(
        "a.b", exc_info=raised(ExceptionGroup("g", [chained(), ValueError(CANARY)]))
    ),  # type: ignore[list-item]
    "stack": lambda: LOG().info("a.b", stack_info=True, note=CANARY),
    "standard logging": lambda: logging.getLogger("any.library").warning("key %s", CANARY),
    "standard logging, mapping": lambda: logging.getLogger("any").info("%(k)s", {"k": CANARY}),
    "standard logging, exception": lambda: logging.getLogger("any").error("bad", exc_info=chained()),
    "standard logging, wrong arguments": lambda: logging.getLogger("any").error("bad %d", CANARY),
    "standard logging, not text": lambda: logging.getLogger("any").error(ValueError(CANARY)),
    "ccxt at debug": _ccxt_debug,
    "warning": _warned,
    "excepthook": _excepthook,
    "thread": _thread_error,
    "unraisable": _unraisable,
    "asyncio": lambda: asyncio.run(_loop_error()),
}


def traces_of(secret: str) -> list[str]:
    """Spellings of which none may appear, and the middle of the secret, which is the same in all of them."""
    return [secret, quote(secret, safe=""), quote(secret), base64.b64encode(secret.encode()).decode(), secret[8:14]]


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize("way", WAYS)
def test_the_canary_comes_through_nowhere(way, style, capfd):
    stream = io.StringIO()
    configure(style, "debug", [CANARY], stream)
    install_hooks()
    WAYS[way]()
    printed = capfd.readouterr()
    everything = stream.getvalue() + printed.out + printed.err
    assert stream.getvalue().strip(), "something was logged"
    for each in traces_of(CANARY):
        assert each not in everything


UNKNOWN = "Zk9wQ2x7Lm4vB8nR1tY6uI3oP5aS0dFgHjKlXcVb"
"""A secret that nobody told the redactor about: only its surroundings give it away."""


@pytest.mark.parametrize(
    "text",
    [
        f"https://api.binance.com/api/v3/order?symbol=BTCUSDT&signature={UNKNOWN}&x=1",
        f"listenKey={UNKNOWN}",
        f'{{"listenKey": "{UNKNOWN}"}}',
        f"{{'X-MBX-APIKEY': '{UNKNOWN}'}}",
        f'{{\\"apiKey\\": \\"{UNKNOWN}\\"}}',
        f"('X-MBX-APIKEY', '{UNKNOWN}')",
        f"X-MBX-APIKEY: {UNKNOWN}",
        f"Authorization: Bearer {UNKNOWN}",
        f"bearer {UNKNOWN}",
        f"myApiSecret={UNKNOWN}",
        f"secret: {UNKNOWN}",
        f"signature%3D{UNKNOWN}",
        f"postgresql://bot:{UNKNOWN}@db/books",
        f"wss://stream.binance.com:9443/ws/{UNKNOWN}",
        f"wss://fstream.binance.com/stream?streams={UNKNOWN}",
        f"-----BEGIN PRIVATE KEY-----\n{UNKNOWN}\n-----END PRIVATE KEY-----",
        f"-----BEGIN EC PRIVATE KEY-----\\n{UNKNOWN}",
    ],
)
def test_an_unknown_secret_is_known_by_its_surroundings(out, text):
    structlog.get_logger().info("a.b", text=text, error=ValueError(text))
    assert UNKNOWN not in out.getvalue()
    assert "[redacted]" in out.getvalue()


@pytest.mark.parametrize(
    "name",
    ["apiKey", "api_key", "api-secret", "X-MBX-APIKEY", "signature", "listenKey", "passphrase", "token", "Cookie"],
)
def test_a_field_is_known_by_its_name(out, name):
    structlog.get_logger().info("a.b", **{name: UNKNOWN}, nested=[{name: UNKNOWN}], headers=[(name, UNKNOWN)])
    assert UNKNOWN not in out.getvalue()
    assert only(out)["nested"] == [{name: "[redacted]"}]


def test_ordinary_text_is_left_alone(out):
    text = "venues.binance.api_key: a secret does not belong in this file; set CARRYBOT_VENUES__BINANCE__API_KEY"
    values = {"client_id": "cb1-0001-a", "url": "https://api.binance.com:443/api/v3/time", "hash": "ab" * 32}
    structlog.get_logger().info("a.b", text=text, **values)
    assert only(out) | {"text": text, **values} == only(out)


def test_secrets_that_are_too_short_or_empty_blank_nothing():
    stream = io.StringIO()
    configure("json", "info", ["", "a", "  "], stream)
    structlog.get_logger().info("a.b", note="banana")
    assert only(stream)["note"] == "banana"


def test_the_longer_of_two_secrets_leaves_no_rest():
    stream = io.StringIO()
    configure("json", "info", ["abcdefgh", "abcdefghijkl"], stream)
    structlog.get_logger().info("a.b", note="abcdefghijkl")
    assert only(stream)["note"] == "[redacted]"


@pytest.mark.parametrize("name", PINNED)
def test_libraries_speak_at_warning_and_above(out, name):
    logger = logging.getLogger(name)
    own = logger.level
    assert own >= logging.WARNING
    logger.setLevel(logging.DEBUG)
    logger.debug("quiet")
    logger.info("quiet")
    logger.warning("loud")
    logger.setLevel(own)
    assert only(out) | {"event": "library.logged", "logger": name, "message": "loud", "level": "warning"} == only(out)


def test_auto_is_json_in_a_pipe_and_readable_on_a_terminal():
    for stream, is_json in ((io.StringIO(), True), (Terminal(), False)):
        configure("auto", "info", (), stream)
        structlog.get_logger().info("hedge.opened", coin="BTC")
        assert stream.getvalue().startswith("{") is is_json
        assert "hedge.opened" in stream.getvalue()


def test_a_venues_text_cannot_steer_the_terminal():
    stream = Terminal()
    configure("console", "info", (), stream)
    structlog.get_logger().info("order.rejected", reason="a\x1b[2Jb\rc\x9b1m")
    assert "\x1b[2J" not in stream.getvalue()
    assert "\r" not in stream.getvalue()
    assert "\\x1b[2J" in stream.getvalue()


def test_the_level_is_obeyed_and_can_change(out):
    set_level("warning")
    structlog.get_logger().info("a.b")
    logging.getLogger("any").info("x")
    assert out.getvalue() == ""
    set_level("info")
    structlog.get_logger().info("a.b")
    assert only(out)["event"] == "a.b"


def test_a_second_call_replaces_the_first(out):
    second = io.StringIO()
    configure("json", "info", (), second)
    structlog.get_logger().info("a.b")
    assert out.getvalue() == ""
    assert len(lines(second)) == 1


def test_other_handlers_of_the_root_are_removed():
    stream, foreign = io.StringIO(), io.StringIO()
    logging.getLogger().addHandler(logging.StreamHandler(foreign))
    configure("json", "info", [CANARY], stream)
    structlog.get_logger().info("a.b", note=CANARY)
    assert foreign.getvalue() == ""


def test_a_stream_that_nobody_reads_does_no_harm():
    class Broken(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    configure("json", "info", (), Broken())
    structlog.get_logger().info("a.b")


def test_an_interrupt_is_no_crash(out):
    install_hooks()
    with contextlib.suppress(KeyboardInterrupt):
        sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert out.getvalue() == ""


@pytest.mark.parametrize(("format_", "level"), [("xml", "info"), ("json", "loud")])
def test_unknown_words_are_refused(format_, level):
    with pytest.raises(ValueError, match="no such"):
        configure(format_, level)
