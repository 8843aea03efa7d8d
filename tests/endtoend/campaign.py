"""The real daemon over the wire: killed, cut off and out of disk at random moments, and judged by the oracle.

    python -m tests.endtoend.campaign [--runs 5] [--seed N] [--seconds 30]

Each run is an exchange and a daemon of their own. Faults follow each other at random: kill -9, a network cut or
stalled, lost replies, half-open connections, a full disk, and what the exchange does wrong. In the end everything is
mended, the market stands still, the daemon comes to rest and ends on SIGTERM; then the exchange's own record
is compared with the books. The moments are the seed's; what happens at them depends on the machine.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.endtoend import oracle
from tests.endtoend.owner import wait_for
from tests.endtoend.wire import Mode
from tests.endtoend.wired import UNLIMITED, Site, settle, site

SPEED = 7_200
STOP_S = 10.0
EXCHANGE_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "reply_lost", "how": "5xx", "path": "/*/order", "method": "POST"},
    {"kind": "reply_lost", "how": "hang", "hang_s": 15, "path": "/*/order", "method": "POST", "count": 2},
    {"kind": "reply_lost", "how": "reset", "path": "/*/order", "method": "POST"},
    {"kind": "reject", "code": -2019, "message": "Margin is insufficient.", "book": "perp"},
    {"kind": "partial_fill", "fraction": 0.5},
    {"kind": "not_found"},
    {"kind": "duplicate_event", "copies": 2},
    {"kind": "late_event", "delay_ms": 1_500},
    {"kind": "rate_limit_429", "retry_after_s": 1, "count": 2},
    {"kind": "maintenance"},
)


def kill(at: Site, rng: random.Random) -> str:
    at.kill()
    time.sleep(rng.uniform(0.0, 1.5))
    at.start()
    return "kill -9"


def network(at: Site, rng: random.Random) -> str:
    mode = rng.choice([Mode.CUT, Mode.STALL, Mode.DEAF, Mode.HALF_OPEN])
    at.wire.set(mode)
    time.sleep(rng.uniform(0.3, 4.0))
    at.wire.set(Mode.PASS)
    return f"network {mode.value}"


def disk(at: Site, rng: random.Random) -> str:
    """Every file of the daemon is at its limit; afterwards the owner resumes, as the alert says."""
    before = len(at.lines("store.failed"))
    at.limit_files(4_096)
    time.sleep(rng.uniform(1.0, 3.0))
    assert at.process is not None
    if at.process.poll() is not None:
        # It was still starting: without books there is no start. Whoever supervises it starts it again.
        assert at.process.returncode == 1, _tail(at)
        assert "disk" in _tail(at), _tail(at)
        at.process = None
        at.start()
        return "disk full, no start"
    at.limit_files(UNLIMITED)
    if len(at.lines("store.failed")) > before:
        wait_for(lambda: len(at.lines("store.recovered")) > before, 30, "the store did not recover")
        done = at.owner.command("resume")
        assert done.returncode == 0, done.stderr
        return "disk full, refused"
    return "disk full, unnoticed"


def exchange(at: Site, rng: random.Random) -> str:
    rule = dict(rng.choice(EXCHANGE_FAULTS))
    at.control("POST", "/faults", {**rule, "probability": rng.choice([0.1, 0.3, 1.0]), "wall_s": rng.uniform(1, 5)})
    return f"exchange {rule['kind']}"


FAULTS: tuple[tuple[Callable[[Site, random.Random], str], float], ...] = (
    (kill, 3),
    (network, 4),
    (disk, 2),
    (exchange, 4),
)


def run(seed: int, seconds: float, data: Path) -> dict[str, Any]:
    """One run. Raises AssertionError on a violation."""
    rng, fired = random.Random(seed), Counter[str]()
    with site(data, speed=SPEED, seed=seed) as at:
        at.start()
        wait_for(lambda: bool(at.lines("hedge.opened")), 90, lambda: f"it does not trade\n{_tail(at)}")
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            time.sleep(rng.uniform(0.5, 3.0))
            (fault,) = rng.choices([each for each, _ in FAULTS], [weight for _, weight in FAULTS])
            fired[fault(at, rng)] += 1
            assert at.process is not None
            assert at.process.poll() is None, f"the daemon ended by itself\n{_tail(at)}"
        code, took_s = settle(at)
        assert code == 0, _tail(at)
        assert took_s <= STOP_S, f"SIGTERM took {took_s:.1f} s"
        with at.owner.exchange() as found:
            truth = found.truth()
        return {
            "faults": dict(sorted(fired.items())),
            "exchange_fired": at.control("GET", "/faults"),
            **oracle.everything(at.owner, truth),
            "stop_s": round(took_s, 1),
            "lost_bytes": at.wire.counts["bytes_lost"],
        }


def _tail(at: Site) -> str:
    return at.log.read_text()[-4_000:]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--seconds", type=float, default=30)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    chosen = options.parse_args()
    total: Counter[str] = Counter()
    for seed in range(chosen.seed, chosen.seed + chosen.runs):
        with tempfile.TemporaryDirectory(prefix="carrybot-wire-") as folder:
            began = time.monotonic()
            found = run(seed, chosen.seconds, Path(folder))
            total.update(found["faults"])
            print(f"seed {seed}: {found} in {time.monotonic() - began:.0f} s", flush=True)
    print(f"{chosen.runs} runs, no violation; faults: {dict(total)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
