"""Coins of a hedge that its owner moves or sells: the venue's record says so, and the short goes with them."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, Playbook, fill_of, fills, orders, said, silence
from test_engine_accepting import reported

from bot.domain.actions import Emit, PlaceOrders, Severity
from bot.domain.events import CapitalMoved, Event, OrderFilled, Tick
from bot.domain.orders import Side
from bot.risk.rules import r05_drawdown

D = Decimal


def withdrawn(book: Playbook, quantity: str) -> Event:
    return CapitalMoved(kit.VENUE, "spot", "BTC", -D(quantity), "withdrawal:1", book.market_ms)


def sold(book: Playbook, quantity: str) -> Event:
    theirs = fill_of(book, book.last("spot"), D(quantity), client_id="web_1", fee=D(0))
    return OrderFilled(replace(theirs.fill, side=Side.SELL))


def held(play: Play) -> tuple[Playbook, Decimal]:
    book = play().scene().run()
    book.feed(reported(book, {}))
    return book, book.hedge.size_base


@pytest.mark.parametrize("how", [withdrawn, sold])
def test_a_hedge_whose_coins_have_left_is_no_naked_short(play: Play, how: Callable[[Playbook, str], Event]) -> None:
    book, size = held(play)
    book.feed(how(book, "0.1"))
    book >> reported(book, {}) << said("hedge.coins_gone", severity=Severity.CRITICAL, coin="BTC")
    left = book.hedge.legs[0].quantity_base
    assert size - D("0.101") < left < size - D("0.09")
    book.wait(0.3).alive() >> Tick() << orders("buy perp 0.099 reduce")
    book >> fills("perp")
    book.unmet.clear()
    assert abs(book.hedge.imbalance_base) < D("0.002")
    assert left - D("0.001") < book.hedge.target_base <= left, "what the owner has taken is not bought again"
    book >> reported(book, {}) << silence(Emit)


def test_a_hedge_that_has_no_coins_left_ends(play: Play) -> None:
    book, _ = held(play)
    book.feed(withdrawn(book, str(book.hedge.legs[0].quantity_base)))
    book >> reported(book, {}) << said("hedge.coins_gone") << said("hedge.aimed", target_base=D(0))
    book.run(3)
    assert "h1" not in book.state.hedges
    assert not any(leg.quantity_base for leg in book.state.last_hedge[kit.perp_id("BTC")].legs)


@pytest.mark.parametrize(("own", "taken"), [("0.1", "0.1"), ("0", "0.0005")])
def test_what_is_the_owners_or_a_crumb_is_no_hedges_loss(play: Play, own: str, taken: str) -> None:
    book, _ = held(play)
    if D(own):
        book.feed(CapitalMoved(kit.VENUE, "spot", "BTC", D(own), "deposit:1", book.market_ms))
    book.feed(withdrawn(book, taken))
    book >> reported(book, {}) << silence(Emit)


def test_balances_that_differ_from_the_books_prove_nothing(play: Play) -> None:
    """A withdrawal that is told before the deposit that it came of."""
    book, _ = held(play)
    book.feed(withdrawn(book, "0.1"))
    book >> reported(book, {"BTC": "0.1"}) << silence(Emit)
    book.feed(CapitalMoved(kit.VENUE, "spot", "BTC", D("0.1"), "deposit:1", book.market_ms))
    book >> reported(book, {}) << silence(PlaceOrders)
    book.wait(0.3).alive() >> Tick() << silence()


def test_a_withdrawal_of_coins_is_no_loss_of_the_bots(play: Play) -> None:
    book, _ = held(play)
    book.run(1)
    drawdown, size = book.state.book.guards.drawdown, book.hedge.legs[0].quantity_base
    before, high = r05_drawdown.measure(book.state.book), drawdown.high_usd
    assert before is not None
    assert high is not None
    book.feed(withdrawn(book, str(size)))
    book.feed(reported(book, {}))
    after = r05_drawdown.measure(book.state.book)
    assert after is not None
    assert after[0] < before[0]
    assert abs(drawdown.high_usd / after[0] - high / before[0]) < D("0.0001")  # type: ignore[operator]
