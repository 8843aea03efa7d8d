"""A scenario's session: the daemon's engine over staged prices, with both kinds of time set by the scenario.

A stage says how often the market is looked at. While something is under way (orders, an imbalance, margin on the
move) the session looks every quarter of a second, as the daemon does, for a quarter of a minute at most.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path

from bot.domain import actions as act
from bot.domain.books import Books
from bot.domain.config import CoreConfig
from bot.domain.events import Event, FeedAlive, Reconciled, Reconfigure, Tick, TransferSettled
from bot.domain.market import Mark
from bot.domain.orders import OrderIntent
from bot.domain.structures import REVERSE_CARRY
from bot.domain.time import DAY_MS, HOUR_MS
from bot.engine.recovery import restore
from bot.research.direct import KEY, VENUE
from bot.research.scenarios.language import Scenario, Stage
from bot.research.scenarios.market import StagedMarket
from bot.research.scenarios.venue import StagedVenue
from bot.research.session import Session
from bot.simulator.exchange.core import Exchange
from bot.simulator.loan_model import LoanModel
from bot.simulator.model import Book
from bot.store.database import SqlStore
from bot.store.migrate import upgrade

WARM_UP_MS = 40 * DAY_MS
WORK_MS = 250
WORK_STEPS_MAX = 60
"""Quarter seconds of work after a look at the market before the next one is due anyway."""


class StagedSession(Session):
    """`watch` sees every action; `looked` is called after each look at the market."""

    def __init__(
        self,
        scenario: Scenario,
        market: StagedMarket,
        config: CoreConfig,
        watch: Callable[[act.Action, int], None],
        submitting: "Callable[[StagedSession, Sequence[OrderIntent]], None]",
    ) -> None:
        self.scenario, start_ms = scenario, scenario.start_ms
        accounts = {KEY: {Book.SPOT: {"USDT": scenario.cash}, Book.PERP: {"USDT": scenario.cash * 0}}}
        self.exchange = Exchange(market, accounts, start_ms, seed=1)
        lends = REVERSE_CARRY.name in config.strategies
        if lends:
            self._lend(market)
        self.staged = StagedVenue(market, self.exchange, lends=lends)
        super().__init__(self.staged, config, start_ms, self._seen)
        self._hear = watch
        self.market = market
        self.persisted: list[act.Persist] = []
        """What was written, as it was when it was; kept only where the scenario restarts the daemon."""
        self.now = self.staged.now
        self.foreign = False
        """Whether somebody else has moved money that the books do not know of."""
        self.busy = False
        self.submitting = partial(submitting, self)
        self._asked = False
        self._liquid_ms = 0
        self.begin(WARM_UP_MS)

    def _lend(self, market: StagedMarket) -> None:
        """Every coin can be borrowed, on the terms that a backtest assumes; a scenario's faults change them."""
        model = LoanModel()
        for coin in market.coins:
            pool = model.pool(coin.track.at(self.scenario.start_ms)[0])
            self.exchange.set_lending(coin.coin, model.rate_per_h(0.0), pool)

    def tell(self, event: Event) -> None:
        """Let an event in at this moment, and what follows from it."""
        self.inbox.append(event)
        self.drain()

    def run(self, looked: "Callable[[StagedSession], None]", edit: CoreConfig | None, *, off: bool) -> None:
        """The whole scenario; when the book stands, `edit` (if any) becomes its configuration."""
        scenario = self.scenario
        due = [(scenario.ms(one.at), one) for one in scenario.happenings if not (off and one.skip_off)]
        due.sort(key=lambda one: one[0])
        armed_ms = scenario.ms(scenario.judged_from)
        for stage in scenario.stages:
            end_ms = scenario.ms(stage.until)
            while self.market_ms < end_ms:
                next_ms = min(end_ms, self.market_ms + round(stage.step_s * 1000))
                if due:
                    next_ms = min(next_ms, max(due[0][0], self.market_ms + 1))
                if self.market_ms < armed_ms:
                    next_ms = min(next_ms, armed_ms)
                self._look(next_ms - self.market_ms, stage, looked)
                if edit is not None and self.market_ms >= armed_ms:
                    self.tell(Reconfigure(edit))
                    edit = None
                while due and due[0][0] <= self.market_ms:
                    due.pop(0)[1].do(self)
                self._work(stage, end_ms, looked)

    def _look(self, step_ms: int, stage: Stage, looked: "Callable[[StagedSession], None]") -> None:
        """One look at the market: what settled, frames of the feeds that live, a tick, and what follows."""
        before, self.market_ms = self.market_ms, self.market_ms + step_ms
        self.mono_ms += step_ms if stage.wall_s is None else max(1, round(step_ms * stage.wall_s / stage.step_s))
        staged, inbox = self.staged, self.inbox
        inbox.extend(staged.advance(self.market_ms))
        if self._asked and not self.now.out:
            self._reconcile()
        inbox.extend(FeedAlive(feed) for feed in staged.feeds(self.market_ms))
        # Marks first: with looks far apart a quote would otherwise be judged beside the mark of the look before.
        inbox.extend(sorted(staged.frames(self.market_ms), key=lambda event: not isinstance(event, Mark)))
        if not self.now.out:
            inbox.extend(staged.rates(before, self.market_ms))
            inbox.extend(staged.terms(self.market_ms))
            if self.market_ms - self._liquid_ms >= HOUR_MS:
                self._liquid_ms = self.market_ms
                inbox.extend(staged.liquidity(self.market_ms))
        inbox.append(Tick())
        asked = self.drain()
        self.busy = bool(asked or self.state.orders or self._uneven())
        looked(self)

    def _seen(self, action: act.Action, at_ms: int) -> None:
        if isinstance(action, act.Persist) and self.scenario.restarts:
            self.persisted.append(deepcopy(action))
        self._hear(action, at_ms)

    def _uneven(self) -> bool:
        return any(hedge.unbalanced_mono_ms is not None for hedge in self.state.book.live_hedges())

    def _work(self, stage: Stage, end_ms: int, looked: "Callable[[StagedSession], None]") -> None:
        if stage.step_s * 1000 <= WORK_MS:
            return
        quick = Stage(stage.until, WORK_MS / 1000, WORK_MS / 1000)
        for _ in range(WORK_STEPS_MAX):
            if not self.busy or self.market_ms + WORK_MS >= end_ms:
                return
            self._look(WORK_MS, quick, looked)

    def _carry_out(self, action: act.Action) -> bool:
        """As the daemon's shell would; what a venue that is out does not answer stays unanswered."""
        match action:
            case act.PlaceOrders():
                self.submitting(action.intents)
                return super()._carry_out(action)
            case act.QueryOrder():
                self.inbox.extend(self.staged.query(action.client_id, action.instrument))
            case act.FetchReceipts():
                self.inbox.extend(self.staged.receipts(action.since_ms))
            case act.FetchRates() if not self.now.out:
                self.inbox.extend(self.staged.rates(action.since_ms, self.market_ms))
            case act.Reconcile():
                self._asked = True
            case _:
                return super()._carry_out(action)
        return False

    def _reconcile(self) -> None:
        """The venue's truth, at the look after the one that asked for it: no answer comes within the same moment."""
        self._asked = False
        for order in list(self.state.orders.values()):
            self.inbox.extend(self.staged.query(order.intent.client_id, order.intent.instrument))
        moved = {str(one.id): one for one in self.exchange.transfers(KEY)}
        self.inbox.extend(
            TransferSettled(intent.id, name)
            for intent in self.state.transfers.values()
            for name, one in moved.items()
            if one.quantity == intent.amount and one.at_ms >= intent.created_ms and one.source == intent.source
        )
        self.inbox.extend(self.staged.report())
        self.inbox.append(Reconciled(VENUE))

    def restart(self) -> None:
        """The daemon ends and starts again: what it wrote goes through the database, and recovery follows."""
        books = _through_the_database(self.persisted)
        self.inbox.clear()
        self.state = restore(books, self.state.config)
        self.staged.refresh()
        self.begin(WARM_UP_MS)


def _through_the_database(records: Sequence[act.Persist]) -> Books:
    """Everything a daemon wrote, committed to a fresh database and loaded by the next one."""
    with tempfile.TemporaryDirectory(prefix="carrybot-scenario-") as folder:
        url = f"sqlite:///{Path(folder) / 'books.db'}"
        upgrade(url)
        return asyncio.run(_written_and_read(url, records))


async def _written_and_read(url: str, records: Sequence[act.Persist]) -> Books:
    async with SqlStore(url) as store:
        await store.load()
        await store.commit(records)
    async with SqlStore(url) as store:
        return await store.load()
