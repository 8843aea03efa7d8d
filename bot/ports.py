"""The seams between the core and the world: clock, venue, store, ids. Shells depend on these, not on each other."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from bot.domain.actions import Action, Persist
from bot.domain.books import Books
from bot.domain.events import AccountReported, Event, LoanRecalled, VenueListed
from bot.domain.hedges import Interest, LiquidationCharge, Receipt, TransferIntent
from bot.domain.market import BorrowTerms, CollateralRatio, Liquidity, SettledRate
from bot.domain.orders import Fill, OrderIntent
from bot.domain.time import DAY_MS, Stamp
from bot.engine.state import EngineState


class Clock(Protocol):
    """Market time follows the venue (a simulator may run it fast); monotonic time is the machine's own."""

    def market_ms(self) -> int: ...
    def mono_ms(self) -> int: ...


Deliver = Callable[[Event], None]
"""Puts an event into the daemon's inbox; never blocks, never raises."""


KEY_ENDS_SOON_MS = 14 * DAY_MS


@dataclass(frozen=True, slots=True)
class KeyRights:
    """What an API key may do. A key that can withdraw is refused."""

    can_read: bool
    can_trade_spot: bool
    can_trade_perp: bool
    can_withdraw: bool
    ip_restricted: bool
    can_transfer: bool = True
    """Move margin between the wallets of a split account."""
    can_borrow: bool = False
    """Coins, on the margin account."""
    trades_until_ms: int = 0
    """Wall time at which the key may trade no more; 0: no end is told."""

    def ends_soon(self, wall_ms: int) -> str | None:
        """What its owner has to know of an end within two weeks; None when there is none."""
        if not self.trades_until_ms or self.trades_until_ms - wall_ms >= KEY_ENDS_SOON_MS:
            return None
        days = max(0, self.trades_until_ms - wall_ms) // DAY_MS
        return f"the key's right to trade ends in {days} days: after that nothing can be closed"

    def missing(self, *, borrows: bool) -> list[str]:
        """What the key has to be allowed and is not, as the venue's page calls it."""
        wanted = {"reading": self.can_read, "spot trading": self.can_trade_spot, "futures": self.can_trade_perp}
        if borrows:
            wanted["margin loans"] = self.can_borrow
        return [name for name, allowed in wanted.items() if not allowed]


@dataclass(frozen=True, slots=True)
class VenueHistory:
    """What the venue booked for our account since a market time, complete up to `until_ms`."""

    fills: tuple[Fill, ...]
    receipts: tuple[Receipt, ...]
    transfers: tuple["TransferBooked", ...]
    until_ms: int
    charges: tuple[LiquidationCharge, ...]
    interest: tuple[Interest, ...] = ()


@dataclass(frozen=True, slots=True)
class TransferBooked:
    """A transfer between wallets as the venue lists it.

    `capital_id` is the id of the `CapitalBooked` that it is while the margin wallet is not one of the account's.
    """

    venue_id: str
    asset: str
    amount: Decimal
    source: str
    target: str
    at_ms: int
    capital_id: str = ""


@dataclass(frozen=True, slots=True)
class CapitalBooked:
    """A deposit (positive) or withdrawal that changed one wallet, by the venue's own record.

    `amount` is the change of the balance, fees included. `returned`: it failed afterwards and changed nothing.
    """

    venue_id: str
    wallet: str
    asset: str
    amount: Decimal
    at_ms: int
    returned: bool = False


class VenueError(Exception):
    """A venue could not be reached or did not answer in a form that can be trusted. Never carries secrets."""

    wait_s = 0.0
    """For how long the venue wants no question any more: a ban, which another question would make longer."""


class VenueSetupError(VenueError):
    """The account or its key is not set up as it has to be: its owner has to change it."""


class VenueRefusedError(VenueError):
    """The venue refused with a code of its own; `code` is that code as text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Lender(Protocol):
    """The margin side of a venue's account: what coins cost to borrow, and what was charged. Raises VenueError."""

    def fetch_terms(self, assets: Sequence[str]) -> AsyncIterator[BorrowTerms]:
        """Rate and availability of each of these that the venue lends now, each as soon as it was told."""
        ...

    async def fetch_collateral(self) -> Sequence[CollateralRatio]:
        """What quote currency counts for in the margin wallet; empty where the venue does not tell."""
        ...

    async def fetch_recalls(self) -> Sequence[LoanRecalled]:
        """Every asset that the venue wants back by a time; told again as long as it does."""
        ...

    async def fetch_interest(self, since_ms: int) -> Sequence[Interest]:
        """What was charged from a market time on, oldest first; what is `at_borrowing` may be up to an hour older."""
        ...


