"""A venue of a few lines for random runs: it fills, part-fills, rejects, forgets to answer, repeats and reorders.

It keeps its own truth (wallets, positions, every order by client id), which the engine's books are held against.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from bot.domain.events import (
    Event,
    InterestCharged,
    OrderFilled,
    OrderNotFound,
    OrderOutcomeUnknown,
    OrderReported,
    TransferFailed,
    TransferSettled,
)
from bot.domain.hedges import Interest, TransferIntent
from bot.domain.instruments import FeeRates, Instrument
from bot.domain.market import Quote
from bot.domain.numbers import ZERO, floor_to
from bot.domain.orders import Fill, OrderIntent, OrderState, Side


@dataclass
class Known:
    """An order as the venue has it; `state` None while it never arrived."""

    intent: OrderIntent
    state: OrderState | None
    filled: Decimal
    fills: list[Fill] = field(default_factory=list)


@dataclass
class TinyVenue:
    dice: Random
    instruments: dict[str, Instrument]
    fees: dict[str, FeeRates]
    wallets: dict[tuple[str, str], Decimal]
    positions: dict[str, Decimal] = field(default_factory=dict)
    costs: dict[str, Decimal] = field(default_factory=dict)
    orders: dict[str, Known] = field(default_factory=dict)
    trades: int = 0
    trouble: float = 0.3
    """Chance that an order does not simply fill and say so."""

    def place(self, intents: tuple[OrderIntent, ...], quotes: dict[str, Quote], now_ms: int) -> list[Event]:
        """What the venue says at once of orders sent together; the rest is learnt by asking."""
        news: list[Event] = []
        for intent in intents:
            assert intent.client_id not in self.orders, "an id was sent twice"
            news += self._place(intent, quotes[intent.instrument], now_ms)
        return news

    def _place(self, intent: OrderIntent, quote: Quote, now_ms: int) -> list[Event]:
        known = self.orders[intent.client_id] = Known(intent, OrderState.CANCELLED, ZERO)
        roll = self.dice.random()
        if roll < self.trouble * 0.2:
            known.state = None  # lost on the way
            return [OrderOutcomeUnknown(intent.client_id, "time-out")]
        if roll < self.trouble * 0.4:
            known.state = OrderState.REJECTED
            return [OrderReported(intent.client_id, OrderState.REJECTED, ZERO, None, "-2010")]
        share = Decimal(1) if roll > self.trouble else Decimal(self.dice.randint(0, 100)) / 100
        reach = floor_to(intent.quantity_base * share, self.instruments[intent.instrument].lot)
        self._trade(known, reach, quote, now_ms)
        news = self.told(intent.client_id)
        if roll < self.trouble * 0.6:
            return [OrderOutcomeUnknown(intent.client_id, "reset"), *news[: self.dice.randint(0, 1)]]
        if roll < self.trouble * 0.8:
            self.dice.shuffle(news)
            return news + news[: self.dice.randint(0, len(news))]
        return news

    def _trade(self, known: Known, quantity: Decimal, quote: Quote, now_ms: int) -> None:
        intent, instrument = known.intent, self.instruments[known.intent.instrument]
        price = quote.ask if intent.side is Side.BUY else quote.bid
        reachable = price <= intent.limit_price if intent.side is Side.BUY else price >= intent.limit_price
        if not instrument.kind.is_coin and intent.reduce_only:
            quantity = min(quantity, -intent.side.sign * self.positions.get(instrument.id, ZERO))
        if not reachable or quantity <= 0:
            return
        parts = [quantity]
        if self.dice.random() < 0.3 and quantity > instrument.lot:
            first = floor_to(quantity / 2, instrument.lot)
            parts = [first, quantity - first] if first else parts
        for part in parts:
            known.fills.append(self._book(intent, instrument, part, price, now_ms))
            known.filled += part
        known.state = OrderState.FILLED if known.filled == intent.quantity_base else OrderState.CANCELLED

    def _book(self, intent: OrderIntent, instrument: Instrument, size: Decimal, price: Decimal, now_ms: int) -> Fill:
        self.trades += 1
        rate = self.fees[instrument.id].taker
        signed, realized = intent.side.sign * size, ZERO
        in_coin = instrument.kind.is_coin and intent.side is Side.BUY
        fee, asset = (size * rate, instrument.base_asset) if in_coin else (size * price * rate, "USDT")
        if instrument.kind.is_coin:
            wallet = instrument.wallet.value
            self._add(wallet, instrument.base_asset, signed)
            self._add(wallet, "USDT", -signed * price)
            self._add(wallet, asset, -fee)
        else:
            realized = self._move(instrument.id, signed, price)
            self._add("perp", "USDT", realized - fee)
        return Fill(
            intent.venue,
            instrument.id,
            str(self.trades),
            intent.client_id,
            f"v{intent.client_id}",
            intent.side,
            price,
            size,
            fee,
            asset,
            realized,
            maker=False,
            traded_ms=now_ms,
        )

    def _move(self, name: str, signed: Decimal, price: Decimal) -> Decimal:
        """Move a position; returns the realised P&L in cents, as a venue books it."""
        held, cost = self.positions.get(name, ZERO), self.costs.get(name, ZERO)
        realized = ZERO
        if held and (signed > 0) != (held > 0):
            closed = min(abs(signed), abs(held))
            average, way = cost / held, 1 if held > 0 else -1
            realized = (way * closed * (price - average)).quantize(Decimal("0.01"))
            cost -= way * closed * average
        else:
            cost += signed * price
        self.positions[name], self.costs[name] = held + signed, cost if held + signed else ZERO
        return realized

    def charge(self, rate: Decimal, now_ms: int) -> list[Event]:
        """Interest on every coin that is owed, told once, twice or (by chance) later again."""
        news: list[Event] = []
        for (wallet, asset), amount in sorted(self.wallets.items()):
            if wallet == "margin" and amount < 0:
                self.trades += 1
                charged = (-amount * rate).quantize(Decimal("0.00000001"))
                self._add(wallet, asset, -charged)
                one = Interest("binance", "main", asset, charged, rate, now_ms, f"i{self.trades}")
                news += [InterestCharged(one)] * self.dice.randint(1, 2)
        return news

    def _add(self, wallet: str, asset: str, amount: Decimal) -> None:
        self.wallets[wallet, asset] = self.wallets.get((wallet, asset), ZERO) + amount

    def told(self, client_id: str) -> list[Event]:
        """Everything that there is to know of an order."""
        known = self.orders[client_id]
        if known.state is None:
            return [OrderNotFound(client_id, 2)]
        report = OrderReported(client_id, known.state, known.filled, f"v{client_id}")
        return [*(OrderFilled(fill) for fill in known.fills), report]

    def query(self, client_id: str) -> list[Event]:
        """An answer to a question, sometimes only half of it, sometimes none."""
        if client_id not in self.orders or self.dice.random() < 0.2:
            return [OrderOutcomeUnknown(client_id, "time-out")]
        news = self.told(client_id)
        self.dice.shuffle(news)
        return news

    def transfer(self, intent: TransferIntent) -> list[Event]:
        if self.dice.random() < self.trouble * 0.3 or self.wallets.get((intent.source, "USDT"), ZERO) < intent.amount:
            return [TransferFailed(intent.id, "-9000")]
        self._add(intent.source, "USDT", -intent.amount)
        self._add(intent.target, "USDT", intent.amount)
        return [TransferSettled(intent.id, f"t{intent.id}")]
