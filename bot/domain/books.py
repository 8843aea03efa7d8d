"""What the store hands to the engine at start: the whole input of recovery."""

from dataclasses import dataclass, field
from decimal import Decimal

from bot.domain.actions import ControlSet, LastPrice
from bot.domain.guards import Remembered
from bot.domain.hedges import Hedge, Receipt, Removal, TransferIntent
from bot.domain.orders import OrderRecord


@dataclass(slots=True)
class Books:
    """What the store knows at start: the whole input of recovery."""

    epoch: int = 0
    hedges: list[Hedge] = field(default_factory=list)
    """All hedges that are not closed."""
    closed: list[Hedge] = field(default_factory=list)
    """Of each strategy, venue and coin the hedges that were closed last: what is still paid or charged is theirs."""
    hedge_count: int = 0
    orders: list[OrderRecord] = field(default_factory=list)
    """All orders that are not settled, with the keys of their booked fills."""
    transfers: list[TransferIntent] = field(default_factory=list)
    """All transfers without an outcome."""
    transfer_count: int = 0
    balances: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """Ledger balance by (account, asset)."""
    openings: dict[str, int] = field(default_factory=dict)
    """Id of each opening balance that was booked -> its market time."""
    transaction_count: int = 0
    chain: str = ""
    transaction_ids: set[str] = field(default_factory=set)
    """Ids of all transactions booked in the last days: what a repeated fact is recognised by."""
    removals: list[Removal] = field(default_factory=list)
    control: ControlSet | None = None
    prices: list[LastPrice] = field(default_factory=list)
    last_market_ms: int = 0
    """Newest market time of any transaction or intent: what happened at the venue since is fetched from here."""
    remembered: list[Remembered] = field(default_factory=list)
    """What the rules must not forget (high-water mark, cool-downs); nothing that was forgotten on purpose."""
    recent_receipts: list[Receipt] = field(default_factory=list)
    """Receipts of the last days, for the rules that look back at what was paid."""
