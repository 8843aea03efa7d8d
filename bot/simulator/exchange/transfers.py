"""Moves between the two wallets: up to what is free on spot, up to what margin leaves on the perp wallet."""

from decimal import Decimal

from bot.simulator.exchange.accounts import MARGIN_ASSET, Account
from bot.simulator.exchange.interface import Transfer
from bot.simulator.exchange.margin import value
from bot.simulator.exchange.money import decimals, truncated
from bot.simulator.exchange.state import State
from bot.simulator.model import Book, Income, VenueError

_DECIMALS = 8


def move(
    state: State, account: Account, asset: str, quantity: Decimal, source: Book, target: Book, at_ms: int
) -> int:
    """Returns the transaction id. Raises VenueError -1102, -1108, -1111, -1130 or -5013; then nothing moved."""
    if quantity <= 0:
        raise VenueError(-1102, "Mandatory parameter 'amount' was not sent, was empty/null, or malformed.")
    if decimals(quantity) > _DECIMALS:
        raise VenueError(-1111, "Precision is over the maximum defined for this asset.")
    if source is target:
        raise VenueError(-1130, "Data sent for parameter 'type' is not valid.")
    if asset != MARGIN_ASSET:
        raise VenueError(-1108, "Invalid asset.")
    if source is Book.SPOT:
        spare = account.amounts(Book.SPOT, asset)[0]
    else:
        spare = truncated(value(state, account, at_ms).withdrawable)
    if quantity > spare:
        raise VenueError(-5013, "Asset transfer failed: insufficient balance")
    transfer = Transfer(state.next_transaction_id(), asset, quantity, source, target, at_ms)
    signed = quantity if target is Book.PERP else -quantity
    account.balance(asset).free -= signed
    state.pay(account, Income(transfer.id, "TRANSFER", "", asset, signed, at_ms))
    account.transfers.append(transfer)
    state.journal.transfers.append((account.api_key, transfer))
    account.check_at_ms = at_ms
    state.tell_balances(account, "TRANSFER", at_ms)
    return transfer.id
