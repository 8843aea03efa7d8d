"""The fee that a venue takes for a liquidation: booked once, as a fee of the hedge that was liquidated."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Expect, Play, Playbook, fill_of, fills, orders, said, saved, severity_of, silence

from bot.domain.actions import Persist, Reconcile, Severity
from bot.domain.events import LiquidationCharged, OrderFilled, Tick
from bot.domain.guards import Breach
from bot.domain.hedges import Hedge, HedgeState, LiquidationCharge
from bot.domain.ledger import Transaction
from bot.domain.orders import OrderIntent, Side
from bot.domain.time import HOUR_MS
from bot.domain.valuation import coin_price, nav_usd


def opened(play: Play) -> Playbook:
    book = play().scene().run()
    assert book.hedge.state is HedgeState.HEDGED
    return book


def charge(
    amount: str, venue_id: str = "900", instrument: str | None = "BTC", asset: str = "USDT"
) -> LiquidationCharged:
    name = kit.perp_id(instrument) if instrument is not None else None
    at_ms = kit.START_MS + HOUR_MS
    return LiquidationCharged(
        LiquidationCharge(kit.VENUE, "main", "perp", name, asset, Decimal(amount), at_ms, venue_id)
    )


def liquidated(play: Play) -> Playbook:
    """The short is gone at a loss, and its fee is not told yet."""
    book = opened(play)
    price, name = Decimal(140_000), "autoclose-1733011200123456"
    taken = fill_of(book, book.last("perp"), Decimal("0.49"), price, client_id=name, fee=Decimal(100))
    asked = Expect(Reconcile, {"venue": kit.VENUE})
    book >> OrderFilled(replace(taken.fill, side=Side.BUY)) << asked << said("position.taken", coin="BTC")
    return book


def test_the_fee_of_a_liquidation_is_booked_once_as_a_fee_and_lowers_nav(play: Play) -> None:
    book = liquidated(play)
    hedge, nav = book.hedge, nav_usd(book.state.book)
    fees, held = hedge.fees_usd, book.balance("fee:h1", "USDT")
    book >> charge("-857.5") << saved(Hedge) << saved(Transaction, hedge_id="h1", kind="liquidation")
    assert severity_of(book, "liquidation.charged") is Severity.WARNING
    for _ in range(3):
        book >> charge("-857.5") << silence(Persist)
    assert hedge.fees_usd - fees == Decimal("857.5")
    assert book.balance("fee:h1", "USDT") - held == Decimal("857.5")
    assert nav - nav_usd(book.state.book) == Decimal("857.5")
    book >> charge("-2.5", "901") << saved(Transaction, hedge_id="h1")
    book.unmet.clear()


def test_r5_sees_the_fee_of_a_liquidation(play: Play) -> None:
    """One and a half per cent of NAV are the hard limit: the fee alone goes beyond it."""
    book = opened(play)
    book.wait(1).alive() >> Tick() << silence(OrderIntent)
    book >> charge("-20000") << said("liquidation.charged", hedge="h1", amount=Decimal(-20000))
    for _ in range(40):
        book.wait(1).alive().feed(Tick())
        if book.state.book.guards.drawdown.level is Breach.HARD:
            break
    assert book.state.book.guards.drawdown.level is Breach.HARD
    book.unmet.clear()


def test_a_fee_that_is_told_after_the_hedge_has_closed_still_belongs_to_it(play: Play) -> None:
    book = liquidated(play)
    hedge = book.hedge
    book.wait(0.25).alive() >> Tick() << orders("sell spot 0.49")
    book >> fills("spot") << said("hedge.closed", coin="BTC")
    book >> charge("-857.5") << saved(Hedge, state=HedgeState.CLOSED) << saved(Transaction, hedge_id=hedge.id)
    assert hedge.state is HedgeState.CLOSED
    book.unmet.clear()


def test_a_fee_that_names_no_position_belongs_to_the_one_hedge_that_was_taken_from(play: Play) -> None:
    book = liquidated(play)
    book >> charge("-857.5", instrument=None) << saved(Transaction, hedge_id="h1")
    assert book.balance("fee:h1", "USDT") >= Decimal("857.5")
    book.unmet.clear()


def test_a_charge_of_nobodys_is_booked_as_foreign_and_never_dropped(play: Play) -> None:
    book = opened(play)
    before, fees = book.balance("venue:binance:perp"), book.hedge.fees_usd
    book >> charge("-5", instrument=None) << saved(Transaction, hedge_id="foreign")
    book >> charge("-7", "901", instrument="ETH") << saved(Transaction, hedge_id="foreign")
    book >> charge("3", "902", instrument=None) << saved(Transaction, hedge_id="foreign")
    assert book.balance("venue:binance:perp") - before == Decimal(-9)
    assert book.balance("fee:foreign") == Decimal(9)
    assert book.hedge.fees_usd == fees
    book.unmet.clear()


def test_a_fee_from_before_a_hedge_is_the_former_ones(play: Play) -> None:
    book = liquidated(play)
    hedge = book.hedge
    book.state.former_hedges[kit.perp_id("BTC")] = [replace(hedge, id="h0", legs=tuple(map(replace, hedge.legs)))]
    book >> charge("-5") << saved(Transaction, hedge_id="h1"), "charged in the moment of its opening"
    hedge.opened_ms += 1
    book >> charge("-5", "901") << saved(Transaction, hedge_id="h0")
    book.unmet.clear()


@pytest.mark.parametrize(
    ("change", "owner"),
    [
        ({}, "foreign"),
        ({"venue": "elsewhere"}, "h1"),
        ({"reason": "closed by the owner"}, "h1"),
        ({"opened_ms": kit.START_MS + 2 * HOUR_MS}, "h1"),
        ({"opened_ms": kit.START_MS - 9 * HOUR_MS, "closed_ms": kit.START_MS - HOUR_MS}, "h1"),
        ({"opened_ms": kit.START_MS - 9 * HOUR_MS, "closed_ms": kit.START_MS + HOUR_MS // 2}, "foreign"),
    ],
)
def test_between_two_that_were_taken_from_a_fee_is_not_guessed(
    play: Play, change: dict[str, str | int], owner: str
) -> None:
    book = liquidated(play)
    book.state.last_hedge[kit.perp_id("ETH")] = replace(book.hedge, id="h0", **change)  # type: ignore[arg-type]
    book >> charge("-5", instrument=None) << saved(Transaction, hedge_id=owner)
    book.unmet.clear()


def test_a_fee_in_a_coin_costs_the_hedge_what_the_coin_is_worth(play: Play) -> None:
    book = liquidated(play)
    fees = book.hedge.fees_usd
    book >> charge("-0.001", asset="BTC") << said("liquidation.charged", coin="BTC", asset="BTC")
    assert book.hedge.fees_usd - fees == coin_price(book.state.book, kit.VENUE, "BTC") / 1000 > 0
    book.unmet.clear()
