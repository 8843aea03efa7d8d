"""The running venue: market, exchange core, clock and durable state, stepped at wall pace.

Market time moves in steps of `tick_ms` wall time: between two steps prices, depth and marks are those of the
last step, so an order that arrives a few milliseconds after a frame meets the prices of that frame.
Everything here is synchronous and runs on one event loop, so no request sees half of another.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from bot.simulator.exchange.interface import ExchangeCore
from bot.simulator.model import (
    Book,
    DayStats,
    Happening,
    Listing,
    Mark,
    Market,
    Order,
    OrderRequest,
    Settlement,
    Top,
    Trade,
    VenueError,
)
from bot.simulator.wire.clock import MarketClock
from bot.simulator.wire.faultrules import WallFaults
from bot.simulator.wire.listenkeys import ListenKeys
from bot.simulator.wire.persistence import StateStore

SAVE_EVERY_NS = 1_000_000_000
QUOTE_ASSET = "USDT"

Reported = Callable[[str, Sequence[Happening]], None]
Stepped = Callable[[], None]


class Simulation:
    def __init__(
        self,
        *,
        market: Market,
        exchange: ExchangeCore,
        clock: MarketClock,
        store: StateStore,
        wall_ms: Callable[[], int],
        monotonic_ns: Callable[[], int],
        tick_ms: int,
    ) -> None:
        self.market = market
        self.exchange = exchange
        self.clock = clock
        self.wall_ms = wall_ms
        self.monotonic_ns = monotonic_ns
        self.tick_ms = tick_ms
        wire_state: Mapping[str, Any] = store.load_state("wire") or {}
        self.listen_keys = ListenKeys(wall_ms, wire_state.get("listen_keys", ()))
        self.countdowns: dict[tuple[str, str], int] = {
            (key, symbol): at_ms for key, symbol, at_ms in wire_state.get("countdowns", ())
        }
        self.faults = WallFaults(exchange.faults, monotonic_ns)
        self.now_ms = max(clock.read_ms(), exchange.now_ms)
        self.update_id = wall_ms() * 1_000
        self.unpermitted: frozenset[str] = frozenset()
        """Spot symbols that no account may trade; until the process ends."""
        self.on_reported: Reported | None = None
        self.on_stepped: Stepped | None = None
        self.settled_rates: dict[str, list[Settlement]] = {}
        self._settled_until_ms = -1
        self._store = store
        self._stepped_ns = monotonic_ns()
        self._saved_ns = 0
        self._dirty = True
        self._outbox: list[tuple[str, list[Happening]]] = []
        self._tops: dict[tuple[Book, str], Top] = {}
        self._marks: dict[str, Mark] = {}
        self._stats: dict[tuple[Book, str], DayStats] = {}
        self._read_settlements()

    # -- time -------------------------------------------------------------------------------------------

    def step_if_due(self) -> None:
        """Called before every request: a loop that fell behind must not serve an old market."""
        if self.monotonic_ns() - self._stepped_ns >= self.tick_ms * 1_000_000:
            self.step()

    def step(self) -> None:
        """Moves the market to the clock's time; settles, matches, commits, and then tells the streams."""
        self._stepped_ns = self.monotonic_ns()
        before_ms = self.now_ms
        self.now_ms = max(before_ms, self.clock.read_ms())
        self.update_id = max(self.update_id + 1, self.wall_ms() * 1_000)
        if self.now_ms != before_ms:
            self._tops.clear()
            self._marks.clear()
            self._stats.clear()
            self._collect(self.exchange.advance(self.now_ms))
            self._read_settlements()
        self._store.note_market_ms(self.now_ms)
        self._run_countdowns()
        self.faults.expire()
        self.settle()
        if self.on_stepped is not None:
            self.on_stepped()

    def seconds_to_next_step(self) -> float:
        elapsed_ns = self.monotonic_ns() - self._stepped_ns
        return max(0.0, self.tick_ms / 1e3 - elapsed_ns / 1e9)

    # -- market as of the last step -----------------------------------------------------------------------

    def listing(self, book: Book, symbol: str | None) -> Listing:
        """Raises VenueError -1121 for an unknown symbol."""
        found = self.market.listings.get((book, symbol or ""))
        if found is None:
            raise VenueError(-1121, "Invalid symbol.")
        return found

    def listings(self, book: Book) -> list[Listing]:
        """What the exchange information lists; an account's history of what has ended stays readable by symbol."""
        return [one for (b, _), one in self.market.listings.items() if b is book and not one.gone_at(self.now_ms)]

    def top(self, book: Book, symbol: str) -> Top:
        key = (book, symbol)
        if key not in self._tops:
            self._tops[key] = self.market.top(book, symbol, self.now_ms)
        return self._tops[key]

    def mark(self, symbol: str) -> Mark:
        if symbol not in self._marks:
            self._marks[symbol] = self.market.mark(symbol, self.now_ms)
        return self._marks[symbol]

    def day_stats(self, book: Book, symbol: str) -> DayStats:
        key = (book, symbol)
        if key not in self._stats:
            self._stats[key] = self.market.day_stats(book, symbol, self.now_ms)
        return self._stats[key]

    # -- what clients do ----------------------------------------------------------------------------------

    def place(self, api_key: str, request: OrderRequest) -> tuple[Order, Sequence[Trade]]:
        self._dirty = True
        if request.book is Book.SPOT and request.symbol in self.unpermitted:
            raise VenueError(-2010, "This symbol is not permitted for this account.")
        order, trades, happenings = self.exchange.place(api_key, request, self.now_ms)
        self._outbox.append((api_key, list(happenings)))
        return order, trades

    def cancel(self, api_key: str, book: Book, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        self._dirty = True
        order, happenings = self.exchange.cancel(api_key, book, symbol, order_id, client_id, self.now_ms)
        self._outbox.append((api_key, list(happenings)))
        return order

    def cancel_all(self, api_key: str, book: Book, symbol: str) -> Sequence[Order]:
        self._dirty = True
        orders, happenings = self.exchange.cancel_all(api_key, book, symbol, self.now_ms)
        self._outbox.append((api_key, list(happenings)))
        return orders

    def transfer(self, api_key: str, asset: str, quantity: Decimal, source: Book, target: Book) -> int:
        self._dirty = True
        number, happenings = self.exchange.transfer(api_key, asset, quantity, source, target, self.now_ms)
        self._outbox.append((api_key, list(happenings)))
        return number

    def move_collateral(self, api_key: str, quantity: Decimal) -> int:
        """USDT from the spot wallet into the margin wallet, or out of it where negative."""
        self._dirty = True
        number, happenings = self.exchange.move_collateral(api_key, quantity, self.now_ms)
        self._outbox.append((api_key, list(happenings)))
        return number

    def move_capital(self, api_key: str, asset: str, quantity: Decimal, fee: Decimal, *, told: bool) -> int:
        self._dirty = True
        number, happenings = self.exchange.move_capital(api_key, asset, quantity, fee, self.now_ms, told=told)
        self._outbox.append((api_key, list(happenings)))
        return number

    def grant(self, api_key: str, kind: str, quantity: Decimal) -> int:
        self._dirty = True
        number, happenings = self.exchange.grant(api_key, kind, quantity, self.now_ms)
        self._outbox.append((api_key, list(happenings)))
        return number

    def set_leverage(self, api_key: str, symbol: str, leverage: int) -> None:
        self._dirty = True
        self.exchange.set_leverage(api_key, symbol, leverage)

    def touch(self) -> None:
        """Marks the wire's own state (listen keys, countdowns, faults, clock) as changed."""
        self._dirty = True

    # -- durability ---------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Commits what changed, then lets the private streams tell it. Called before every reply."""
        if not self._dirty and self.monotonic_ns() - self._saved_ns < SAVE_EVERY_NS:
            return
        self.save()
        outbox, self._outbox = self._outbox, []
        for api_key, happenings in outbox:
            if happenings and self.on_reported is not None:
                self.on_reported(api_key, happenings)

    def save(self) -> None:
        self._store.save(
            self.exchange.checkpoint(),
            {
                "clock": {
                    "market_ms": self.now_ms,
                    "speed": self.clock.speed,
                    "paused": self.clock.paused,
                },
                "wire": {
                    "listen_keys": self.listen_keys.state(),
                    "countdowns": [[key, symbol, at] for (key, symbol), at in self.countdowns.items()],
                },
            },
        )
        self._dirty = False
        self._saved_ns = self.monotonic_ns()

    def close(self) -> None:
        self.save()
        self._store.close()

    # -- inside -------------------------------------------------------------------------------------------

    def _collect(self, happened: Sequence[tuple[str, Happening]]) -> None:
        """Keeps the order of events; neighbours of one account form one batch."""
        for api_key, happening in happened:
            self._dirty = True
            if self._outbox and self._outbox[-1][0] == api_key:
                self._outbox[-1][1].append(happening)
            else:
                self._outbox.append((api_key, [happening]))

    def _read_settlements(self) -> None:
        for settlement in self.market.settlements(self._settled_until_ms, self.now_ms):
            if not self.listing(Book.PERP, settlement.symbol).ended_at(settlement.at_ms):
                self.settled_rates.setdefault(settlement.symbol, []).append(settlement)
        self._settled_until_ms = self.now_ms

    def _run_countdowns(self) -> None:
        """countdownCancelAll runs on wall time: a dead client's resting perp orders go."""
        wall_ms = self.wall_ms()
        for (api_key, symbol), at_ms in list(self.countdowns.items()):
            if wall_ms >= at_ms:
                del self.countdowns[api_key, symbol]
                self.cancel_all(api_key, Book.PERP, symbol)
