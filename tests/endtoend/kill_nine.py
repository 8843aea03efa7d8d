"""Kills the daemon with SIGKILL at random moments of a demo run, starts it again each time, and judges the end.

    python -m tests.endtoend.kill_nine [--kills 10] [--seed N] [--seconds 90]

The exchange outlives each killed daemon and goes on trading and settling. At the end: no order was sent twice, no
hedge was lost, every receipt is there, the books verify to the last digit and every hedge is flat.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.endtoend import oracle
from tests.endtoend.owner import Owner


def campaign(kills: int, seconds: float, seed: int, data: Path) -> dict[str, object]:
    """Run, kill and restart; returns what the oracle counted. Raises AssertionError on a violation."""
    owner, rng = Owner(data), random.Random(seed)
    log = data / "daemon.log"
    moments = sorted(rng.uniform(4.0, seconds - 4.0) for _ in range(kills))
    began = time.monotonic()
    for number, moment in enumerate(moments, 1):
        process = owner.start(log=log)
        # At least three seconds of life: some kills fall into the start-up's own recovery.
        time.sleep(max(3.0, began + moment - time.monotonic()))
        assert process.poll() is None, f"the daemon ended by itself\n{log.read_text()[-3000:]}"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        print(f"kill {number} at {time.monotonic() - began:.1f} s", flush=True)
    last = owner.start("--for", f"{max(20.0, seconds - (time.monotonic() - began)):.0f}s", log=log)
    assert last.wait(240) == 0, log.read_text()[-3000:]
    with owner.exchange() as exchange:
        truth = exchange.truth()
    return {
        "kills": kills,
        **oracle.everything(owner, truth),
        "epochs": owner.rows("select count(*) from epochs")[0][0],
    }


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=10)
    options.add_argument("--seconds", type=float, default=90)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    chosen = options.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="carrybot-kill-") as folder:
        print(campaign(chosen.kills, chosen.seconds, chosen.seed, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
