"""P1: CPU of one market message and messages a second, product and bare in turns."""

from typing import Any

from benchmarks.child import Child, measure

SIDES = ("product", "bare")
PACES = ("paced", "full")


def run(coins: int, warm_s: float, seconds: float, repeats: int) -> dict[str, list[dict[str, Any]]]:
    """Answers of the measuring processes by `<pace>_<side>`."""
    found: dict[str, list[dict[str, Any]]] = {f"{pace}_{side}": [] for pace in PACES for side in SIDES}
    with Child("feed_server", {"coins": coins}) as feed:
        port = feed.answer(15)["port"]
        for _ in range(repeats):
            for pace in PACES:
                for side in SIDES:
                    options = {"port": port, "pace": pace, "coins": coins, "warm_s": warm_s, "seconds": seconds}
                    found[f"{pace}_{side}"].append(measure(f"ingest_{side}", options, 60 + warm_s + seconds))
    return found
