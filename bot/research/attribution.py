"""Where a book's profit came from: funding, fees, slippage and basis of each coin, and what that is of NAV.

Each bar's change of NAV is divided by the NAV before it, and so is each of its parts; sums of these fractions over
days, coins and years are arithmetic and add up to the net return. Basis is all price P&L of both legs (spot at its
middle, perpetual at its mark) with the slippage of our own orders taken out; slippage is counted against the middle
at the decision, as the books do. Floats: figures for people, made from the exact books.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.domain import actions as act
from bot.domain.hedges import Hedge, Receipt
from bot.domain.ledger import Transaction
from bot.domain.orders import Fill, OrderIntent
from bot.domain.struct import struct

PARTS = ("funding", "fees", "slippage", "basis", "borrow")
FUNDING, FEES, SLIPPAGE, BASIS, BORROW = range(5)
UNATTRIBUTED = "unattributed"
"""Stands for the coin of a liquidation's charge that names no position."""
Cells = dict[tuple[str, str], list[float]]
"""(day or month, coin) -> the parts as fractions of NAV, signed as P&L."""


@dataclass(slots=True)
class Holding:
    """One coin: what is held of both legs, and price P&L so far (USD) up to the latest bar."""

    spot: float = 0.0
    perp: float = 0.0
    cash: float = 0.0
    """Less what was paid for both legs, plus what they brought; fees not counted."""
    valued: float = 0.0


@struct(frozen=True, slots=True)
class Point:
    """The book after a bar. `nav_usd` and the rest are USD but for `net`, this bar's return."""

    at_ms: int
    nav_usd: float
    net: float
    deployed: float
    """Sum of one-side notionals over NAV."""
    hedges: int


@struct(frozen=True, slots=True)
class TradeRow:
    """One fill, for the report's list."""

    at_ms: int
    coin: str
    leg: str
    side: str
    quantity_base: str
    price: str
    fee: str
    purpose: str


