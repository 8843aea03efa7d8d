"""A fact of the venue that bears a time far ahead of all others: the books stay what they are."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
from playbook import Play, fill_of, receipt, saved, silence

from bot.domain.actions import Persist
from bot.domain.events import OrderFilled
from bot.domain.ledger import Transaction
from bot.domain.time import DAY_MS, HOUR_MS
from bot.ledger.journal import AHEAD_MS

SETTLED = kit.START_MS + 8 * HOUR_MS


def test_one_wrong_time_of_a_trade_does_not_make_the_books_forget_what_they_have(play: Play) -> None:
    """Facts are told again with each overlap of the history, and known by what is remembered of the last weeks."""
    book = play().scene().run()
    paid = receipt("BTC", "14.7", SETTLED, "77")
    book.until(SETTLED) >> paid << saved(Transaction, kind="funding")
    sold = fill_of(book, book.last("perp"), Decimal("0.001"), trade_id="far").fill
    ahead = OrderFilled(replace(sold, traded_ms=book.market_ms + 400 * DAY_MS))
    book >> ahead << saved(Transaction, kind="fill", at_ms=book.market_ms + AHEAD_MS)
    balance = book.balance("venue:binance:perp")
    for fact in (paid, ahead):
        book >> fact << silence(Persist)
    assert book.balance("venue:binance:perp") == balance, "neither is booked a second time"
    book.unmet.clear()
