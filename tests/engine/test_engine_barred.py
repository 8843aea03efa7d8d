"""What the account may not open in any more, as its owner set it up: nothing is added, what is held is managed."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, fill_of, orders

from bot.domain.events import CloseCoin, Tick, VenueListed
from bot.domain.hedges import HedgeState
from bot.domain.instruments import Kind


def listed(kind: Kind, why: str) -> VenueListed:
    known = kit.listing(("BTC",))
    instruments = tuple(replace(one, barred=why) if one.kind is kind else one for one in known.instruments)
    return replace(known, instruments=instruments)


@pytest.mark.parametrize(("kind", "why"), [(Kind.SPOT, "not yours"), (Kind.PERP, "isolated"), (Kind.PERP, "")])
def test_nothing_opens_in_what_is_barred(play: Play, kind: Kind, why: str) -> None:
    """Isolated margin: R7 takes for harmless a move by which the short would be liquidated."""
    book = play().scene()
    book.feed(listed(kind, why))
    book.run(60)
    assert (not book.sent) == bool(why)


def test_a_hedge_is_built_no_further_in_what_is_barred_meanwhile(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.feed(listed(Kind.PERP, "its margin is isolated"))
    for intent in list(book.sent):
        book.feed(fill_of(book, intent))
    book.run(60)
    assert len(book.sent) == 2
    assert 0 < book.hedge.size_base < book.hedge.target_base
    assert book.hedge.state is HedgeState.HEDGED


def test_what_is_held_is_kept_and_can_be_closed(play: Play) -> None:
    book = play().scene()
    book.run(60)
    hedge, held = book.hedge, book.hedge.size_base
    assert held > 0
    book.feed(listed(Kind.PERP, "its margin is isolated"))
    book.run(60)
    assert hedge.size_base == held
    book.feed(CloseCoin("BTC", "owner"))
    book.run(60)
    assert hedge.state is HedgeState.CLOSED
    assert hedge.legs[1].quantity_base == Decimal(0)
