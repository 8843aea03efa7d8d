"""Secrets out of everything that is logged: known values in any spelling, and what looks like a secret by its name.

`Redactor.plain` turns any value into plain JSON values on the way, so that nothing is rendered later that was not
looked at here. It is the last step before rendering.
"""

import base64
import dataclasses
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from typing import Any

MASK = "[redacted]"
SECRET_CHARS_MIN = 4
"""Shorter values would blank ordinary text. Settings accept no secret under eight characters."""
DEPTH_MAX = 8
ITEMS_MAX = 500
TEXT_CHARS_MAX = 20_000

_NAME_PARTS = (
    "apikey",
    "accesskey",
    "privatekey",
    "secret",
    "signature",
    "listenkey",
    "passphrase",
    "password",
    "authorization",
    "credential",
    "cookie",
)
_NAME_ENDS = ("token", "passwd", "pwd")
_NAMES = (
    r"(?:x[-_]mbx[-_]apikey|ok[-_]access[-_][a-z]+|x[-_]bapi[-_](?:api[-_]key|sign)|api[-_ ]?key|access[-_]?key"
    r"|api[-_ ]?secret|secret(?:[-_]?key)?|signature|listen[-_]?key|listen[-_]?token|pass[-_]?phrase|password|passwd"
    r"|access[-_]?token|auth[-_]?token|private[-_]?key|set-cookie|cookie)"
)
_PATTERNS = (
    # -----BEGIN PRIVATE KEY----- and the like, also with the line breaks escaped
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    # Authorization: Bearer x, Basic x
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/_.~=-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"(?i)\b(authorization['\"]?\s*[:=]\s*['\"]?)(?!bearer |basic )[^\s'\",;&}]+"), rf"\1{MASK}"),
    # signature=..., "listenKey": "...", ('X-MBX-APIKEY', '...')
    (
        re.compile(rf"(?i)({_NAMES}\\?['\"]?\s*(?:=|:|,|%3D)\s*[bu]?\\?['\"])([^'\"\\]*)"),
        rf"\1{MASK}",
    ),
    (re.compile(rf"(?i)({_NAMES}\s*(?:=|%3D)\s*)[^\s'\"&,;)}}\]]+"), rf"\1{MASK}"),
    (re.compile(rf"(?i)({_NAMES}\s*:\s*)[A-Za-z0-9+/_=~%-]{{8,}}"), rf"\1{MASK}"),
    # wss://host/ws/<listen key>, /stream?streams=<listen key>
    (re.compile(r"((?:/ws/|streams=))[A-Za-z0-9]{32,}"), rf"\1{MASK}"),
    # scheme://user:password@host
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(@)"), rf"\1{MASK}\2"),
)


def _pattern(secret: str) -> str:
    """Matches the value however a URL, a header, a JSON text or a representation spells its characters."""
    raw = secret.encode()
    encoded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex()}
    whole = sorted({each.rstrip("=") for each in encoded}, key=len, reverse=True)
    return "|".join(["".join(map(_character, secret)), *map(re.escape, whole)])


def _character(character: str) -> str:
    if character.isascii() and character.isalnum():
        return character
    escapes = "".join(f"%{byte:02X}" for byte in character.encode())
    either_case = re.sub("[A-F]", lambda found: f"[{found.group()}{found.group().lower()}]", escapes)
    spellings = {re.escape(character), either_case, either_case.replace("%", "%25")}
    spellings |= {
        re.escape(json.dumps(character)[1:-1]),
        re.escape(repr(character)[1:-1]),
        re.escape("\\" + character),
    }
    if character == " ":
        spellings.add(r"\+")
    return f"(?:{'|'.join(sorted(spellings, key=lambda each: (-len(each), each)))})"


def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a secret, by its name alone."""
    word = "".join(each for each in name.lower() if each.isalnum())
    return any(part in word for part in _NAME_PARTS) or word.endswith(_NAME_ENDS)


class Redactor:
    """Holds the known secrets; a structlog processor when called."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {each.strip() for each in secrets if len(each.strip()) >= SECRET_CHARS_MIN}
        # The longest first, so that no secret leaves the rest of a longer one behind.
        ordered = sorted(known, key=lambda each: (-len(each), each))
        self._known = re.compile("|".join(map(_pattern, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """The text without secrets, cut to a bounded length."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        if len(text) > TEXT_CHARS_MAX:
            # After the known values, so that no half of one is left at the cut.
            text = text[:TEXT_CHARS_MAX] + f"... ({len(text) - TEXT_CHARS_MAX} characters more)"
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def plain(self, value: Any, depth: int = 0) -> Any:
        """The value as dict, list, str, int, float, bool and None. Decimals become positional text."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return self.plain(value.value, depth)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (int, float)):
            return self._number(value)
        if isinstance(value, Decimal):
            return self.text(f"{value:f}")
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self.text(bytes(value).decode("utf-8", "backslashreplace"))
        if isinstance(value, BaseException):
            return self.text(f"{type(value).__name__}: {value}")
        if depth >= DEPTH_MAX:
            return "..."
        return self._collection(value, depth)

    def mapping(self, value: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
        """A mapping, with the values under secret names hidden whole."""
        result: dict[str, Any] = {}
        for index, (key, each) in enumerate(value.items()):
            if index >= ITEMS_MAX:
                result["..."] = f"{len(value) - ITEMS_MAX} more"
                break
            result[self.text(str(key))] = self._named(str(key), each, depth)
        return result

    def __call__(self, _logger: Any, _method: str, event: Any) -> Any:
        return self.mapping(event)

    def _collection(self, value: Any, depth: int) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            members = {each.name: getattr(value, each.name, None) for each in dataclasses.fields(value)}
            return self.mapping(members, depth + 1)
        if isinstance(value, Mapping):
            return self.mapping(value, depth + 1)
        if isinstance(value, (Sequence, AbstractSet)):
            items = list(value)
            if len(items) == 2 and isinstance(items[0], (str, bytes)) and is_secret_name(_word(items[0])):
                return [self.plain(items[0]), MASK]
            shown = [self.plain(each, depth + 1) for each in items[:ITEMS_MAX]]
            return shown if len(items) <= ITEMS_MAX else [*shown, f"{len(items) - ITEMS_MAX} more"]
        return self._representation(value)

    def _named(self, name: str, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool) or value == "" or not is_secret_name(name):
            return self.plain(value, depth)
        return MASK

    def _number(self, value: float) -> Any:
        """A number stays one unless it is a secret by itself, or JSON has no such number."""
        text = str(value)
        if not math.isfinite(value):
            return text
        return value if self._known is None or self._known.sub("", text) == text else MASK

    def _representation(self, value: Any) -> str:
        try:
            return self.text(repr(value))
        except Exception:  # noqa: BLE001 - a faulty __repr__ must not lose the log line
            return f"<{type(value).__name__}>"


def _word(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
