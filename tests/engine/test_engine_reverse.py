"""A hedge the other way round: the coin borrowed and sold on margin, the perpetual long, paid by negative rates."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import (
    Play,
    Playbook,
    asked,
    expires,
    fill_of,
    fills,
    moved,
    nowhere,
    orders,
    receipt,
    refused,
    report_of,
    said,
    saved,
    severity_of,
    silence,
    unanswered,
)
from reverse_kit import both_fill, config, interest, opened, scene, terms

from bot.domain.actions import Severity
from bot.domain.events import CloseCoin, Event, OrderFilled, Tick, TransferSettled
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.ledger import Transaction
from bot.domain.orders import OrderIntent, OrderState, Purpose, Side
from bot.domain.valuation import margin_wallet, nav_usd, unhedged_usd
from bot.engine.explain import explain
from bot.risk.rules import r09_borrow

D = Decimal


def test_a_negative_rate_opens_coins_sold_on_loan_against_a_long_perpetual(play: Play) -> None:
    book = scene(play)
    (
        book
        >> Tick()
        << said("hedge.aimed", coin="BTC", target_base=D("0.49"))
        << saved(Hedge, strategy="reverse_carry", direction=-1)
        << orders("sell margin 0.199", "buy perp 0.199")
    )
    book >> both_fill << orders("sell margin 0.199", "buy perp 0.199")
    book >> both_fill << orders("sell margin 0.092", "buy perp 0.092")
    book >> both_fill << said("hedge.opened", coin="BTC", quantity_base=D("0.49"))
    owed, long = book.hedge.legs
    assert (owed.quantity_base, long.quantity_base) == (D("-0.49"), D("0.49"))
    assert book.balance("venue:binance:margin", "BTC") == D("-0.49")
    assert unhedged_usd(book.state.book) == 0


def test_what_is_owed_counts_against_nav_and_the_proceeds_for_it(play: Play) -> None:
    book = scene(play)
    before = nav_usd(book.state.book)
    book.run(8)
    fees_and_spread = before - nav_usd(book.state.book)
    assert D(0) < fees_and_spread < D("0.49") * 100_000 * D("0.002")
    wallet = margin_wallet(book.state.book, kit.VENUE)
    assert wallet.owed_usd == pytest.approx(49_000)
    assert wallet.own_usd == pytest.approx(300_000, rel=1e-3)


def test_it_is_not_opened_unless_it_is_listed_as_a_strategy(play: Play) -> None:
    book = play(kit.config(("BTC",))).scene("400000", "300000", rate="-0.001", margin_usdt="300000")
    book >> Tick() << moved(source="margin", target="spot") << silence()
    pair = book.state.market.reverse[kit.VENUE, "BTC"]
    (verdict,) = r09_borrow.check(book.state.book, pair)
    assert not verdict.approved
    assert verdict.limit == "strategies"


def test_a_positive_rate_opens_the_spot_side_as_ever(play: Play) -> None:
    book = scene(play, rate="0.0003")
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.unmet.clear()


def test_closing_buys_back_what_is_owed_with_its_fee_and_interest(play: Play) -> None:
    book = opened(play)
    book >> interest("0.0004", book.market_ms) << saved(Transaction, kind="interest")
    book.state.book.removals[kit.VENUE, "BTC", -1].removed = True
    book >> Tick() << said("risk.forced", rule="R1") << orders("buy margin 0.1996", "sell perp 0.199 reduce")
    book >> both_fill
    while book.unmet:
        book.unmet.clear()
        book >> both_fill
    assert not list(book.state.book.live_hedges())
    left = book.balance("venue:binance:margin", "BTC")
    assert D(0) <= left < D("0.00001"), "the loan is paid to the last digit; less than a lot stays in the wallet"


def test_a_short_perpetual_fill_is_completed_by_buying_more(play: Play) -> None:
    book = scene(play)
    book >> Tick() << orders("sell margin 0.199", "buy perp 0.199")
    book >> fills("margin") << silence()
    book >> fills("perp", "0.1") << silence()
    book >> expires("perp", "0.1") << said("hedge.unbalanced", coin="BTC") << orders("buy perp 0.099")
    assert book.last("perp").purpose is Purpose.COMPLETE
    book.unmet.clear()


def test_a_short_margin_fill_is_completed_by_borrowing_more(play: Play) -> None:
    book = scene(play)
    book >> Tick() << orders("sell margin 0.199", "buy perp 0.199")
    book >> fills("perp") << silence()
    book >> fills("margin", "0.1") << silence()
    book >> expires("margin", "0.1") << orders("sell margin 0.099")
    book.unmet.clear()


def test_a_leg_that_is_refused_is_not_waited_for_the_other_one_is_taken_back(play: Play) -> None:
    """Nothing is left to borrow: the long perpetual that filled is sold again."""
    book = scene(play)
    book >> Tick() << orders("sell margin 0.199", "buy perp 0.199")
    book >> terms("0.0876", "0") << silence()
    book >> fills("perp") << silence()
    book >> refused("margin", "-3045") << orders("sell perp 0.199 reduce")
    assert book.last("perp").purpose is Purpose.UNWIND
    book.unmet.clear()


def test_coins_sold_without_their_perpetual_are_bought_back_when_time_is_over(play: Play) -> None:
    book = scene(play)
    book >> Tick() << orders("sell margin 0.199", "buy perp 0.199")
    book >> fills("margin") << silence()
    book >> unanswered("perp") << asked()
    book.wait(4).alive()
    book >> nowhere("perp") << orders("buy perp 0.199")
    book.wait(4).alive()
    book >> expires("perp") << silence()
    book.wait(1).alive()
    book >> Tick() << orders("buy margin 0.19919")
    assert book.last("margin").purpose is Purpose.UNWIND
    book.unmet.clear()


def test_an_unknown_order_on_the_margin_leg_quarantines_the_hedge_until_the_venue_tells(play: Play) -> None:
    book = scene(play)
    book >> Tick() << orders("sell margin 0.199", "buy perp 0.199")
    book >> fills("perp") << silence()
    book >> unanswered("margin") << said("order.unknown") << asked()
    book >> Tick() << said("hedge.quarantined")
    assert book.hedge.state is HedgeState.QUARANTINED
    book.wait(0.2).alive()
    book >> Tick() << silence()
    lost = book.last("margin")
    book.wait(3).alive()
    book >> Tick() << asked(lost.client_id)
    book >> (lambda b: [fill_of(b, lost), report_of(lost, OrderState.FILLED, lost.quantity_base)])
    assert sum(order.client_id == lost.client_id for order in book.sent) == 1, "it is never sent twice"
    assert book.hedge.imbalance_base == 0
    book.unmet.clear()


def test_the_basis_as_the_long_side_sees_it_guards_its_entry(play: Play) -> None:
    """A perpetual that has become dearer than at the decision is not bought."""
    book = scene(play)
    book >> Tick() << orders("sell margin 0.199", "buy perp 0.199")
    for quote in kit.quotes("BTC", basis_bps="40"):
        book.feed(quote)
    book >> both_fill << silence()
    for quote in kit.quotes("BTC", basis_bps="-40"):
        book.feed(quote)
    assert [order.purpose for order in book.sent] == [Purpose.OPEN] * 4, "cheaper again, it is bought"
    book.unmet.clear()


@pytest.mark.parametrize("name", ["autoclose-9", "web_5c1f", "unknown:77"])
def test_what_the_venue_buys_back_itself_closes_the_perpetual(play: Play, name: str) -> None:
    """The loan is liquidated: the coin leg is gone, and its long perpetual is sold at once, no more than there is.

    However the venue calls that order: nobody else trades in the margin account.
    """
    book = opened(play)
    lot = book.sent[0]
    book >> (lambda b: [_taken(b, lot, name)]) << said("position.taken", coin="BTC")
    book >> Tick() << orders("sell perp 0.49 reduce")
    assert book.state.book.removals[kit.VENUE, "BTC", -1].removed
    book.unmet.clear()


def test_what_somebody_sells_on_loan_beside_it_is_bought_back(play: Play) -> None:
    book = opened(play)
    lot = book.sent[0]
    book >> (lambda b: [fill_of(b, lot, D("0.1"), client_id="web_5c1f")]) << said("fill.unexpected", coin="BTC")
    assert book.hedge.imbalance_base == D("-0.1")
    book >> Tick() << orders("buy margin 0.1001")
    book.unmet.clear()


@pytest.mark.parametrize(("left", "owner"), [("-0.0004", "h1"), ("0", "foreign")])
def test_what_the_venue_buys_back_of_a_crumb_is_its_hedges(play: Play, left: str, owner: str) -> None:
    """A crumb that a recall leaves owed is bought back by the venue, a whole lot of it: the coin is not kept out."""
    book = opened(play)
    hedge, lot = book.hedge, book.sent[0]
    hedge.state, hedge.legs[0].quantity_base, hedge.legs[1].quantity_base = HedgeState.CLOSED, D(left), D(0)
    del book.state.hedges[hedge.id]
    book >> (lambda b: [_taken(b, lot, "autoclose-9", "0.001", "0.000001")]) << saved(Transaction, hedge_id=owner)
    assert severity_of(book, "position.taken") is None
    assert hedge.legs[0].quantity_base == (D("0.000599") if D(left) else 0)
    assert not book.state.book.removals[kit.VENUE, "BTC", -1].removed
    book.unmet.clear()


@pytest.mark.parametrize(("late_ms", "owner"), [(-1_000, "h1"), (60_000, "foreign")])
def test_what_the_venue_bought_back_as_the_hedge_did_is_sold_again(play: Play, late_ms: int, owner: str) -> None:
    """Liquidated and told late, the hedge has bought the same coins once more; later ones are nobody's loan."""
    book = opened(play)
    hedge, lot = book.hedge, book.sent[0]
    book.feed(CloseCoin("BTC", "enough"))
    book.run(20)
    assert hedge.state is HedgeState.CLOSED
    assert hedge.closed_ms is not None
    fill = replace(_taken(book, lot, "autoclose-9").fill, traded_ms=hedge.closed_ms + late_ms)
    book >> (lambda _: [OrderFilled(fill)]) << saved(Transaction, hedge_id=owner)
    if owner == "h1":
        assert severity_of(book, "fill.unexpected") is Severity.CRITICAL
        book.run(20)
        assert hedge.state is HedgeState.CLOSED
    assert abs(hedge.legs[0].quantity_base) < D("0.0001")
    book.unmet.clear()


