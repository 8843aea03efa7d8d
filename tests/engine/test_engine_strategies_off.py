"""The owner takes a strategy off the list while it is at work: what is held is kept, and nothing more is opened."""

from dataclasses import replace

import market_kit as kit
import test_engine_spread as wide
from playbook import Play, Playbook, both_fill, orders, said, severity_of, silence
from reverse_kit import BOTH

from bot.domain.events import Reconfigure, Tick
from bot.domain.orders import Purpose
from bot.risk.rules import r08_universe

OTHER_ONLY = ("reverse_carry",)


def opened(book: Playbook) -> list[str]:
    return [one.client_id for one in book.sent if one.purpose is Purpose.OPEN]


def test_a_hedge_that_is_being_built_is_not_built_further_while_its_prices_are_old(play: Play) -> None:
    """A decision does not judge what it has no prices of; they come back a moment after it."""
    book = play(kit.config(("BTC",), strategies=BOTH)).scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.unmet.clear()
    book >> both_fill << orders("buy spot 0.1992", "sell perp 0.199")
    book.wait(6)
    book.feed(Reconfigure(replace(book.config, strategies=OTHER_ONLY)))
    book.feed(Tick())
    book >> both_fill << said("risk.refused", rule="R11")
    before, held = opened(book), book.hedge.size_base
    assert held < book.hedge.target_base
    book.run(5)
    assert opened(book) == before
    assert book.hedge.size_base == held


def test_what_has_come_off_a_wide_basis_is_not_added_to(play: Play) -> None:
    """R4 adds at the turn, and not for a strategy that its owner wants no more of."""
    book = wide.scene(play)
    wide.later(book, 60)
    wide.tick(book)
    wide.later(book, 150, 3700)
    wide.tick(book)
    wide.rest(book, 150)
    book.feed(Reconfigure(replace(book.config, strategies=OTHER_ONLY)))
    wide.later(book, 140, 3700) >> Tick() << silence()
    wide.later(book, 110) >> Tick() << silence()
    assert severity_of(book, "spread.turned") is None


def test_of_loans_another_rule_speaks(play: Play) -> None:
    book = play(kit.config(("BTC",), strategies=())).scene(margin_usdt="1000")
    market = book.state.market
    (short,), (long,) = market.pairs.values(), market.reverse.values()
    refused = r08_universe.refusal(book.state.book, short)
    assert refused is not None
    assert (refused.rule, refused.limit) == ("R8", "strategies")
    assert r08_universe.refusal(book.state.book, long) is None
    book.run(2)
    assert not opened(book)
