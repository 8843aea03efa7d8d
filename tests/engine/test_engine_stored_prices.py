"""After a restart the books are valued at the prices that they hold, until the market speaks; then at its own."""

from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, Playbook

from bot.domain.actions import LastPrice
from bot.domain.books import Books
from bot.domain.config import Limits
from bot.domain.valuation import mark_price, nav_usd
from bot.engine.recovery import restore

D = Decimal
BOTH = ("cash_and_carry", "reverse_carry")


@pytest.mark.parametrize("rate", ["0.0003", "-0.001"], ids=["long spot", "owed coins"])
def test_stored_prices_give_way_to_live_ones(play: Play, rate: str) -> None:
    config = kit.config(("BTC",), strategies=BOTH, limits=Limits(cash_rate=0))
    book = play(config).scene("400000", "300000", rate=rate, margin_usdt="300000")
    book.rate = rate
    book.run(8)
    held = book.hedge.legs
    assert held[0].quantity_base
    again = restarted(play, book)
    assert [mark_price(again.state.book, leg.instrument) for leg in held] == [D(100_000)] * 2, "stored"
    again.feed(kit.listing(("BTC",), margin=True))
    again.feed(kit.quotes("BTC", "105000")[0])
    prices = [mark_price(again.state.book, leg.instrument) for leg in held]
    assert prices == [D(105_000)] * 2, "the first leg that speaks is the price of both"
    for quote in kit.quotes("BTC", "110000"):
        again.feed(quote)
    assert mark_price(again.state.book, held[0].instrument) == D(110_000), "the quote, while no mark has come"
    again.alive("120000")
    assert [mark_price(again.state.book, leg.instrument) for leg in held] == [D(120_000)] * 2
    moved = nav_usd(again.state.book) - nav_usd(book.state.book)
    assert abs(moved) < 200, "both legs are at the new price: a hedge is worth what it was"


def restarted(play: Play, book: Playbook) -> Playbook:
    books = Books(
        epoch=2,
        hedges=[book.hedge],
        balances=dict(book.state.ledger.balances),
        prices=[LastPrice(leg.instrument, D(100_000), book.market_ms) for leg in book.hedge.legs],
    )
    return play(book.config, state=restore(books, book.config))