def _taken(book: Playbook, lot: OrderIntent, name: str, quantity: str = "0.4906", fee: str = "0.0005") -> Event:
    fill = fill_of(book, lot, D(quantity), client_id=name, fee=D(fee)).fill
    return OrderFilled(replace(fill, side=Side.BUY, fee_asset="BTC"))


def test_funding_is_income_of_the_long_side(play: Play) -> None:
    book = opened(play)
    book >> receipt("BTC", "49", book.market_ms, "r1", "-0.001") << said("funding.received", hedge="h1")
    assert book.hedge.funding_usd == 49


def test_collateral_and_margin_come_from_the_spot_wallet_one_at_a_time(play: Play) -> None:
    book = play(config()).scene("1000000", "0", rate="-0.001", margin_usdt="0")
    book.rate = "-0.001"
    book >> Tick() << moved(source="spot", target="perp") << silence()
    perp = next(iter(book.state.transfers.values()))
    book >> TransferSettled(perp.id, "t1") << silence()
    book.wait(2).alive()
    book >> Tick() << moved(source="spot", target="margin") << silence()
    loan = next(iter(book.state.transfers.values()))
    assert D("0.5") * 49_000 < loan.amount < D("0.6") * 49_000, "half of what will be owed, and a little"
    book >> TransferSettled(loan.id, "t2") << said("margin.moved")
    book.wait(0.3).alive()
    book >> Tick() << orders("sell margin 0.199", "buy perp 0.199")
    book.unmet.clear()


