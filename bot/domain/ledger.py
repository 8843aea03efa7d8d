"""Double-entry transactions: the only form in which money enters the books."""

from decimal import Decimal

from bot.domain.struct import struct


@struct(frozen=True, slots=True)
class Entry:
    """One line of a transaction: `amount` of `asset` into (positive) or out of an account."""

    account: str
    asset: str
    amount: Decimal


@struct(frozen=True, slots=True)
class Transaction:
    """Entries that sum to zero for each asset. `id` is made of the venue's own id, so a repeat is recognised.

    `chain` is the hash of this transaction and of the chain before it: an altered past does not verify.
    """

    number: int
    id: str
    at_ms: int
    kind: str
    hedge_id: str | None
    entries: tuple[Entry, ...]
    chain: str
