"""The hash chain over the ledger: each transaction's link covers its content and the link before it."""

from collections.abc import Sequence
from hashlib import sha256

from bot.domain.ledger import Entry
from bot.domain.numbers import text


def link(
    previous_chain: str,
    number: int,
    id: str,  # noqa: A002  the field's own name
    at_ms: int,
    kind: str,
    hedge_id: str | None,
    entries: Sequence[Entry],
) -> str:
    """Hex SHA-256 of the transaction and the chain before it. Amounts enter in canonical text."""
    lines = [previous_chain, str(number), id, str(at_ms), kind, hedge_id or ""]
    lines += [f"{entry.account}\x1f{entry.asset}\x1f{text(entry.amount)}" for entry in entries]
    return sha256("\x1e".join(lines).encode()).hexdigest()
