"""Capital that a closing hedge gives back is used at once, not at the next decision hours later."""

from decimal import Decimal

import market_kit as kit
from playbook import Play, Playbook

from bot.domain.config import StrategyConfig
from bot.domain.events import CloseCoin

COINS = ("BTC", "ETH")


def crowded(play: Play) -> Playbook:
    """Both coins want more than the account bears: one has all that it may hold, the other what is left."""
    config = kit.config(COINS, strategy=StrategyConfig(reserve=Decimal("0.9")))
    return play(config, coins=COINS).scene(spot_usdt="70000", perp_usdt="30000").run(120)


def test_a_forced_closing_lets_the_others_grow_when_it_ends(play: Play) -> None:
    book = crowded(play)
    whole, part = sorted(book.state.book.live_hedges(), key=lambda one: -one.size_base * kit.PRICES[one.coin])
    held = part.size_base
    book.feed(CloseCoin(whole.coin, "test"))
    book.state.decide_due = True
    book.run(120)
    assert list(book.state.book.live_hedges()) == [part]
    assert part.size_base > Decimal("1.1") * held
    assert not book.state.decide_due


def test_without_anything_to_grow_nothing_is_sent_after_it(play: Play) -> None:
    book = play(coins=COINS).scene(spot_usdt="70000", perp_usdt="30000").run(120)
    book.feed(CloseCoin("BTC", "test"))
    book.run(120)
    assert book.sent[-1].instrument == kit.perp_id("BTC")
    assert [one.coin for one in book.state.book.live_hedges()] == ["ETH"]
