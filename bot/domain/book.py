"""The book: everything held, in flight, allowed and known. The engine owns it; the rooms below only read it."""

from dataclasses import dataclass, field
from decimal import Decimal

from bot.domain.config import CoreConfig
from bot.domain.guards import Guards
from bot.domain.hedges import Control, Hedge, HedgeState, Removal, TransferIntent
from bot.domain.instruments import Pair
from bot.domain.margin import ShortPosition
from bot.domain.market import MarketState
from bot.domain.orders import OrderRecord
from bot.domain.time import Stamp


@dataclass(slots=True)
class Valued:
    """What has been valued already while neither prices nor legs change: within one tick. All USD."""

    nav: Decimal | None = None
    notionals: dict[str, Decimal] = field(default_factory=dict)
    """By hedge."""
    perp_margins: dict[str, Decimal] = field(default_factory=dict)
    """By venue."""
    staying: dict[str, Decimal] | None = None
    """By coin; None when a target has changed since."""


@dataclass(slots=True)
class Book:
    config: CoreConfig
    market: MarketState = field(default_factory=MarketState)
    hedges: dict[str, Hedge] = field(default_factory=dict)
    """Live hedges by id; closed ones are only in the database."""
    orders: dict[str, OrderRecord] = field(default_factory=dict)
    """Orders that are not settled, by client id."""
    removals: dict[tuple[str, str, int], Removal] = field(default_factory=dict)
    """Rule R1's state by venue, coin and direction."""
    balances: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """The ledger's own balances by account and asset (the same object, read here)."""
    control: Control = Control.HALTED
    """Starts halted; the books or the owner say what holds after reconciliation."""
    ready: dict[str, bool] = field(default_factory=dict)
    """Venues whose truth has been reconciled since the last disconnect."""
    unexplained: set[str] = field(default_factory=set)
    """Venues whose balances differ from the ledger for sure: nothing opens there, what reduces goes on."""
    doubted: dict[str, int] = field(default_factory=dict)
    """Venue -> monotonic time since when its balances must agree first: it refused an order for want of money that
    the books say is there, or they differ since the start."""
    transfers: dict[str, TransferIntent] = field(default_factory=dict)
    """Moves of margin without an outcome, by our id."""
    margin_stuck: set[str] = field(default_factory=set)
    """Venues whose latest move of margin was refused or got no answer: R7 does not count on the next one."""
    strangers: dict[str, tuple[Decimal, tuple[ShortPosition, ...]]] = field(default_factory=dict)
    """Venue -> unrealised P&L and perpetuals in the same wallet that no hedge holds, by the venue's latest word."""
    guards: Guards = field(default_factory=Guards)
    """What rules R4, R5, R6 and the budgets remember."""
    now: Stamp = field(default_factory=lambda: Stamp(0, 0, 0))
    valued: Valued | None = None
    """Set by the engine for the length of a tick; None whenever something may change between two questions."""
    _wallets: list[tuple[tuple[str, str], str]] = field(default_factory=list, init=False, repr=False, compare=False)
    _accounts: int = field(default=0, init=False, repr=False, compare=False)

    def wallets(self) -> list[tuple[tuple[str, str], str]]:
        """(account and asset, venue) of what the venues hold for us, among ever more accounts of hedges long closed.

        Accounts are only ever added: their number tells whether there is a new one.
        """
        if self._accounts != len(self.balances):
            self._accounts = len(self.balances)
            self._wallets = [(key, key[0].split(":")[1]) for key in self.balances if key[0].startswith("venue:")]
        return self._wallets

    def live_hedges(self) -> list[Hedge]:
        return [hedge for hedge in self.hedges.values() if hedge.state is not HedgeState.CLOSED]

    def hedge_of(self, venue: str, coin: str) -> Hedge | None:
        """The live hedge of a coin at a venue, if there is one: both directions share one perpetual position.

        Beside it a former one may be live again, for what was told late of it: that one only closes.
        """
        closing: Hedge | None = None
        for hedge in self.hedges.values():
            if hedge.coin == coin and hedge.venue == venue and hedge.live:
                if hedge.target_base:
                    return hedge
                closing = closing or hedge
        return closing

    def pair_of(self, hedge: Hedge) -> Pair | None:
        pairs = self.market.pairs if hedge.direction > 0 else self.market.reverse
        return pairs.get((hedge.venue, hedge.coin))

    def orders_of(self, hedge: Hedge) -> list[OrderRecord]:
        return [self.orders[client_id] for client_id in hedge.order_ids if client_id in self.orders]
