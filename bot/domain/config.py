"""The owner's settings as the core sees them: frozen, validated by `bot.settings`, defaults as shipped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


class CapOf(StrEnum):
    NAV = "nav"
    CAPACITY = "capacity"
    """NAV x leverage ceiling."""


class Style(StrEnum):
    TAKER = "taker"


@dataclass(frozen=True, slots=True)
class FundingStop:
    """R1c: close when the funding paid over `window_h` hours exceeds `share` of the hedge's notional."""

    window_h: float = 48
    share: Decimal = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Liquidation:
    """R7: distances as fractions of price; `basis_stress` widens the perp's premium in the stressed move."""

    warn: float = 0.25
    min: float = 0.15
    basis_stress: float = 0.02


@dataclass(frozen=True, slots=True)
class SpreadLimits:
    """R4. Basis z-scores over `window_h` hours of market time; shares of NAV and of the hedge."""

    window_h: float = 168
    reduce_z: float = 3
    reduce_drawdown: Decimal = Decimal("0.001")
    reduce_step: Decimal = Decimal("0.25")
    cooldown_s: float = 3600
    add_z: float = 5
    add_step: Decimal = Decimal("0.25")
    turn: float = 0.2


@dataclass(frozen=True, slots=True)
class DrawdownLimits:
    """R5. Shares of the high-water mark; `reduce_step` of each hedge goes at the soft limit."""

    soft: Decimal = Decimal("0.008")
    hard: Decimal = Decimal("0.015")
    reduce_step: Decimal = Decimal("0.25")
    cooldown_s: float = 14_400


@dataclass(frozen=True, slots=True)
class ExtremeLimits:
    """R6. `move` within `window_s` and `calm_s` after it are market time; outages are wall time."""

    move: float = 0.08
    window_s: float = 300
    outage_s: float = 30
    keep: Decimal = Decimal("0.5")
    calm_s: float = 300


@dataclass(frozen=True, slots=True)
class Budget:
    """Against flapping: what may be sent and paid in an hour of market time before nothing more is opened."""

    orders_per_hour: int = 4_000
    fees_per_hour: Decimal = Decimal("0.005")


@dataclass(frozen=True, slots=True)
class Limits:
    """The rules of the book. Fractions unless the name says otherwise."""

    negative_funding_days: int = 5
    readmit_days: int = 3
    funding_stop: FundingStop = field(default_factory=FundingStop)
    per_coin_cap: Decimal = Decimal("0.05")
    per_coin_cap_of: CapOf = CapOf.NAV
    per_coin_cap_overrides: Mapping[str, Decimal] = field(default_factory=dict)
    per_coin_cap_band: Decimal = Decimal("0.1")
    leverage_ceiling: Decimal = Decimal(2)
    leverage_band: Decimal = Decimal("0.05")
    liquidation: Liquidation = field(default_factory=Liquidation)
    spread: SpreadLimits = field(default_factory=SpreadLimits)
    drawdown: DrawdownLimits = field(default_factory=DrawdownLimits)
    extreme: ExtremeLimits = field(default_factory=ExtremeLimits)
    stale_s: float = 5
    receipt_grace_s: float = 900
    per_venue_cap: Decimal = Decimal(1)
    cash_rate: float = 0.04
    """What the owner's cash earns elsewhere, a fraction a year."""
    budget: Budget = field(default_factory=Budget)


@dataclass(frozen=True, slots=True)
class ReverseCarry:
    """R9 and strategy `reverse_carry`. Borrow rates are fractions a year."""

    horizon_h: float = 48
    """Hours for which a negative funding rate is expected to go on: the intervals that fees are spread over."""
    rate_max: float = 1.0
    """Nothing is borrowed at more than this."""
    rate_alarm: float = 2.0
    """Beyond this the owner is told, and the hedge is closed when the loan costs more than the funding brings."""
    availability_share: Decimal = Decimal("0.5")
    """Largest share of what can be borrowed that is taken."""
    terms_stale_s: float = 600
    """Wall seconds after which the terms of a loan are no longer believed."""
    recall_pause_h: float = 24
    """Market hours after a recall in which the asset is not borrowed again."""


