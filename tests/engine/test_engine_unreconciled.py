"""While a venue reconciles after a lost stream: nothing opens, and what makes a known hedge smaller does not wait."""

import market_kit as kit
from playbook import Play, Playbook, expires, fills, orders, said, silence

from bot.domain.events import CloseCoin, FeedAlive, FeedLost, Reconciled, Tick
from bot.domain.orders import Purpose

LOST = FeedLost("binance:user-perp", "reset")


def held(play: Play) -> Playbook:
    book = play().scene().run()
    held_usd = {wallet: {"USDT": book.balance(f"venue:binance:{wallet}")} for wallet in ("spot", "perp")}
    held_usd["spot"]["BTC"] = book.balance("venue:binance:spot", "BTC")
    book.account(held_usd, {leg.instrument: leg.quantity_base for leg in book.hedge.legs if leg.direction < 0})
    return book


def test_a_close_does_not_wait_for_the_reconciliation(play: Play) -> None:
    book = held(play)
    size = book.hedge.size_base
    book >> LOST << said("feed.lost")
    book >> CloseCoin("BTC", "by hand") << said("hedge.aimed")
    book.alive() >> Tick() << orders("sell spot 0.199", "buy perp 0.199 reduce")
    for left in ("0.199", "0.092"):
        book >> fills("spot") << silence()
        book >> fills("perp") << orders(f"sell spot {left}", f"buy perp {left} reduce")
    book >> fills("spot") << silence()
    book >> fills("perp") << silence()
    assert {intent.purpose for intent in book.sent[-6:]} == {Purpose.CLOSE}
    assert book.hedge.size_base < size / 100, "that it is closed is said once the venue is reconciled"
    book >> Reconciled(kit.VENUE) << said("venue.reconciled")
    book >> Tick() << said("hedge.closed")


def test_without_fresh_prices_half_of_it_might_be_closed(play: Play) -> None:
    book = held(play)
    book >> FeedLost("binance:spot", "reset") << said("feed.lost")
    book >> CloseCoin("BTC", "by hand") << said("hedge.aimed")
    book.alive() >> Tick() << silence()


def test_before_the_first_reconciliation_nothing_is_known(play: Play) -> None:
    book = held(play)
    book.state.agreed_mono_ms.clear()
    book >> LOST << said("feed.lost")
    book >> CloseCoin("BTC", "by hand") << said("hedge.aimed")
    book.alive() >> Tick() << silence()


def half_filled(play: Play) -> Playbook:
    """An entry of which the perpetual did not fill, while the private stream was lost."""
    book = play().scene()
    book.state.agreed_mono_ms[kit.VENUE] = book.mono_ms
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> LOST << said("feed.lost")
    book >> fills("spot") << silence()
    book >> expires("perp") << silence()
    return book


def test_a_hedge_that_grows_waits_to_be_completed_but_not_longer_than_a_leg_may_be_naked(play: Play) -> None:
    book = half_filled(play)
    book.wait(1).alive() >> Tick() << silence()
    book.wait(2.5).alive() >> Tick() << said("hedge.unbalanced") << orders("sell spot 0.199")
    assert book.last("spot").purpose is Purpose.UNWIND


def test_reconciled_in_time_it_is_completed(play: Play) -> None:
    book = half_filled(play)
    book.wait(1).alive().feed(FeedAlive(LOST.feed))
    book >> Reconciled(kit.VENUE) << said("venue.reconciled")
    book >> Tick() << orders("sell perp 0.199")
    assert book.last("perp").purpose is Purpose.COMPLETE


def test_answers_alone_are_not_enough_while_the_stream_is_down(play: Play) -> None:
    """Nobody would tell of a liquidation: what opens waits until the account's stream is back."""
    book = play().scene()
    book >> LOST << said("feed.lost")
    book.wait(1).alive() >> Reconciled(kit.VENUE) << said("venue.reconciled")
    book >> Tick() << said("risk.refused", rule="R15", observed=f"{LOST.feed} is lost")
    assert not book.sent
    book.feed(FeedAlive(LOST.feed))
    book.wait(1).alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")


def test_nothing_opens_meanwhile(play: Play) -> None:
    book = play().scene()
    book.state.agreed_mono_ms[kit.VENUE] = book.mono_ms
    book >> LOST << said("feed.lost")
    for _ in range(5):
        book.wait(1).alive() >> Tick() << silence()
    assert not book.sent
