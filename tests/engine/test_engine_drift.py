"""Prices carry a hedge past its cap: the strategy trims within R2's band, and R2 cuts what the strategy leaves."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playbook import Play, Playbook, both_fill, orders, said, saved, silence

from bot.domain.actions import Emit
from bot.domain.config import Drift, Limits, StrategyConfig
from bot.domain.events import Halt, Reconfigure, Resume, Tick
from bot.domain.market import Quote
from bot.domain.orders import OrderIntent, Purpose
from bot.domain.valuation import nav_usd, notional_usd

CAP_SHARE = Decimal("0.05")


def of_cap(book: Playbook) -> Decimal:
    return notional_usd(book.state.book, book.hedge) / (nav_usd(book.state.book) * CAP_SHARE)


def test_drift_is_trimmed_a_step_back_into_the_band_before_r2_asks(play: Play) -> None:
    book = play().scene().run()
    book.price("BTC", "111000")
    book >> Tick() << silence()
    book.wait(0.3).price("BTC", "112400").alive()
    (
        book
        >> Tick()
        << said("hedge.aimed", reason="drifted towards the end of its cap's band")
        << saved(OrderIntent, purpose=Purpose.REDUCE)
        << orders("sell spot 0.003", "buy perp 0.003 reduce")
    )
    assert not any(said("risk.forced").matches(action) for action in book.actions)
    book >> both_fill << said("hedge.reduced") << silence()
    assert Decimal("1.085") < of_cap(book) <= Decimal("1.096")
    book.wait(0.3).alive() >> Tick() << silence()


def test_a_move_over_the_end_of_the_band_is_trimmed_to_the_same_place(play: Play) -> None:
    book = play().scene().run()
    book.price("BTC", "120000")
    book.run()
    assert Decimal("1.085") < of_cap(book) <= Decimal("1.096")


def test_while_halted_the_strategy_is_silent_and_r2_cuts_to_just_below_the_cap(play: Play) -> None:
    book = play().scene().run()
    book >> Halt("away") << said("control.halted")
    book.wait(0.3).price("BTC", "111500").alive() >> Tick() << silence()
    book.wait(0.3).price("BTC", "114000").alive()
    (
        book
        >> Tick()
        << said("risk.forced", rule="R2", coin="BTC")
        << saved(OrderIntent, purpose=Purpose.REDUCE)
        << orders("sell spot 0.061", "buy perp 0.061 reduce")
    )
    book >> both_fill << said("hedge.reduced") << silence()
    assert Decimal("0.97") < of_cap(book) <= 1
    book >> Resume("back") << silence()
    book.wait(0.3).alive() >> Tick() << silence()


def test_a_lowered_cap_is_no_drift(play: Play) -> None:
    book = play().scene().run()
    book.feed(Reconfigure(replace(book.config, limits=Limits(per_coin_cap=CAP_SHARE / 2))))
    actions = book.wait(0.3).alive().feed(Tick())
    assert any(said("risk.forced", rule="R2", coin="BTC").matches(action) for action in actions)
    for action in actions:
        book.serve(action)
    book.run()
    assert of_cap(book) <= Decimal("0.5")


def test_without_a_band_there_is_nothing_to_choose(play: Play) -> None:
    config = kit.config(("BTC",), limits=Limits(per_coin_cap_band=Decimal(0)))
    book = play(config).scene().run()
    book.price("BTC", "103000")
    book.wait(0.3).alive() >> Tick() << said("risk.forced", rule="R2", coin="BTC")
    book.unmet.clear()


def test_a_trim_that_a_leg_would_not_accept_takes_what_it_accepts(play: Play) -> None:
    """The perpetual takes no order below 100 USD; a hedge of 1000 USD is to be trimmed by less."""
    config = kit.config(("BTC",), limits=Limits(per_coin_cap=Decimal("0.0011")))
    book = play(config).scene().run()
    before = book.hedge.size_base
    book.price("BTC", "121000")
    book.run()
    cut = (before - book.hedge.size_base) * 121_000
    assert 100 <= cut < 300


def test_a_fall_is_topped_up_to_the_near_edge_only(play: Play) -> None:
    book = play().scene().run()
    book.until(kit.START_MS + 4 * 3_600_000).price("BTC", "95000")
    book.run()
    assert Decimal("0.92") < of_cap(book) < Decimal("0.94"), "within the band nothing is bought"
    book.until(kit.START_MS + 8 * 3_600_000 - 60_000).price("BTC", "91000")
    book.run()
    assert of_cap(book) < Decimal("0.9"), "no decision is due"
    book.until(kit.START_MS + 8 * 3_600_000 + 60_000).price("BTC", "91000")
    book.run()
    near = Drift().top_up_to * StrategyConfig().cap_headroom
    assert near - Decimal("0.01") < of_cap(book) <= near


@given(st.lists(st.floats(-0.12, 0.12), min_size=1, max_size=12))
@settings(max_examples=30, deadline=None)
def test_whatever_the_path_the_band_holds_and_no_own_order_breaks_the_cap(moves: list[float]) -> None:
    book = Playbook().scene().run()
    price = 100_000.0
    for move in moves:
        price *= 1 + move
        book.wait(0.5, market_s=3600).price("BTC", f"{price:.1f}")
        seen = len(book.sent)
        for _ in range(20):
            book.alive()
            for action in book.feed(Tick()):
                assert not (isinstance(action, Emit) and action.name == "risk.forced")
                book.serve(action)
            book.mono_ms += 250
        nav = nav_usd(book.state.book)
        assert notional_usd(book.state.book, book.hedge) <= nav * CAP_SHARE * (1 + Limits().per_coin_cap_band)
        if any(intent.purpose is Purpose.OPEN for intent in book.sent[seen:]):
            assert notional_usd(book.state.book, book.hedge) <= nav * CAP_SHARE


@pytest.mark.parametrize(
    ("name", "bid", "ask"), [(kit.spot_id("BTC"), "99995", "150000"), (kit.perp_id("BTC"), "99995", "180000")]
)
def test_a_quote_whose_other_side_is_far_away_cuts_nothing(play: Play, name: str, bid: str, ask: str) -> None:
    """One leg's book is thin for a moment: its middle is no price, as index and mark say."""
    book = play().scene().run()
    book.wait(0.3).alive()
    book.feed(Quote(name, Decimal(bid), Decimal(ask), Decimal(1), Decimal(1)))
    book >> Tick() << silence() << silence(Emit)


def test_a_jump_that_the_mark_confirms_cuts(play: Play) -> None:
    book = play().scene().run()
    book.wait(0.3).price("BTC", "140000").alive()
    book >> Tick() << said("risk.forced", rule="R2", coin="BTC")
    book.unmet.clear()
