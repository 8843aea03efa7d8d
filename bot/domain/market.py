"""What the market says: quotes, marks, settled rates, liquidity. Mutable only as a whole, by the engine."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bot.domain.funding import RateMean
from bot.domain.instruments import FeeRates, Instrument, Kind, MarginTier, Pair, Payoff
from bot.domain.numbers import ZERO
from bot.domain.struct import struct
from bot.domain.structures import REVERSE_CARRY

DEFAULT_FUNDING_S = 8 * 3600
RATES_KEPT = 2_000
"""Settlements kept in memory for one instrument: 166 days of 2-hour funding."""


@struct(frozen=True, slots=True)
class Quote:
    """Best bid and ask, quote currency per base unit; sizes in base units. An empty side has the price 0."""

    instrument: str
    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal
    venue_ms: int = 0

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.ask) / 2

    @property
    def two_sided(self) -> bool:
        return self.bid > 0 and self.ask > 0

    def filled_up(self, before: "Quote") -> "Quote":
        """With the last price where a side is empty: what is held is worth something all the same."""
        if not self.bid:
            return replace(self, bid=min(before.bid, self.ask or before.bid), ask=self.ask or before.ask)
        return self if self.ask else replace(self, ask=max(before.ask, self.bid))


@struct(frozen=True, slots=True)
class Mark:
    """Mark and index price, the predicted rate of the running interval and when it settles (market time)."""

    instrument: str
    mark: Decimal
    index: Decimal
    predicted_rate: Decimal
    next_funding_ms: int
    venue_ms: int = 0


@struct(frozen=True, slots=True)
class SettledRate:
    """One public funding settlement; `settled_ms` is the nominal time, jitter removed."""

    instrument: str
    settled_ms: int
    rate: Decimal
    interval_s: int


@struct(frozen=True, slots=True)
class Liquidity:
    """24 h volume, the thinner side's depth within 10 bps of the mid, and open interest, all in USD."""

    instrument: str
    volume_usd: float
    depth_usd: float
    open_interest_usd: float | None = None


@struct(frozen=True, slots=True)
class BorrowTerms:
    """What a venue lends an asset for now: a fraction an hour, and how much more this account may borrow.

    `available_base` is base units (single coins), the smaller of the venue's pool and the account's own limit.
    """

    venue: str
    asset: str
    rate_per_h: Decimal
    available_base: Decimal
    venue_ms: int = 0


@struct(frozen=True, slots=True)
class CollateralRatio:
    """At which share of its worth, above 0, a venue counts quote currency in its margin wallet."""

    venue: str
    ratio: float


