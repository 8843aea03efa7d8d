"""A session over recorded bars: the engine decides and trades at each grid time, on the closes of that moment.

One bar: what settled since the bar before is paid on what was held, then prices and settled rates arrive, then the
engine ticks. While it has something under way (margin on the move, slices to send) it ticks on, a market second and a
quarter of a wall second at a time, at unchanged prices, as it would within the minute after a real close.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from bot.domain import actions as act
from bot.domain.config import CoreConfig
from bot.domain.events import CloseCoin, Event, FeedAlive, Tick, VenueListed
from bot.domain.instruments import FeeRates
from bot.domain.market import BorrowTerms, Liquidity, Mark, Quote
from bot.domain.structures import REVERSE_CARRY
from bot.domain.time import DAY_MS, SECOND_MS
from bot.research.bars import OPEN_INTEREST_DAYS, BarMarket, depth_usd
from bot.research.direct import KEY, VENUE, DirectVenue
from bot.research.session import FEEDS, Session
from bot.simulator.base_units import margin_tiers
from bot.simulator.exchange.core import Exchange
from bot.simulator.loan_model import LoanModel
from bot.simulator.model import Book

WARM_UP_MS = 90 * DAY_MS
WORK_MS = 250
"""Wall time between two ticks while something is under way."""
WORK_TICKS_MAX = 16
"""Ticks a bar: with `WORK_MS` within the five seconds after which marks count as stale."""
ENDED = "its recording ends"


class BarVenue(DirectVenue):
    """The exchange core on bars; an instrument is listed from its first bar on."""

    def __init__(self, market: BarMarket, exchange: Exchange, loans: LoanModel | None = None) -> None:
        """With `loans` coins can be borrowed, at the rates of that model."""
        super().__init__(market, exchange, lends=loans is not None)
        self.bars = market
        self._model = loans
        self._sent: dict[str, Decimal] = {}
        self._instruments = [
            (
                bars,
                self._by_id[self._id_of[Book.SPOT, bars.spot_listing.symbol]][1],
                self._by_id[self._id_of[Book.PERP, bars.symbol]][1],
            )
            for bars in market.coins.values()
        ]

    def listing(self) -> VenueListed:
        """What is listed before the first bar: coins that were recorded by then."""
        return self.listed(0) or VenueListed(VENUE, (), {}, {})

    def listed(self, index: int) -> VenueListed | None:
        """What is new at this bar, with fees and brackets; None when nothing is."""
        new = [(bars, spot, perp) for bars, spot, perp in self._instruments if bars.first == index]
        if not new:
            return None
        costs = self.bars.costs
        fees = {spot.id: FeeRates(costs.spot_fee, costs.spot_fee) for _, spot, _ in new}
        fees |= {perp.id: FeeRates(costs.perp_fee, costs.perp_fee) for _, _, perp in new}
        tiers = {perp.id: margin_tiers(bars.perp_listing) for bars, _, perp in new}
        twins = [self._twins[spot.symbol] for _, spot, _ in new if spot.symbol in self._twins]
        fees |= {twin.id: FeeRates(costs.spot_fee, costs.spot_fee) for twin in twins}
        return VenueListed(VENUE, (*(leg for _, *both in new for leg in both), *twins), fees, tiers)

    def terms_of(self, index: int, at_ms: int) -> Iterator[BorrowTerms]:
        """What the model lends at this bar of what is listed: it follows the funding that the venue predicts."""
        if self._model is None or self.loans is None:
            return
        for bars, spot, _ in self._instruments:
            if bars.first <= index <= bars.last:
                now = self.bars.mark(bars.symbol, at_ms)
                rate = self._model.rate_per_h(float(now.predicted_rate) / (now.interval_s / 3600))
                self.exchange.set_lending(spot.base_asset, rate, self._model.pool(float(bars.spot[index])))
        listed = {spot.base_asset for bars, spot, _ in self._instruments if bars.first <= index <= bars.last}
        yield from (one for one in self.terms(at_ms) if one.asset in listed)

    def frames_of(self, index: int, at_ms: int) -> Iterator[Event]:
        """Quotes that changed and every mark of a bar; nothing of a frozen pair."""
        market, sent = self.bars, self._sent
        for bars, spot, perp in self._instruments:
            if not bars.fresh[index]:
                continue
            index_price, mark, scale = bars.spot[index], bars.perp[index], perp.multiplier
            if sent.get(spot.id) != index_price:
                sent[spot.id] = index_price
                bid, ask = market.touch(index_price, bars.spot_listing.tick)
                yield Quote(spot.id, bid, ask, _PLENTY, _PLENTY, at_ms)
            if sent.get(perp.id) != mark:
                sent[perp.id] = mark
                bid, ask = market.touch(mark, bars.perp_listing.tick)
                if scale != 1:
                    bid, ask = bid / scale, ask / scale
                yield Quote(perp.id, bid, ask, _PLENTY, _PLENTY, at_ms)
            if scale != 1:
                mark /= scale
            predicted, next_ms, _ = market.coming(bars, index, at_ms)
            yield Mark(perp.id, mark, index_price, predicted, next_ms, at_ms)

    def liquidity_of(self, index: int, *, everything: bool) -> Iterator[Liquidity]:
        """Trailing volume and the depth modelled from it: of all that is listed, or of what is new at this bar."""
        for bars, spot, perp in self._instruments:
            if not (bars.first <= index <= bars.last and (everything or bars.first == index)):
                continue
            spot_usd, perp_usd = bars.spot_usd[index], bars.perp_usd[index]
            yield Liquidity(spot.id, spot_usd, depth_usd(spot_usd))
            yield Liquidity(perp.id, perp_usd, depth_usd(perp_usd), perp_usd * OPEN_INTEREST_DAYS)

    def ending(self, index: int) -> Iterator[CloseCoin]:
        """Coins whose last bar this is, unless the whole window ends."""
        last = len(self.bars.times_ms) - 1
        for bars, spot, _ in self._instruments:
            if bars.last == index and index < last:
                yield CloseCoin(spot.coin, ENDED)


_PLENTY = Decimal(10) ** 9


class BarSession(Session):
    """`advance` works through one bar and says its index."""

    def __init__(
        self,
        market: BarMarket,
        config: CoreConfig,
        *,
        cash: Decimal,
        loans: LoanModel | None = None,
        watch: Callable[[act.Action, int], None] | None = None,
    ) -> None:
        start_ms = market.start_ms - market.grid_ms
        accounts = {KEY: {Book.SPOT: {"USDT": cash}, Book.PERP: {"USDT": Decimal(0)}}}
        exchange = Exchange(market, accounts, start_ms, seed=1, look_ms=market.grid_ms // 15)
        exchange.set_fee_rates(KEY, Book.SPOT, market.costs.spot_fee, market.costs.spot_fee)
        exchange.set_fee_rates(KEY, Book.PERP, market.costs.perp_fee, market.costs.perp_fee)
        self.bar_venue = BarVenue(market, exchange, loans if REVERSE_CARRY.name in config.strategies else None)
        super().__init__(self.bar_venue, config, start_ms, watch)
        self.market = market
        self.index = -1
        self.unfinished = 0
        """Bars at whose end something was still under way."""
        self._bar_ms = int(config.limits.stale_s * SECOND_MS) + SECOND_MS
        self.begin(WARM_UP_MS)

    @property
    def done(self) -> bool:
        return self.index + 1 >= len(self.market.times_ms)

    def advance(self) -> int:
        self.index += 1
        before, at_ms = self.market_ms, self.market.times_ms[self.index]
        venue, inbox, index = self.bar_venue, self.inbox, self.index
        self.market_ms = at_ms
        self.mono_ms += self._bar_ms
        inbox.extend(venue.advance(at_ms))
        inbox.extend(FeedAlive(feed) for feed in FEEDS)
        new = venue.listed(index)
        if new is not None and index:
            inbox.append(new)
        inbox.extend(venue.frames_of(index, at_ms))
        inbox.extend(venue.terms_of(index, at_ms))
        inbox.extend(venue.rates(before, at_ms))
        inbox.extend(venue.liquidity_of(index, everything=not at_ms % DAY_MS))
        inbox.extend(venue.ending(index))
        inbox.append(Tick())
        asked = self.drain()
        for _ in range(WORK_TICKS_MAX):
            if not asked:
                break
            self.market_ms += SECOND_MS
            self.mono_ms += WORK_MS
            inbox.extend(venue.advance(self.market_ms))
            inbox.append(Tick())
            asked = self.drain()
        else:
            self.unfinished += 1
        return index
