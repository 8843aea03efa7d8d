"""An engine's state in the middle of its life, made by the engine itself: listed, informed, reconciled, hedged.

Orders of this prelude are filled in memory at their limit, at once; whatever the engine wants persisted is kept, so
that the books of a measurement begin where its state does.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from benchmarks.catalogue import BASIS, HOUR_MS, NEXT_FUNDING_MS, NOW_MS, VENUE, Coin, quote_prices, venue_listed
from bot.domain.actions import MoveMargin, Persist, PlaceOrders, Reconcile
from bot.domain.books import Books
from bot.domain.config import CoreConfig
from bot.domain.events import (
    AccountReported,
    Event,
    FeedAlive,
    OrderFilled,
    OrderReported,
    Reconciled,
    Resume,
    Tick,
    TransferSettled,
)
from bot.domain.hedges import Hedge
from bot.domain.instruments import Kind, instrument_id
from bot.domain.market import Liquidity, Mark, Quote, SettledRate
from bot.domain.orders import Fill, OrderIntent, OrderState, Side
from bot.domain.time import Stamp
from bot.engine.core import step
from bot.engine.recovery import restore
from bot.engine.state import EngineState
from bot.runtime.snapshot import snapshot

RATES_DAYS = 12
FEEDS = (f"{VENUE}:spot", f"{VENUE}:perp")
TICK_MS = 250
TICKS_MAX = 20_000
QUIET_TICKS = 20
"""Ticks without an order after which the engine rests; transfers of margin pause for a second each."""


@dataclass(slots=True)
class World:
    """A state with its clock; `records` is everything it wanted persisted so far, in order."""

    state: EngineState
    now: Stamp
    records: list[Persist] = field(default_factory=list)
    orders: int = 0

    def feed(self, events: Iterable[Event], refuse: Callable[[OrderIntent], bool] = lambda _: False) -> None:
        """Handle the events and all that follows from them; orders that `refuse` names are left without answer."""
        waiting = deque(events)
        while waiting:
            self.now = Stamp(self.now.seq + 1, self.now.market_ms, self.now.mono_ms)
            for action in step(self.state, waiting.popleft(), self.now):
                match action:
                    case Persist():
                        self.records.append(snapshot(action))
                    case PlaceOrders():
                        for intent in action.intents:
                            if not refuse(intent):
                                waiting.extend(self._filled(intent))
                    case MoveMargin():
                        waiting.append(TransferSettled(action.intent.id, f"v{action.intent.id}"))
                    case Reconcile():
                        waiting.append(Reconciled(VENUE))
                    case _:
                        pass

    def pass_ms(self, wall_ms: int) -> None:
        self.now = Stamp(self.now.seq, self.now.market_ms, self.now.mono_ms + wall_ms)

    def _filled(self, intent: OrderIntent) -> tuple[Event, ...]:
        self.orders += 1
        instrument = self.state.market.instruments[intent.instrument]
        spot = instrument.kind is Kind.SPOT
        in_coin = spot and intent.side is Side.BUY
        rate = Decimal("0.001") if spot else Decimal("0.0005")
        fee = intent.quantity_base * rate * (1 if in_coin else intent.limit_price)
        fill = Fill(
            venue=VENUE,
            instrument=intent.instrument,
            trade_id=str(self.orders),
            client_id=intent.client_id,
            venue_order_id=str(self.orders),
            side=intent.side,
            price=intent.limit_price,
            quantity_base=intent.quantity_base,
            fee=fee.quantize(Decimal("1e-8")),
            fee_asset=instrument.base_asset if in_coin else "USDT",
            realized_pnl=Decimal(0),
            maker=False,
            traded_ms=self.now.market_ms,
        )
        report = OrderReported(intent.client_id, OrderState.FILLED, intent.quantity_base, str(self.orders))
        return OrderFilled(fill), report


def build(
    listed: Sequence[Coin],
    config: CoreConfig,
    cash_usd: Decimal,
    *,
    hold_back: str | None = None,
) -> World:
    """Run the engine from nothing until it rests. The coin `hold_back` is left opening, armed for a better basis."""
    world = World(restore(Books(epoch=1), config), Stamp(0, NOW_MS, 1_000_000))
    events: list[Event] = [venue_listed(list(listed))]
    events += rates(listed)
    events += [FeedAlive(feed) for feed in FEEDS]
    events += [event for coin in listed for event in facts(coin)]
    events.append(AccountReported(VENUE, {"spot": {"USDT": cash_usd}, "perp": {}}, {}, complete=True))
    events += [Resume("benchmark"), Reconciled(VENUE)]
    world.feed(events)
    held = next((coin for coin in listed if coin.name == hold_back), None)
    armed = False
    quiet = 0
    for _ in range(TICKS_MAX):
        world.pass_ms(TICK_MS)
        if held is not None and not armed:
            hedge = world.state.book.hedge_of(VENUE, held.name)
            if hedge is not None:
                world.feed([perp_quote(held, shift=-0.003)])
                armed = True
        before = world.orders
        world.feed([*_alive(listed), Tick()])
        quiet = quiet + 1 if world.orders == before and world.state.hedges else 0
        if quiet == QUIET_TICKS:
            return world
    raise AssertionError("the prelude does not come to rest")


def rates(listed: Sequence[Coin]) -> list[Event]:
    """Settled rates every eight hours, high enough that every coin is worth holding."""
    first = NEXT_FUNDING_MS - RATES_DAYS * 24 * HOUR_MS
    return [
        SettledRate(instrument_id(VENUE, coin.symbol, Kind.PERP), at_ms, Decimal("0.0003"), 8 * 3600)
        for at_ms in range(first, NEXT_FUNDING_MS, 8 * HOUR_MS)
        for coin in listed
    ]


def facts(coin: Coin) -> list[Event]:
    """Quotes, mark and liquidity of one coin."""
    spot, perp = (instrument_id(VENUE, coin.symbol, kind) for kind in (Kind.SPOT, Kind.PERP))
    bid, ask = (Decimal(text) for text in quote_prices(coin, perp=False))
    size = Decimal(10_000)
    price = Decimal(repr(coin.price))
    return [
        Quote(spot, bid, ask, size, size, NOW_MS),
        perp_quote(coin),
        Mark(perp, price * Decimal(repr(1 + BASIS)), price, Decimal("0.0003"), NEXT_FUNDING_MS, NOW_MS),
        Liquidity(spot, 1e9, 5e6, None),
        Liquidity(perp, 1e9, 5e6, 1e9),
    ]


def perp_quote(coin: Coin, shift: float = 0.0) -> Quote:
    bid, ask = (Decimal(text) for text in quote_prices(coin, perp=True, shift=shift))
    size = Decimal(10_000)
    return Quote(instrument_id(VENUE, coin.symbol, Kind.PERP), bid, ask, size, size, NOW_MS)


def _alive(listed: Sequence[Coin]) -> list[Event]:
    """What keeps rule R11 content: feeds and marks as of now."""
    events: list[Event] = [FeedAlive(feed) for feed in FEEDS]
    events += [fact for coin in listed for fact in facts(coin) if isinstance(fact, Mark)]
    return events


def hedge_of(world: World, coin: str) -> Hedge:
    hedge = world.state.book.hedge_of(VENUE, coin)
    assert hedge is not None, f"no hedge of {coin}"
    return hedge
