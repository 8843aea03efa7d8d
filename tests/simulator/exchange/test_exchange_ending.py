"""Markets that end at an announced time: what was held, owed or bid there, and what a renamed coin becomes."""

from dataclasses import replace

import pytest
from exchange_market import HOUR_MS, KEY, START_MS, D, ScriptedMarket, exchange, perp, request, spot, steps

from bot.domain.instruments import Instrument, Kind, Payoff, Wallet
from bot.simulator.base_units import listing_of
from bot.simulator.model import SETTLING_MS, Book, Status, TimeInForce, VenueError

END_MS = START_MS + 9 * HOUR_MS + 1


def market(*ended: tuple[Book, str], ends_ms: int = END_MS) -> ScriptedMarket:
    found = ScriptedMarket({"AAA": steps((0, "100"), (9 * HOUR_MS, "110"))})
    for place in ended:
        found.listings[place] = replace(found.listings[place], ends_ms=ends_ms)
    return found


def test_a_perpetual_that_ends_is_settled_at_the_mark_of_its_end_and_pays_no_more_funding():
    core = exchange(market((Book.PERP, "AAAUSDT")))
    core.place(KEY, perp("SELL", "2"), START_MS)
    core.place(KEY, perp("BUY", "5", symbol="BBBUSDT"), START_MS)
    resting, _, _ = core.place(KEY, perp("BUY", "1", "60", tif=TimeInForce.GTC), START_MS)
    happened = [h for _, h in core.advance(START_MS + 48 * HOUR_MS)]
    assert [p.symbol for p in core.positions(KEY)] == ["BBBUSDT"]
    *_, last = core.trades(KEY, Book.PERP, "AAAUSDT")
    assert last.client_id.startswith("settlement_autoclose-")
    assert (last.at_ms, last.price, last.quantity) == (END_MS, D(110), D(2))
    assert [h.trade for h in happened if h.kind == "LIQUIDATION"] == [None, last]
    assert resting.status is Status.CANCELED
    paid = [i.at_ms for i in core.income(KEY) if i.kind == "FUNDING_FEE" and i.symbol == "AAAUSDT"]
    assert paid == [START_MS + 8 * HOUR_MS]
    with pytest.raises(VenueError, match="-4141"):
        core.place(KEY, perp("BUY", "1"), START_MS + 48 * HOUR_MS)


def test_coins_of_a_spot_that_ends_stay_and_nobody_buys_them():
    core = exchange(market((Book.SPOT, "AAAUSDT")))
    core.place(KEY, spot("BUY", "2"), START_MS)
    held = core.wallet(KEY, Book.SPOT)["AAA"]
    core.advance(END_MS - 1)
    core.place(KEY, spot("SELL", "0.5"), END_MS - 1)
    core.advance(END_MS)
    assert core.wallet(KEY, Book.SPOT)["AAA"] == (held[0] - D("0.5"), D(0))
    with pytest.raises(VenueError, match="-1013: Market is closed"):
        core.place(KEY, spot("SELL", "0.5"), END_MS)


def test_what_is_owed_of_a_coin_whose_spot_ends_is_bought_back_by_the_venue():
    core = exchange(market((Book.SPOT, "AAAUSDT")))
    core.move_collateral(KEY, D(5_000), START_MS)
    core.place(
        KEY, replace(request(Book.SPOT, "AAAUSDT", "SELL", "3", "90", tif=TimeInForce.IOC), margin=True), START_MS
    )
    assert core.margin_wallet(KEY)["AAA"][1] == D(3)
    core.advance(END_MS)
    assert core.margin_wallet(KEY)["AAA"][1] == 0
    assert core.trades(KEY, Book.SPOT, "AAAUSDT")[-1].client_id.startswith("autoclose-")


def test_an_end_that_has_passed_is_listed_for_a_while():
    listing = market((Book.PERP, "AAAUSDT")).listings[Book.PERP, "AAAUSDT"]
    assert [listing.open_at(ms) for ms in (END_MS - 1, END_MS)] == [True, False]
    assert [listing.gone_at(END_MS + ms) for ms in (0, SETTLING_MS - 1, SETTLING_MS)] == [False, False, True]
    assert not replace(listing, ends_ms=0).gone_at(END_MS + SETTLING_MS)


def test_a_renamed_coin_becomes_another_one_and_no_history_says_so():
    core = exchange(market((Book.SPOT, "AAAUSDT")), spot={"USDT": "10000", "AAA": "1.5"})
    core.advance(END_MS)
    assert core.convert(KEY, "AAA", "AAA2", D(1000), END_MS) == D("1.5")
    wallet = core.wallet(KEY, Book.SPOT)
    assert (wallet["AAA"], wallet["AAA2"]) == ((D(0), D(0)), (D(1500), D(0)))
    assert [*core.capital(KEY), *core.trades(KEY, Book.SPOT, None), *core.transfers(KEY)] == []


def test_a_paper_account_ends_with_the_live_market_that_it_follows():
    held = Instrument(
        id="binance:AAAUSDT:perp",
        venue="binance",
        symbol="AAAUSDT",
        coin="AAA",
        kind=Kind.PERP,
        payoff=Payoff.LINEAR,
        wallet=Wallet.PERP,
        base_asset="AAA",
        quote_asset="USDT",
        settle_asset="USDT",
        tick=D("0.1"),
        lot=D("0.01"),
        quantity_min=D("0.01"),
        quantity_max=D(100_000),
        notional_min=D(5),
        ends_ms=END_MS,
    )
    found = market()
    found.listings[Book.PERP, "AAAUSDT"] = listing_of(held, found.listings[Book.PERP, "AAAUSDT"].tiers)
    core = exchange(found)
    core.place(KEY, perp("SELL", "2"), START_MS)
    core.advance(END_MS)
    assert core.positions(KEY) == []
    assert not listing_of(replace(held, trades=False, ends_ms=0), ()).open_at(START_MS)
