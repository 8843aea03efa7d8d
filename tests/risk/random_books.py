"""Books, markets and limits drawn at random, and what they come to by arithmetic of its own."""

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import strategies as st

from bot.domain.book import Book
from bot.domain.config import Budget, CapOf, CoreConfig, Limits, Liquidation, Universe
from bot.domain.guards import Breach
from bot.domain.hedges import Control, Hedge, HedgeState, Leg
from bot.domain.instruments import FeeRates, Instrument, Kind, Payoff, Wallet
from bot.domain.market import Liquidity, Mark, Quote
from bot.domain.orders import OrderIntent, OrderRecord, OrderState, Purpose, Side, TimeInForce
from bot.domain.time import Stamp

D = Decimal
COINS = {"AAA": D("10"), "BBB": D("250"), "CCC": D("0.5")}
VENUES = ("one", "two")
LOT = D("0.1")
NOW = Stamp(1, 1_733_011_200_000, 1_000_000)


def instrument(venue: str, coin: str, kind: Kind) -> Instrument:
    return Instrument(
        id=f"{venue}:{coin}:{kind.value}",
        venue=venue,
        symbol=coin,
        coin=coin,
        kind=kind,
        payoff=Payoff.LINEAR,
        wallet=Wallet.SPOT if kind is Kind.SPOT else Wallet.PERP,
        base_asset=coin,
        quote_asset="USDT",
        settle_asset="USDT",
        tick=D("0.0001"),
        lot=LOT,
        quantity_min=LOT,
        quantity_max=D("1e9"),
        notional_min=D(5),
        fee_in_base=kind is Kind.SPOT,
    )


def money(low: int, high: int) -> st.SearchStrategy[Decimal]:
    return st.integers(low, high).map(D)


def lots(high: int = 4_000) -> st.SearchStrategy[Decimal]:
    return st.integers(1, high).map(lambda n: n * LOT)


def shares(low: int = 1, high: int = 100) -> st.SearchStrategy[Decimal]:
    return st.integers(low, high).map(lambda n: D(n) / 100)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    return Limits(
        per_coin_cap=draw(shares(1, 60)),
        per_coin_cap_of=draw(st.sampled_from(CapOf)),
        per_coin_cap_overrides=draw(st.dictionaries(st.sampled_from(sorted(COINS)), shares(1, 90), max_size=2)),
        leverage_ceiling=draw(st.integers(1, 40).map(lambda n: D(n) / 10)),
        per_venue_cap=draw(st.one_of(st.just(D(1)), shares(10, 100))),
        liquidation=Liquidation(warn=draw(st.sampled_from([0.0001, 0.1, 0.25])), min=0.00005, basis_stress=0.0),
        budget=Budget(orders_per_hour=draw(st.sampled_from([1, 2, 4_000]))),
    )


@st.composite
def books(draw: st.DrawFn) -> Book:
    """Two venues, three coins, fresh liquid markets; hedges, orders in every state, odd controls."""
    core = CoreConfig(limits=draw(limits()), universe=Universe(listing_age_days_min=0))
    book = Book(core, now=NOW, control=draw(st.sampled_from([Control.RUNNING, Control.RUNNING, Control.HALTED])))
    pairs = [instrument(venue, coin, kind) for venue in VENUES for coin in COINS for kind in (Kind.SPOT, Kind.PERP)]
    book.market.list_instruments(tuple(pairs))
    for one in pairs:
        mid = COINS[one.coin] * draw(shares(60, 160))
        book.market.quotes[one.id] = Quote(one.id, mid * D("0.999"), mid * D("1.001"), D(100), D(100))
        book.market.quote_seen_ms[one.id] = NOW.mono_ms
        book.market.liquidity[one.id] = Liquidity(one.id, 1e9, 1e6, 1e9)
        book.market.fees[one.id] = FeeRates(D("0.001"), D("0.001"))
        book.market.feed_alive_ms[one.feed] = NOW.mono_ms
        if one.kind is Kind.PERP:
            book.market.marks[one.id] = Mark(one.id, mid, mid, D(0), 0)
            book.market.mark_seen_ms[one.id] = NOW.mono_ms
    for venue in VENUES:
        book.ready[venue] = draw(st.sampled_from([True, True, True, False]))
        for wallet in ("spot", "perp"):
            book.balances[f"venue:{venue}:{wallet}", "USDT"] = draw(money(0, 200_000))
    if draw(st.integers(0, 9)) == 0:
        book.unexplained.add(draw(st.sampled_from(VENUES)))
    if draw(st.integers(0, 9)) == 0:
        book.doubted[draw(st.sampled_from(VENUES))] = NOW.mono_ms
    if draw(st.integers(0, 9)) == 0:
        book.guards.drawdown.level = Breach.SOFT
    for number, (venue, coin) in enumerate(draw(st.sets(keys(), max_size=6))):
        _add_hedge(draw, book, f"h{number}", number, venue, coin)
    return book


