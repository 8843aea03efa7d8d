"""Whatever the orders, the records explain the balances to the last digit, and a snapshot continues exactly."""

import decimal
import json

from exchange_market import COINS, HOUR_MS, KEY, START_MS, D, exchange, perp_symbol, walking_market
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.simulator.exchange.core import Exchange
from bot.simulator.exchange.interface import JournalRecord
from bot.simulator.model import Book, OrderRequest, OrderType, Side, Status, TimeInForce, VenueError

FAULTS = [
    {"kind": "partial_fill", "fraction": 0.4, "probability": 0.2},
    {"kind": "reject", "code": -1013, "probability": 0.05},
]


@st.composite
def placings(draw):
    coin = draw(st.sampled_from(COINS))
    book = draw(st.sampled_from(list(Book)))
    scale = coin.multiplier if book is Book.PERP else D(1)
    market_order = draw(st.booleans())
    ticks = draw(st.integers(-100, 100))
    price = (coin.price * scale / (coin.tick * scale)).to_integral_value() * coin.tick * scale
    worth_usd = draw(st.sampled_from([6, 50, 400, 3000, 9000]))
    quantity = (D(worth_usd) / price / coin.lot).to_integral_value() * coin.lot + coin.lot
    return (
        "place",
        OrderRequest(
            book=book,
            symbol=perp_symbol(coin) if book is Book.PERP else f"{coin.name}USDT",
            side=draw(st.sampled_from(list(Side))),
            type=OrderType.MARKET if market_order else OrderType.LIMIT,
            time_in_force=draw(st.sampled_from(list(TimeInForce))),
            quantity=quantity,
            price=None if market_order else max(price + ticks * coin.tick * scale, coin.tick * scale),
            reduce_only=book is Book.PERP and draw(st.integers(0, 4)) == 0,
            client_id=draw(st.sampled_from(["", "", "a", "b", "c"])),
        ),
    )


moves = st.one_of(
    placings(),
    placings(),
    placings(),
    st.tuples(st.just("advance"), st.sampled_from([0, 1, 999, 60_000, 900_001, HOUR_MS, 5 * HOUR_MS, 24 * HOUR_MS])),
    st.tuples(st.just("cancel"), st.sampled_from(["a", "b", "c"])),
    st.tuples(st.just("transfer"), st.integers(-900, 3000)),
    st.tuples(st.just("leverage"), st.sampled_from([1, 5, 20, 50])),
)


def start() -> Exchange:
    core = exchange(walking_market(), spot={"USDT": "9000", "AAA": "20", "CCC": "30000"}, perp="700")
    core.faults.add(FAULTS)
    return core


def play(core: Exchange, script, now_ms: int) -> tuple[int, list]:
    """Plays moves; returns the market time afterwards and what the venue said, refusals included."""
    said: list = []
    for kind, what in script:
        before = {p.symbol: p.quantity for p in core.positions(KEY)}
        try:
            if kind == "place":
                order, trades, happenings = core.place(KEY, what, now_ms)
                said.append((order.id, order.status, list(trades), list(happenings)))
                check_reduce_only(core, what, before)
            elif kind == "advance":
                now_ms += what
                said.append(list(core.advance(now_ms)))
            elif kind == "cancel":
                for book in Book:
                    said.append(core.cancel(KEY, book, "AAAUSDT", None, what, now_ms)[0].id)
            elif kind == "leverage":
                core.set_leverage(KEY, "AAAUSDT", what)
            else:
                source, target = (Book.SPOT, Book.PERP) if what > 0 else (Book.PERP, Book.SPOT)
                said.append(core.transfer(KEY, "USDT", abs(D(what)), source, target, now_ms)[0])
        except VenueError as refusal:
            said.append((refusal.code, refusal.message))
    return now_ms, said


def check_reduce_only(core: Exchange, request: OrderRequest, before: dict) -> None:
    if request.reduce_only:
        was = before.get(request.symbol, D(0))
        now = {p.symbol: p.quantity for p in core.positions(KEY)}.get(request.symbol, D(0))
        assert abs(now) <= abs(was)
        assert now == 0 or (now > 0) == (was > 0)


