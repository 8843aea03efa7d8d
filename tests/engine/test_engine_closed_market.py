"""A market that the venue has closed while it is held: the hedge stays whole, and goes on when it reopens."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, said

from bot.domain.actions import Emit, MoveMargin
from bot.domain.events import CloseCoin, Tick, TransferSettled, VenueListed
from bot.domain.hedges import HedgeState
from bot.domain.orders import Purpose, Side
from bot.domain.valuation import notional_usd


def listed(*, spot: bool = True, perp: bool = True) -> VenueListed:
    coin, future = kit.pair_instruments("BTC")
    return VenueListed(kit.VENUE, (replace(coin, trades=spot), replace(future, trades=perp)), {}, {})


@pytest.mark.parametrize("closed", [{"spot": False}, {"perp": False}])
def test_a_hedge_of_which_one_market_is_closed_keeps_both_legs(play: Play, closed: dict[str, bool]) -> None:
    book = play(kit.config(("BTC",))).scene().run()
    hedge, before = book.hedge, [leg.quantity_base for leg in book.hedge.legs]
    assert hedge.state is HedgeState.HEDGED
    sent = len(book.sent)
    book >> listed(**closed) << said("market.closed", coin="BTC")
    again = book.feed(listed(**closed))
    assert not any(isinstance(action, Emit) and action.name == "market.closed" for action in again)
    book.feed(CloseCoin("BTC", "test"))
    book.run(20)
    assert len(book.sent) == sent
    assert [leg.quantity_base for leg in hedge.legs] == before
    book >> listed() << said("market.reopened", coin="BTC")
    for quote in kit.quotes("BTC"):
        book.feed(quote)
    book.run(40)
    assert not book.state.book.live_hedges()


def test_nothing_opens_in_a_coin_of_which_one_market_is_closed(play: Play) -> None:
    book = play(kit.config(("BTC",))).scene()
    book.feed(listed(spot=False))
    assert not book.run(20).sent


def test_coins_that_cannot_be_sold_get_their_perpetual_back_whatever_their_target(play: Play) -> None:
    """Their perpetual was bought back while the sale was refused. They are priced as it is: it alone trades."""
    book = play(kit.config(("BTC",))).scene().run()
    hedge = book.hedge
    coins = hedge.legs[0].quantity_base
    book.feed(listed(spot=False))
    hedge.target_base, hedge.legs[1].quantity_base = Decimal(0), -coins / 2
    hedge.state = HedgeState.UNBALANCED
    for quote in kit.quotes("BTC", "120000")[1:]:
        book.feed(quote)
    book.feed(kit.mark("BTC", "120000", next_ms=book.market_ms + 3_600_000))
    assert notional_usd(book.state.book, hedge) == pytest.approx(coins * 120_000, rel=Decimal("0.001"))
    sent = len(book.sent)
    (order,) = book.run(3).sent[sent:]
    assert (order.instrument, order.side, order.purpose) == (kit.perp_id("BTC"), Side.SELL, Purpose.COMPLETE)
    assert order.quantity_base == pytest.approx(coins / 2, abs=Decimal("0.001"))


def test_margin_is_moved_for_coins_that_cannot_be_sold(play: Play) -> None:
    """Their perpetual was liquidated, and nothing of the perp wallet is left that would bear another one."""
    book = play(kit.config(("BTC",))).scene().run()
    hedge = book.hedge
    coins = hedge.legs[0].quantity_base
    book.feed(listed(spot=False))
    hedge.target_base, hedge.legs[1].quantity_base, hedge.legs[1].cost_quote = Decimal(0), Decimal(0), Decimal(0)
    hedge.state = HedgeState.UNBALANCED
    wallet = (f"venue:{kit.VENUE}:perp", "USDT")
    book.state.book.balances[wallet] = Decimal(0)
    sent = len(book.sent)
    book.alive()
    (move,) = [action.intent for action in book.feed(Tick()) if isinstance(action, MoveMargin)]
    assert move.target == "perp"
    assert move.amount > coins * 100_000 * Decimal("0.25")
    book.feed(TransferSettled(move.id, "1"))
    (order,) = book.run(3).sent[sent:]
    assert (order.instrument, order.side, order.purpose) == (kit.perp_id("BTC"), Side.SELL, Purpose.COMPLETE)