def keys() -> st.SearchStrategy[tuple[str, str]]:
    return st.tuples(st.sampled_from(VENUES), st.sampled_from(sorted(COINS)))


def _add_hedge(draw: st.DrawFn, book: Book, name: str, number: int, venue: str, coin: str) -> Hedge:
    spot, perp = draw(st.one_of(st.just(D(0)), lots())), draw(st.one_of(st.just(D(0)), lots()))
    perp = spot if draw(st.booleans()) else perp
    legs = (
        Leg(f"{venue}:{coin}:spot", Kind.SPOT, 1, spot, spot * COINS[coin]),
        Leg(f"{venue}:{coin}:perp", Kind.PERP, -1, -perp, -perp * COINS[coin]),
    )
    state = draw(st.sampled_from([HedgeState.OPENING, HedgeState.HEDGED, HedgeState.REDUCING]))
    hedge = Hedge(name, number, "cash_and_carry", coin, venue, state, legs, draw(lots()), NOW.market_ms)
    book.hedges[name] = hedge
    book.balances[f"venue:{venue}:spot", coin] = spot
    for place in range(draw(st.integers(0, 3))):
        leg = draw(st.integers(0, 1))
        side = draw(st.sampled_from(Side))
        intent = order(
            book, hedge, leg, side, draw(lots(800)), Purpose.OPEN, f"{name}-{place}", draw(shares(80, 120))
        )
        record = OrderRecord(intent, draw(st.sampled_from(OrderState)), sent_mono_ms=NOW.mono_ms)
        record.filled_base = draw(st.sampled_from([D(0), intent.quantity_base / 2, intent.quantity_base]))
        record.fills_base = draw(st.sampled_from([D(0), record.filled_base]))
        book.orders[intent.client_id] = record
        hedge.order_ids.append(intent.client_id)
    return hedge


def order(
    book: Book, hedge: Hedge, leg: int, side: Side, quantity: Decimal, purpose: Purpose, name: str, share: Decimal
) -> OrderIntent:
    found = book.market.quotes[hedge.legs[leg].instrument]
    return OrderIntent(
        client_id=name,
        hedge_id=hedge.id,
        leg=leg,
        venue=hedge.venue,
        instrument=hedge.legs[leg].instrument,
        side=side,
        quantity_base=quantity,
        limit_price=found.mid * share,
        time_in_force=TimeInForce.IOC,
        reduce_only=False,
        purpose=purpose,
        created_ms=NOW.market_ms,
        decided_price=found.mid,
    )


@dataclass
class Worst:
    """The book if everything that may still fill fills, `extra` too; USD."""

    nav: Decimal
    by_coin: dict[str, Decimal]
    by_venue: dict[str, Decimal]
    nav_by_venue: dict[str, Decimal]


def worst(book: Book, extra: tuple[OrderIntent, ...] = ()) -> Worst:
    """Slow and literal: every leg of every hedge, every order that has not ended or is not booked."""
    mid = {name: (quote.bid + quote.ask) / 2 for name, quote in book.market.quotes.items()}
    nav_by_venue = dict.fromkeys(VENUES, D(0))
    for (account, asset), amount in book.balances.items():
        venue = account.split(":")[1]
        nav_by_venue[venue] += amount * (D(1) if asset == "USDT" else mid[f"{venue}:{asset}:spot"])
    by_coin, by_venue = dict.fromkeys(COINS, D(0)), dict.fromkeys(VENUES, D(0))
    for hedge in book.hedges.values():
        sides = []
        for place, leg in enumerate(hedge.legs):
            usd = abs(leg.quantity_base) * mid[leg.instrument]
            if leg.kind is Kind.PERP:
                nav_by_venue[hedge.venue] += leg.quantity_base * mid[leg.instrument] - leg.cost_quote
            grows = Side.BUY if leg.direction > 0 else Side.SELL
            for record in book.orders.values():
                intent = record.intent
                if (intent.hedge_id, intent.leg, intent.side) == (hedge.id, place, grows):
                    over = record.state in (
                        *(OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.NEVER_SENT),
                    )
                    reach = record.filled_base if over else intent.quantity_base
                    usd += max(D(0), reach - record.fills_base) * max(intent.limit_price, intent.decided_price)
            for intent in extra:
                if (intent.hedge_id, intent.leg, intent.side) == (hedge.id, place, grows):
                    usd += intent.quantity_base * max(intent.limit_price, intent.decided_price)
            sides.append(usd)
        by_coin[hedge.coin] += max(sides)
        by_venue[hedge.venue] += max(sides)
    return Worst(sum(nav_by_venue.values(), D(0)), by_coin, by_venue, nav_by_venue)
