"""Logs: structlog and the standard library through one handler, redacted in the last step before rendering.

JSON lines, or a readable console on a terminal. Every line has `time` (ISO 8601, UTC), `level` and `event`; our own
event names read `area.happened`. Lower levels take their loggers from `structlog.get_logger()`.
"""

import asyncio
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final, TextIO

import structlog

from bot.observe.redact import Redactor

PINNED: Final = (
    "ccxt",
    "aiohttp",
    "websockets",
    "urllib3",
    "sqlalchemy",
    "alembic",
    "asyncio",
    "aiosqlite",
    "asyncio_throttle",
    "apprise",
    "requests_oauthlib",
    "oauthlib",
)
"""Libraries that speak at WARNING and above alone: at DEBUG ccxt writes key headers and signed URLs."""
LEVELS: Final = ("debug", "info", "warning", "error")
FORMATS: Final = ("auto", "json", "console")

_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)}


def configure(
    format: str = "auto",  # noqa: A002 - the settings' own word
    level: str = "info",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Sets up logging for the whole process; a second call replaces the first.

    `format` is auto, json or console; `stream` is standard error unless given. Raises ValueError for other words.
    """
    if format not in FORMATS or level not in LEVELS:
        raise ValueError(f"no such log format or level: {format}, {level}")
    target = sys.stderr if stream is None else stream
    as_json = format == "json" or (format == "auto" and not target.isatty())
    redactor = Redactor(secrets)
    handler = _Handler(target)
    handler.addFilter(_pinned)
    handler.setFormatter(_formatter(redactor, as_json=as_json, colors=target.isatty()))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)  # whoever put it there, it does not redact
    root.addHandler(handler)
    set_level(level)
    _pin()
    _capture_warnings()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def set_level(level: str) -> None:
    """Changes the least severe level while running. Raises ValueError for an unknown word."""
    if level not in LEVELS:
        raise ValueError(f"no such log level: {level}")
    logging.getLogger().setLevel(level.upper())


def install_hooks() -> None:
    """Uncaught exceptions of the process and its threads become one redacted log line instead of a traceback."""

    def process(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        _log().critical("process.crashed", exc_info=(kind, error, trace))

    def thread(found: threading.ExceptHookArgs) -> None:
        if found.exc_value is None or issubclass(found.exc_type, SystemExit):
            return
        name = found.thread.name if found.thread else "unknown"
        _log().critical(
            "process.thread_crashed", thread=name, exc_info=(found.exc_type, found.exc_value, found.exc_traceback)
        )

    def unraisable(found: Any) -> None:
        where = getattr(found.object, "__qualname__", type(found.object).__name__)
        error = found.exc_value
        trace = (type(error), error, found.exc_traceback) if error is not None else None
        _log().error("process.unraisable", where=where, exc_info=trace)

    sys.excepthook = process
    threading.excepthook = thread
    sys.unraisablehook = unraisable


def loop_exception_handler(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """For `loop.set_exception_handler`: asyncio's own handler would write the representation of everything it has."""
    error = context.get("exception")
    trace = (type(error), error, error.__traceback__) if isinstance(error, BaseException) else None
    names = {key: str(context[key]) for key in ("future", "task", "handle", "transport") if key in context}
    _log().error("process.loop_error", message=context.get("message"), exc_info=trace, **names)


class _Handler(logging.StreamHandler[TextIO]):
    """The one handler. A record that cannot be formatted is reported without its contents."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """The standard library would print the record's arguments, unredacted."""
        kind = sys.exc_info()[0]
        if kind is not None and issubclass(kind, OSError):
            return  # nobody reads the stream any more
        place = f"{record.module}:{record.lineno}"
        line = {"level": "error", "event": "log.failed", "error": getattr(kind, "__name__", ""), "place": place}
        try:
            self.stream.write(json.dumps(line) + self.terminator)
            self.flush()
        except (OSError, ValueError):
            return


def _log() -> Any:
    return structlog.get_logger("bot.process")


def _pinned(record: logging.LogRecord) -> bool:
    """Also where a library has set the level of its own logger."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in PINNED


def _pin() -> None:
    for name in (*PINNED, *(each for each in logging.root.manager.loggerDict if each.partition(".")[0] in PINNED)):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
        logger.propagate = True
        for handler in logger.handlers[:]:
            logger.removeHandler(handler)


def _capture_warnings() -> None:
    """Python's warnings become log lines; `logging.captureWarnings` would keep the source line in the text."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,  # noqa: ARG001 - the library's signature
    ) -> None:
        if file is not None:
            return
        _log().warning(
            "process.warned", category=category.__name__, message=str(message), place=f"{filename}:{lineno}"
        )

    warnings.showwarning = show


def _shared() -> list[structlog.typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]


def _formatter(redactor: Redactor, *, as_json: bool, colors: bool) -> logging.Formatter:
    last: list[structlog.typing.Processor]
    if as_json:
        last = [redactor, _json_line]
    else:
        console = structlog.dev.ConsoleRenderer(
            colors=colors,
            timestamp_key="time",
            exception_formatter=structlog.dev.plain_traceback,
            pad_event_to=24,
            sort_keys=False,
        )
        last = [redactor, _without_control, console]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared(), _library],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            *last,
        ],
    )


def _library(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A library's line becomes an event of ours with the library's text beside it."""
    record: logging.LogRecord = event["_record"]
    return {**event, "event": "library.logged", "logger": record.name, "message": event["event"]}


def _json_line(_logger: Any, _method: str, event: structlog.typing.EventDict) -> str:
    """The redactor left plain values; the three fields that every line has come first."""
    first = {key: event[key] for key in ("time", "level", "event") if key in event}
    return json.dumps({**first, **event}, ensure_ascii=False, allow_nan=False)


def _without_control(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A venue's text must not steer the owner's terminal."""
    return {key: _visible(value) for key, value in event.items()}


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return value.translate(_CONTROL)
    if isinstance(value, Mapping):
        return {_visible(key): _visible(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_visible(each) for each in value]
    return value