@dataclass(slots=True)
class MarketState:
    """Everything known about the market, keyed by instrument id unless said otherwise."""

    instruments: dict[str, Instrument] = field(default_factory=dict)
    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict)
    """Spot and short perpetual, by (venue, coin)."""
    reverse: dict[tuple[str, str], Pair] = field(default_factory=dict)
    """Margin spot and long perpetual, by (venue, coin); empty where nothing can be borrowed."""
    by_coin_leg: dict[str, Pair] = field(default_factory=dict)
    """The short-perpetual pair of a spot or margin spot, by that one's id."""
    by_asset: dict[tuple[str, str], Pair] = field(default_factory=dict)
    """The same pairs by (venue, asset that the spot buys)."""
    borrow: dict[tuple[str, str], BorrowTerms] = field(default_factory=dict)
    """Latest terms by (venue, asset)."""
    borrow_seen_ms: dict[tuple[str, str], int] = field(default_factory=dict)
    """Monotonic arrival time of the latest terms."""
    interest_ms: dict[tuple[str, str], int] = field(default_factory=dict)
    """Market time of the newest interest that was heard of, by (venue, asset)."""
    collateral: dict[str, float] = field(default_factory=dict)
    """Venue -> the share of its worth at which quote currency counts in its margin wallet; 1 until it is told."""
    owed_since: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """The most that was owed since then."""
    repaid_ms: dict[tuple[str, str], int] = field(default_factory=dict)
    """Market time of the trade that repaid a loan in full, until the venue's balances agree with the books again."""
    fees: dict[str, FeeRates] = field(default_factory=dict)
    tiers: dict[str, tuple[MarginTier, ...]] = field(default_factory=dict)
    quotes: dict[str, Quote] = field(default_factory=dict)
    """Latest quotes, with the last price of a side that is empty."""
    one_sided: dict[str, Quote] = field(default_factory=dict)
    """The quotes of which a side is empty now, as they were told: nothing opens by them."""
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
    feed_out_ms: dict[str, int] = field(default_factory=dict)
    """Feed that is lost -> when it was last alive; each failed reconnect tells of the loss once more."""
    _twins: dict[str, str] = field(default_factory=dict)
    """Spot instrument -> the margin spot that trades on its book."""

    def list_instruments(self, instruments: tuple[Instrument, ...]) -> None:
        """Add or replace instruments and rebuild the pairs of both directions."""
        for instrument in instruments:
            self.instruments[instrument.id] = instrument
            if not instrument.trades:  # its last quote stands for nothing any more
                self.quotes.pop(instrument.id, None)
                self.one_sided.pop(instrument.id, None)
        legs: dict[tuple[str, str], dict[Kind, Instrument]] = {}
        for instrument in self.instruments.values():
            if instrument.payoff is Payoff.LINEAR:
                legs.setdefault((instrument.venue, instrument.coin), {})[instrument.kind] = instrument
        self.pairs = {
            (venue, coin): Pair(coin, venue, both[Kind.SPOT], both[Kind.PERP])
            for (venue, coin), both in legs.items()
            if Kind.SPOT in both and Kind.PERP in both
        }
        self.reverse = {
            (venue, coin): Pair(coin, venue, both[Kind.MARGIN], both[Kind.PERP], REVERSE_CARRY)
            for (venue, coin), both in legs.items()
            if both.keys() >= {Kind.SPOT, Kind.MARGIN, Kind.PERP}
        }
        self.by_coin_leg = {pair.spot.id: self.pairs[pair.key] for pair in self.all_pairs()}
        self.by_asset = {(pair.venue, pair.spot.base_asset): pair for pair in self.pairs.values()}
        self._twins = {self.pairs[key].spot.id: pair.spot.id for key, pair in self.reverse.items()}

    def all_pairs(self) -> Iterator[Pair]:
        """Every pair of every direction."""
        yield from self.pairs.values()
        yield from self.reverse.values()

    def pair(self, venue: str, coin: str, direction: int) -> Pair | None:
        return (self.pairs if direction > 0 else self.reverse).get((venue, coin))

    def take_quote(self, quote: Quote, mono_ms: int) -> None:
        """Margin spot trades on the spot's own book: its quote is the spot's."""
        if self.one_sided or not quote.two_sided:
            known = self._note_sides(quote)
            if known is None:
                return
            quote = known
        self.quotes[quote.instrument] = quote
        self.quote_seen_ms[quote.instrument] = mono_ms
        if self._twins and quote.instrument in self._twins:
            twin = self._twins[quote.instrument]
            self.quotes[twin] = replace(quote, instrument=twin)
            self.quote_seen_ms[twin] = mono_ms
            if self._out_of_books(twin):
                self._renew(quote)
        if self._out_of_books(quote.instrument):
            self._renew(quote)

    def _note_sides(self, quote: Quote) -> Quote | None:
        """The quote with both sides, None as long as there never were; whether one is empty is noted."""
        twin = self._twins.get(quote.instrument, quote.instrument)
        for name in (quote.instrument, twin):
            self.one_sided.pop(name, None)
            if not quote.two_sided:
                self.one_sided[name] = replace(quote, instrument=name)
        known = self.quotes.get(quote.instrument)
        return quote if quote.two_sided else known and quote.filled_up(known)

    def lost(self, feed: str, mono_ms: int) -> None:
        """No quote of before is one of the living feed, and what its books lacked may have come since."""
        self.feed_lost_ms[feed] = mono_ms
        for name in [*self.one_sided]:
            if name not in self.instruments or self.instruments[name].feed == feed:
                del self.one_sided[name]

    def _out_of_books(self, instrument: str) -> bool:
        """Whether its mark is only a price that the books kept."""
        return instrument in self.marks and instrument not in self.mark_seen_ms

    def heard(self, pair: Pair) -> bool:
        """Whether a price of either leg was told since the start; of legs that trade no more nothing will be."""
        legs = pair.spot, pair.perp
        if any(leg.id in self.mark_seen_ms or leg.id in self.quote_seen_ms for leg in legs):
            return True
        return not any(leg.trades for leg in legs)

    def _renew(self, quote: Quote) -> None:
        """Until the perpetual's mark comes, what is told of one leg is the price of the other one too.

        Where one stream speaks before the other, a move since the daemon was down would look like a loss or a gain.
        """
        instrument, price = self.instruments.get(quote.instrument), quote.mid
        pair = self.pairs.get((instrument.venue, instrument.coin)) if instrument is not None else None
        if pair is None:
            return
        marked = pair.perp.id in self.mark_seen_ms
        for name in (pair.spot.id, self._twins.get(pair.spot.id, pair.spot.id), pair.perp.id):
            if marked and name in self.quotes and self._out_of_books(name):
                del self.marks[name]
            elif self._out_of_books(name):
                self.marks[name] = Mark(name, price, price, ZERO, 0)

    def take_liquidity(self, liquidity: Liquidity) -> None:
        self.liquidity[liquidity.instrument] = liquidity
        if liquidity.instrument in self._twins:
            twin = self._twins[liquidity.instrument]
            self.liquidity[twin] = replace(liquidity, instrument=twin)

    def add_rate(self, rate: SettledRate) -> tuple[SettledRate, ...]:
        """Put a settlement in its place of time; returns what is new in the history.

        That is nothing when it is known, or older than all that are kept. After a late one it is also the settlement
        that follows, whose interval is shorter than it seemed.
        """
        known = self.rates.get(rate.instrument)
        if known is None:
            known = self.rates[rate.instrument] = deque(maxlen=RATES_KEPT)
            self.means[rate.instrument] = tuple(RateMean(half_life_h) for half_life_h in self.half_lives_h)
        if known and rate.settled_ms <= known[-1].settled_ms:
            return self._add_late(known, rate)
        known.append(rate)
        for mean in self.means[rate.instrument]:
            mean.add(float(rate.rate), rate.interval_s, rate.settled_ms)
        return (rate,)

    def knows_rate(self, rate: SettledRate) -> bool:
        """Whether the history has a settlement of this time. Looked for from the newest on, where most are."""
        for known in reversed(self.rates.get(rate.instrument, ())):
            if known.settled_ms <= rate.settled_ms:
                return known.settled_ms == rate.settled_ms
        return False

    def _add_late(self, known: deque[SettledRate], rate: SettledRate) -> tuple[SettledRate, ...]:
        place = bisect_left(known, rate.settled_ms, key=lambda one: one.settled_ms)
        full, next_one = len(known) == RATES_KEPT, known[place]
        if next_one.settled_ms == rate.settled_ms or (full and place == 0):
            return ()
        gap_s = (next_one.settled_ms - rate.settled_ms) // 1000
        known[place] = replace(next_one, interval_s=min(next_one.interval_s, gap_s))
        if full:
            known.popleft()
            place -= 1
        known.insert(place, rate)
        self._mean_anew(rate.instrument)
        return rate, known[place + 1]

    def _mean_anew(self, name: str) -> None:
        means = self.means[name] = tuple(RateMean(half_life_h) for half_life_h in self.half_lives_h)
        for rate in self.rates[name]:
            for mean in means:
                mean.add(float(rate.rate), rate.interval_s, rate.settled_ms)

    def funding_interval_s(self, perp: Instrument) -> int:
        """The interval that a perpetual settles by now: the latest settlement's, else the listing's."""
        known = self.rates.get(perp.id)
        if known:
            return known[-1].interval_s
        return perp.funding_interval_s or DEFAULT_FUNDING_S

    def collateral_ratio(self, venue: str) -> float:
        return self.collateral.get(venue, 1.0)

    def set_half_lives(self, half_lives_h: tuple[float, ...]) -> None:
        """Mean by other half-lives; the kept settlements are counted again."""
        if half_lives_h == self.half_lives_h:
            return
        self.half_lives_h = half_lives_h
        for name in self.rates:
            self._mean_anew(name)

    def price(self, instrument: str) -> Decimal | None:
        """Mid of the latest quote, else the perpetual's price where the spot is closed, else the mark, else None."""
        quote = self.quotes.get(instrument)
        if quote is not None:
            return quote.mid
        pair = self.by_coin_leg.get(instrument)
        if pair is not None and not pair.spot.trades:
            return self.price(pair.perp.id)
        mark = self.marks.get(instrument)
        return mark.mark if mark is not None else None
