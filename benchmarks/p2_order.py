"""P2 and P3: from a frame sent by the venue to both legs' requests read by it."""

from contextlib import ExitStack
from typing import Any

from benchmarks.child import Child, ChildError
from benchmarks.order_server import BARE, MISSES_MAX

COIN = "QAC"
COINS = 24


def run(samples: int, warm: int, repeats: int, gap_ms: float, folder: str) -> dict[str, Any]:
    """`repeats` answers of the server (microseconds to first and second leg by client) and the product's counters."""
    options = {
        "coins": COINS,
        "coin": COIN,
        "samples": samples,
        "warm": warm,
        "repeats": repeats,
        "gap_ms": gap_ms,
        "folder": folder,
    }
    with ExitStack() as stack:
        server = stack.enter_context(Child("order_server", options))
        options |= server.answer(30)
        product = stack.enter_context(Child("order_product", options))
        bare = [stack.enter_context(Child("order_bare", {**options, "who": who})) for who in BARE]
        for client in (product, *bare):
            client.answer(60)
        server.go()
        within_s = 30 + (warm + samples) * (gap_ms / 1000 + 2)
        found = [server.answer(within_s) for _ in range(repeats)]
        product.go()
        counters = product.answer(30)
        missed = found[-1]["missed"]
        if sum(missed.values()) > MISSES_MAX:
            raise ChildError(f"orders did not come in time: {missed}; the product says {counters}")
        return {"repeats": found, "counters": counters}
