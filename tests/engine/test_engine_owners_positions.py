"""What the owner holds by hand, in perpetuals that hedges held before."""

from decimal import Decimal

import market_kit as kit
from playbook import Play, receipt, saved

from bot.domain.events import CloseCoin, LiquidationCharged
from bot.domain.hedges import LiquidationCharge
from bot.domain.ledger import Transaction
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
