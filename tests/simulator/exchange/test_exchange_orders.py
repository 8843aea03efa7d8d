"""Tables of orders against what the venue answers: fills, statuses, error codes. AAA is 99.90 / 100.10."""

import pytest
from exchange_market import KEY, START_MS, D, ScriptedMarket, exchange, perp, spot, steps

from bot.simulator.model import Book, Status, TimeInForce, VenueError

IOC, FOK, GTX = TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY

REFUSED = [
    # spot: one code for all filters, told apart by the message
    (spot("BUY", "1", "100", symbol="NOPEUSDT"), -1121, "Invalid symbol."),
    (spot("BUY", "0", "100"), -1013, "Invalid quantity."),
    (spot("BUY", "1.005", "100"), -1013, "Filter failure: LOT_SIZE"),
    (spot("BUY", "0.001", "100"), -1013, "Filter failure: LOT_SIZE"),
    (spot("BUY", "200000", "100"), -1013, "Filter failure: LOT_SIZE"),
    (spot("BUY", "1.000000001", "100"), -1111, "Parameter 'quantity' has too much precision."),
    (spot("BUY", "1", "0"), -1013, "Invalid price."),
    (spot("BUY", "1", "100.05"), -1013, "Filter failure: PRICE_FILTER"),
    (spot("BUY", "1", "110.1"), -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    (spot("SELL", "1", "89.9"), -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    (spot("BUY", "0.04", "100"), -1013, "Filter failure: NOTIONAL"),
    (spot("BUY", "0.04"), -1013, "Filter failure: NOTIONAL"),
    (spot("BUY", "100.01", "100"), -2010, "Account has insufficient balance for requested action."),
    (spot("SELL", "1", "100"), -2010, "Account has insufficient balance for requested action."),
    (spot("BUY", "1", "100.1", tif=GTX), -2010, "Order would immediately match and take."),
    (spot("BUY", "1", "100", reduce_only=True), -1106, "Parameter 'reduceOnly' sent when not required."),
    # USD-M: each its own code
    (perp("BUY", "1", "100", symbol="NOPEUSDT"), -1121, "Invalid symbol."),
    (perp("BUY", "0", "100"), -4003, "Quantity less than or equal to zero."),
    (perp("BUY", "1.005", "100"), -1111, "Precision is over the maximum defined for this asset."),
    (perp("BUY", "1", "100.123"), -1111, "Precision is over the maximum defined for this asset."),
    (perp("BUY", "1", "100.05"), -4014, "Price not increased by tick size."),
    (perp("BUY", "200000", "100"), -4005, "Quantity greater than max quantity."),
    (perp("BUY", "1", "110.1"), -4016, "Limit price can't be higher than 110"),
    (perp("SELL", "1", "89.9"), -4024, "Limit price can't be lower than 90"),
    (perp("BUY", "0.04", "100"), -4164, "Order's notional must be no smaller than 5"),
    (perp("BUY", "0.04"), -4164, "Order's notional must be no smaller than 5"),
    (perp("BUY", "2500", "100"), -2019, "Margin is insufficient."),
    (perp("BUY", "5500", "100"), -2027, "Exceeded the maximum allowable position at current leverage."),
    (perp("BUY", "1", "100", reduce_only=True), -2022, "ReduceOnly Order is rejected."),
    (perp("BUY", "1", "100.1", tif=GTX), -5022, "Due to the order could not be executed as maker"),
    (perp("BUY", "61", "101", tif=FOK), -5021, "Due to the order could not be filled immediately"),
]


@pytest.mark.parametrize(("request_", "code", "message"), REFUSED)
def test_refused_orders_leave_no_trace(request_, code, message):
    core = exchange()
    before = core.snapshot()
    with pytest.raises(VenueError) as refusal:
        core.place(KEY, request_, START_MS)
    assert (refusal.value.code, refusal.value.http_status) == (code, 400)
    assert refusal.value.message.startswith(message)
    assert core.snapshot() == before


# request, expected status, fills as (price, quantity); two units a level, ticks of 0.10
FILLED = [
    (spot("BUY", "1"), Status.FILLED, [("100.1", "1")]),
    (spot("BUY", "5"), Status.FILLED, [("100.1", "2"), ("100.2", "2"), ("100.3", "1")]),
    (spot("BUY", "5", "100.2", tif=IOC), Status.EXPIRED, [("100.1", "2"), ("100.2", "2")]),
    (spot("BUY", "5", "100.2"), Status.PARTIALLY_FILLED, [("100.1", "2"), ("100.2", "2")]),
    (spot("BUY", "5", "100.2", tif=FOK), Status.EXPIRED, []),
    (spot("BUY", "4", "100.2", tif=FOK), Status.FILLED, [("100.1", "2"), ("100.2", "2")]),
    (spot("BUY", "5", "100.0", tif=IOC), Status.EXPIRED, []),
    (spot("BUY", "5", "100.0"), Status.NEW, []),
    (spot("BUY", "5", "100.0", tif=GTX), Status.NEW, []),
    (spot("BUY", "70"), Status.EXPIRED, [(f"{100.1 + i / 10:.1f}", "2") for i in range(30)]),
    (perp("SELL", "3"), Status.FILLED, [("99.9", "2"), ("99.8", "1")]),
    (perp("SELL", "3", "99.9", tif=IOC), Status.EXPIRED, [("99.9", "2")]),
    (perp("SELL", "3", "99.9"), Status.PARTIALLY_FILLED, [("99.9", "2")]),
    (perp("SELL", "3", "100.0", tif=GTX), Status.NEW, []),
    (perp("SELL", "4", "99.8", tif=FOK), Status.FILLED, [("99.9", "2"), ("99.8", "2")]),
]


@pytest.mark.parametrize(("request_", "status", "fills"), FILLED)
def test_fills(request_, status, fills):
    core = exchange()
    order, trades, happenings = core.place(KEY, request_, START_MS)
    assert order.status is status
    assert [(t.price, t.quantity) for t in trades] == [(D(p), D(q)) for p, q in fills]
    assert order.filled == sum((t.quantity for t in trades), D(0))
    assert order.trade_ids == [t.id for t in trades]
    reports = [h for h in happenings if h.kind == "ORDER"]
    assert reports[0].order.status is Status.NEW
    assert reports[0].order.filled == 0
    assert [h.trade for h in reports[1 : 1 + len(trades)]] == list(trades)
    assert reports[-1].order.status is status
    assert core.order(KEY, request_.book, "AAAUSDT", order.id, None) is order
    is_open = status in (Status.NEW, Status.PARTIALLY_FILLED)
    assert core.open_orders(KEY, request_.book, None) == ([order] if is_open else [])


def test_spot_buy_pays_its_fee_in_the_coin_and_sell_in_quote():
    core = exchange()
    _, (bought,), _ = core.place(KEY, spot("BUY", "1"), START_MS)
    assert (bought.fee, bought.fee_asset) == (D("0.001"), "AAA")
    assert core.wallet(KEY, Book.SPOT) == {"USDT": (D("9899.9"), D(0)), "AAA": (D("0.999"), D(0))}
    _, (sold,), _ = core.place(KEY, spot("SELL", "0.99"), START_MS)
    assert (sold.fee, sold.fee_asset) == (D("0.098901"), "USDT")
    assert core.wallet(KEY, Book.SPOT)["USDT"] == (D("9899.9") + D("98.901") - D("0.098901"), D(0))
    assert core.wallet(KEY, Book.SPOT)["AAA"] == (D("0.009"), D(0))


def test_resting_orders_lock_are_filled_at_their_price_as_maker_and_release():
    market = ScriptedMarket({"AAA": steps((0, "100"), (60_000, "99"), (120_000, "98"))})
    core = exchange(market)
    order, _, happenings = core.place(KEY, spot("BUY", "5", "99.3"), START_MS)
    assert core.wallet(KEY, Book.SPOT)["USDT"] == (D(10_000) - D("496.5"), D("496.5"))
    balance = happenings[-1]
    assert (balance.kind, balance.delta, balance.locked) == ("BALANCE", D(0), D("496.5"))
    assert core.advance(START_MS + 59_000) == []
    # At 99 the asks are 99.1, 99.2 and 99.3 with two each: the order fills whole, at its own price.
    happened = core.advance(START_MS + 60_000)
    trade = happened[0][1].trade
    assert (trade.price, trade.quantity, trade.maker, trade.at_ms) == (D("99.3"), D(5), True, START_MS + 60_000)
    assert order.status is Status.FILLED
    assert core.wallet(KEY, Book.SPOT) == {"USDT": (D("9503.5"), D(0)), "AAA": (D("4.995"), D(0))}
    assert core.open_orders(KEY, Book.SPOT, None) == []


def test_resting_order_fills_in_parts_by_the_depth_that_crosses_and_is_cancelled():
    core = exchange(ScriptedMarket({"AAA": steps((0, "100"), (60_000, "99.2"))}))
    order, _, _ = core.place(KEY, perp("BUY", "5", "99.4"), START_MS)
    core.advance(START_MS + 60_000)
    assert (order.status, order.filled) == (Status.PARTIALLY_FILLED, D(4))
    core.advance(START_MS + 60_500)  # within the same second: what we took is gone
    assert order.filled == D(4)
    core.place(KEY, spot("BUY", "1", "99.0", client_id="other"), START_MS + 60_600)
    cancelled, happenings = core.cancel(KEY, Book.PERP, "AAAUSDT", order.id, None, START_MS + 60_700)
    assert cancelled.status is Status.CANCELED
    assert [h.kind for h in happenings] == ["ORDER"]
    with pytest.raises(VenueError, match="-2011"):
        core.cancel(KEY, Book.PERP, "AAAUSDT", order.id, None, START_MS + 60_800)
    done, _ = core.cancel_all(KEY, Book.SPOT, "AAAUSDT", START_MS + 60_900)
    assert [o.request.client_id for o in done] == ["other"]
    assert core.wallet(KEY, Book.SPOT)["USDT"] == (D(10_000), D(0))


def test_own_consumption_thins_the_book_until_the_next_second():
    core = exchange()
    ioc = perp("BUY", "2", "100.2", tif=IOC)
    prices = []
    for _ in range(3):
        _, trades, _ = core.place(KEY, ioc, START_MS)
        prices.append([(t.price, t.quantity) for t in trades])
    assert prices == [[(D("100.1"), D(2))], [(D("100.2"), D(2))], []]
    _, trades, _ = core.place(KEY, perp("SELL", "1", "99.9", tif=IOC), START_MS + 999)
    assert trades[0].price == D("99.9")  # the other side is untouched
    _, trades, _ = core.place(KEY, ioc, START_MS + 1000)
    assert trades[0].price == D("100.1")


def test_a_level_partly_consumed_gives_its_rest_first():
    core = exchange()
    core.place(KEY, spot("BUY", "0.5"), START_MS)
    _, trades, _ = core.place(KEY, spot("BUY", "2"), START_MS)
    assert [(t.price, t.quantity) for t in trades] == [(D("100.1"), D("1.5")), (D("100.2"), D("0.5"))]


@pytest.mark.parametrize(("make", "code"), [(spot, -2010), (perp, -4116)])
def test_client_ids_are_unique_among_open_orders_only(make, code):
    core = exchange()
    resting, _, _ = core.place(KEY, make("BUY", "1", "95", client_id="a"), START_MS)
    with pytest.raises(VenueError) as refusal:
        core.place(KEY, make("BUY", "1", "100.1", tif=IOC, client_id="a"), START_MS)
    assert refusal.value.code == code
    book = resting.request.book
    core.cancel(KEY, book, "AAAUSDT", None, "a", START_MS)
    # The id of a closed order buys again, and again: the query tells of the newest.
    first, _, _ = core.place(KEY, make("BUY", "1", "100.1", tif=IOC, client_id="a"), START_MS)
    again, _, _ = core.place(KEY, make("BUY", "1", "100.1", tif=IOC, client_id="a"), START_MS)
    assert (first.filled, again.filled) == (D(1), D(1))
    assert core.order(KEY, book, "AAAUSDT", None, "a") is again
    assert core.all_orders(KEY, book, "AAAUSDT") == [resting, first, again]


def test_queries_of_unknown_orders():
    core = exchange()
    order, _, _ = core.place(KEY, spot("BUY", "1", client_id="a"), START_MS)
    for book, symbol, order_id, client_id in [
        (Book.PERP, "AAAUSDT", order.id, None),
        (Book.SPOT, "BBBUSDT", order.id, None),
        (Book.SPOT, "AAAUSDT", 5, None),
        (Book.SPOT, "AAAUSDT", None, "b"),
        (Book.SPOT, "AAAUSDT", None, None),
    ]:
        with pytest.raises(VenueError) as refusal:
            core.order(KEY, book, symbol, order_id, client_id)
        assert (refusal.value.code, refusal.value.message) == (-2013, "Order does not exist.")
    with pytest.raises(VenueError) as refusal:
        core.wallet("nobody", Book.SPOT)
    assert (refusal.value.code, refusal.value.http_status) == (-2015, 401)


def test_an_order_placed_later_first_settles_time_and_advance_tells_what_happened():
    core = exchange(ScriptedMarket({"AAA": steps((0, "100"), (60_000, "98"))}))
    resting, _, _ = core.place(KEY, perp("BUY", "1", "99"), START_MS)
    _, _, own = core.place(KEY, spot("BUY", "1"), START_MS + 90_000)
    assert resting.status is Status.FILLED
    assert {h.book for h in own} == {Book.SPOT}
    told = core.advance(START_MS + 90_000)
    assert [(h.kind, h.book) for _, h in told] == [("ORDER", Book.PERP), ("BALANCE", Book.PERP)]
    assert core.advance(START_MS + 90_000) == []
    assert core.now_ms == START_MS + 90_000
