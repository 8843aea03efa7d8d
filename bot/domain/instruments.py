"""What can be traded, in base units: a venue's contract sizes and multipliers end at its adapter."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from bot.domain.numbers import common_step
from bot.domain.structures import CASH_AND_CARRY, Structure


class Kind(StrEnum):
    SPOT = "spot"
    MARGIN = "margin"
    PERP = "perp"
    FUTURE = "future"

    @property
    def is_coin(self) -> bool:
        """Whether a leg of this kind is coins in a wallet, or owed by one; else it is a position with a P&L."""
        return self in _COINS


_COINS = frozenset({Kind.SPOT, Kind.MARGIN})


class Payoff(StrEnum):
    LINEAR = "linear"
    INVERSE = "inverse"
    QUANTO = "quanto"


class Wallet(StrEnum):
    """The pocket of a split account that an instrument settles in; a unified account has only `unified`."""

    SPOT = "spot"
    PERP = "perp"
    MARGIN = "margin"
    """Cross margin: collateral and what was borrowed against it; an asset that is owed has a negative balance."""
    UNIFIED = "unified"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable thing at a venue.

    `lot`, `quantity_min` and `quantity_max` are base units (single coins, so 1000PEPE has a lot of 1000 PEPE),
    `tick` is quote per base unit, `notional_min` is quote. `fee_in_base` says that a buy's fee is taken out of
    what was bought (Binance spot). `feed` names the feed that its quotes arrive by; its silence makes them stale.
    """

    id: str
    venue: str
    symbol: str
    coin: str
    kind: Kind
    payoff: Payoff
    wallet: Wallet
    base_asset: str
    quote_asset: str
    settle_asset: str
    tick: Decimal
    lot: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    notional_min: Decimal
    multiplier: Decimal = Decimal(1)
    fee_in_base: bool = False
    funding_interval_s: int | None = None
    listed_ms: int = 0
    ends_ms: int = 0
    """When the venue ends trading, as it has announced; 0: not announced."""
    trades: bool = True
    """Whether the venue takes orders in it; what is held stays listed without."""
    leverage: int | None = None
    """The account's setting for this perpetual: it bounds the size of a position. None where it is not told."""
    barred: str = ""
    """Why this account may not open in it, as it is set up: what is held stays listed and is managed."""
    feed: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        wallet = Wallet.SPOT if self.wallet is Wallet.MARGIN else self.wallet
        object.__setattr__(self, "feed", f"{self.venue}:{wallet.value}")


@dataclass(frozen=True, slots=True)
class FeeRates:
    """Fractions of notional at the account's own tier, after discounts."""

    maker: Decimal
    taker: Decimal


@dataclass(frozen=True, slots=True)
class MarginTier:
    """One bracket of a venue's margin table: maintenance = notional x rate - cumulative (USD).

    `floats` repeats (cap, rate, cumulative) for the stress search, which asks for them a thousand times a second.
    """

    floor_usd: Decimal
    cap_usd: Decimal
    leverage_max: int
    maintenance_rate: Decimal
    cumulative_usd: Decimal
    floats: tuple[float, float, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        floats = float(self.cap_usd), float(self.maintenance_rate), float(self.cumulative_usd)
        object.__setattr__(self, "floats", floats)


@dataclass(frozen=True, slots=True)
class Pair:
    """The two instruments of a hedge: the coin's own and the linear perpetual of one coin at one venue.

    `spot` is what the coin leg trades: the spot of a cash-and-carry, the margin spot of a reverse carry.
    """

    coin: str
    venue: str
    spot: Instrument
    perp: Instrument
    structure: Structure = CASH_AND_CARRY
    key: tuple[str, str] = field(init=False, repr=False, compare=False)
    """(venue, coin)."""
    step: Decimal = field(init=False, repr=False, compare=False)
    """The grid on which both legs can be equal."""
    tolerance: Decimal = field(init=False, repr=False, compare=False)
    """What the legs of a whole hedge may differ by: the larger lot."""

    @property
    def trades(self) -> bool:
        """Whether both legs do: else neither is touched but to make the hedge whole."""
        return self.spot.trades and self.perp.trades

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (self.venue, self.coin))
        object.__setattr__(self, "step", common_step(self.spot.lot, self.perp.lot))
        object.__setattr__(self, "tolerance", max(self.spot.lot, self.perp.lot))


def instrument_id(venue: str, symbol: str, kind: Kind) -> str:
    return f"{venue}:{symbol}:{kind.value}"


def margin_twin(spot: Instrument) -> Instrument:
    """The same book, traded for the margin wallet: what is sold there is borrowed, what is bought repays."""
    name = instrument_id(spot.venue, spot.symbol, Kind.MARGIN)
    return replace(spot, id=name, kind=Kind.MARGIN, wallet=Wallet.MARGIN)
