"""Budgets of orders and fees an hour, and the cap of one venue (R13): what opens is refused, what reduces is not."""

from dataclasses import replace
from decimal import Decimal

from playbook import Play, both_fill, orders, said, silence

from bot.domain.config import Budget, Limits
from bot.domain.events import CloseCoin, Reconfigure, Tick

D = Decimal


def test_orders_within_the_hour_are_counted_and_the_next_pair_refused(play: Play) -> None:
    book = play().scene()
    book.feed(Reconfigure(replace(book.config, limits=Limits(budget=Budget(orders_per_hour=3)))))
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> both_fill << said("risk.refused", rule="budget", limit="3", observed="4") << silence()
    book.wait(1, market_s=3_660).alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.unmet.clear()


def test_an_exhausted_budget_does_not_hold_a_close(play: Play) -> None:
    book = play().scene().run()
    book.feed(Reconfigure(replace(book.config, limits=Limits(budget=Budget(orders_per_hour=1)))))
    book >> CloseCoin("BTC", "owner") << silence()
    book.wait(0.3).alive() >> Tick() << orders("sell spot 0.199", "buy perp 0.199 reduce")
    book.unmet.clear()


def test_fees_within_the_hour_stop_what_opens(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.feed(Reconfigure(replace(book.config, limits=Limits(budget=Budget(fees_per_hour=D("0.000001"))))))
    book >> both_fill << said("risk.refused", rule="budget", limit="0.000001") << silence()


def test_money_beyond_the_share_of_one_venue_opens_nothing_there(play: Play) -> None:
    book = play().scene()
    book.feed(Reconfigure(replace(book.config, limits=Limits(per_venue_cap=D("0.5")))))
    book >> Tick() << said("risk.refused", rule="R13", limit="0.5", observed="1") << silence()


def test_money_elsewhere_counts_as_elsewhere_and_orders_count_as_filled(play: Play) -> None:
    book = play().scene()
    book.state.ledger.balances["venue:other:spot", "USDT"] = D(3_000_000)
    limits = Limits(per_venue_cap=D("0.25"), per_coin_cap=D("0.02"), leverage_ceiling=D("0.04"))
    book.feed(Reconfigure(replace(book.config, limits=limits)))
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    # 4 million NAV, ceiling 0.04, a quarter of it here: 40,000
    book >> both_fill << orders("buy spot 0.1992", "sell perp 0.199")
    book >> both_fill << said("risk.refused", rule="R13", limit="0.25") << silence()
