"""What the exchange really holds, and what it is worth at the prices that the daemon was told."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.simulator.model import Book, Mark, Side
from tests.campaign.answers import KEY
from tests.campaign.hands import OWN_PREFIX

if TYPE_CHECKING:
    from tests.campaign.world import World

ZERO = Decimal(0)
MARGIN = "margin"
"""The kind of an instrument that trades in the spot book for the margin wallet."""
MINUTE_MS = 60_000


@dataclass(slots=True)
class Sent:
    """An order that left the daemon."""

    client_id: str
    epoch: int
    hedge: str
    book: Book
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    sent_s: float
    margin: bool = False
    """Borrows what it sells, or repays with what it buys."""
    arrived: bool = False
    told: bool = False
    """The daemon was told what became of it."""


class Truth:
    """The venue's records of one seed, and the list of what was found wrong."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.violations: list[tuple[int, str]] = []
        self.checked: Counter[int] = Counter()
        self.marks: dict[str, Mark] = {}
        self.marks_before: dict[str, Mark] = {}
        """Those that the last ones took the place of."""
        self.marked_s: dict[str, float] = {}
        self.by_quotes = False
        """Whether coins are worth what their spot quotes said last, instead of the index that came with the mark."""
        self.turned: dict[str, Decimal] = {}
        """Coin -> how much of it the venue has turned into another one, which the owner has not accepted yet."""
        self.renamed: set[str] = set()
        """Coins of which the spot wallet's were turned into others: the owner's own ones as well."""
        self._paid: set[tuple[str, int, Decimal, str]] = set()
        self._incomes_read = 0
        self._by_hand: dict[str, tuple[int, Decimal]] = {}
        """Coin -> (trades read, what the owner's own orders brought of it)."""
        self.spent_by_hand = ZERO
        """Dollars that those orders took, less what they brought."""

    def violation(self, number: int, text: str) -> None:
        self.violations.append((number, text))
        self.world.note(f"VIOLATION {number}: {text}")

    def check(self, number: int, holds: bool, text: str) -> None:
        self.checked[number] += 1
        if not holds:
            self.violation(number, text)

    @property
    def _now_s(self) -> float:
        return self.world.loop.now_s

    def _account(self) -> Any:
        return self.world.exchange._state.accounts[KEY]

    def _venue_order(self, sent: Sent) -> Any:
        account = self._account()
        number = account.newest_by_client.get((sent.book, sent.symbol, sent.client_id))
        return None if number is None else account.orders[number]

    def _scale(self, sent: Sent) -> int:
        return self._scale_of(sent.symbol, sent.book)

    def _scale_of(self, symbol: str, book: Book) -> int:
        return self.world.market.by_symbol[book, symbol].multiplier if book is Book.PERP else 1

    def _trades(self) -> dict[tuple[str, str], Any]:
        return {
            (f"binance:{symbol}:{'margin' if trade.margin else book.value}", str(trade.id)): trade
            for (book, symbol), trades in self._account().trades.items()
            for trade in trades
        }

    def _trade(self, instrument: str, trade_id: str) -> Any:
        """The venue's trade of this id, or None. Looked for from the newest on: it is nearly always among those."""
        _, symbol, kind = instrument.split(":")
        trades, lent = self._account().trades.get((book_of(kind), symbol), ()), kind == MARGIN
        return next((t for t in reversed(trades) if str(t.id) == trade_id and t.margin == lent), None)

    def _income(self) -> set[tuple[str, int, Decimal, str]]:
        """All funding that the venue has paid so far; its list only grows."""
        incomes = self._account().incomes
        for one in incomes[self._incomes_read :]:
            if one.kind == "FUNDING_FEE":
                self._paid.add((f"binance:{one.symbol}:perp", _nominal(one.at_ms), one.amount, one.asset))
        self._incomes_read = len(incomes)
        return self._paid

    def held(self, coin: str) -> tuple[Decimal, Decimal]:
        """(coins that are not the owner's less coins that are owed, perpetual in coins)"""
        account, listed = self._account(), self.world.market.coins[coin]
        balance = account.spot.get(coin)
        spot = (balance.free + balance.locked if balance else ZERO) - self.own(coin)
        holding = account.holdings.get(listed.perp.symbol)
        if self.world.plan.lent:
            spot += self.lent(coin)
        return spot, (holding.quantity if holding else ZERO) * listed.multiplier

    def own(self, coin: str) -> Decimal:
        """What the owner has of it in the spot wallet that is none of the daemon's business."""
        if coin in self.renamed:
            return ZERO
        return self.world.plan.own_coins.get(coin, ZERO) + self._traded_by_hand(coin)

    def _traded_by_hand(self, coin: str) -> Decimal:
        """What the owner's own orders brought less what they took; the venue's list of trades only grows."""
        trades = self._account().trades.get((Book.SPOT, self.world.market.coins[coin].spot.symbol), ())
        read, found = self._by_hand.get(coin, (0, ZERO))
        for trade in trades[read:]:
            if trade.client_id.startswith(OWN_PREFIX):
                sign = 1 if trade.side is Side.BUY else -1
                found += sign * trade.quantity - (trade.fee if trade.fee_asset == coin else ZERO)
                self.spent_by_hand += sign * trade.quantity * trade.price
                self.spent_by_hand += trade.fee if trade.fee_asset == "USDT" else ZERO
        self._by_hand[coin] = len(trades), found
        return found

    def trades(self, coin: str, book: Book) -> bool:
        """Whether the venue takes orders there now."""
        listed = self.world.market.coins[coin]
        return (listed.spot if book is Book.SPOT else listed.perp).open_at(int(self.world.market_ms))

    def lent(self, asset: str) -> Decimal:
        """What of an asset lies in the margin wallet less what is owed of it there."""
        wallet = self._account().margin
        net: Decimal = wallet.free.get(asset, ZERO) - wallet.owed.get(asset, ZERO)
        return net

    def touch(self, instrument: str) -> tuple[Decimal, ...]:
        raise NotImplementedError

    def _price(self, coin: str) -> Decimal:
        """As the daemon was last told."""
        listed = self.world.market.coins[coin]
        trading = listed.spot if listed.spot.trades else listed.perp  # a closed market says nothing any more
        if self.by_quotes and (told := self.touch(f"binance:{trading.symbol}:{trading.book.value}")):
            return sum(told, ZERO) / 2
        mark = self.marks.get(listed.perp.symbol) or self.world.market.mark(
            listed.perp.symbol, int(self.world.market_ms)
        )
        return mark.index / listed.multiplier

    def nav(self) -> Decimal:
        account = self._account()
        total = account.perp_wallet
        for asset, balance in account.spot.items():
            amount = balance.free + balance.locked + self.turned.get(asset, ZERO)
            if asset not in self.world.market.coins and asset != "USDT":
                continue  # a new name: nobody tells what it is worth
            total += amount if asset == "USDT" else amount * self._price(asset)
        for asset, amount in account.margin.net().items():
            total += amount if asset == "USDT" else amount * self._price(asset)
        for symbol, holding in account.holdings.items():
            mark = self.marks.get(symbol)
            price = mark.mark if mark else self.world.market.mark(symbol, int(self.world.market_ms)).mark
            total += holding.quantity * price - (holding.cost if holding.quantity > 0 else -holding.cost)
        return total

    def _gap(self, coin: str) -> tuple[Decimal, Decimal]:
        """(what is unhedged, what of it is too little to be traded), in coins"""
        spot, perp = self.held(coin)
        return abs(spot + perp), self.tradeable(coin)

    def tradeable(self, coin: str) -> Decimal:
        """The larger lot, and the larger least order with some room."""
        listed = self.world.market.coins[coin]
        lot = max(listed.spot.lot, listed.perp.lot * listed.multiplier)
        return lot + max(listed.spot.notional_min, listed.perp.notional_min) * Decimal("1.25") / self._price(coin)


def book_of(kind: str) -> Book:
    """The book in which an instrument of the daemon's kind trades."""
    return Book.SPOT if kind == MARGIN else Book(kind)


def _nominal(at_ms: int) -> int:
    return (at_ms + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS
