"""Thirty days of market time through the real daemon over the wire, with faults on all the while.

    python -m tests.endtoend.soak [--days 30] [--speed 14400] [--seed N] [--json FILE]

The exchange loses replies, rejects, fills in part, repeats and delays events all the time; the wire fails every ten
seconds or so; the daemon is one process from beginning to end. Its resident memory, file descriptors, threads and
the size of its write-ahead log are read each second from the kernel. In the end everything is mended and the
oracle judges the books; memory must be within ten per cent of what it was after the first day.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.endtoend import oracle
from tests.endtoend.owner import wait_for
from tests.endtoend.wire import Mode
from tests.endtoend.wired import Site, settle, site

DAY_MS = 86_400_000
GROWTH_MAX = 0.10
WAL_BYTES_MAX = 64 * 1024 * 1024
DESCRIPTORS_MAX = 200
THREADS_MAX = 32
AROUND = 3
"""Readings around a moment whose median counts: one alone may fall into a collection of garbage."""
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "reply_lost", "how": "5xx", "path": "/*/order", "method": "POST", "probability": 0.02},
    {"kind": "reply_lost", "how": "reset", "path": "/*/order", "method": "POST", "probability": 0.02},
    {"kind": "reply_lost", "how": "unknown", "path": "/*/order", "method": "POST", "probability": 0.02},
    {"kind": "reject", "code": -2010, "message": "injected", "probability": 0.01},
    {"kind": "partial_fill", "fraction": 0.5, "probability": 0.05},
    {"kind": "not_found", "probability": 0.1},
    {"kind": "duplicate_event", "copies": 2, "probability": 0.02},
    {"kind": "late_event", "delay_ms": 1_000, "probability": 0.01},
    {"kind": "delay", "delay_ms": 500, "probability": 0.01},
    {"kind": "maintenance", "probability": 0.002},
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the daemon's process. `market_ms` is the exchange's clock."""

    market_ms: int
    resident_mb: float
    descriptors: int
    threads: int
    wal_bytes: int


def read(at: Site) -> Reading:
    assert at.process is not None
    process = Path(f"/proc/{at.process.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    wal = next(iter(at.owner.data.glob("*.db-wal")), None)
    return Reading(
        int(at.control("GET", "/clock")["market_time"]),
        int(status["VmRSS"].split()[0]) / 1024,
        len(list((process / "fd").iterdir())),
        int(status["Threads"]),
        wal.stat().st_size if wal is not None else 0,
    )


def soak(days: float, speed: float, seed: int, data: Path) -> dict[str, Any]:
    """Raises AssertionError when a bound is broken or the oracle finds a difference."""
    rng, fired, readings = random.Random(seed), Counter[str](), list[Reading]()
    with site(data, speed=speed, seed=seed) as at:
        at.start()
        wait_for(lambda: bool(at.lines("hedge.opened")), 90, "it does not trade")
        at.control("POST", "/faults", list(FAULTS))
        first = read(at)
        next_fault = time.monotonic() + 10
        while not readings or readings[-1].market_ms - first.market_ms < days * DAY_MS:
            time.sleep(1.0)
            readings.append(read(at))
            assert at.process is not None
            assert at.process.poll() is None, at.log.read_text()[-4_000:]
            if time.monotonic() >= next_fault:
                mode = rng.choice([Mode.CUT, Mode.STALL, Mode.DEAF, Mode.HALF_OPEN])
                at.wire.set(mode)
                time.sleep(rng.uniform(0.2, 2.0))
                at.wire.set(Mode.PASS)
                fired[mode.value] += 1
                next_fault = time.monotonic() + rng.uniform(5, 15)
        exchange_fired = at.control("GET", "/faults")["fired"]
        code, took_s = settle(at, 60)
        assert code == 0, at.log.read_text()[-4_000:]
        with at.owner.exchange() as found:
            truth = found.truth()
        figures = judge(readings, first.market_ms)
        return {
            "days": round((readings[-1].market_ms - first.market_ms) / DAY_MS, 1),
            **figures,
            "network": dict(fired),
            "exchange": exchange_fired,
            **oracle.everything(at.owner, truth),
            "stop_s": round(took_s, 1),
            "lines": Counter(line["event"] for line in at.lines() if line["level"] != "info").most_common(12),
            "readings": [asdict(reading) for reading in readings],
        }


def judge(readings: Sequence[Reading], start_ms: int) -> dict[str, Any]:
    """The figures of a soak; AssertionError when one is out of bounds."""
    after_day = next(i for i, reading in enumerate(readings) if reading.market_ms - start_ms >= DAY_MS)
    first = statistics.median(r.resident_mb for r in readings[max(0, after_day - AROUND + 1) : after_day + AROUND])
    last = statistics.median(r.resident_mb for r in readings[-AROUND:])
    figures = {
        "memory_first_day_mb": round(first, 1),
        "memory_end_mb": round(last, 1),
        "memory_peak_mb": round(max(r.resident_mb for r in readings), 1),
        "growth": round(last / first - 1, 4),
        "descriptors_max": max(r.descriptors for r in readings),
        "threads_max": max(r.threads for r in readings),
        "wal_mb_max": round(max(r.wal_bytes for r in readings) / 2**20, 1),
    }
    assert figures["growth"] <= GROWTH_MAX, figures
    assert figures["descriptors_max"] <= DESCRIPTORS_MAX, figures
    assert figures["threads_max"] <= THREADS_MAX, figures
    assert max(r.wal_bytes for r in readings) <= WAL_BYTES_MAX, figures
    return figures


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--days", type=float, default=30)
    options.add_argument("--speed", type=float, default=14_400)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--json", type=Path, help="where to keep all readings")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="carrybot-soak-") as folder:
        found = soak(chosen.days, chosen.speed, chosen.seed, Path(folder))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(found, indent=2, default=str))
    print({key: value for key, value in found.items() if key != "readings"})
    return 0


if __name__ == "__main__":
    sys.exit(main())
