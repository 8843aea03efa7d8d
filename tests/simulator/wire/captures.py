"""Real captures and documented payloads of Binance, and the comparison of shapes: keys and JSON types."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
PAYLOADS = DATA / "payloads" / "binance"


def load(name: str) -> Any:
    return json.loads((PAYLOADS / name).read_text())


def mocked(name: str, method: str = "GET", query: str = "") -> Any:
    """A recorded response of the gct mock whose query contains `query`, the newest recorded last."""
    rows = [r for r in load(f"gct-http-mock/{name}")[method] if query in r["queryString"]]
    return rows[-1]["data"]


def documented(name: str) -> Any:
    """The JSON part of a jkorf text: what follows `true`/`false`, or `=` in a subscription."""
    text = (PAYLOADS / "jkorf" / f"{name}.txt").read_text()
    lines = text.splitlines()
    if lines[0].startswith(">"):
        start = next(i for i, line in enumerate(lines) if line.startswith("="))
        lines = [lines[start].removeprefix("="), *lines[start + 1 :]]
        answer = json.loads("\n".join(lines))
        return answer.get("data", answer.get("event"))
    return json.loads("\n".join(lines[3:]))


def recorded_frames(market: str) -> Iterator[Any]:
    path = DATA / "ticks" / "binance" / market / "btcusdt_20240808.gz"
    with gzip.open(path, "rt") as lines:
        for line in lines:
            yield json.loads(line.split(" ", 1)[1])


def recorded_frame(market: str, stream: str) -> Any:
    return next(f["data"] for f in recorded_frames(market) if f["stream"].endswith(stream))


def kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return {str: "text", list: "list", dict: "object"}[type(value)]


def differences(real: Any, ours: Any, ignored: frozenset[str] = frozenset(), where: str = "") -> list[str]:
    """How `ours` differs in shape from `real`. `ignored` are paths (`a.b`, `[]` for list items) to leave out."""
    if where in ignored:
        return []
    if kind(real) != kind(ours):
        return [f"{where or '.'}: {kind(real)} at the venue, {kind(ours)} here"]
    found: list[str] = []
    if isinstance(real, dict):
        for key in sorted(real.keys() | ours.keys()):
            path = f"{where}.{key}".lstrip(".")
            if path in ignored:
                continue
            if key not in ours:
                found.append(f"{path}: missing here")
            elif key not in real:
                found.append(f"{path}: unknown to the venue")
            else:
                found += differences(real[key], ours[key], ignored, path)
    elif isinstance(real, list) and real and isinstance(real[0], list):
        for one, other in zip(real[0], ours[0], strict=False):
            found += differences(one, other, ignored, f"{where}[]")
        if where == "" and len(real[0]) != len(ours[0]):
            found.append(f"rows of {len(real[0])} at the venue, of {len(ours[0])} here")
    elif isinstance(real, list) and real and isinstance(real[0], dict):
        for item in ours:
            found += differences(_like(real, item), item, ignored, f"{where}[]")
    elif isinstance(real, list) and real:
        for item in ours:
            found += differences(real[0], item, ignored, f"{where}[]")
    return sorted(set(found))


def _like(rows: list[Any], item: Any) -> Any:
    """The venue's row of the same kind: by `filterType` or `rateLimitType`, else the first."""
    for name in ("filterType", "rateLimitType"):
        if isinstance(item, dict) and name in item:
            return next((r for r in rows if r.get(name) == item[name]), rows[0])
    return rows[0]
