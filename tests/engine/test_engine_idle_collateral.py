"""Money in the margin wallet that a small loan does not need, while another wallet lacks it."""

from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, Playbook, silence
from reverse_kit import BOTH, dearer

from bot.domain.actions import Emit, MoveMargin
from bot.domain.config import Limits
from bot.domain.events import Tick, TransferSettled
from bot.domain.hedges import TransferIntent
from bot.domain.valuation import margin_wallet
from bot.risk.rules import r07_liquidation

D = Decimal


def small_loan(play: Play, margin_usdt: str, cap: str = "0.05") -> Playbook:
    """15,000 owed, as after many larger loans were paid back; margin for that behind the perpetual, no cash."""
    limits = Limits(cash_rate=0, per_coin_cap=D(cap))
    book = play(kit.config(("BTC",), strategies=BOTH, limits=limits)).scene(
        "30", "5000", rate="-0.001", margin_usdt=margin_usdt
    )
    book.rate = "-0.001"
    book.run(10)
    assert D(14_000) < book.hedge.size_base * 100_000 < D(15_100)
    return book


def falls(book: Playbook, price: str) -> tuple[list[TransferIntent], list[str]]:
    """What is moved, at once, and what the rules force at this price."""
    moves, forced = list[TransferIntent](), list[str]()
    for _ in range(12):
        book.wait(0.5)
        dearer(book, price)
        for action in book.feed(Tick()):
            book.serve(action)
            if isinstance(action, MoveMargin):
                moves.append(action.intent)
                book.feed(TransferSettled(action.intent.id, action.intent.id))
            if isinstance(action, Emit) and action.name == "risk.forced":
                forced.append(str(action.fields["rule"]))
    return moves, forced


def test_a_perpetual_that_loses_gets_its_margin_from_there(play: Play) -> None:
    """R7 had both legs reduced by two fifths, with twenty times the loan in the margin wallet."""
    book = small_loan(play, "300000")
    held, moves = book.hedge.size_base, list[TransferIntent]()
    for price in ("95000", "90000", "85000", "80000", "75000"):
        some, forced = falls(book, price)
        moves += some
        assert not forced
    assert book.hedge.size_base == held
    assert {(one.source, one.target) for one in moves} == {("margin", "spot"), ("spot", "perp")}
    assert len(moves) < 16, "not for every tick"
    assert r07_liquidation.distance(book.state.book, kit.VENUE) > 0.25


def test_what_the_loan_needs_stays_there(play: Play) -> None:
    book = small_loan(play, "20000", cap="0.6")
    moves, _ = falls(book, "80000")
    wallet = margin_wallet(book.state.book, kit.VENUE)
    assert any(one.source == "margin" for one in moves)
    assert wallet.level >= 2, "below it the venue lets nothing go"


def test_nothing_goes_while_nobody_needs_it(play: Play) -> None:
    book = small_loan(play, "300000")
    book.wait(5)
    dearer(book, "99900")
    book >> Tick() << silence(MoveMargin)
    assert margin_wallet(book.state.book, kit.VENUE).own_usd == pytest.approx(300_000, rel=1e-3)
