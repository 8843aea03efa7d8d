"""What each fact means in double entry. Ids are made of the venue's own ids, so that a repeat is recognised.

Accounts: `venue:<venue>:<wallet>` is what the venue holds for us, negative what we owe it; `trade:`, `fee:`,
`funding:` and `interest:<hedge>` are where it came from or went; `equity:opening` is what was there before the first
start, `equity:capital` what the owner deposited (or, negative, withdrew) since, or accepted as theirs.
"""

from collections.abc import Mapping
from decimal import Decimal

from bot.domain.hedges import Interest, LiquidationCharge, Receipt, TransferIntent
from bot.domain.instruments import Instrument, Wallet
from bot.domain.ledger import Entry
from bot.domain.orders import Fill

FOREIGN = "foreign"
"""Stands for the hedge where an order, a receipt or a charge is not one of ours."""


def wallet_account(venue: str, wallet: str) -> str:
    return f"venue:{venue}:{wallet}"


def _pair(account: str, contra: str, asset: str, amount: Decimal) -> tuple[Entry, Entry]:
    return Entry(account, asset, amount), Entry(contra, asset, -amount)


def fill_id(fill: Fill) -> str:
    return f"fill:{fill.instrument}:{fill.trade_id}"


def fill_entries(fill: Fill, instrument: Instrument, hedge_id: str) -> list[Entry]:
    """Coins: against quote. Perp: the realised P&L as the venue booked it. Both: the fee in its own asset.

    Coins that were borrowed to be sold leave a negative balance; borrowing and repaying change nothing in sum.
    """
    account = wallet_account(fill.venue, instrument.wallet.value)
    trade = f"trade:{hedge_id}"
    entries: list[Entry] = []
    if instrument.kind.is_coin:
        signed = fill.side.sign * fill.quantity_base
        entries += _pair(account, trade, instrument.base_asset, signed)
        entries += _pair(account, trade, instrument.quote_asset, -signed * fill.price)
    else:
        entries += _pair(account, trade, instrument.settle_asset, fill.realized_pnl)
    entries += _pair(account, f"fee:{hedge_id}", fill.fee_asset, -fill.fee)
    return entries


def receipt_id(receipt: Receipt) -> str:
    return f"funding:{receipt.account}:{receipt.instrument}:{receipt.venue_id}"


def receipt_entries(receipt: Receipt, instrument: Instrument, hedge_id: str) -> list[Entry]:
    account = wallet_account(receipt.venue, instrument.wallet.value)
    return list(_pair(account, f"funding:{hedge_id}", receipt.asset, receipt.payment))


def interest_id(interest: Interest) -> str:
    return f"interest:{interest.venue}:{interest.account}:{interest.asset}:{interest.venue_id}"


def interest_entries(interest: Interest, hedge_id: str) -> list[Entry]:
    account = wallet_account(interest.venue, Wallet.MARGIN.value)
    return list(_pair(account, f"interest:{hedge_id}", interest.asset, -interest.amount))


def charge_id(charge: LiquidationCharge) -> str:
    return f"liquidation:{charge.venue}:{charge.account}:{charge.instrument or ''}:{charge.venue_id}"


def charge_entries(charge: LiquidationCharge, hedge_id: str) -> list[Entry]:
    """The fee of a liquidation is a fee of its hedge, beside those of the trades."""
    return list(_pair(wallet_account(charge.venue, charge.wallet), f"fee:{hedge_id}", charge.asset, charge.amount))


def transfer_entries(intent: TransferIntent) -> list[Entry]:
    target = wallet_account(intent.venue, intent.target)
    return list(_pair(target, wallet_account(intent.venue, intent.source), intent.asset, intent.amount))


def capital_id(venue: str, venue_id: str) -> str:
    """Id of the transaction of a deposit or withdrawal, by the venue's id of it."""
    return f"capital:{venue}:{venue_id}"


def accepted_id(number: int) -> str:
    """Stands for the venue's id where the owner accepted a difference as the ledger's transaction of this number."""
    return f"accepted:{number}"


def capital_entries(venue: str, wallet: str, asset: str, amount: Decimal) -> list[Entry]:
    """The owner's money in (positive) or out."""
    return list(_pair(wallet_account(venue, wallet), "equity:capital", asset, amount))


def opening_id(venue: str, wallet: str | None = None) -> str:
    """Id of the opening balance of a venue; a wallet that is used later on, or never, has one of its own."""
    return f"opening:{venue}" if wallet is None else f"opening:{venue}:{wallet}"


def opening_entries(venue: str, balances: Mapping[str, Mapping[str, Decimal]]) -> list[Entry]:
    """The account, or one wallet of it, as it was found when the bot began to use it."""
    entries: list[Entry] = []
    for wallet, assets in sorted(balances.items()):
        for asset, amount in sorted(assets.items()):
            entries += _pair(wallet_account(venue, wallet), "equity:opening", asset, amount)
    return entries
