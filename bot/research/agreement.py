"""Does the backtest decide what the daemon decided? A daemon's taped inputs go through the backtest's own path.

What the market said (quotes, marks, rates, liquidity, listings, ticks) and what the owner commanded come from the
tape, at their stamps. What the account did does not: the backtest's session sends its own orders to the exchange's
core on the same market and takes its answers, receipts and balances from there, at once. So the two differ by latency
alone: a live order meets the price of some moments later, may miss it, and is then sent again or repaired.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.domain import actions as act
from bot.domain import events as ev
from bot.domain.events import AccountReported, Event
from bot.domain.market import Liquidity, Mark, Quote, SettledRate
from bot.domain.numbers import ZERO
from bot.engine.state import EngineState
from bot.research.direct import KEY, DirectVenue
from bot.research.session import Session
from bot.simulator.exchange.core import Exchange
from bot.simulator.market import HistoryMarket
from bot.simulator.model import Book
from bot.store.tape.blocks import TapeError
from bot.store.tape.codec import Entry, actions_shown
from bot.store.tape.reader import TapeReader

FROM_THE_TAPE = (
    *(Quote, Mark, SettledRate, Liquidity, ev.VenueListed, ev.FeedAlive, ev.FeedLost, ev.Tick),
    *(ev.Halt, ev.Resume, ev.Flatten, ev.CloseCoin, ev.Readmit, ev.AcceptDifference, ev.Reconfigure, ev.Stop),
)
"""Everything else is what the account did: it comes from the backtest's own exchange."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One order as it was sent: what it is of and how much, and when (market time)."""

    coin: str
    instrument: str
    side: str
    purpose: str
    quantity_base: Decimal
    price: Decimal
    at_ms: int

    @property
    def what(self) -> tuple[str, str, str]:
        return self.instrument, self.side, self.purpose


@dataclass(frozen=True, slots=True)
class CoinRow:
    """One coin: orders of both, and how many of them are of the same leg, side and purpose, one by one.

    `deviation` is the largest difference of what was sent of an instrument, a fraction of the larger.
    """

    coin: str
    live: int
    backtest: int
    same: int
    deviation: float


SHARE_MIN = 0.8
"""Agreement means the same coins, and at least this share of the orders the same one by one."""


@dataclass(frozen=True, slots=True)
class Agreement:
    rows: tuple[CoinRow, ...]
    live: tuple[Sent, ...]
    backtest: tuple[Sent, ...]
    minutes: float
    """Market time on the tape."""

    @property
    def coins_live(self) -> set[str]:
        return {order.coin for order in self.live}

    @property
    def coins_backtest(self) -> set[str]:
        return {order.coin for order in self.backtest}

    @property
    def share(self) -> float:
        """Orders that are the same, of all that either sent."""
        most = sum(max(row.live, row.backtest) for row in self.rows)
        return sum(row.same for row in self.rows) / most if most else 1.0

    @property
    def agrees(self) -> bool:
        return self.coins_live == self.coins_backtest and self.share >= SHARE_MIN


class TapedSession(Session):
    """The backtest's session, told by a tape what the market and the owner said."""

    def __init__(self, market: HistoryMarket, state: EngineState, first: AccountReported, start_ms: int) -> None:
        wallets = {Book(name): dict(assets) for name, assets in first.balances.items()}
        accounts = {KEY: {book: wallets.get(book, {"USDT": ZERO}) for book in (Book.SPOT, Book.PERP)}}
        self.sent: list[Sent] = []
        super().__init__(
            DirectVenue(market, Exchange(market, accounts, start_ms, seed=1)), state.config, start_ms, self._note
        )
        self.state = state
        self._opened = False

    def take(self, entry: Entry) -> None:
        """One entry of the tape, at its own stamp."""
        event: Event = entry.event
        self.market_ms, self.mono_ms = entry.at.market_ms, entry.at.mono_ms
        if self._opened:
            self.inbox.extend(self.venue.advance(self.market_ms))
        if isinstance(event, FROM_THE_TAPE):
            self.inbox.append(event)
        elif isinstance(event, ev.Reconciled) and not self._opened:
            self._opened = True
            self.inbox.extend((self.venue.account(), event))
        self.drain()

    def _note(self, action: act.Action, at_ms: int) -> None:
        if isinstance(action, act.PlaceOrders):
            for intent in action.intents:
                self.sent.append(
                    Sent(
                        self.state.market.instruments[intent.instrument].coin,
                        intent.instrument,
                        intent.side.value,
                        intent.purpose.value,
                        intent.quantity_base,
                        intent.decided_price,
                        at_ms,
                    )
                )


def compare(path: Path, market: HistoryMarket) -> Agreement:
    """Run one file of the tape through the backtest on the market that the daemon traded.

    The file has to begin with empty books. Raises TapeError otherwise, and when it holds no account.
    """
    with TapeReader(path) as tape:
        if tape.state.hedges or tape.state.orders or tape.state.ledger.count:
            raise TapeError(f"{path}: it does not begin with empty books; take the first file of a first run")
        entries = list(tape.entries())
    first = next((e.event for e in entries if isinstance(e.event, AccountReported) and e.event.complete), None)
    if first is None or not isinstance(first, AccountReported):
        raise TapeError(f"{path}: the daemon never saw its account")
    with TapeReader(path) as tape:
        session = TapedSession(market, tape.state, first, entries[0].at.market_ms)
    names: dict[str, str] = {}
    for entry in entries:
        session.take(entry)
        if isinstance(entry.event, ev.VenueListed):
            names |= {each.id: each.coin for each in entry.event.instruments}
    live = [order for entry in entries for order in _live(entry, names)]
    minutes = (entries[-1].at.market_ms - entries[0].at.market_ms) / 60_000
    return Agreement(tuple(_rows(live, session.sent)), tuple(live), tuple(session.sent), minutes)


def _live(entry: Entry, names: dict[str, str]) -> Iterator[Sent]:
    """What the daemon sent in this step, by its own record."""
    for name, content in actions_shown(entry.actions or b""):
        if name == "PlaceOrders":
            for each in content["intents"]:
                yield _sent(each, names, entry.at.market_ms)


def _sent(intent: dict[str, Any], names: dict[str, str], at_ms: int) -> Sent:
    return Sent(
        names[intent["instrument"]],
        intent["instrument"],
        intent["side"],
        intent["purpose"],
        Decimal(intent["quantity_base"]),
        Decimal(intent["decided_price"]),
        at_ms,
    )


def _rows(live: list[Sent], backtest: list[Sent]) -> Iterator[CoinRow]:
    by_coin: dict[str, tuple[list[Sent], list[Sent]]] = defaultdict(lambda: ([], []))
    for which, orders in enumerate((live, backtest)):
        for order in orders:
            by_coin[order.coin][which].append(order)
    for coin, (ours, theirs) in sorted(by_coin.items()):
        same = sum(1 for one, other in zip(ours, theirs, strict=False) if one.what == other.what)
        yield CoinRow(coin, len(ours), len(theirs), same, _deviation(ours, theirs))


def _deviation(ours: list[Sent], theirs: list[Sent]) -> float:
    traded: dict[str, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for which, orders in enumerate((ours, theirs)):
        for order in orders:
            traded[order.instrument][which] += order.quantity_base * (1 if order.side == "buy" else -1)
    shares = [abs(a - b) / max(abs(a), abs(b)) for a, b in traded.values() if a or b]
    return float(max(shares, default=ZERO))
