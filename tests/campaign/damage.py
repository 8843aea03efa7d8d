"""Frames that are not what their stream promises, made from those that are."""

import json
from collections.abc import Callable, Mapping
from typing import Any

Doc = dict[str, Any]
NUMBERS = ("b", "a", "p", "l")
"""Prices of book tickers and mark prices, and quantities of order updates."""


def _body(document: Doc) -> Doc:
    """The part that carries the figures: bare or wrapped, of a public or private stream."""
    inner = document.get("data") or document.get("event") or document
    return inner.get("o", inner) if isinstance(inner.get("o"), dict) else inner


def _with(change: Callable[[Doc], None]) -> Callable[[bytes], bytes]:
    def damaged(frame: bytes) -> bytes:
        document = json.loads(frame)
        change(_body(document))
        return json.dumps(document).encode()

    return damaged


def _numbers(value: Any) -> Callable[[Doc], None]:
    def change(body: Doc) -> None:
        body.update({name: value for name in NUMBERS if name in body})

    return change


def _crossed(body: Doc) -> None:
    if "B" in body and "A" in body:
        body["b"], body["a"] = body["a"], body["b"]
    else:
        _numbers(["1"])(body)


def _strange(frame: bytes) -> bytes:
    """An event of a kind that nobody knows, where the stream promises another one."""
    document = json.loads(frame)
    news = {"e": "newsFlash", "E": "tomorrow", "text": "maintenance"}
    if "stream" in document:
        return json.dumps({"stream": document["stream"], "data": news}).encode()
    return json.dumps(news).encode()


FORMS: Mapping[str, Callable[[bytes], bytes]] = {
    "truncated": lambda frame: frame[: len(frame) // 2],
    "html": lambda frame: b"<html><body>502 Bad Gateway</body></html>",
    "empty": lambda frame: b"",
    "no text": lambda frame: b"\xff\xfe" + frame,
    "nested": lambda frame: b'{"data":' * 5_000,
    "wrong type": _with(_numbers({"value": 1})),
    "nan": _with(_numbers("NaN")),
    "huge": _with(_numbers("9" * 60)),
    "exponent": _with(_numbers("1e999999")),
    "crossed": _with(_crossed),
    "zero": _with(lambda body: body.update({n: "0" for n in NUMBERS if n in body} | {"B": "-1"})),
    "event": _strange,
    "symbol": _with(lambda body: body.update(s="NOSUCHUSDT")),
}
NO_COMPLAINT = frozenset({"symbol"})
"""What an adapter may pass over in silence: an instrument that it does not know is none of its business."""
