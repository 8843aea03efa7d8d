"""What the exchange says is held, valued with arithmetic of its own: nothing here asks the engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.research.direct import KEY
from bot.research.scenarios.market import StagedMarket
from bot.simulator.exchange.core import Exchange
from bot.simulator.model import Book

ZERO = Decimal(0)
DUST_USD = Decimal(10)
"""Less than a venue lets one trade."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One coin at the exchange: coins (negative: owed), perpetual position (short is negative), prices in USDT."""

    spot: Decimal
    perp: Decimal
    index: Decimal
    mark: Decimal
    lot_usd: Decimal

    @property
    def gap_usd(self) -> Decimal:
        """Exposure that the other leg does not cancel."""
        return abs(self.spot + self.perp) * self.index

    @property
    def naked_usd(self) -> Decimal:
        """The gap where it is more than a lot's rounding."""
        return self.gap_usd if self.gap_usd > self.lot_usd + DUST_USD else ZERO

    @property
    def side_usd(self) -> Decimal:
        """Value of the larger side."""
        return max(abs(self.spot) * self.index, abs(self.perp) * self.mark)


@dataclass(frozen=True, slots=True)
class View:
    """An account at one market time; `nav_usd` values spot at the index and the perpetual at its mark."""

    at_ms: int
    mono_ms: int
    nav_usd: Decimal
    holdings: Mapping[str, Holding]
    busy: bool

    @property
    def deployed_usd(self) -> Decimal:
        """Sum of one-side notionals; a spot left over without a position is none."""
        return sum((one.side_usd for one in self.holdings.values() if one.perp), ZERO)

    @property
    def naked_usd(self) -> Decimal:
        """Exposure of all coins that their other legs do not cancel."""
        return sum((one.naked_usd for one in self.holdings.values()), ZERO)

    def of(self, coin: str | None) -> Decimal:
        """Notional of one coin, or of all."""
        if coin is None:
            return self.deployed_usd
        one = self.holdings.get(coin)
        return one.side_usd if one is not None and one.perp else ZERO


def view(exchange: Exchange, market: StagedMarket, at_ms: int, mono_ms: int, *, busy: bool) -> View:
    """Read the wallets and positions and value them."""
    spot = exchange.wallet(KEY, Book.SPOT)
    nav = sum((sum(both, ZERO) for asset, both in spot.items() if asset == "USDT"), ZERO)
    nav += sum(exchange.wallet(KEY, Book.PERP)["USDT"], ZERO)
    margin = exchange.margin_wallet(KEY)
    nav += sum((free - owed for asset, (free, owed) in margin.items() if asset == "USDT"), ZERO)
    positions = {one.symbol: one for one in exchange.positions(KEY)}
    holdings = {}
    for coin in market.coins:
        free, owed = margin.get(coin.coin, (ZERO, ZERO))
        held = sum(spot.get(coin.coin, (ZERO, ZERO)), ZERO) + free - owed
        position = positions.get(coin.symbol)
        if not held and position is None:
            continue
        mark = market.mark(coin.symbol, at_ms)
        one = mark.mark / coin.multiplier
        index = mark.index / coin.multiplier
        quantity = ZERO
        if position is not None:
            quantity = position.quantity * coin.multiplier
            nav += position.quantity * (mark.mark - position.entry_price)
        nav += held * index
        lot = market.listings[Book.PERP, coin.symbol].lot * coin.multiplier
        holdings[coin.coin] = Holding(held, quantity, index, one, lot * index)
    return View(at_ms, mono_ms, nav, holdings, busy)
