"""A naked hedge whose prices are missing or old: what could not be tried, or not succeed, earns it no pause."""

import market_kit as kit
from playbook import Play, Playbook, expires, fills, orders, said, silence

from bot.domain.events import FeedAlive, FeedLost, Reconciled, Tick
from bot.domain.orders import Purpose


def half_filled(play: Play) -> Playbook:
    """The spot of the first slice is filled, its perpetual not; the repair is under way."""
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    return book


def test_the_first_quote_after_a_start_is_enough(play: Play) -> None:
    """A daemon starts between the legs of an entry, and the spot's stream does not speak for half a minute."""
    book = half_filled(play)
    del book.state.market.quotes[kit.spot_id("BTC")]
    book >> expires("perp") << silence()
    stuck = 0
    for _ in range(150):
        book.wait(0.2).alive() >> Tick() << silence()
        stuck += sum(said("hedge.stuck").matches(action) for action in book.actions)
    assert stuck == 1, "the owner hears of it once"
    book.feed(kit.quotes("BTC")[0])
    book.wait(0.2).alive() >> Tick() << orders("sell spot 0.199")
    assert book.sent[-1].purpose is Purpose.UNWIND


def test_a_filled_leg_goes_by_its_own_price_where_the_other_one_has_none(play: Play) -> None:
    """It could be completed as soon as the other leg has a price, but no longer than a leg may be naked."""
    book = half_filled(play)
    del book.state.market.quotes[kit.perp_id("BTC")]
    book >> expires("perp") << silence()
    for _ in range(15):
        book.wait(0.2).alive() >> Tick() << silence()
    book.wait(0.2).alive() >> Tick() << orders("sell spot 0.199")
    assert book.sent[-1].purpose is Purpose.UNWIND
    book >> fills("spot") << silence()
    book.wait(0.3).alive() >> Tick() << silence()


def test_a_feed_that_lives_again_ends_the_pause_that_its_old_prices_had_earned(play: Play) -> None:
    """The market ran away while the spot's stream was down: nothing could fill at the last price that was heard."""
    book = half_filled(play)
    book >> FeedLost("binance:spot", "reset") << said("feed.lost")
    book >> expires("perp") << silence()
    book >> Reconciled(kit.VENUE) << said("venue.reconciled")
    for _ in range(150):
        book.wait(0.2)
        book.feed(FeedAlive("binance:perp"))
        book >> Tick()
        book.unmet.clear()
        if book.state.orders:
            book >> expires("spot") << silence()
    assert book.hedge.wait_until_mono_ms > book.mono_ms + 2_000, "tried less and less often"
    book.feed(FeedAlive("binance:spot"))
    book.price("BTC", "90000")
    book.wait(0.2).alive() >> Tick() << orders("sell spot 0.199")
    assert book.sent[-1].limit_price < 90_000
