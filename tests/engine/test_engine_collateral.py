"""A venue that cuts what it counts of the collateral behind loans: R7's distance, what is moved and borrowed."""

from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, moved, orders, said, saved, severity_of, silence
from reverse_kit import bare, config, opened, paid_back_in_part, scene

from bot.domain.actions import MoveMargin, Severity
from bot.domain.books import Books
from bot.domain.events import Tick, TransferSettled
from bot.domain.guards import Remembered
from bot.domain.market import CollateralRatio
from bot.domain.valuation import margin_wallet
from bot.engine.recovery import restore

D = Decimal


def cut(ratio: float) -> CollateralRatio:
    return CollateralRatio(kit.VENUE, ratio)


def test_the_owner_hears_of_each_change_once(play: Play) -> None:
    book = opened(play)
    book >> cut(1.0) << silence()
    book >> cut(0.9) << saved(Remembered, rule="R7", value=D("0.9")) << said("collateral.cut", before=1.0, ratio=0.9)
    assert severity_of(book, "collateral.cut") is Severity.WARNING
    book >> cut(0.9) << silence()
    (
        book >> cut(0.896) << saved(Remembered, value=D("0.896")) << silence(),
        "tiers change it a little with what is held",
    )
    book >> cut(0.97) << said("collateral.raised", before=0.9, ratio=0.97)


def test_a_cut_below_the_minimum_distance_is_critical(play: Play) -> None:
    """1.55 times what is owed, at 0.8 of its worth, is 13 % from 1.1."""
    book = bare(play)
    book >> cut(0.8) << said("collateral.cut", limit=0.25)
    assert severity_of(book, "collateral.cut") is Severity.CRITICAL
    assert margin_wallet(book.state.book, kit.VENUE).distance == pytest.approx(1.55 * 0.8 / 1.1 - 1, abs=0.01)


def test_a_cut_brings_collateral_until_the_venue_counts_enough(play: Play) -> None:
    book = bare(play)
    book.wait(3)
    book.feed(cut(0.85))
    book >> Tick() << moved(source="spot", target="margin") << silence()
    (move,) = [action.intent for action in book.actions if isinstance(action, MoveMargin)]
    wallet = margin_wallet(book.state.book, kit.VENUE)
    counted = 0.85 * (wallet.assets_usd + float(move.amount)) / wallet.owed_usd
    assert 1.5 <= counted < 1.6


def test_a_cut_without_collateral_to_come_pays_back_a_part_both_legs_together(play: Play) -> None:
    book = bare(play)
    held = book.hedge.size_base
    book.state.book.margin_stuck.add(kit.VENUE)
    book.state.transfer_wait_mono_ms = book.mono_ms + 10**9
    book.wait(3).alive()
    book.feed(cut(0.78))
    book >> Tick() << said("risk.forced", rule="R7")
    paid_back_in_part(book, held)


def test_less_is_borrowed_where_collateral_is_cut(play: Play) -> None:
    """The level stays above 1.5: 5,000 bear 9,800 uncut, and 7,370 where 0.9 of them and of the proceeds count."""
    some = play(config()).scene("0", "300000", rate="-0.001", margin_usdt="5000")
    some.feed(cut(0.9))
    some >> Tick() << moved(source="perp", target="spot") << orders("sell margin 0.073", "buy perp 0.073")
    some.unmet.clear()


def test_a_restart_remembers_what_the_venue_counts(play: Play) -> None:
    book = scene(play)
    book >> cut(0.9)
    remembered = [action.record for action in book.actions if isinstance(getattr(action, "record", None), Remembered)]
    again = restore(Books(epoch=2, remembered=remembered), config())
    assert again.market.collateral_ratio(kit.VENUE) == 0.9
    assert restore(Books(epoch=2), config()).market.collateral_ratio(kit.VENUE) == 1


def test_nothing_is_borrowed_on_collateral_that_is_leaving(play: Play) -> None:
    """Nothing could be lent, so the collateral goes back; before its move is answered the coin is lent again."""
    book = play(config()).scene("0", "300000", rate="-0.001", margin_usdt="50000")
    book.rate = "-0.001"
    book.feed(kit.borrow_terms("BTC", available="0"))
    book >> Tick() << moved("50000", source="margin", target="spot") << silence()
    (transfer,) = book.state.transfers
    book.feed(kit.borrow_terms("BTC"))
    book.state.decide_due = True
    book.wait(0.2).alive() >> Tick() << said("hedge.aimed", coin="BTC") << silence()
    assert margin_wallet(book.state.book, kit.VENUE).own_usd == 0
    book >> TransferSettled(transfer, "1")
    book.wait(1.1).alive() >> Tick() << moved(source="spot", target="margin") << silence()
