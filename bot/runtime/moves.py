"""Moves between the wallets of an account, held against what the books have of them."""

from collections.abc import Callable, Collection
from decimal import Decimal

from bot.domain.hedges import TransferIntent
from bot.domain.instruments import Wallet
from bot.domain.time import HOUR_MS
from bot.ledger import postings
from bot.ports import TransferBooked

SLACK_MS = HOUR_MS
"""How much earlier than its intent a transfer may seem to be booked: the clocks differ, ids tell repeats."""


def booked(transaction_ids: Collection[str], venue: str) -> set[str]:
    """The venue's ids of moves that the books have: transfers of ours, and the sides of what the owner moved."""
    ours, owners = f"transfer:{venue}:", postings.capital_id(venue, "")
    found = {name.removeprefix(ours) for name in transaction_ids if name.startswith(ours)}
    capital = (name.removeprefix(owners).rpartition(":") for name in transaction_ids if name.startswith(owners))
    return found | {number for number, _, wallet in capital if wallet in set(Wallet)}


def explains(entry: TransferBooked, intent: TransferIntent) -> bool:
    """Whether the venue's entry can be this transfer of ours."""
    return (
        entry.asset == intent.asset
        and entry.amount == intent.amount
        and (entry.source, entry.target) == (intent.source, intent.target)
        and entry.at_ms >= intent.created_ms - SLACK_MS
    )


def sides_to_book(entry: TransferBooked, *, told: bool) -> dict[str, Decimal]:
    """Changes by wallet of a move that the owner made.

    `told`: it was booked as the owner's capital, out of the other wallet or into it, while the margin wallet was not
    one of the account's; what it changed there is all that is left of it.
    """
    sides = {entry.source: -entry.amount, entry.target: entry.amount}
    return {wallet: change for wallet, change in sides.items() if not told or wallet == Wallet.MARGIN}


def half_booked(entry: TransferBooked, known: Callable[[str], bool]) -> bool:
    """Whether one side of a move alone is in the books as the owner's: a crash may have come between the two."""
    return known(f"{entry.venue_id}:{entry.source}") != known(f"{entry.venue_id}:{entry.target}")
