"""Durations as people write them."""

import re

from bot.cli.failure import USAGE, Failure

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def seconds(text: str) -> float:
    """`90s`, `15m`, `2h`, `1h30m`, `1d`; a plain number is seconds. Failure (exit code 2) otherwise."""
    given = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", given):
        found = float(given)
    else:
        parts = _PART.findall(given)
        if not parts or "".join(number + unit for number, unit in parts) != given:
            raise Failure(USAGE, f"'{text}' is not a duration", "write 90s, 15m, 2h or 1h30m")
        found = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    if not 0 < found < 10 * 365 * 86_400:
        raise Failure(USAGE, f"'{text}' must be above zero and below ten years")
    return found
