"""What the owner holds by hand, in perpetuals that hedges held before."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
from playbook import Play, fill_of, receipt, report_of, saved

from bot.domain.events import CloseCoin, LiquidationCharged, Tick
from bot.domain.hedges import LiquidationCharge
from bot.domain.ledger import Transaction
from bot.domain.orders import OrderState
from bot.domain.time import HOUR_MS

EIGHT_HOURS_MS = 8 * HOUR_MS


def test_a_payment_of_what_the_owner_holds_by_hand_is_not_that_of_a_hedge_closed_before(play: Play) -> None:
    book = play().scene().run()
    hedge = book.hedge
    book.feed(CloseCoin("BTC", "enough"))
    book.run()
    assert hedge.closed_ms is not None
    paid = Decimal(hedge.funding_usd)
    later_ms = (hedge.closed_ms // EIGHT_HOURS_MS + 2) * EIGHT_HOURS_MS
    book.until(later_ms) >> receipt("BTC", "-9", later_ms, "91") << saved(Transaction, hedge_id="foreign")
    assert hedge.funding_usd == paid
    assert book.balance("funding:foreign") == Decimal(9)
    fee = LiquidationCharge(kit.VENUE, "main", "perp", kit.perp_id("BTC"), "USDT", Decimal(-2), later_ms, "5")
    book >> LiquidationCharged(fee) << saved(Transaction, hedge_id="foreign")


def test_a_payment_from_before_the_last_trade_is_that_of_the_hedge_though_our_clock_was_behind(play: Play) -> None:
    """Silent marks leave the market's clock behind where market time is fast; trades carry the venue's."""
    book = play().scene().run()
    hedge = book.hedge
    book.feed(CloseCoin("BTC", "enough"))
    ahead_ms = 3 * HOUR_MS
    for _ in range(200):
        book.wait(0.3).alive().feed(Tick())
        for intent in [one.intent for one in book.state.orders.values() if not one.state.ended]:
            told = fill_of(book, intent)
            book.feed(replace(told, fill=replace(told.fill, traded_ms=book.market_ms + ahead_ms)))
            book.feed(report_of(intent, OrderState.FILLED, intent.quantity_base))
        if hedge.closed_ms is not None:
            break
    assert hedge.closed_ms == book.market_ms + ahead_ms
    paid = Decimal(hedge.funding_usd)
    book.feed(receipt("BTC", "2", hedge.closed_ms - HOUR_MS // 2, "92"))
    assert hedge.funding_usd == paid + 2
