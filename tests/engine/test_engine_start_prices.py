"""The first ticks of a start, before the market has spoken: what is not priced yet is no reason to sell."""

from decimal import Decimal

import market_kit as kit
import pytest
from playbook import receipt, said, saved
from test_engine_recovery import Disk, Recorded

from bot.domain.actions import LastPrice, NavPoint
from bot.domain.books import Books
from bot.domain.config import Limits
from bot.domain.events import CapitalMoved, Reconciled, Tick
from bot.domain.guards import Breach
from bot.domain.valuation import nav_usd
from bot.engine.recovery import last_prices
from bot.risk.rules import r07_liquidation

D = Decimal
COINS = ("BTC", "ETH")


def built(cap: str = "0.3") -> Recorded:
    """Two hedges of `cap` of NAV each, opened after the first point of the NAV history."""
    book = Recorded(Disk(), COINS, kit.config(COINS, limits=Limits(per_coin_cap=D(cap))))
    book.scene()
    book.state.market.quotes.clear()
    book >> Tick() << saved(NavPoint)
    quoted(book)
    book.run(60)
    assert len(book.state.hedges) == len(COINS)
    return book


def quoted(book: Recorded, *legs: str, times: str = "1") -> None:
    """Quotes of these legs, or of both, at so many times the first price."""
    for coin in COINS:
        for quote in kit.quotes(coin, kit.PRICES[coin] * D(times)):
            if not legs or quote.instrument.endswith(legs):
                book.feed(quote)


def restarted(book: Recorded) -> Recorded:
    """The venue is listed, its rates are known, and no stream has spoken yet."""
    again = Recorded(book.disk, COINS, book.config, 2)
    again.market_ms, again.mono_ms, again.trades = book.market_ms + 60_000, book.mono_ms + 60_000, book.trades
    again.feed(kit.listing(COINS))
    for coin in COINS:
        for one in (*kit.history(coin, kit.START_MS), *kit.liquidity(coin)):
            again.feed(one)
    return again


def test_hedges_that_are_younger_than_the_prices_in_the_books_are_worth_what_they_cost() -> None:
    book = built()
    assert not book.disk.prices, "the next point of the NAV history is an hour away"
    again = restarted(book)
    again >> Reconciled(kit.VENUE)
    again >> Tick() << saved(NavPoint, nav_usd=lambda nav: abs(nav - nav_usd(book.state.book)) < 200)
    assert not any(said("hedge.aimed").matches(action) for action in again.actions), "nothing is sold for it"
    was, now = (r07_liquidation.distance(one.state.book, kit.VENUE) for one in (book, again))
    assert now == pytest.approx(was, rel=0.01)


def test_prices_of_an_earlier_hedge_of_the_coin_are_not_those_of_a_younger_one() -> None:
    book = built()
    hedge = book.hedge_of("BTC")
    spot, perp = (leg.instrument for leg in hedge.legs)
    for at_ms, expected in ((hedge.opened_ms - 1, 100_000), (hedge.opened_ms, 300_000)):
        prices = [LastPrice(name, D(300_000), at_ms) for name in (spot, perp)]
        found = last_prices(Books(epoch=2, hedges=[hedge], prices=prices))
        assert [float(found[name]) for name in (spot, perp)] == pytest.approx([expected] * 2, rel=0.001)


def test_a_withdrawal_that_a_start_hears_of_before_prices_is_no_loss() -> None:
    """Measured last was before the restart: a share of nothing would make the money that left a part of the loss."""
    book = built("0.1")
    book >> receipt("BTC", "-7700", book.market_ms, "9")
    book.wait(1, market_s=3_600).alive() >> Tick() << saved(NavPoint)
    lost = book.state.book.guards.drawdown.share
    assert D("0.0075") < lost < D("0.008"), "nearly as much as R5 bears"
    again = restarted(book)
    again >> CapitalMoved(kit.VENUE, "spot", "USDT", D(-490_000), "w1", again.market_ms) << said("capital.moved")
    again >> Reconciled(kit.VENUE)
    again.unmet.clear()
    quoted(again)
    for _ in range(6):
        again.wait(0.5).alive().feed(Tick())
    drawdown = again.state.book.guards.drawdown
    assert drawdown.level is Breach.NONE
    assert drawdown.share == pytest.approx(lost, abs=D("0.0002"))


@pytest.mark.parametrize("times", ["0.7", "1.4"])
@pytest.mark.parametrize("first", ["spot", "perp"])
def test_one_leg_that_speaks_first_does_not_make_the_other_one_worth_what_it_was(first: str, times: str) -> None:
    """A move while the daemon was down is no loss and no gain of a hedge, whose legs come by different streams."""
    book = built()
    book.wait(1, market_s=3_600).alive() >> Tick() << saved(NavPoint)
    book.unmet.clear()
    again = restarted(book)
    again >> Reconciled(kit.VENUE)
    quoted(again, first, times=times)
    again >> Tick() << saved(NavPoint)
    assert nav_usd(again.state.book) == pytest.approx(nav_usd(book.state.book), abs=500)
    aimed = any(said("hedge.aimed").matches(action) for action in again.actions)
    assert aimed == (times == "1.4"), "what has become more than its cap is trimmed, and nothing else"
    again.alive().alive("50000")
    assert nav_usd(again.state.book) == pytest.approx(nav_usd(book.state.book), abs=500)


def test_the_owners_own_coins_are_worth_something_before_they_are_told_of() -> None:
    """They are a part of NAV, of which caps are shares: at nothing they would have all hedges trimmed."""
    book = Recorded(Disk(), COINS, kit.config(("ETH",), limits=Limits(per_coin_cap=D("0.15"))))
    book.feed(kit.listing(COINS))
    book.account({"spot": {"USDT": D(350_000), "BTC": D(5)}, "perp": {"USDT": D(150_000)}})
    book.scene("350000", "150000")
    book.account({"spot": {"USDT": D(350_000), "BTC": D(5)}, "perp": {"USDT": D(150_000)}})
    book.run(30)
    book.wait(1, market_s=3_600).alive() >> Tick() << saved(NavPoint)
    book.unmet.clear()
    assert book.hedge.coin == "ETH"
    again = restarted(book)
    again >> Reconciled(kit.VENUE)
    again >> Tick() << saved(NavPoint, nav_usd=nav_usd(book.state.book))
    assert not any(said("hedge.aimed").matches(action) for action in again.actions), "nothing is sold for it"


@pytest.mark.parametrize("ceiling", ["0.4", "2"])
def test_caps_and_leverage_wait_for_prices_of_now(ceiling: str) -> None:
    """What the books kept is up to an hour old: only a price that is told makes a hedge larger than it may be."""
    book = built()
    for hedge in book.state.hedges.values():
        for name in (leg.instrument for leg in hedge.legs):
            book.disk.prices[name] = LastPrice(name, kit.PRICES[hedge.coin] * D("1.2"), book.market_ms)
    book.config = kit.config(COINS, limits=Limits(per_coin_cap=D("0.3"), leverage_ceiling=D(ceiling)))
    again = restarted(book)
    again >> Reconciled(kit.VENUE)
    again >> Tick() << saved(NavPoint)
    assert not any(said("hedge.aimed").matches(action) for action in again.actions), "at prices of the books"
    again.unmet.clear()
    quoted(again)
    again >> Tick()
    assert any(said("hedge.aimed").matches(action) for action in again.actions) == (ceiling == "0.4")
