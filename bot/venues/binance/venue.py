"""Binance spot, cross margin and USD-M perpetuals of one account as a `Venue`: split wallets, one-way mode, USDT."""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from time import time_ns

from bot.domain.actions import Severity
from bot.domain.events import AccountReported, FeedLost, VenueListed
from bot.domain.hedges import Receipt, TransferIntent
from bot.domain.instruments import Instrument, Kind, Wallet, instrument_id
from bot.domain.market import Liquidity, SettledRate
from bot.domain.orders import Fill, OrderIntent
from bot.ports import (
    CapitalBooked,
    Deliver,
    FundingSettled,
    KeyRights,
    Lender,
    OrderBook,
    VenueError,
    VenueHistory,
    VenueRefusedError,
    VenueSetupError,
)
from bot.venues.binance.account import AccountModes, AccountReader
from bot.venues.binance.capital import CapitalReader
from bot.venues.binance.clock import MarketClock
from bot.venues.binance.income import IncomeReader
from bot.venues.binance.liquidity import LiquidityReader
from bot.venues.binance.listing import Universe
from bot.venues.binance.margin import MAY_NOT_BORROW, CrossMargin
from bot.venues.binance.market_lines import market_lines
from bot.venues.binance.orders import OrderDesk
from bot.venues.binance.rates import RateHistory
from bot.venues.binance.rest import BinanceRest
from bot.venues.binance.streams import Fields, Line, Log, StreamKeeper
from bot.venues.binance.symbols import SymbolBook, to_base_price
from bot.venues.binance.trades import OrderNames, TradeReader
from bot.venues.binance.user_lines import UserLines
from bot.venues.transport import Transport

MEASURE_CLOCK_EVERY_S = 600.0
MEASURE_CLOCK_RETRY_S = 5.0
RELISTED = "connected anew for another listing"
HISTORY_AT_ONCE = 8
"""Instruments whose trades are asked for at the same time; ccxt's limiter paces the requests."""


def _silent(severity: Severity, name: str, fields: Fields) -> None:
    del severity, name, fields


