"""The ledger in memory: balances by account and asset, and the one way to post."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from bot.domain.ledger import Entry, Transaction
from bot.domain.numbers import ZERO
from bot.domain.time import DAY_MS
from bot.ledger.chain import link

REMEMBERED_MS = 35 * DAY_MS
"""How long a booked fact is recognised by its id in memory; the database refuses repeats for ever."""
REMEMBERED_LEAST = 20_000
"""So many are recognised however old they are: after weeks in which nothing was booked, or no daemon ran, the history
is asked for from its last ones on."""

AHEAD_MS = DAY_MS
"""A fact may seem to be so much later than the market's clock, which a fast market leaves behind."""


class UnbalancedError(Exception):
    """A transaction whose entries do not sum to zero for an asset: a defect of ours, never posted."""


@dataclass(slots=True)
class Ledger:
    """Append-only; `post` is idempotent by transaction id."""

    balances: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    count: int = 0
    chain: str = ""
    seen: OrderedDict[str, int] = field(default_factory=OrderedDict)
    """Transaction id -> time it was booked at, oldest first."""
    now_ms: int | None = field(default=None, compare=False)
    """Market time of the step that posts, where it is known: one wrong time of a venue must not make all else old."""

    def knows(self, transaction_id: str) -> bool:
        return transaction_id in self.seen

    def balance(self, account: str, asset: str) -> Decimal:
        return self.balances.get((account, asset), ZERO)

    def post(
        self, transaction_id: str, at_ms: int, kind: str, hedge_id: str | None, entries: Iterable[Entry]
    ) -> Transaction | None:
        """Book a transaction; None when its id is booked already. Raises UnbalancedError, then nothing changed."""
        if transaction_id in self.seen:
            return None
        lines = tuple(entry for entry in entries if entry.amount)
        sums: dict[str, Decimal] = {}
        for entry in lines:
            sums[entry.asset] = sums.get(entry.asset, ZERO) + entry.amount
        if any(sums.values()):
            raise UnbalancedError(f"{transaction_id}: {sums}")
        if self.now_ms is not None:
            at_ms = min(at_ms, self.now_ms + AHEAD_MS)
        number = self.count + 1
        chain = link(self.chain, number, transaction_id, at_ms, kind, hedge_id, lines)
        for entry in lines:
            key = entry.account, entry.asset
            self.balances[key] = self.balances.get(key, ZERO) + entry.amount
        self.count, self.chain = number, chain
        self.seen[transaction_id] = at_ms
        while len(self.seen) > REMEMBERED_LEAST and next(iter(self.seen.values())) < at_ms - REMEMBERED_MS:
            self.seen.popitem(last=False)
        return Transaction(number, transaction_id, at_ms, kind, hedge_id, lines, chain)
