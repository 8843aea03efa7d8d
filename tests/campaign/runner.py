"""Many seeds, in one process or several, and what they add up to."""

import gc
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.campaign import session
from tests.campaign.faults import KINDS
from tests.campaign.session import Result

COVERAGE_SEEDS = 500
"""From so many seeds on, a fault or a safeguard that never showed is a failure of the campaign."""
SAFEGUARDS: dict[str, str] = {
    "order.unknown": "an order without an answer is unknown",
    "order.resolved": "and ends on the venue's evidence",
    "order.never_sent": "'not found' is believed after the settle window",
    "order.rejected": "codes on the list mean rejected",
    "hedge.quarantined": "a hedge with an unknown order waits",
    "hedge.unbalanced": "an imbalance is repaired",
    "hedge.balanced": "and ends",
    "venue.stream_connected": "connections are made again",
    "frames damaged": "frames are malformed",
    "venue.frame_malformed": "and complained of",
    "frames out of order": "older frames come after newer ones",
    "feed.lost": "a lost feed stops entries",
    "venue.reconciled": "until the venue is reconciled",
    "ledger.difference": "a difference raises an alert",
    "ledger.not_accepted": "and another amount than that is not accepted",
    "orders.foreign": "an order that the owner left is named and left alone",
    "fill.foreign": "what is traded by hand is booked, and no hedge's",
    "funding.missing": "a missing receipt raises an alert",
    "position.taken": "a position that the venue took is followed by its spot",
    "perpetual settled": "a perpetual ends while it is held",
    "hedge.coins_gone": "coins that were turned into others are given up by their owner's word",
    "liquidation.charged": "and what the venue charges for it is booked",
    "extreme.began": "an extreme event freezes entries",
    "died in an extreme event": "which the next daemon remembers",
    "coin.removed": "negative funding removes a coin",
    "store.failed": "a database that refuses halts",
    "store.recovered": "and is taken up again",
    "commit took too long": "what opens does not leave after a slow commit",
    "control.halted": "halt",
    "control.flattening": "flatten",
    "margin.unknown": "a transfer without an answer is looked for",
    "margin.refused": "a refused transfer is not counted on",
    "books.loaded": "start-up is recovery",
    "loan.recalled": "a loan that is wanted back is repaid",
    "borrow.rate_high": "a loan that becomes dear raises an alert",
    "borrow.charged": "interest is booked",
    "collateral.cut": "less counts of the collateral behind loans",
    "forced by R8": "what the venue is going to end is closed",
    "refused by R9": "what cannot be borrowed, or not at a fair rate, is not opened",
    "refused by R2": "the coin's cap binds",
    "refused by R7": "the liquidation distance binds",
    "refused by R11": "stale data opens nothing",
    "purpose complete": "the lagging leg is completed",
    "purpose unwind": "the leading leg is taken back",
    "purpose reduce": "both legs are reduced",
    "purpose close": "both legs are closed",
}


@dataclass(slots=True)
class Summary:
    seeds: int = 0
    failed: list[Result] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    checked: Counter[int] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    orders: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    market_s: float = 0.0
    took_s: float = 0.0

    def add(self, result: Result) -> None:
        self.seeds += 1
        self.fired += result.fired
        self.checked += result.checked
        self.said += result.said
        self.said.update({f"purpose {name}": count for name, count in result.purposes.items()})
        self.orders += result.orders
        self.cpu_s += result.cpu_s
        self.wall_s += result.wall_s
        self.market_s += result.market_s
        if result.failed:
            self.failed.append(result)

    @property
    def never_fired(self) -> list[str]:
        return [kind for kind in KINDS if not self.fired[kind]]

    @property
    def never_exercised(self) -> list[str]:
        return [name for name in SAFEGUARDS if not self.said[name]]

    @property
    def faults_each(self) -> float:
        return sum(self.fired.values()) / max(1, self.seeds)

    def problems(self) -> list[str]:
        """Why the campaign did not pass; empty when it did."""
        found = [f"seed {one.seed}: {one.violations[0][0]}: {one.violations[0][1]}" for one in self.failed]
        if self.seeds >= COVERAGE_SEEDS:
            found += [f"fault never fired: {kind}" for kind in self.never_fired]
            found += [f"safeguard never exercised: {name}" for name in self.never_exercised]
            if self.faults_each < 10:
                found.append(f"only {self.faults_each:.1f} faults a seed")
            if self.orders / self.seeds < 20:
                found.append(f"only {self.orders / self.seeds:.1f} orders a seed")
        return found

    def document(self) -> dict[str, object]:
        """JSON-ready figures."""
        return {
            "seeds": self.seeds,
            "failed": [one.seed for one in self.failed],
            "problems": self.problems(),
            "seeds_per_s": self.seeds / self.took_s if self.took_s else None,
            "cpu_s_per_seed": self.cpu_s / max(1, self.seeds),
            "market_per_cpu_time": self.market_s / self.cpu_s if self.cpu_s else None,
            "market_days": self.market_s / 86_400,
            "orders": self.orders,
            "faults_per_seed": self.faults_each,
            "faults": dict(sorted(self.fired.items())),
            "invariants": {str(number): count for number, count in sorted(self.checked.items())},
            "safeguards": {name: self.said[name] for name in SAFEGUARDS},
        }


def campaign(seeds: Iterable[int], processes: int) -> Iterator[Result]:
    """Results in the order of the seeds. What is still running when nobody asks for more is thrown away."""
    if processes <= 1:
        settle_in()
        yield from map(session.run, seeds)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, settle_in) as pool:
        yield from pool.imap(session.run, seeds, chunksize=4)


def settle_in() -> None:
    """A process that runs seeds: what is loaded stays, and a seed's cycles are looked for once or twice a seed."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(400_000, 5, 5)


def processes_default() -> int:
    return min(2, os.cpu_count() or 1)


def shrink(result: Result, tries_max: int = 80) -> tuple[list[int], Result]:
    """Leave out faults while the seed still violates the same invariant: (positions left out, the shortest run)."""
    wanted = {number for number, _ in result.violations}
    total, dropped, best = _count(result.seed), set[int](), result
    size, tries = max(1, total // 2), 0
    while tries < tries_max:
        kept = [number for number in range(total) if number not in dropped]
        shorter = False
        for start in range(0, len(kept), size):
            attempt = dropped | set(kept[start : start + size])
            tries += 1
            found = session.run(result.seed, attempt)
            if wanted & {number for number, _ in found.violations}:
                dropped, best, shorter = attempt, found, True
                break
            if tries >= tries_max:
                break
        if not shorter:
            if size == 1:
                break
            size = max(1, size // 2)
    return sorted(dropped), best


def _count(seed: int) -> int:
    from tests.campaign.plans import plan

    return len(plan(seed).faults)