class Venue(Protocol):
    """One exchange account. Quantities and prices cross this line in base units.

    Methods that place, cancel, query or transfer deliver their outcome as events and raise nothing; methods
    that fetch raise VenueError. `run` keeps the streams alive until it is cancelled.
    """

    name: str

    @property
    def lender(self) -> Lender | None:
        """Where coins are borrowed; None while the account does not borrow, and then it lists no margin spot."""
        ...

    def keep_listed(self, instruments: Iterable[str]) -> None:
        """Before `connect`: the books hold or owe something of these. They stay listed while the venue has them."""
        ...

    async def connect(self) -> None:
        """Measure the clock's offset and speed, load the instruments. Raises VenueError."""
        ...

    async def close(self) -> None: ...
    def market_ms(self) -> int:
        """The venue's UTC clock now, from the last answers and the monotonic clock."""
        ...

    async def run(self, deliver: Deliver) -> None:
        """Public and private streams with reconnects; delivers Quote, Mark, FeedAlive, FeedLost, order events."""
        ...

    async def place(self, intents: Sequence[OrderIntent], *, reducing: bool, deliver: Deliver) -> None: ...
    async def cancel(self, client_id: str, instrument: str, deliver: Deliver) -> None: ...
    async def query(
        self, client_id: str, instrument: str, venue_order_id: str | None, since_ms: int, deliver: Deliver
    ) -> None: ...
    async def transfer(self, intent: TransferIntent, deliver: Deliver) -> None: ...
    async def fetch_listing(self) -> VenueListed: ...
    async def fetch_rates(self, since_ms: int, instruments: Sequence[str] | None = None) -> Sequence[SettledRate]:
        """Settled public rates; all perpetuals at once when `instruments` is None."""
        ...

    async def fetch_liquidity(self, instruments: Sequence[str]) -> Sequence[Liquidity]: ...
    async def fetch_account(self) -> AccountReported:
        """Balances and positions; `complete` is False (the caller decides that)."""
        ...

    async def fetch_receipts(self, since_ms: int) -> Sequence[Receipt]: ...
    async def fetch_history(self, since_ms: int, instruments: Sequence[str]) -> VenueHistory: ...
    async def fetch_capital(self, since_ms: int) -> Sequence[CapitalBooked]:
        """Deposits and withdrawals of the owner. A dear question: asked when a balance differs."""
        ...

    async def fetch_open_orders(self) -> Sequence[tuple[str, str, str]]:
        """(client id, instrument id, venue order id) of all open orders of the account."""
        ...

    async def key_rights(self) -> KeyRights: ...


@dataclass(frozen=True, slots=True)
class OrderBook:
    """(price, size) in base units, best first."""

    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


@dataclass(frozen=True, slots=True)
class FundingSettled:
    """A public settlement with the mark it was charged on (None where the venue does not tell), in base units."""

    instrument: str
    settled_ms: int
    rate: Decimal
    mark_price: Decimal | None


class LiveMarket(Venue, Protocol):
    """A venue whose public side can feed simulated fills."""

    @property
    def clock_offset_ms(self) -> int:
        """Venue's wall clock less this machine's, as last measured."""
        ...

    def widen(self, coins: Iterable[str], exclude: Iterable[str]) -> bool:
        """List also what these admit, from the next listing on; False when nothing is added."""
        ...

    async def fetch_order_book(self, instrument: str) -> OrderBook: ...
    async def fetch_settlements(self, since_ms: int, instruments: Sequence[str]) -> Sequence[FundingSettled]: ...


class Store(Protocol):
    """The books. One writing connection; every commit is durable when it returns."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def load(self) -> Books:
        """Read everything recovery needs and start a new epoch."""
        ...

    async def commit(self, records: Sequence[Persist]) -> None:
        """All records in one durable transaction, or none (StoreError)."""
        ...


class StoreError(Exception):
    """The database refused: nothing of the commit happened."""


class TakenOverError(StoreError):
    """A newer daemon has taken the books over: this one must end at once."""


class Tape(Protocol):
    """Keeps everything that enters the core and what it decided, for a replay; never blocks and never raises."""

    def begin(self, state: EngineState) -> None:
        """Before the first step; the state is read again later, between steps."""
        ...

    def record(self, event: Event, at: Stamp, actions: Sequence[Action] | None) -> None:
        """One step; `actions` never change afterwards. None: the core raised."""
        ...

    def turn_ended(self, mono_ms: int) -> None:
        """The core is at rest between two steps."""
        ...


class IdSource(Protocol):
    """Deterministic ids: nothing random, so that after a crash we can ask the venue for them."""

    def order_id(self, hedge_number: int, order_number: int) -> str: ...