def check_books(core: Exchange, opening: dict) -> None:
    """Balances equal the opening balances plus the records, exactly; and nothing is below zero."""
    spot = {asset: amount for (book, asset), amount in opening.items() if book is Book.SPOT}
    perp = opening[(Book.PERP, "USDT")]
    for trade in core.trades(KEY, Book.SPOT, None):
        base = trade.symbol.removesuffix("USDT")
        sign = 1 if trade.side is Side.BUY else -1
        spot[base] = spot.get(base, D(0)) + sign * trade.quantity
        spot["USDT"] -= sign * trade.quote_quantity
        spot[trade.fee_asset] -= trade.fee
        assert trade.quote_quantity == trade.price * trade.quantity
    for transfer in core.transfers(KEY):
        spot["USDT"] -= transfer.quantity if transfer.target is Book.PERP else -transfer.quantity
    wallet = core.wallet(KEY, Book.SPOT)
    assert {a: f + k for a, (f, k) in wallet.items() if f + k} == {a: v for a, v in spot.items() if v}
    assert all(free >= 0 and locked >= 0 for free, locked in wallet.values())
    balance = core.wallet(KEY, Book.PERP)["USDT"][0]
    assert balance == perp + sum((i.amount for i in core.income(KEY)), D(0))
    assert balance >= 0 or core.positions(KEY)
    from_trades = sum((t.realized_pnl - t.fee for t in core.trades(KEY, Book.PERP, None)), D(0))
    rows = sum((i.amount for i in core.income(KEY) if i.kind in {"REALIZED_PNL", "COMMISSION"}), D(0))
    assert rows == from_trades


def check_orders(core: Exchange) -> None:
    locked = dict.fromkeys(core.wallet(KEY, Book.SPOT), D(0))
    trades = {(book, t.symbol, t.id): t for book in Book for t in core.trades(KEY, book, None)}
    seen: list[tuple[Book, str, int]] = []
    for book in Book:
        for symbol in {s for b, s in core._state.listings if b is book}:
            for order in core.all_orders(KEY, book, symbol):
                request = order.request
                assert order.filled <= request.quantity
                assert order.filled == sum((trades[book, symbol, i].quantity for i in order.trade_ids), D(0))
                assert (order.status is Status.FILLED) == (order.filled == request.quantity)
                seen += [(book, symbol, i) for i in order.trade_ids]
        for order in core.open_orders(KEY, book, None):
            rest = order.request.quantity - order.filled
            if book is Book.SPOT:
                buying = order.request.side is Side.BUY
                asset = "USDT" if buying else order.request.symbol.removesuffix("USDT")
                locked[asset] += rest * order.request.price if buying else rest
    assert sorted(seen) == sorted(trades)
    assert {a: k for a, (_, k) in core.wallet(KEY, Book.SPOT).items()} == locked
    totals: dict[str, D] = {}
    for trade in core.trades(KEY, Book.PERP, None):
        sign = 1 if trade.side is Side.BUY else -1
        totals[trade.symbol] = totals.get(trade.symbol, D(0)) + sign * trade.quantity
    assert {p.symbol: p.quantity for p in core.positions(KEY)} == {s: q for s, q in totals.items() if q}


@settings(max_examples=150, deadline=None)
@given(st.lists(moves, max_size=40))
def test_records_explain_balances_exactly(script):
    core = start()
    opening = {(b, a): f for b in Book for a, (f, _) in core.wallet(KEY, b).items()}
    play(core, script, START_MS)
    check_books(core, opening)
    check_orders(core)


@settings(max_examples=60, deadline=None)
@given(st.lists(moves, max_size=25), st.lists(moves, max_size=25), st.booleans())
def test_a_restored_exchange_continues_exactly(first, second, incremental):
    core = start()
    store: dict[tuple[str, str, int], JournalRecord] = {}

    def keep() -> dict:
        point = core.checkpoint()
        store.update({(r.table, r.api_key, r.id): r for r in point.records})
        return point.state

    now_ms = START_MS
    for move in first:
        now_ms, _ = play(core, [move], now_ms)
        keep()
    if incremental:
        state = json.loads(json.dumps(keep()))
        records = list(store.values())[::-1]
        copy = Exchange.restore(walking_market(), state, records)
    else:
        copy = Exchange.restore(walking_market(), json.loads(json.dumps(core.snapshot())))
    assert copy.snapshot() == core.snapshot()
    assert play(copy, second, now_ms) == play(core, second, now_ms)
    assert copy.snapshot() == core.snapshot()
    assert copy.truth(KEY, now_ms) == core.truth(KEY, now_ms)
    assert json.loads(json.dumps(core.truth(KEY, now_ms))) == core.truth(KEY, now_ms)


@settings(max_examples=25, deadline=None)
@given(st.lists(moves, max_size=30))
def test_the_ambient_rounding_changes_nothing(script):
    """ccxt sets ROUND_HALF_UP for the whole process."""
    plain = start()
    play(plain, script, START_MS)
    with decimal.localcontext() as context:
        context.rounding = decimal.ROUND_UP
        other = start()
        play(other, script, START_MS)
    assert other.snapshot() == plain.snapshot()