@dataclass(slots=True)
class Attribution:
    """Fed with everything that the engine writes to its books and with the prices of every bar."""

    nav_usd: float
    coin_of: dict[str, tuple[str, bool]]
    """Instrument id -> (coin, whether it is the spot)."""
    holdings: dict[str, Holding] = field(default_factory=dict)
    days: Cells = field(default_factory=dict)
    """By day, YYYY-MM-DD; a coin has a cell on days on which something of it was held."""
    turnover: dict[int, float] = field(default_factory=dict)
    """Year -> one-side notional traded over NAV (perpetual legs)."""
    traded: dict[int, int] = field(default_factory=dict)
    """Year -> fills."""
    points: list[Point] = field(default_factory=list)
    trades: list[TradeRow] = field(default_factory=list)
    shares: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    """(bar's time, coin -> one-side notional over NAV)."""
    unexplained: float = 0.0
    """Largest difference between a bar's return and the sum of its parts."""
    _intents: dict[str, OrderIntent] = field(default_factory=dict)
    _bar: dict[str, list[float]] = field(default_factory=dict)
    _turned: float = 0.0
    _filled: int = 0
    _coins: dict[str, str] = field(default_factory=dict)
    """Hedge -> its coin."""
    _owed: dict[str, float] = field(default_factory=dict)
    """Interest in coins that this bar brought."""

    def months(self) -> Cells:
        """By month, YYYY-MM."""
        return summed(self.days, lambda day: day[:7])

    def take(self, record: act.Record, at_ms: int) -> None:
        if isinstance(record, OrderIntent):
            self._intents[record.client_id] = record
        elif isinstance(record, Fill):
            self._fill(record, at_ms)
        elif isinstance(record, Receipt):
            self._part(record.coin)[FUNDING] += float(record.payment)
        elif isinstance(record, Hedge):
            self._coins[record.id] = record.coin
        elif isinstance(record, Transaction) and record.kind == "liquidation":
            charged = sum(float(entry.amount) for entry in record.entries if entry.account.startswith("fee:"))
            self._part(self._coins.get(record.hedge_id or "", UNATTRIBUTED))[FEES] -= charged
        elif isinstance(record, Transaction) and record.kind == "interest":
            for entry in record.entries:
                if entry.account.startswith("interest:"):
                    self._owed[entry.asset] = self._owed.get(entry.asset, 0.0) + float(entry.amount)

    def _part(self, coin: str) -> list[float]:
        found = self._bar.get(coin)
        if found is None:
            found = self._bar[coin] = [0.0] * len(PARTS)
        return found

    def _fill(self, fill: Fill, at_ms: int) -> None:
        coin, is_spot = self.coin_of[fill.instrument]
        holding = self.holdings.setdefault(coin, Holding())
        intent = self._intents.get(fill.client_id)
        price, quantity = float(fill.price), fill.side.sign * float(fill.quantity_base)
        in_coin = is_spot and fill.fee_asset == coin
        fee_usd = float(fill.fee) * (price if in_coin else 1.0)
        part = self._part(coin)
        part[FEES] -= fee_usd
        if intent is not None:
            part[SLIPPAGE] -= (price - float(intent.decided_price)) * quantity
        # A fee taken in the coin is money spent on it and given away: it is out of both quantity and price P&L.
        holding.cash -= price * quantity - (fee_usd if in_coin else 0.0)
        if is_spot:
            holding.spot += quantity - (float(fill.fee) if in_coin else 0.0)
        else:
            holding.perp += quantity
            self._turned += abs(quantity) * price
        self._filled += 1
        purpose = intent.purpose.value if intent is not None else "liquidation"
        self.trades.append(
            TradeRow(
                at_ms, coin, "spot" if is_spot else "perp", fill.side.value, f"{fill.quantity_base:f}",
                f"{fill.price:f}", f"{fill.fee:f} {fill.fee_asset}", purpose,
            )
        )  # fmt: skip

    def _charge(self, coin: str, holding: Holding, coins: float, price: float) -> None:
        """Interest makes the short coin longer; at the bar's price it is a cost of its own and no price P&L."""
        self._part(coin)[BORROW] -= coins * price
        holding.spot -= coins
        holding.cash += coins * price

    def close_bar(self, at_ms: int, nav_usd: float, prices: dict[str, tuple[float, float]], hedges: int) -> None:
        """`prices`: coin -> (spot middle, perpetual mark), USD per coin."""
        before = self.nav_usd
        deployed = 0.0
        shares: dict[str, float] = {}
        for coin, holding in self.holdings.items():
            spot, perp = prices[coin]
            if coin in self._owed:
                self._charge(coin, holding, self._owed.pop(coin), spot)
            valued = holding.spot * spot + holding.perp * perp + holding.cash
            part = self._part(coin)
            part[BASIS] += valued - holding.valued - part[SLIPPAGE]
            holding.valued = valued
            side = max(abs(holding.spot) * spot, abs(holding.perp) * perp)
            if holding.perp:
                shares[coin] = side / nav_usd
                deployed += side
        net = (nav_usd - before) / before
        day = f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"
        year = int(day[:4])
        explained = 0.0
        for coin, part in self._bar.items():
            cell = self.days.setdefault((day, coin), [0.0] * len(PARTS))
            for which, usd in enumerate(part):
                cell[which] += usd / before
                explained += usd / before
        self.unexplained = max(self.unexplained, abs(net - explained))
        self.turnover[year] = self.turnover.get(year, 0.0) + self._turned / before
        self.traded[year] = self.traded.get(year, 0) + self._filled
        self.points.append(Point(at_ms, nav_usd, net, deployed / nav_usd, hedges))
        self.shares.append((at_ms, shares))
        self.nav_usd = nav_usd
        self._bar.clear()
        self._turned, self._filled = 0.0, 0


def summed(cells: Cells, name: Callable[[str], str]) -> Cells:
    """The cells of longer times: `name` says which one a day belongs to."""
    found: Cells = {}
    for (at, coin), cell in cells.items():
        total = found.setdefault((name(at), coin), [0.0] * len(PARTS))
        for which, value in enumerate(cell):
            total[which] += value
    return found
