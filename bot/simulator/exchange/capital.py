"""What changes a wallet without a trade: the owner's deposits and withdrawals on the venue's page with its record of
them, what the venue gives (a referred account gets a part of its futures fees back), and a coin that it turns into
another one.
"""

from decimal import Decimal

from bot.simulator.exchange.accounts import Account
from bot.simulator.exchange.interface import CapitalMove
from bot.simulator.exchange.money import ZERO, decimals
from bot.simulator.exchange.state import State
from bot.simulator.model import Book, VenueError

_DECIMALS = 8


def move_capital(
    state: State, account: Account, asset: str, quantity: Decimal, fee: Decimal, at_ms: int, *, told: bool
) -> int:
    """Positive: a deposit. Negative: a withdrawal, which costs its `fee` on top. Returns the record's id.

    Without `told` the balance changes and no record says why. Raises VenueError; then nothing has changed.
    """
    if not quantity or fee < 0 or max(decimals(quantity), decimals(fee)) > _DECIMALS:
        raise VenueError(-1102, "Mandatory parameter 'amount' was not sent, was empty/null, or malformed.")
    change = quantity if quantity > 0 else quantity - fee
    if account.amounts(Book.SPOT, asset)[0] + change < 0:
        raise VenueError(-4026, "User has insufficient balance")
    record = CapitalMove(state.next_transaction_id(), asset, quantity, fee if quantity < 0 else ZERO, at_ms)
    account.balance(asset).free += change
    if told:
        account.capital.append(record)
        state.journal.capital.append((account.api_key, record))
    state.tell_balances(account, "DEPOSIT" if quantity > 0 else "WITHDRAW", at_ms)
    return record.id


def grant(state: State, account: Account, kind: str, quantity: Decimal, at_ms: int) -> int:
    """What the venue pays into the perp wallet, as a row of its history of this kind. Returns the row's id."""
    if not kind.isupper() or decimals(quantity) > _DECIMALS:
        raise VenueError(-1102, "Mandatory parameter 'amount' was not sent, was empty/null, or malformed.")
    row = state.pay_new(account, kind, "", quantity, at_ms)
    state.tell_balances(account, kind, at_ms)
    return row.id


def convert(state: State, account: Account, asset: str, into: str, ratio: Decimal, at_ms: int) -> Decimal:
    """A renamed coin: all of it becomes `ratio` times as much of another asset. Returns how much of it there was.

    The venue announces that it does this; no history of the account has a row of it.
    """
    old = account.balance(asset)
    assert not old.locked, "the market has ended: its orders are cancelled"
    quantity, old.free = old.free, ZERO
    account.balance(into).free += quantity * ratio
    state.tell_balances(account, "CONVERT", at_ms)
    return quantity
