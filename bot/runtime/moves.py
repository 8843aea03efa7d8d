"""Moves between the wallets of an account, held against what the books have of them."""

from decimal import Decimal

from bot.domain.hedges import TransferIntent
from bot.domain.instruments import Wallet
from bot.domain.time import HOUR_MS
from bot.ports import TransferBooked

SLACK_MS = HOUR_MS
"""How much earlier than its intent a transfer may seem to be booked: the clocks differ, ids tell repeats."""


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
