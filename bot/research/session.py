"""A session in virtual time: the engine, the exchange core and a clock that is only a number."""

from collections import Counter, deque
from collections.abc import Callable
from decimal import Decimal
from typing import assert_never

from bot.domain import actions as act
from bot.domain.books import Books
from bot.domain.config import CoreConfig
from bot.domain.events import Event, FeedAlive, Reconciled, Tick
from bot.domain.structures import REVERSE_CARRY
from bot.domain.time import DAY_MS, Stamp
from bot.engine.core import step
from bot.engine.recovery import restore
from bot.engine.state import EngineState
from bot.research.direct import KEY, VENUE, DirectVenue
from bot.simulator.exchange.core import Exchange
from bot.simulator.market import HistoryMarket
from bot.simulator.model import Book

WARM_UP_MS = 35 * DAY_MS
LIQUIDITY_EVERY_MS = DAY_MS
FEEDS = (f"{VENUE}:spot", f"{VENUE}:perp")


class Session:
    """The engine, one account at the exchange core and what is on its way from one to the other.

    `watch` sees every action of the engine after it was carried out.
    """

    def __init__(
        self,
        venue: DirectVenue,
        config: CoreConfig,
        start_ms: int,
        watch: Callable[[act.Action, int], None] | None = None,
    ) -> None:
        self.venue = venue
        self.state: EngineState = restore(Books(epoch=1), config)
        self.market_ms = start_ms
        self.mono_ms = self.seq = 0
        self.records: Counter[type[act.Record]] = Counter()
        """What was written to the books, by kind."""
        self.inbox: deque[Event] = deque()
        self._watch = watch

    def begin(self, warm_up_ms: int = WARM_UP_MS) -> None:
        """The listing, the rates before the start, and the account as the venue has it."""
        self.inbox.append(self.venue.listing())
        self.inbox.extend(self.venue.rates(self.market_ms - warm_up_ms, self.market_ms))
        self.inbox.append(self.venue.account())
        self.inbox.append(Reconciled(VENUE))
        self.drain()

    def drain(self) -> int:
        """Take in everything that waits and what follows from it; how often the venue was asked for something."""
        asked, seq = 0, self.seq
        inbox, state, watch, records = self.inbox, self.state, self._watch, self.records
        market_ms, mono_ms = self.market_ms, self.mono_ms
        while inbox:
            seq += 1
            for action in step(state, inbox.popleft(), Stamp(seq, market_ms, mono_ms)):
                if isinstance(action, act.Persist):
                    records[type(action.record)] += 1
                else:
                    asked += self._carry_out(action)
                if watch is not None:
                    watch(action, market_ms)
        self.seq = seq
        return asked

    def _carry_out(self, action: act.Action) -> bool:
        match action:
            case act.PlaceOrders():
                self.inbox.extend(self.venue.place(action.intents, self.market_ms))
                return True
            case act.MoveMargin():
                self.inbox.append(self.venue.transfer(action.intent, self.market_ms))
                return True
            case act.Reconcile():
                self.inbox.extend((self.venue.account(), Reconciled(VENUE)))
            case (
                act.Persist()
                | act.Emit()
                | act.CancelOrder()
                | act.QueryOrder()
                | act.FetchRates()
                | act.FetchReceipts()
            ):
                pass
            case _:
                assert_never(action)
        return False


class VirtualSession(Session):
    """Runs the engine over market time in steps of `step_ms`; monotonic time passes `wall_ms` for each step."""

    def __init__(
        self,
        market: HistoryMarket,
        config: CoreConfig,
        *,
        start_ms: int,
        step_ms: int,
        cash: Decimal = Decimal(1_000_000),
        wall_ms: int = 250,
        watch: Callable[[act.Action, int], None] | None = None,
    ) -> None:
        exchange = Exchange(
            market, {KEY: {Book.SPOT: {"USDT": cash}, Book.PERP: {"USDT": Decimal(0)}}}, start_ms, seed=1
        )
        lends = REVERSE_CARRY.name in config.strategies
        super().__init__(DirectVenue(market, exchange, lends=lends), config, start_ms, watch)
        self.step_ms, self.wall_ms = step_ms, wall_ms
        self._liquidity_ms = 0
        self.begin()

    def run_until(self, until_ms: int) -> None:
        while self.market_ms < until_ms:
            self.advance()

    def advance(self) -> None:
        """One step of market time: settlements, frames, tick, and everything that follows from them."""
        before, self.market_ms = self.market_ms, self.market_ms + self.step_ms
        self.mono_ms += self.wall_ms
        self.inbox.extend(self.venue.advance(self.market_ms))
        self.inbox.extend(FeedAlive(feed) for feed in FEEDS)
        self.inbox.extend(self.venue.frames(self.market_ms))
        self.inbox.extend(self.venue.rates(before, self.market_ms))
        self.inbox.extend(self.venue.terms(self.market_ms))
        if self.market_ms - self._liquidity_ms >= LIQUIDITY_EVERY_MS:
            self._liquidity_ms = self.market_ms
            self.inbox.extend(self.venue.liquidity(self.market_ms))
        self.inbox.append(Tick())
        self.drain()
