"""A liquidation in virtual time: its fee reaches the books as on the wire, and reports count it as a cost."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot.domain.events import Event, LiquidationCharged, OrderFilled
from bot.domain.hedges import Hedge, HedgeState, Leg, LiquidationCharge
from bot.domain.instruments import FeeRates, Kind
from bot.domain.ledger import Transaction
from bot.ledger import postings
from bot.research.attribution import FEES, FUNDING, UNATTRIBUTED, Attribution
from bot.research.direct import KEY, VENUE, DirectVenue
from bot.simulator.exchange.core import Exchange
from bot.simulator.model import Book, MarginTier
from bot.simulator.paper.account import PaperAccount, PaperTerms
from tests.simulator.exchange.exchange_market import HOUR_MS, START_MS, ScriptedMarket, perp, steps

D = Decimal
AAA = "binance:AAAUSDT:perp"


def rising(price: str, maintenance: str) -> ScriptedMarket:
    """AAA jumps from 100 after an hour, in a market whose maintenance rate is the same for every size."""
    market = ScriptedMarket({"AAA": steps((0, "100"), (HOUR_MS, price))})
    listing = market.listings[Book.PERP, "AAAUSDT"]
    tier = MarginTier(D(0), D(10**9), 20, D(maintenance), D(0))
    market.listings[Book.PERP, "AAAUSDT"] = replace(listing, tiers=(tier,))
    return market


def liquidated(market: ScriptedMarket) -> tuple[DirectVenue, list[Event]]:
    """A short of 5,000 on a wallet of 650, and what the venue tells of the hours after."""
    balances = {KEY: {Book.SPOT: {"USDT": D(0)}, Book.PERP: {"USDT": D(650)}}}
    venue = DirectVenue(market, Exchange(market, balances, START_MS, seed=7))
    _, trades, _ = venue.exchange.place(KEY, perp("SELL", "50"), START_MS)
    paid = sum((trade.realized_pnl - trade.fee for trade in trades), D(0))
    assert venue.account().balances["perp"]["USDT"] == 650 + paid
    return venue, venue.advance(START_MS + 2 * HOUR_MS)


@pytest.mark.parametrize(("price", "maintenance", "named"), [("109", "0.05", AAA), ("150", "0.01", None)])
def test_the_charge_follows_its_fill_and_is_what_the_wallet_lacks(
    price: str, maintenance: str, named: str | None
) -> None:
    """The fee names the position; what the insurance fund pays after a bankruptcy names none and is positive."""
    venue, events = liquidated(rising(price, maintenance))
    kinds = [type(event) for event in events]
    assert kinds == [OrderFilled, LiquidationCharged]
    fill, charge = events[0].fill, events[1].charge
    assert fill.client_id.startswith("autoclose-")
    assert (charge.instrument, charge.wallet, charge.charged_ms) == (named, "perp", fill.traded_ms)
    assert (charge.amount < 0) is (named is not None)
    opened = sum(
        (t.realized_pnl - t.fee for t in venue.exchange.trades(KEY, Book.PERP, None) if t.at_ms == START_MS), D(0)
    )
    wallet = venue.account().balances["perp"]["USDT"]
    assert wallet == 650 + opened + fill.realized_pnl - fill.fee + charge.amount


def test_paper_money_is_charged_as_real_money_is(tmp_path: Path) -> None:
    terms = PaperTerms(D(1_000), FeeRates(D(0), D(0)), FeeRates(D(0), D(0)))
    account = PaperAccount(VENUE, "main", tmp_path / "paper.db", terms, START_MS)
    venue, events = liquidated(rising("109", "0.05"))
    (row,) = [one for one in venue.exchange.income(KEY) if one.kind == "INSURANCE_CLEAR"]
    assert replace(account.charge(row), instrument=AAA) == events[1].charge, "the coin is not listed here"
    assert account.charges(0) == []
    account.close()


def booked(amount: str, hedge_id: str, instrument: str | None) -> Transaction:
    charge = LiquidationCharge(VENUE, "main", "perp", instrument, "USDT", D(amount), 5, "9")
    entries = tuple(postings.charge_entries(charge, hedge_id))
    return Transaction(1, postings.charge_id(charge), 5, "liquidation", hedge_id, entries, "")


def test_a_report_counts_the_charge_as_a_fee_and_explains_all_of_nav() -> None:
    legs = (Leg("binance:AAAUSDT:spot", Kind.SPOT, 1), Leg(AAA, Kind.PERP, -1))
    hedge = Hedge("h1", 1, "cash_and_carry", "AAA", VENUE, HedgeState.CLOSING, legs, D(0), 0)
    told = Attribution(1_000.0, {AAA: ("AAA", False)})
    told.take(hedge, 5)
    told.take(booked("-25", "h1", AAA), 5)
    told.take(booked("5", postings.FOREIGN, None), 5)
    told.close_bar(START_MS, 980.0, {}, 0)
    (day,) = {day for day, _ in told.days}
    assert told.days[day, "AAA"][FEES] == pytest.approx(-0.025)
    assert told.days[day, UNATTRIBUTED][FEES] == pytest.approx(0.005)
    assert told.days[day, "AAA"][FUNDING] == 0
    assert told.unexplained == pytest.approx(0, abs=1e-12)