class BinanceVenue:
    """Implements `bot.ports.Venue`. `coins` empty lists every coin with both legs.

    `transport` leads all host names to one server (the simulated exchange); None is the internet. With `borrows` the
    cross-margin account is one of its wallets and coins are sold on loan there; without, it is never looked at.
    """

    def __init__(
        self,
        name: str,
        account: str,
        api_key: str,
        secret: str,
        *,
        transport: Transport | None = None,
        coins: Iterable[str] = (),
        exclude: Iterable[str] = (),
        borrows: bool = False,
        timeout_s: float = 10.0,
        log: Log = _silent,
        rng: random.Random | None = None,
    ) -> None:
        self.name = name
        self.account = account
        self._signed = bool(api_key)
        self._transport = transport
        self._log = log
        self._rng = rng or random.Random()  # noqa: S311 - jitter of reconnects, not a secret
        self._rest = BinanceRest(api_key, secret, transport, timeout_s=timeout_s)
        self._clock = MarketClock()
        self._names = OrderNames()
        self._book = SymbolBook.of(())
        self._listing: VenueListed | None = None
        self._relisted = asyncio.Event()
        universe = Universe(frozenset(coins), frozenset(exclude))
        self._margin = CrossMargin(name, account, self._rest, self._clock)
        self._wants_loans, self._borrows = borrows, False
        self._reader = AccountReader(name, self._rest, universe, log)
        self._rates = RateHistory(self._rest)
        self._liquidity = LiquidityReader(self._rest)
        self._income = IncomeReader(name, account, self._rest, self._rates)
        self._capital = CapitalReader(self._rest, self._income)
        self._trades = TradeReader(self._rest, self._names)
        self._desk = OrderDesk(self._rest, lambda: self._book, self._names, log)
        self._users = UserLines(name, self._rest, lambda: self._book, self._names, self._clock, log)

    @property
    def lender(self) -> Lender | None:
        return self._margin if self._borrows else None

    def permit_by(self, permit: Callable[[], str | None]) -> None:
        """From now on nothing that changes the account is signed while `permit` gives a reason against it."""
        self._rest.permit = permit

    @property
    def malformed_frames(self) -> int:
        """Frames that could not be decoded since `run` began."""
        return self._keeper.complaints.count if self._keeper is not None else 0

    _keeper: StreamKeeper | None = None

    @property
    def clock_offset_ms(self) -> int:
        """Venue's wall clock less this machine's, as last measured."""
        return self._rest.clock_offset_ms

    async def connect(self) -> None:
        """Measures both clocks and loads the instruments. Raises VenueError; then nothing stays open."""
        try:
            await self._rest.open()
            await self._rest.measure_clock()
            await self._read_market_time()
            await self.fetch_listing()
            if self._signed:
                await self._look_at_modes()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        await self._rest.close()

    def market_ms(self) -> int:
        """The venue's UTC clock; 0 before `connect`."""
        return self._clock.now_ms()

    async def account_modes(self) -> AccountModes:
        """How the account is set up; `.problem` says what must be changed. Raises VenueError."""
        return await self._reader.modes(borrows=self._borrows)

    async def _look_at_modes(self) -> None:
        """In hedge mode the venue refuses each perpetual order of ours and fills the spot order beside it, which is
        then sold again at a loss; nothing can be held in it. A key that can withdraw is more than a daemon may have.
        Whatever else is wrong, what is held is managed."""
        modes, rights = await self.account_modes(), await self.key_rights()
        if modes.hedge_mode:
            raise VenueSetupError(f"account: {modes.problem}")
        if rights.can_withdraw:
            raise VenueSetupError("the key can withdraw; make a key without withdrawal rights")
        problems = [] if modes.problem is None else [modes.problem]
        if missing := rights.missing(borrows=self._borrows):
            problems.append(f"the key lacks {', '.join(missing)}; allow it in the venue's API settings")
        if (ends := rights.ends_soon(time_ns() // 1_000_000 + self.clock_offset_ms)) is not None:
            problems.append(f"{ends}; renew it in the venue's API settings")
        for problem in problems:
            self._log(Severity.WARNING, "venue.account_modes", {"venue": self.name, "problem": problem})

    async def _read_market_time(self) -> None:
        """Before the first frame: mark prices carry market time, /time is wall time (of a simulator too)."""
        rows = await self._rest.data("fapiPublicGetPremiumIndex")
        try:
            market_ms = max(int(row["time"]) for row in rows)
        except (KeyError, TypeError, ValueError) as error:
            raise VenueError(f"premiumIndex: {error!r}") from None
        if not self._clock.observe(market_ms):
            raise VenueError(f"premiumIndex: time {market_ms} is far ahead of all that the venue told before")

    def widen(self, coins: Iterable[str], exclude: Iterable[str], *, borrows: bool = False) -> bool:
        """List also what these admit, from the next listing on; False when nothing is added.

        Never less than before: what may be held or owed still has to be quoted, counted and closed.
        """
        before, borrowed, wanted = self._reader.universe, self._wants_loans, frozenset(coins)
        wider = Universe(
            before.coins | wanted if before.coins and wanted else frozenset(), before.exclude & frozenset(exclude)
        )
        self._reader.universe = wider
        self._wants_loans |= borrows
        return (wider, self._wants_loans) != (before, borrowed)

    def keep_listed(self, instruments: Iterable[str]) -> None:
        """A market may have closed while nobody looked; or a pair left margin trading, and the venue bought back a
        crumb of it."""
        instruments = tuple(instruments)
        self._reader.kept.update(instruments)
        for _, symbol, kind in (name.split(":") for name in instruments):
            if kind == Kind.MARGIN.value:
                self._margin.keep(symbol)
                self._reader.kept.add(instrument_id(self.name, symbol, Kind.SPOT))

    # -- streams --------------------------------------------------------------------------------------------

    async def run(self, deliver: Deliver) -> None:
        """Keeps all streams until it is cancelled; public ones start anew when the listing changes."""
        if self._listing is None:
            raise VenueError("connect before run")
        keeper = self._keeper = self._keeper_of(deliver)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._measure_clock_often())
            group.create_task(self._run_public(keeper, deliver))
            if self._signed:
                for line in self._users.lines(deliver):
                    group.create_task(keeper.keep(line))

    def _keeper_of(self, deliver: Deliver) -> StreamKeeper:
        return StreamKeeper(self._transport, deliver, self._log, self._rng)

    async def _run_public(self, keeper: StreamKeeper, deliver: Deliver) -> None:
        while True:
            self._relisted.clear()
            lines = market_lines(self.name, lambda: self._book, deliver, self._clock)
            await self._keep_until_relisted(keeper, lines)
            # What changed between the old connections and the new ones was told by none: no quote of before is fresh.
            for feed in dict.fromkeys(line.feed for line in lines):
                deliver(FeedLost(feed, RELISTED, planned=True))

    async def _keep_until_relisted(self, keeper: StreamKeeper, lines: list[Line]) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(keeper.keep(line)) for line in lines]
            await self._relisted.wait()
            for task in tasks:
                task.cancel()

    async def _measure_clock_often(self) -> None:
        """Every ten minutes, and at once when the venue refuses a time stamp."""
        wait_s = MEASURE_CLOCK_EVERY_S
        while True:
            try:
                async with asyncio.timeout(wait_s):
                    await self._rest.clock_refused.wait()
            except TimeoutError:
                pass
            try:
                offset_ms = await self._rest.measure_clock()
                self._log(Severity.DEBUG, "venue.clock_measured", {"venue": self.name, "offset_ms": offset_ms})
                wait_s = MEASURE_CLOCK_EVERY_S
            except VenueError as error:
                self._log(Severity.WARNING, "venue.clock_not_measured", {"venue": self.name, "error": str(error)})
                wait_s = MEASURE_CLOCK_RETRY_S
                await asyncio.sleep(wait_s)

    # -- orders and transfers: outcomes are events ----------------------------------------------------------

    async def place(self, intents: Sequence[OrderIntent], *, reducing: bool, deliver: Deliver) -> None:
        await self._desk.place(intents, reducing=reducing, deliver=deliver)

    async def cancel(self, client_id: str, instrument: str, deliver: Deliver) -> None:
        await self._desk.cancel(client_id, instrument, deliver)

    async def query(
        self, client_id: str, instrument: str, venue_order_id: str | None, since_ms: int, deliver: Deliver
    ) -> None:
        await self._list_again(instrument, deliver)
        await self._desk.query(client_id, instrument, venue_order_id, since_ms, deliver)

    async def _list_again(self, instrument: str, deliver: Deliver) -> None:
        """An order of ours in a coin that is lent no more: its trades are ours all the same."""
        symbol, _, kind = instrument.rpartition(":")
        spot = self._book.by_id.get(f"{symbol}:{Kind.SPOT.value}")
        if instrument in self._book.by_id or kind != Kind.MARGIN.value or spot is None or not self._wants_loans:
            return
        if self._margin.keep(spot.symbol):
            with suppress(VenueError):  # the next listing has it
                deliver(await self.fetch_listing())

    async def transfer(self, intent: TransferIntent, deliver: Deliver) -> None:
        await self._desk.transfer(intent, deliver)

    # -- fetching: raises VenueError ------------------------------------------------------------------------

    async def fetch_listing(self) -> VenueListed:
        listing = await self._reader.listing(signed=self._signed)
        if self._wants_loans:
            listing = await self._with_loans(listing)
        book = SymbolBook.of(listing.instruments)
        if book.by_id.keys() != self._book.by_id.keys():
            self._relisted.set()
        self._book, self._listing = book, listing
        return listing

    async def _with_loans(self, listing: VenueListed) -> VenueListed:
        """Margin spot beside the spot. A key that may not borrow leaves the rest as it is, until it may."""
        try:
            listing = await self._margin.listed(listing, self._reader.spot_discount)
            self._borrows = True
        except VenueRefusedError as error:
            if self._borrows or error.code not in MAY_NOT_BORROW:
                raise
            self._log(Severity.WARNING, "venue.cannot_borrow", {"venue": self.name, "reason": str(error)})
        return listing

    async def fetch_rates(self, since_ms: int, instruments: Sequence[str] | None = None) -> Sequence[SettledRate]:
        if instruments is None:
            return await self._rates.fetch(since_ms, self._book.perp.values(), each=False)
        wanted = [i for i in self._known(instruments) if i.kind is Kind.PERP]
        return await self._rates.fetch(since_ms, wanted, each=True)

    async def fetch_liquidity(self, instruments: Sequence[str]) -> Sequence[Liquidity]:
        """Of those that trade."""
        return await self._liquidity.fetch([one for one in self._known(instruments) if one.trades])

    async def fetch_order_book(self, instrument: str) -> OrderBook:
        """The order book as far as one request reaches."""
        return await self._liquidity.order_book(self._known([instrument])[0])

    async def fetch_settlements(self, since_ms: int, instruments: Sequence[str]) -> Sequence[FundingSettled]:
        """Settlements of these perpetuals from `since_ms` on, with the marks that they were charged on."""
        settled = []
        for rate in await self.fetch_rates(since_ms, instruments):
            instrument = self._book.by_id[rate.instrument]
            found = self._rates.find(instrument.symbol, rate.settled_ms)
            mark = to_base_price(instrument, found.mark) if found is not None and found.mark is not None else None
            settled.append(FundingSettled(rate.instrument, rate.settled_ms, rate.rate, mark))
        return settled

    async def fetch_account(self) -> AccountReported:
        report = await self._reader.report(self._book)
        balances = dict(report.balances)
        if self._borrows:
            balances[Wallet.MARGIN.value] = await self._margin.balances()
        return replace(report, balances=balances, at_ms=self.market_ms())

    async def fetch_receipts(self, since_ms: int) -> Sequence[Receipt]:
        return await self._income.receipts(since_ms, self._book)

    async def fetch_history(self, since_ms: int, instruments: Sequence[str]) -> VenueHistory:
        """Fills of these instruments, all that was paid, charged and moved, up to the market time of the call."""
        await self._read_market_time()
        until_ms = self.market_ms()
        fills: list[Fill] = []
        wanted = self._known(instruments)
        for first in range(0, len(wanted), HISTORY_AT_ONCE):
            some = wanted[first : first + HISTORY_AT_ONCE]
            fills += await self._fills(some, since_ms, until_ms)
        receipts = await self._income.receipts(since_ms, self._book)
        charges = await self._income.charges(since_ms, self._book)
        interest = await self._margin.fetch_interest(since_ms) if self._borrows else ()
        transfers = await self._income.transfers(since_ms, until_ms, margin=self._borrows)
        return VenueHistory(
            fills=tuple(sorted(fills, key=lambda f: (f.traded_ms, f.instrument, int(f.trade_id)))),
            receipts=tuple(receipts),
            transfers=tuple(transfers),
            until_ms=until_ms,
            charges=tuple(charges),
            interest=tuple(interest),
        )

    async def _fills(self, some: Sequence[Instrument], since_ms: int, until_ms: int) -> list[Fill]:
        answers = await asyncio.gather(
            *(self._trades.since(i, since_ms, until_ms) for i in some), return_exceptions=True
        )
        fills: list[Fill] = []
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            fills += answer
        return fills

    async def fetch_capital(self, since_ms: int) -> Sequence[CapitalBooked]:
        await self._read_market_time()
        return await self._capital.fetch(since_ms, self.market_ms(), margin=self._borrows)

    async def fetch_open_orders(self) -> Sequence[tuple[str, str, str]]:
        return await self._desk.open_orders()

    async def key_rights(self) -> KeyRights:
        return await self._reader.rights()

    def _known(self, instruments: Sequence[str]) -> list[Instrument]:
        unknown = [i for i in instruments if i not in self._book.by_id]
        if unknown:
            raise VenueError(f"not listed: {', '.join(unknown[:5])}")
        return [self._book.by_id[i] for i in instruments]
