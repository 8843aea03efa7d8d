"""What the market says: quotes, marks, settled rates, liquidity. Mutable only as a whole, by the engine."""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from bot.domain.funding import RateMean
from bot.domain.instruments import FeeRates, Instrument, Kind, MarginTier, Pair, Payoff

RATES_KEPT = 2_000
"""Settlements kept in memory for one instrument: 166 days of 2-hour funding."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask, quote currency per base unit; sizes in base units."""

    instrument: str
    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal
    venue_ms: int = 0

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.ask) / 2


@dataclass(frozen=True, slots=True)
class Mark:
    """Mark and index price, the predicted rate of the running interval and when it settles (market time)."""

    instrument: str
    mark: Decimal
    index: Decimal
    predicted_rate: Decimal
    next_funding_ms: int
    venue_ms: int = 0


@dataclass(frozen=True, slots=True)
class SettledRate:
    """One public funding settlement; `settled_ms` is the nominal time, jitter removed."""

    instrument: str
    settled_ms: int
    rate: Decimal
    interval_s: int


@dataclass(frozen=True, slots=True)
class Liquidity:
    """24 h volume, the thinner side's depth within 10 bps of the mid, and open interest, all in USD."""

    instrument: str
    volume_usd: float
    depth_usd: float
    open_interest_usd: float | None = None


@dataclass(slots=True)
class MarketState:
    """Everything known about the market, keyed by instrument id unless said otherwise."""

    instruments: dict[str, Instrument] = field(default_factory=dict)
    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict)
    """By (venue, coin)."""
    fees: dict[str, FeeRates] = field(default_factory=dict)
    tiers: dict[str, tuple[MarginTier, ...]] = field(default_factory=dict)
    quotes: dict[str, Quote] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    mark_seen_ms: dict[str, int] = field(default_factory=dict)
    """Monotonic arrival time of the latest mark."""
    quote_seen_ms: dict[str, int] = field(default_factory=dict)
    """Monotonic arrival time of the latest quote."""
    liquidity: dict[str, Liquidity] = field(default_factory=dict)
    rates: dict[str, deque[SettledRate]] = field(default_factory=dict)
    means: dict[str, tuple[RateMean, ...]] = field(default_factory=dict)
    """Exponential means of the settled rates, one for each half-life."""
    half_lives_h: tuple[float, ...] = (48.0, 504.0)
    feed_alive_ms: dict[str, int] = field(default_factory=dict)
    """Monotonic time of the last frame or pong, by feed name (`binance:spot`, `binance:perp`)."""
    feed_lost_ms: dict[str, int] = field(default_factory=dict)
    """Monotonic time at which a feed was last lost: quotes from before it are not of the living feed."""

    def list_instruments(self, instruments: tuple[Instrument, ...]) -> None:
        """Add or replace instruments and rebuild the spot and perpetual pairs."""
        for instrument in instruments:
            self.instruments[instrument.id] = instrument
        legs: dict[tuple[str, str], dict[Kind, Instrument]] = {}
        for instrument in self.instruments.values():
            if instrument.payoff is Payoff.LINEAR:
                legs.setdefault((instrument.venue, instrument.coin), {})[instrument.kind] = instrument
        self.pairs = {
            (venue, coin): Pair(coin, venue, both[Kind.SPOT], both[Kind.PERP])
            for (venue, coin), both in legs.items()
            if Kind.SPOT in both and Kind.PERP in both
        }

    def add_rate(self, rate: SettledRate) -> bool:
        """Append a settlement; False when it is already known or older than the newest one."""
        known = self.rates.get(rate.instrument)
        if known is None:
            known = self.rates[rate.instrument] = deque(maxlen=RATES_KEPT)
        if known and rate.settled_ms <= known[-1].settled_ms:
            return False
        known.append(rate)
        if rate.instrument not in self.means:
            self.means[rate.instrument] = tuple(RateMean(half_life_h) for half_life_h in self.half_lives_h)
        for mean in self.means[rate.instrument]:
            mean.add(float(rate.rate), rate.interval_s, rate.settled_ms)
        return True

    def set_half_lives(self, half_lives_h: tuple[float, ...]) -> None:
        """Mean by other half-lives; the kept settlements are counted again."""
        if half_lives_h == self.half_lives_h:
            return
        self.half_lives_h = half_lives_h
        self.means.clear()
        for name, known in self.rates.items():
            means = self.means[name] = tuple(RateMean(half_life_h) for half_life_h in half_lives_h)
            for rate in known:
                for mean in means:
                    mean.add(float(rate.rate), rate.interval_s, rate.settled_ms)

    def price(self, instrument: str) -> Decimal | None:
        """Mid of the latest quote, else the mark, else None."""
        quote = self.quotes.get(instrument)
        if quote is not None:
            return quote.mid
        mark = self.marks.get(instrument)
        return mark.mark if mark is not None else None


def feed_of(instrument: Instrument) -> str:
    """Name of the feed that an instrument's quotes arrive by; its silence makes them stale."""
    return f"{instrument.venue}:{instrument.wallet.value}"
