"""Books of one coin for tests of execution: at 100 with a spread of 0.2 unless said otherwise, either way round."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import market_kit as kit

from bot.domain.book import Book
from bot.domain.events import VenueListed
from bot.domain.hedges import Hedge, HedgeState, Leg
from bot.domain.instruments import Kind, margin_twin
from bot.domain.market import BorrowTerms, Liquidity, Quote
from bot.domain.numbers import ceil_to, floor_to
from bot.domain.time import Stamp
from bot.execution.drafts import Plan
from bot.execution.plan import plan

D = Decimal
SPOT, MARGIN, PERP = kit.spot_id("BTC"), kit.margin_id("BTC"), kit.perp_id("BTC")
BID, ASK = D("99.9"), D("100.1")
BUY_AT, SELL_AT = D("100.25015"), D("99.75015")
"""The touch and 15 bps beyond."""


def market(price: Decimal, spot_lot: Decimal, perp_lot: Decimal, fee: Decimal, spread_bps: int, depth: float) -> Book:
    """A book of one coin at a price, on any grids and fees."""
    spot, perp = kit.pair_instruments("BTC")
    tick = Decimal("1e-10")
    spot = replace(spot, lot=spot_lot, quantity_min=spot_lot, tick=tick, quantity_max=Decimal("1e12"))
    perp = replace(perp, lot=perp_lot, quantity_min=perp_lot, tick=tick, notional_min=Decimal(5))
    perp = replace(perp, quantity_max=Decimal("1e12"))
    book = Book(kit.config(("BTC",)))
    book.now = Stamp(1, kit.START_MS, 1_000_000)
    listed = VenueListed(kit.VENUE, (spot, perp), {}, {})
    book.market.list_instruments(listed.instruments)
    book.market.fees[spot.id] = replace(kit.FEES[Kind.SPOT], taker=fee)
    half = price * spread_bps / 20_000
    for one in (spot, perp):
        bid, ask = floor_to(price - half, tick), ceil_to(price + half, tick)
        book.market.quotes[one.id] = Quote(one.id, bid, ask, Decimal(100), Decimal(100))
        book.market.liquidity[one.id] = Liquidity(one.id, 1e9, depth, 1e9)
    book.balances["venue:binance:spot", "USDT"] = Decimal(10**9)
    return book


def hedge_of(spot: Decimal, short: Decimal, target: Decimal) -> Hedge:
    legs = (Leg(kit.spot_id("BTC"), Kind.SPOT, 1, spot, spot), Leg(kit.perp_id("BTC"), Kind.PERP, -1, -short, -short))
    return Hedge("h1", 1, "cash_and_carry", "BTC", kit.VENUE, HedgeState.OPENING, legs, target, kit.START_MS)


def book(depth: float = 1e6, cash: str = "1000000000") -> Book:
    found = market(D(100), D("0.001"), D("0.01"), D("0.001"), 20, depth)
    found.balances["venue:binance:spot", "USDT"] = D(cash)
    return found


def planned(found: Book, hedge: Hedge, basis_min: str | None = None, *, may_open: bool = True) -> Plan:
    return plan(found, hedge, may_open=may_open, basis_min=None if basis_min is None else D(basis_min))


def hedge(coin: str, perp: str, target: str) -> Hedge:
    return hedge_of(D(coin), D(perp), D(target))


def relisted(found: Book, name: str, **changes: Any) -> Book:
    """The venue lists one instrument with other facts."""
    market = found.market
    instruments = {**market.instruments, name: replace(market.instruments[name], **changes)}
    market.list_instruments(tuple(instruments.values()))
    return found


def quoted(found: Book, name: str, bid: str, ask: str) -> Book:
    found.market.take_quote(Quote(name, D(bid), D(ask), D(100), D(100)), 0)
    return found


def lending(available: str = "1000000", collateral: str = "1000000000", rate_per_h: str = "0", **more: Any) -> Book:
    """The same with a margin wallet: half of what is `available` may be borrowed."""
    found = book(**more)
    market = found.market
    spot, perp = market.instruments[SPOT], market.instruments[PERP]
    market.list_instruments((spot, margin_twin(spot), perp))
    market.take_quote(market.quotes[SPOT], 0)
    market.fees[MARGIN] = market.fees[SPOT]
    market.liquidity[MARGIN] = replace(market.liquidity[SPOT], instrument=MARGIN)
    market.borrow[kit.VENUE, "BTC"] = BorrowTerms(kit.VENUE, "BTC", D(rate_per_h), D(available))
    found.balances["venue:binance:margin", "USDT"] = D(collateral)
    return found


def owing(coin: str, perp: str, target: str) -> Hedge:
    """A reverse carry: coins owed against a long perpetual."""
    owed, long = D(coin), D(perp)
    legs = (Leg(MARGIN, Kind.MARGIN, -1, -owed, -owed), Leg(PERP, Kind.PERP, 1, long, long))
    return Hedge("h1", 1, "reverse_carry", "BTC", kit.VENUE, HedgeState.OPENING, legs, D(target), kit.START_MS)