def test_collateral_goes_back_when_nothing_is_owed(play: Play) -> None:
    book = scene(play, rate="0.00001")
    book.run(2, until=lambda: bool(book.state.transfers))
    back = next(iter(book.state.transfers.values()))
    assert (back.source, back.target, back.amount) == ("margin", "spot", D(300_000))


def test_a_coin_is_held_in_one_direction_at_a_time(play: Play) -> None:
    book = opened(play)
    pair = book.state.market.pairs[kit.VENUE, "BTC"]
    verdicts = explain(book.state, pair).verdicts
    (direction,) = (each for each in verdicts if each.rule == "direction")
    assert not direction.approved
    assert direction.observed == "reverse_carry"


@pytest.mark.parametrize(("owed", "kept"), [("0", 0), ("0.0002", 50)])
def test_collateral_that_pays_for_a_crumb_stays_where_it_is_owed(play: Play, owed: str, kept: float) -> None:
    """The venue buys a whole lot back should it want it: twice the crumb and a least order stay behind."""
    book = scene(play, rate="0.00001")
    book.state.ledger.balances["venue:binance:margin", "BTC"] = -D(owed)
    book.run(2, until=lambda: bool(book.state.transfers))
    back = next(iter(book.state.transfers.values()))
    assert (back.source, back.target) == ("margin", "spot")
    assert 300_000 - float(back.amount) == pytest.approx(kept, rel=0.02)
