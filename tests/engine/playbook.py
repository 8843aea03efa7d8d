"""Stories about the engine, told as a conversation: `book >> what happens << what it must answer`.

`>>` feeds an event (or a phrase such as `fills("spot")` that becomes events when it is its turn); `<<` expects an
action among those of the latest step, in order, matched by type and by the fields that are named. Everything that
would leave the daemon (orders, queries, cancels, transfers) must be expected before the next event: silence is
part of what is tested.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from typing import Any

import market_kit as kit

from bot.domain.actions import (
    Action,
    CancelOrder,
    Emit,
    MoveMargin,
    Persist,
    PlaceOrders,
    QueryOrder,
    Reconcile,
    Severity,
)
from bot.domain.books import Books
from bot.domain.config import CoreConfig
from bot.domain.events import (
    AccountReported,
    Event,
    FeedAlive,
    FundingReceived,
    OrderFilled,
    OrderNotFound,
    OrderOutcomeUnknown,
    OrderReported,
    Reconciled,
    Tick,
)
from bot.domain.guards import Remembered
from bot.domain.hedges import Hedge, Receipt
from bot.domain.orders import Fill, OrderIntent, OrderState, Side
from bot.domain.time import HOUR_MS, Stamp
from bot.engine.core import step
from bot.engine.recovery import restore
from bot.engine.state import EngineState

SENT = (PlaceOrders, CancelOrder, QueryOrder, MoveMargin)
D = Decimal


@dataclass(frozen=True)
class Expect:
    """One action that must be there: its type, and the named fields that it must have."""

    kind: type
    values: dict[str, Any] = field(default_factory=dict)
    record: type | None = None
    absent: bool = False

    def matches(self, action: Action) -> bool:
        if not isinstance(action, self.kind):
            return False
        thing: Any = action
        if self.record is not None:
            thing = action.record  # type: ignore[union-attr]
            if not isinstance(thing, self.record):
                return False
        return all(self._agrees(thing, name, value) for name, value in self.values.items())

    @staticmethod
    def _agrees(thing: Any, name: str, value: Any) -> bool:
        if isinstance(thing, Emit) and name not in {"name", "severity"}:
            return bool(thing.fields.get(name) == value)
        for part in name.split("__"):
            thing = getattr(thing, part)
        return bool(value(thing)) if callable(value) else bool(thing == value)


def saved(record: type, **values: Any) -> Expect:
    """A record of this type is committed."""
    return Expect(Persist, values, record)


def said(name: str, **values: Any) -> Expect:
    """A log line of this name."""
    return Expect(Emit, {"name": name, **values})


def asked(client_id: str | None = None) -> Expect:
    return Expect(QueryOrder, {} if client_id is None else {"client_id": client_id})


def moved(amount: str | None = None, **values: Any) -> Expect:
    more = {f"intent__{name}": value for name, value in values.items()}
    return Expect(MoveMargin, more if amount is None else {"intent__amount": D(amount), **more})


def silence(kind: type = PlaceOrders) -> Expect:
    """No action of this type in the latest step."""
    return Expect(kind, absent=True)


@dataclass(frozen=True)
class Sent:
    """One PlaceOrders with exactly these orders: "buy spot 0.5", "sell perp 0.5 reduce"."""

    orders: tuple[str, ...]

    def matches(self, action: Action) -> bool:
        return isinstance(action, PlaceOrders) and tuple(told(intent) for intent in action.intents) == self.orders


def orders(*texts: str) -> Sent:
    return Sent(texts)


def told(intent: OrderIntent) -> str:
    """An order in words: side, leg, quantity and what it may not do."""
    leg = intent.instrument.rpartition(":")[2]
    return f"{intent.side.value} {leg} {intent.quantity_base.normalize():f}" + (
        " reduce" if intent.reduce_only else ""
    )


Phrase = Callable[["Playbook"], Iterable[Event]]
Play = Callable[..., "Playbook"]
"""The `play` fixture: (config, coins, state) to a new playbook."""


class Playbook:
    """The engine with a clock in the tester's hand. Market time and monotonic time move only by `wait`."""

    def __init__(
        self, config: CoreConfig | None = None, coins: tuple[str, ...] = ("BTC",), state: EngineState | None = None
    ) -> None:
        self.coins = coins
        self.config = config or kit.config(coins)
        self.state = state if state is not None else restore(Books(epoch=1), self.config)
        self.seq = 0
        self.market_ms = kit.START_MS + HOUR_MS
        self.mono_ms = 5_000_000
        self.actions: list[Action] = []
        self.cursor = 0
        self.unmet: list[Action] = []
        self.sent: list[OrderIntent] = []
        self.kept: list[Remembered] = []
        self.trades = 0
        self.rate = "0.0003"

    # --- the conversation

    def __rshift__(self, event: "Event | Phrase") -> "Playbook":
        self.settle()
        events = event(self) if callable(event) else [event]
        self.actions, self.cursor = [], 0
        for one in events:
            self.actions += self.feed(one)
        self.unmet = [action for action in self.actions if isinstance(action, SENT)]
        return self

    def __lshift__(self, expected: "Expect | Sent") -> "Playbook":
        if isinstance(expected, Expect) and expected.absent:
            found = [action for action in self.actions if expected.matches(action)]
            assert not found, f"not expected: {found}"
            return self
        for position in range(self.cursor, len(self.actions)):
            if expected.matches(self.actions[position]):
                self.cursor = position + 1
                self.unmet = [action for action in self.unmet if action is not self.actions[position]]
                return self
        raise AssertionError(f"expected {expected} after action {self.cursor} of:\n{self.shown()}")

    def settle(self) -> None:
        """Nothing may have left the daemon that the story did not mention."""
        unmet, self.unmet = self.unmet, []
        assert not unmet, "unmentioned: " + "; ".join(_brief(action) for action in unmet)

    def feed(self, event: Event) -> list[Action]:
        """One step, without the strictness of the conversation."""
        self.seq += 1
        actions = list(step(self.state, event, Stamp(self.seq, self.market_ms, self.mono_ms)))
        for action in actions:
            if isinstance(action, PlaceOrders):
                self.sent += action.intents
            elif isinstance(action, Persist) and isinstance(action.record, Remembered):
                self.kept.append(action.record)
        return actions

    def shown(self) -> str:
        return "\n".join("  " + _brief(action) for action in self.actions) or "  (nothing)"

    # --- time

    def wait(self, seconds: float, market_s: float | None = None) -> "Playbook":
        """Let wall time pass, and market time with it unless said otherwise. Feeds do not speak meanwhile."""
        self.settle()
        self.mono_ms += int(seconds * 1000)
        self.market_ms += int((seconds if market_s is None else market_s) * 1000)
        return self

    def until(self, market_ms: int) -> "Playbook":
        """Let market time pass (a venue that runs fast): half a second of wall time."""
        assert market_ms >= self.market_ms
        return self.wait(0.5, (market_ms - self.market_ms) / 1000)

    # --- setting the scene

    def scene(
        self,
        spot_usdt: str = "700000",
        perp_usdt: str = "300000",
        rate: str = "0.0003",
        margin_usdt: str | None = None,
    ) -> "Playbook":
        """List the venue, give history, prices, liquidity and a reconciled account of a million.

        With `margin_usdt` there is a margin wallet, and coins can be borrowed.
        """
        self.feed(kit.listing(self.coins, margin=margin_usdt is not None))
        for coin in self.coins:
            for one in (*kit.history(coin, kit.START_MS, rate=rate), *kit.liquidity(coin), *kit.quotes(coin)):
                self.feed(one)
        self.alive(rate=rate)
        wallets = {"spot": {"USDT": D(spot_usdt)}, "perp": {"USDT": D(perp_usdt)}}
        if margin_usdt is not None:
            wallets["margin"] = {"USDT": D(margin_usdt)}
            for coin in self.coins:
                self.feed(kit.borrow_terms(coin))
        self.account(wallets)
        self.feed(Reconciled(kit.VENUE))
        return self

    def alive(self, price: str | None = None, rate: str | None = None) -> "Playbook":
        """Both feeds speak, and every mark is fresh, with the playbook's own rate unless said otherwise."""
        self.feed(FeedAlive("binance:spot"))
        self.feed(FeedAlive("binance:perp"))
        next_ms = (self.market_ms // (8 * HOUR_MS) + 1) * 8 * HOUR_MS
        for coin in self.coins:
            quote = self.state.market.quotes.get(kit.perp_id(coin))
            fresh = price if price is not None else (str(quote.mid) if quote is not None else None)
            self.feed(kit.mark(coin, fresh, rate=self.rate if rate is None else rate, next_ms=next_ms))
        return self

    def price(self, coin: str, price: str, **more: str) -> "Playbook":
        """The market moves: quotes and mark of one coin."""
        for one in kit.quotes(coin, price, **more):
            self.feed(one)
        next_ms = (self.market_ms // (8 * HOUR_MS) + 1) * 8 * HOUR_MS
        self.feed(kit.mark(coin, price, next_ms=next_ms))
        return self

    def account(self, balances: dict[str, dict[str, Decimal]], positions: dict[str, Decimal] | None = None) -> None:
        self.feed(AccountReported(kit.VENUE, balances, positions or {}, complete=True))

    def run(
        self, seconds: float = 20.0, tick_s: float = 0.25, *, until: Callable[[], bool] = lambda: False
    ) -> "Playbook":
        """Let the engine work with a venue that fills everything at the touch, until it rests."""
        self.settle()
        for _ in range(int(seconds / tick_s)):
            self.alive()
            for action in self.feed(Tick()):
                self.serve(action)
            if until():
                break
            self.mono_ms += int(tick_s * 1000)
            self.market_ms += int(tick_s * 1000)
        return self

    def serve(self, action: Action) -> None:
        """Fill every order that this action sends, answer every reconciliation, and what follows from it."""
        if isinstance(action, Reconcile):
            self.feed(Reconciled(action.venue))
        if isinstance(action, PlaceOrders):
            for intent in action.intents:
                for event in (fill_of(self, intent), report_of(intent, OrderState.FILLED, intent.quantity_base)):
                    for more in self.feed(event):
                        self.serve(more)

    # --- looking

    @property
    def hedge(self) -> Hedge:
        """The only live hedge."""
        (only,) = self.state.book.live_hedges()
        return only

    def hedge_of(self, coin: str) -> Hedge:
        found = self.state.book.hedge_of(kit.VENUE, coin)
        assert found is not None, f"no live hedge of {coin}"
        return found

    def last(self, leg: str) -> OrderIntent:
        """The latest order sent on the spot, the margin or the perpetual leg."""
        return next(intent for intent in reversed(self.sent) if intent.instrument.endswith(f":{leg}"))

    def balance(self, account: str, asset: str = "USDT") -> Decimal:
        return self.state.ledger.balance(account, asset)


def _brief(action: Action) -> str:
    if isinstance(action, PlaceOrders):
        return f"PlaceOrders({', '.join(told(intent) for intent in action.intents)})"
    if isinstance(action, Persist):
        return f"Persist({type(action.record).__name__})"
    if isinstance(action, Emit):
        return f"{action.severity.value} {action.name} {dict(action.fields)}"
    if is_dataclass(action):
        return f"{type(action).__name__}({', '.join(f'{f.name}={getattr(action, f.name)}' for f in fields(action))})"
    return repr(action)


# --- phrases: what the venue says of the latest orders


def fill_of(
    book: Playbook,
    intent: OrderIntent,
    quantity: Decimal | None = None,
    price: Decimal | None = None,
    *,
    trade_id: str | None = None,
    client_id: str | None = None,
    fee: Decimal | None = None,
) -> OrderFilled:
    """A trade of an order at the touch, with the venue's fee: in the coin on a spot buy, else in USDT."""
    instrument = book.state.market.instruments[intent.instrument]
    rates = book.state.market.fees[intent.instrument]
    quote = book.state.market.quotes[intent.instrument]
    size = intent.quantity_base if quantity is None else quantity
    at = price if price is not None else (quote.ask if intent.side is Side.BUY else quote.bid)
    book.trades += 1
    in_coin = instrument.kind.is_coin and intent.side is Side.BUY
    cost = (size if in_coin else size * at) * rates.taker if fee is None else fee
    return OrderFilled(
        Fill(
            venue=intent.venue,
            instrument=intent.instrument,
            trade_id=trade_id or str(book.trades),
            client_id=client_id if client_id is not None else intent.client_id,
            venue_order_id=f"v-{intent.client_id}",
            side=intent.side,
            price=at,
            quantity_base=size,
            fee=cost,
            fee_asset=instrument.base_asset if in_coin else "USDT",
            realized_pnl=D(0),
            maker=False,
            traded_ms=book.market_ms,
        )
    )


def report_of(intent: OrderIntent, state: OrderState, filled: Decimal, reason: str | None = None) -> OrderReported:
    return OrderReported(intent.client_id, state, filled, f"v-{intent.client_id}", reason)


def fills(leg: str, quantity: str | None = None, **more: Any) -> Phrase:
    """The latest order of a leg trades: all of it and ends, or the given quantity and lives on."""

    def phrase(book: Playbook) -> Iterable[Event]:
        intent = book.last(leg)
        yield fill_of(book, intent, None if quantity is None else D(quantity), **more)
        if quantity is None:
            yield report_of(intent, OrderState.FILLED, intent.quantity_base)

    return phrase


def expires(leg: str, filled: str = "0") -> Phrase:
    """The rest of an immediate-or-cancel order is cancelled after this much was filled."""
    return lambda book: [report_of(book.last(leg), OrderState.CANCELLED, D(filled))]


def refused(leg: str, reason: str = "-2010") -> Phrase:
    return lambda book: [OrderReported(book.last(leg).client_id, OrderState.REJECTED, D(0), None, reason)]


def unanswered(leg: str, reason: str = "time-out") -> Phrase:
    return lambda book: [OrderOutcomeUnknown(book.last(leg).client_id, reason)]


def nowhere(leg: str, sources: int = 2) -> Phrase:
    return lambda book: [OrderNotFound(book.last(leg).client_id, sources)]


def both_fill(book: Playbook) -> Iterable[Event]:
    """The latest pair of orders fills completely."""
    yield from fills("spot")(book)
    yield from fills("perp")(book)


def receipt(coin: str, payment: str, settled_ms: int, venue_id: str, rate: str = "0.0003") -> FundingReceived:
    return FundingReceived(
        Receipt(
            kit.VENUE, "main", kit.perp_id(coin), coin, settled_ms, D(rate), None, None, D(payment), "USDT", venue_id
        )
    )


def severity_of(book: Playbook, name: str) -> Severity | None:
    return next((a.severity for a in book.actions if isinstance(a, Emit) and a.name == name), None)
