"""The exchange core as a venue that can fail: silent feeds, no answers, refusals, receipts that come late.

What it does at a moment is set by `Conditions`; a scenario's happenings change them. Without any it is `DirectVenue`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bot.domain.events import (
    AccountReported,
    Event,
    FundingReceived,
    OrderFilled,
    OrderNotFound,
    OrderOutcomeUnknown,
    OrderReported,
    TransferFailed,
    TransferUnknown,
)
from bot.domain.hedges import Receipt, TransferIntent
from bot.domain.instruments import Kind
from bot.domain.market import Liquidity, Quote
from bot.domain.orders import OrderIntent, OrderState
from bot.research.direct import KEY, VENUE, DirectVenue
from bot.research.scenarios.market import StagedMarket
from bot.simulator.base_units import STATES
from bot.simulator.exchange.core import Exchange
from bot.simulator.model import Book, VenueError

VIEWS = 2
"""Independent views of an order that the venue answers from."""
SPOT_CLOSED = "-1013: Market is closed."


@dataclass(slots=True)
class Conditions:
    """What is wrong with the venue now."""

    out: bool = False
    """Nothing answers and no feed speaks; orders and transfers sent do not arrive, and nobody says so."""
    silent: set[str] = field(default_factory=set)
    """Feeds that stay connected and say nothing (`binance:spot`)."""
    reply_lost: int = 0
    """So many orders more are carried out and not answered."""
    transfers: str = "work"
    """`refused`, `unanswered` (nothing moves) or `work`."""
    receipts_late: bool = False
    """Funding is neither paid out nor shown; both come when this ends."""


class StagedVenue(DirectVenue):
    """`market` also says where the spot stands still; orders there are refused and its feed is silent."""

    def __init__(self, market: StagedMarket, exchange: Exchange, *, lends: bool = False) -> None:
        super().__init__(market, exchange, lends=lends)
        self.staged = market
        self.now = Conditions()
        self._late: list[Receipt] = []
        self._sent: dict[str, tuple[Decimal, Decimal]] = {}
        self._coin_of = {name: instrument.coin for name, (_, instrument) in self._by_id.items()}
        self._kind_of = {name: instrument.kind for name, (_, instrument) in self._by_id.items()}
        for twin in self._twins.values():
            self._coin_of[twin.id], self._kind_of[twin.id] = twin.coin, Kind.SPOT

    @property
    def late_usd(self) -> Decimal:
        """What the exchange has paid and does not show yet."""
        return sum((one.payment for one in self._late), Decimal(0))

    def feeds(self, at_ms: int) -> Iterator[str]:
        """Feeds that are alive now."""
        for feed in (f"{VENUE}:spot", f"{VENUE}:perp"):
            halted = feed.endswith("spot") and self.staged.spot_halted("", at_ms)
            if not self.now.out and feed not in self.now.silent and not halted:
                yield feed

    def frames(self, at_ms: int) -> Iterator[Event]:
        """Quotes that changed and every mark, of the feeds that are alive."""
        alive = set(self.feeds(at_ms))
        if not alive:
            return
        for event in super().frames(at_ms):
            if isinstance(event, Quote):
                kind = "spot" if self._kind_of[event.instrument] is Kind.SPOT else "perp"
                touch = event.bid, event.ask
                if f"{VENUE}:{kind}" not in alive or self._sent.get(event.instrument) == touch:
                    continue
                if kind == "spot" and self.staged.spot_halted(self._coin_of[event.instrument], at_ms):
                    continue
                self._sent[event.instrument] = touch
            elif f"{VENUE}:perp" not in alive:
                continue
            yield event

    def liquidity(self, at_ms: int) -> Iterator[Liquidity]:
        """A spot that stands still has no book to measure."""
        for one in super().liquidity(at_ms):
            spot = self._kind_of[one.instrument] is Kind.SPOT
            if not (spot and self.staged.spot_halted(self._coin_of[one.instrument], at_ms)):
                yield one

    def refresh(self) -> None:
        """A feed has come back: every quote is sent again."""
        self._sent.clear()

    def advance(self, to_ms: int) -> list[Event]:
        events = super().advance(to_ms)
        if not (self.now.receipts_late or self.now.out or self._late):
            return events
        shown: list[Event] = []
        for event in events:
            if isinstance(event, FundingReceived) and (self.now.receipts_late or self.now.out):
                self._late.append(event.receipt)
            else:
                shown.append(event)
        if not (self.now.receipts_late or self.now.out):
            shown += [FundingReceived(receipt) for receipt in self._late]
            self._late.clear()
        return shown

    def place(self, intents: tuple[OrderIntent, ...], at_ms: int) -> list[Event]:
        if self.now.out:
            return [OrderOutcomeUnknown(intent.client_id, "no answer") for intent in intents]
        events: list[Event] = []
        for intent in intents:
            spot = self._kind_of[intent.instrument] is Kind.SPOT
            if spot and self.staged.spot_halted(self._coin_of[intent.instrument], at_ms):
                refused = OrderReported(intent.client_id, OrderState.REJECTED, Decimal(0), None, SPOT_CLOSED)
                events.append(refused)
                continue
            answers = super().place((intent,), at_ms)
            if self.now.reply_lost > 0:
                self.now.reply_lost -= 1
                answers = [OrderOutcomeUnknown(intent.client_id, "the reply was lost")]
            events += answers
        return events

    def query(self, client_id: str, name: str) -> list[Event]:
        """What the venue knows of an order."""
        if self.now.out:
            return [OrderOutcomeUnknown(client_id, "no answer")]
        listing, instrument = self._traded(name)
        try:
            order = self.exchange.order(KEY, listing.book, listing.symbol, None, client_id)
        except VenueError:
            return [OrderNotFound(client_id, VIEWS)]
        trades = self.exchange.trades(KEY, listing.book, listing.symbol)
        filled = order.filled * instrument.multiplier
        events: list[Event] = [OrderFilled(self._fill(t)) for t in trades if t.client_id == client_id]
        return [*events, OrderReported(client_id, STATES[order.status], filled, str(order.id))]

    def transfer(self, intent: TransferIntent, at_ms: int) -> Event:
        if self.now.out or self.now.transfers == "unanswered":
            return TransferUnknown(intent.id, "no answer")
        if self.now.transfers == "refused":
            return TransferFailed(intent.id, "-5013: Asset transfer failed")
        return super().transfer(intent, at_ms)

    def report(self) -> list[Event]:
        """The account as it shows itself; nothing while the venue is out."""
        if self.now.out:
            return []
        found = super().account()
        balances = {wallet: dict(assets) for wallet, assets in found.balances.items()}
        balances[Book.PERP.value]["USDT"] -= self.late_usd
        shown: AccountReported = replace(found, balances=balances)
        return [shown]

    def receipts(self, since_ms: int) -> list[Event]:
        """The account's funding history, without what is late."""
        if self.now.out:
            return []
        hidden = {receipt.venue_id for receipt in self._late}
        rows = [row for row in self.exchange.income(KEY) if row.kind == "FUNDING_FEE" and row.at_ms >= since_ms]
        return [FundingReceived(self._receipt(row)) for row in rows if str(row.id) not in hidden]

    def taken(self, symbol: str) -> list[Event]:
        """Trades by which the venue closed a position of ours."""
        trades = self.exchange.trades(KEY, Book.PERP, symbol)
        return [OrderFilled(self._fill(one)) for one in trades if one.client_id == "adl_autoclose"]
