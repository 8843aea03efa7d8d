"""Fees of trades in dollars, as their hedge and the budget of fees count them; the ledger has what was paid."""

from dataclasses import replace
from decimal import Decimal

from playbook import Play, fill_of, saved

from bot.domain.events import OrderFilled
from bot.domain.ledger import Transaction


def test_a_fee_in_a_coin_that_is_not_listed_costs_what_its_rate_says(play: Play) -> None:
    """The platform's coin pays the fees of an account whose owner admits other coins alone."""
    book = play().scene().run()
    hedge, spent = book.hedge, book.state.book.guards.spent
    fees, sold = hedge.fees_usd, fill_of(book, book.last("perp"), Decimal("0.1"), trade_id="bnb").fill
    within = spent.within_hour(book.market_ms)[1]
    book >> OrderFilled(replace(sold, fee=Decimal("0.003"), fee_asset="BNB")) << saved(Transaction)
    rate = book.state.market.fees[sold.instrument].taker
    assert hedge.fees_usd - fees == rate * Decimal("0.1") * sold.price > 0
    assert spent.within_hour(book.market_ms)[1] - within == hedge.fees_usd - fees, "the budget of fees counts it too"
    assert book.balance(f"fee:{hedge.id}", "BNB") == Decimal("0.003"), "the ledger has what was paid"
    book.unmet.clear()