@dataclass(frozen=True, slots=True)
class Universe:
    """R8. `coins` empty means every coin that the venue lists with both legs."""

    coins: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    core: tuple[str, ...] = ("BTC", "ETH")
    volume_usd_min: float = 1_000_000
    depth_usd_min: float = 20_000
    open_interest_usd_min: float = 500_000
    listing_age_days_min: float = 7
    volume_share_max: float = 0.05
    """Largest hedge as a share of either leg's 24 h volume: what is right for ten thousand is not for ten million."""
    open_interest_share_max: float = 0.1


@dataclass(frozen=True, slots=True)
class Drift:
    """What is done about dollars that drift while the coins stay; chosen in docs/estimator.md."""

    top_up_at: Decimal = Decimal("0.92")
    """Share of its target below which a hedge that still pays for its entry is topped up."""
    top_up_to: Decimal = Decimal("0.95")
    trim_at: Decimal = Decimal("0.98")
    """Share of R2's band beyond the cap at which a hedge is trimmed."""
    trim_to: Decimal = Decimal("0.95")


@dataclass(frozen=True, slots=True)
class Unusual:
    """What of a coin that is held, or that R8 lets in, is told to the owner."""

    rate_8h: float = 0.003
    """Size of the predicted rate, scaled to eight hours."""
    basis: float = 0.01
    """Distance of the perpetual's mark from the index."""
    calm: float = 0.7
    """Share of either below which it is usual again, and may be told anew."""


@dataclass(frozen=True, slots=True)
class StrategyConfig:
    """How carry is estimated and what is worth holding."""

    fast_half_life_h: float = 48
    fast_h: float = 60
    """Hours for which the fast mean of settled rates is expected to go on."""
    slow_half_life_h: float = 504
    slow_h: float = 30
    """Hours for which the slow mean is expected on top."""
    base_rate_8h: float = 0.0001
    """The venue's interest rate, to which funding returns: a fraction per 8 hours."""
    base_h: float = 90
    prediction_share: float = 0.25
    """Weight of the venue's prediction, as far as its interval has run, beside rates that have settled."""
    basis_weight: float = 1.4
    """What a unit of basis is worth: itself, as it converges, and what it says of the rates to come."""
    fair_basis_share: float = 0.4
    """Where the basis converges: this share of its usual level, and nothing for the rest."""
    exit_costs: float = 1.5
    """How many closing costs staying must lose for a hedge to be left."""
    decide_every_h: float = 4
    """Market hours between decisions; each settlement also brings one."""
    history_days_min: float = 5
    """No opinion on a coin with less settled history than this."""
    hurdle_bps: float = 0
    """What entering must be worth beyond its cost, in basis points of notional."""
    cap_headroom: Decimal = Decimal("0.98")
    """Share of a coin's cap that targets aim at: prices move between a decision and its fills."""
    drift: Drift = field(default_factory=Drift)
    quote_borrow_rate: float = 0.08
    """Interest on quote currency borrowed for notional beyond own cash, a fraction a year."""
    reserve: Decimal = Decimal("0.02")
    """Share of the budget that is never deployed."""
    unusual: Unusual = field(default_factory=Unusual)

    @property
    def holding_h(self) -> float:
        """Expected holding time: the hours over which carry is counted."""
        return self.fast_h + self.slow_h + self.base_h


@dataclass(frozen=True, slots=True)
class Execution:
    style: Style = Style.TAKER
    slice_usd: Decimal = Decimal(20_000)
    depth_share: float = 0.25
    """Largest share of the thinner leg's depth within 10 bps that one slice may take."""
    guard_bps: Decimal = Decimal(15)
    """How far beyond the touch a limit-IOC may reach."""
    basis_guard_bps: Decimal = Decimal(10)
    """How far the basis may have fallen since the decision for a slice still to be opened."""
    repair_guard_bps: Decimal = Decimal(60)
    """How far a repair of an imbalance may reach."""
    max_leg_s: float = 3
    rehedges_max: int = 5
    order_timeout_s: float = 10
    settle_window_s: float = 2
    """How long 'not found' is not believed after an order was sent."""


@dataclass(frozen=True, slots=True)
class CoreConfig:
    limits: Limits = field(default_factory=Limits)
    universe: Universe = field(default_factory=Universe)
    strategy: StrategyConfig = field(default_factory=StrategyConfig)
    execution: Execution = field(default_factory=Execution)
    strategies: tuple[str, ...] = ("cash_and_carry",)
    reverse_carry: ReverseCarry = field(default_factory=ReverseCarry)
