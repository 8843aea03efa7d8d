"""Coins of the owner's own in the account: they are worth something, and buy and bear nothing."""

from decimal import Decimal

import market_kit as kit
from playbook import Play

from bot.domain.actions import Action, MoveMargin
from bot.domain.config import Limits
from bot.domain.events import CapitalMoved, Reconciled, Tick, TransferSettled
from bot.domain.time import HOUR_MS
from bot.domain.valuation import deployed_usd, nav_usd

D = Decimal
COINS = ("BTC", "ETH")


def test_no_margin_is_tied_up_for_what_coins_of_the_owners_own_cannot_buy(play: Play) -> None:
    """Half of the account is bitcoin: hedges are aimed at what the other half bears, and filled."""
    book = play(kit.config(COINS, limits=Limits(per_coin_cap=D("0.4"))), COINS)
    book.feed(kit.listing(COINS))
    for coin in COINS:
        for one in (*kit.history(coin, kit.START_MS), *kit.liquidity(coin), *kit.quotes(coin)):
            book.feed(one)
    book.alive()
    book.account({"spot": {"USDT": D(50_000), "BTC": D("0.5")}, "perp": {"USDT": D(0)}})
    book.feed(Reconciled(kit.VENUE))

    def serve(action: Action) -> None:
        if isinstance(action, MoveMargin):
            book.feed(TransferSettled(action.intent.id, action.intent.id))
        book.serve(action)

    for _ in range(60):
        for action in book.wait(0.25).alive().feed(Tick()):
            serve(action)
    held = deployed_usd(book.state.book)
    aimed = sum(
        hedge.target_base * book.state.market.quotes[hedge.legs[0].instrument].mid
        for hedge in book.state.book.live_hedges()
    )
    assert nav_usd(book.state.book) > 99_000
    assert held > 35_000
    assert aimed < held * D("1.02")
    assert book.balance("venue:binance:perp") < held * D("0.32")


def test_the_reserve_is_a_share_of_what_hedges_may_be_bought_with(play: Play) -> None:
    """Two per cent of sixty millions in bitcoin were more than all dollars: every hedge was shed."""
    book = play(kit.config(COINS), COINS).scene().run()
    held = {hedge.coin: hedge.target_base for hedge in book.state.book.live_hedges()}
    assert held.keys() == set(COINS)
    book.feed(CapitalMoved(kit.VENUE, "spot", "BTC", D(600), "d1", book.market_ms))
    book.until(book.market_ms + 9 * HOUR_MS).alive()
    for _ in range(8):
        book.wait(0.25).alive() >> Tick()
        book.unmet.clear()
    for coin, target in held.items():
        assert book.hedge_of(coin).target_base >= target
