"""Money in the books: receipts once and to the right hedge, margin moved or given up, differences told."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
from playbook import (
    Expect,
    Play,
    Playbook,
    both_fill,
    fill_of,
    moved,
    orders,
    receipt,
    said,
    saved,
    severity_of,
    silence,
)

from bot.domain.actions import FetchRates, FetchReceipts, Persist, PlaceOrders, Reconcile, Severity, TransferEnded
from bot.domain.config import Limits
from bot.domain.events import (
    CloseCoin,
    Readmit,
    Reconciled,
    Tick,
    TransferFailed,
    TransferSettled,
    TransferUnknown,
)
from bot.domain.hedges import HedgeState, Receipt, TransferIntent
from bot.domain.ledger import Transaction
from bot.domain.time import HOUR_MS
from bot.engine.summary import receipts_usd
from bot.ledger.chain import link
from bot.risk.rules import r07_liquidation

SETTLED = kit.START_MS + 8 * HOUR_MS


def transactions(book: Playbook) -> list[Transaction]:
    return [
        action.record
        for action in book.actions
        if isinstance(action, Persist) and isinstance(action.record, Transaction)
    ]


# --- receipts


def test_a_receipt_is_booked_once_and_belongs_to_its_hedge(play: Play) -> None:
    book = play().scene().run()
    hedge = book.hedge
    before = book.balance("venue:binance:perp")
    paid = receipt("BTC", "14.7", SETTLED, "77")
    book.until(SETTLED) >> paid << saved(Receipt) << saved(Transaction, hedge_id=hedge.id) << said("funding.received")
    for _ in range(3):
        book >> paid << silence(Persist)
    assert hedge.funding_usd == Decimal("14.7")
    assert book.balance("venue:binance:perp") - before == Decimal("14.7")
    assert receipts_usd(book.state) == Decimal("14.7")


def test_two_receipts_of_one_moment_are_two(play: Play) -> None:
    book = play(coins=("BTC", "ETH")).scene().run()
    book.until(SETTLED)
    book >> receipt("BTC", "14.7", SETTLED, "77") << said("funding.received", coin="BTC")
    book >> receipt("ETH", "13.1", SETTLED, "77") << said("funding.received", coin="ETH")
    book >> receipt("BTC", "-0.2", SETTLED, "78") << said("funding.received", coin="BTC")
    assert book.hedge_of("BTC").funding_usd == Decimal("14.5")
    assert book.hedge_of("ETH").funding_usd == Decimal("13.1")


def test_a_receipt_after_the_close_still_belongs_to_the_hedge(play: Play) -> None:
    book = play().scene().run()
    hedge = book.hedge
    book.until(SETTLED)
    book.feed(CloseCoin("BTC", "enough"))
    book.run()
    assert hedge.state is HedgeState.CLOSED
    book >> receipt("BTC", "14.7", SETTLED, "77") << saved(Transaction, hedge_id=hedge.id)
    assert hedge.funding_usd == Decimal("14.7")
    assert hedge.state is HedgeState.CLOSED


def test_a_payment_is_that_of_the_hedge_that_held_the_perpetual_by_the_venues_own_clock(play: Play) -> None:
    """The daemon's clock was behind: the next hedge was decided before the settlement, and filled after it."""
    book = play().scene().run()
    first = book.hedge
    book.until(SETTLED - 1000).alive().feed(CloseCoin("BTC", "test"))
    book.run(3)
    assert first.state is HedgeState.CLOSED
    book.market_ms = SETTLED - 10
    book.alive().feed(Readmit("BTC", "test"))
    book >> Tick() << said("hedge.aimed", coin="BTC")
    book.unmet.clear()
    second, fill = book.hedge, fill_of(book, book.last("spot"))
    assert (second.id, second.opened_ms) == ("h2", SETTLED - 10)
    book.feed(replace(fill, fill=replace(fill.fill, traded_ms=SETTLED + 20)))
    assert second.opened_ms == SETTLED + 20
    book >> receipt("BTC", "14.7", SETTLED, "77") << saved(Transaction, hedge_id=first.id)
    book.unmet.clear()


def test_a_fill_that_is_told_after_a_later_one_says_since_when_a_hedge_is_open(play: Play) -> None:
    """Its spot filled after the settlement and was told first: the payment is of its perpetual all the same."""
    book = play().scene()
    book.market_ms = SETTLED - 1000
    book.alive() >> Tick() << said("hedge.aimed", coin="BTC")
    book.unmet.clear()
    spot, perp = (fill_of(book, book.last(leg)) for leg in ("spot", "perp"))
    book.feed(replace(spot, fill=replace(spot.fill, traded_ms=SETTLED + 20)))
    book.feed(replace(perp, fill=replace(perp.fill, traded_ms=SETTLED - 20)))
    book >> receipt("BTC", "14.7", SETTLED, "78") << saved(Transaction, hedge_id=book.hedge.id)
    book.unmet.clear()


def test_a_receipt_of_a_position_that_was_never_ours_is_booked_as_foreign(play: Play) -> None:
    book = play().scene()
    book >> receipt("BTC", "-3", SETTLED, "5") << saved(Transaction, hedge_id="foreign")
    assert book.balance("funding:foreign") == Decimal(3)


def test_a_passed_settlement_is_asked_for_until_its_receipt_is_here(play: Play) -> None:
    book = play().scene().run()
    book.until(SETTLED + 1000).alive()
    (
        book
        >> Tick()
        << Expect(FetchRates, {"venue": "binance", "since_ms": SETTLED - 24 * HOUR_MS})
        << Expect(FetchReceipts, {"venue": "binance", "since_ms": lambda ms: ms <= SETTLED})
    )
    book >> kit.history("BTC", SETTLED, days=1)[-1] << silence(FetchRates)
    book.wait(0.3).alive() >> Tick() << Expect(FetchReceipts) << silence(FetchRates)
    book >> receipt("BTC", "14.7", SETTLED, "77") << said("funding.received")
    book.wait(0.3).alive() >> Tick() << silence(FetchReceipts)


def test_after_days_without_an_answer_all_rates_since_the_last_known_one_are_asked_for(play: Play) -> None:
    book = play().scene().run()
    known = book.state.market.rates[kit.perp_id("BTC")][-1].settled_ms
    for hours in (8, 16, 24, 32, 40, 48, 56):
        book.until(known + hours * HOUR_MS + 1000).alive()
    (book >> Tick() << Expect(FetchRates, {"since_ms": known}) << Expect(FetchReceipts))
    book.unmet.clear()


def test_a_missing_receipt_is_told_after_both_graces(play: Play) -> None:
    book = play().scene().run()
    book.until(SETTLED + 1000).alive()
    book >> Tick() << silence()
    book.wait(1, market_s=3600).alive() >> Tick() << silence()
    assert severity_of(book, "funding.missing") is None, "market time ran fast: five seconds of wall time are due"
    book.wait(4.5).alive() >> Tick() << said("funding.missing", settled_ms=SETTLED)
    book.wait(1).alive() >> Tick() << silence(FetchReceipts)


def test_a_rate_of_zero_owes_nothing(play: Play) -> None:
    book = play().scene().run()
    book.until(SETTLED + 1000).alive()
    book >> Tick() << Expect(FetchReceipts)
    rate = kit.history("BTC", SETTLED, days=1, rate="0")[-1]
    book >> rate
    book.wait(0.3).alive() >> Tick() << silence(FetchReceipts)


# --- the ledger and the venue's own figures


def test_the_first_complete_account_opens_the_ledger(play: Play) -> None:
    book = play()
    book.feed(kit.listing(("BTC",)))
    book.account({"spot": {"USDT": Decimal(700000), "BTC": Decimal("0.5")}, "perp": {"USDT": Decimal(300000)}})
    assert book.balance("equity:opening") == Decimal(-1_000_000)
    assert book.balance("venue:binance:spot", "BTC") == Decimal("0.5")


def test_every_transaction_of_a_life_balances_and_the_chain_verifies(play: Play) -> None:
    book = play()
    booked: list[Transaction] = []
    feed = book.feed

    def recording(event):
        actions = feed(event)
        booked.extend(
            action.record
            for action in actions
            if isinstance(action, Persist) and isinstance(action.record, Transaction)
        )
        return actions

    book.feed = recording  # type: ignore[method-assign]
    book.scene().run()
    book.feed(receipt("BTC", "14.7", SETTLED, "77"))
    book.feed(CloseCoin("BTC", "enough"))
    book.run()
    chain = ""
    for number, one in enumerate(booked, start=1):
        assert one.number == number
        sums: dict[str, Decimal] = {}
        for entry in one.entries:
            sums[entry.asset] = sums.get(entry.asset, Decimal(0)) + entry.amount
        assert not any(sums.values())
        chain = link(chain, number, one.id, one.at_ms, one.kind, one.hedge_id, one.entries)
        assert chain == one.chain
    assert len(booked) > 10
    assert chain == book.state.ledger.chain


def truth(book: Playbook, more: str = "0") -> None:
    """The venue reports exactly the books, and something more in the spot wallet."""
    spot = {"USDT": book.balance("venue:binance:spot") + Decimal(more)}
    coin = book.balance("venue:binance:spot", "BTC")
    if coin:
        spot["BTC"] = coin
    held = {}
    for hedge in book.state.book.live_hedges():
        held[kit.perp_id(hedge.coin)] = hedge.legs[1].quantity_base
    book.account({"spot": spot, "perp": {"USDT": book.balance("venue:binance:perp")}}, held)


def test_a_difference_seen_three_times_blocks_what_opens_and_nothing_else(play: Play) -> None:
    book = play().scene().run()
    before = book.balance("venue:binance:spot")
    for _ in range(2):
        truth(book, "0.01")
        book >> Reconciled(kit.VENUE) << silence()
        assert severity_of(book, "venue.unexplained") is None
    truth(book, "0.01")
    book >> Reconciled(kit.VENUE) << said("venue.unexplained")
    assert severity_of(book, "venue.unexplained") is Severity.CRITICAL
    assert book.balance("venue:binance:spot") == before, "never papered over"
    book >> CloseCoin("BTC", "out") << silence()
    book.wait(0.3).alive() >> Tick() << orders("sell spot 0.199", "buy perp 0.199 reduce")
    book >> both_fill << orders("sell spot 0.199", "buy perp 0.199 reduce")
    book.unmet.clear()


def test_an_explained_difference_lets_hedges_open_again(play: Play) -> None:
    book = play().scene()
    for _ in range(3):
        truth(book, "5")
        book.feed(Reconciled(kit.VENUE))
    book >> Tick() << said("risk.refused", rule="R15", observed="balances differ from the ledger") << silence()
    truth(book)
    book >> Reconciled(kit.VENUE) << said("venue.explained")
    book.wait(0.3).alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")


def test_a_difference_that_changes_is_a_race_and_is_not_confirmed(play: Play) -> None:
    book = play().scene().run()
    for more in ("1", "2", "1", "2", "1"):
        truth(book, more)
        book >> Reconciled(kit.VENUE) << silence()
        assert severity_of(book, "venue.unexplained") is None


def test_a_position_that_the_books_do_not_have_is_a_difference_too(play: Play) -> None:
    book = play().scene().run()
    balances = {
        "spot": {"USDT": book.balance("venue:binance:spot"), "BTC": book.balance("venue:binance:spot", "BTC")},
        "perp": {"USDT": book.balance("venue:binance:perp")},
    }
    for _ in range(3):
        book.account(balances, {kit.perp_id("BTC"): Decimal("-0.5")})
        book >> Reconciled(kit.VENUE)
    assert ("binance", "position", kit.perp_id("BTC")) in book.state.differences
    assert severity_of(book, "venue.unexplained") is Severity.CRITICAL


# --- margin between the wallets (R7)


def test_margin_is_moved_before_the_first_short_needs_it(play: Play) -> None:
    book = play().scene("1000000", "0")
    (
        book
        >> Tick()
        << saved(TransferIntent, source="spot", target="perp", asset="USDT")
        << moved(source="spot", target="perp")
        << silence()
    )
    intent = next(iter(book.state.transfers.values()))
    (
        book.wait(0.2).alive()
        >> TransferSettled(intent.id, "tran-1")
        << saved(Transaction, kind="transfer")
        << saved(TransferEnded, settled=True, venue_id="tran-1")
    )
    assert book.balance("venue:binance:perp") == intent.amount
    book.wait(0.3).alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    assert r07_liquidation.distance(book.state.book, kit.VENUE) > 0.25


def test_only_one_transfer_at_a_time(play: Play) -> None:
    book = play().scene("1000000", "0")
    book >> Tick() << moved()
    for _ in range(10):
        book.wait(2).alive() >> Tick() << silence()
        assert len(book.state.transfers) == 1


def test_a_refused_transfer_is_tried_again_after_a_pause(play: Play) -> None:
    book = play().scene("1000000", "0")
    book >> Tick() << moved()
    name = next(iter(book.state.transfers))
    book >> TransferFailed(name, "-9000") << saved(TransferEnded, settled=False) << said("margin.refused")
    book.wait(5).alive() >> Tick() << silence()
    book.wait(5.1).alive() >> Tick() << moved()
    assert book.balance("venue:binance:perp") == 0


def test_further_refusals_leave_time_to_compare_the_balances(play: Play) -> None:
    """Books that have money which is gone ask for it in vain, and a pass is void while something is sent."""
    book = play().scene("1000000", "0")
    for wait_s in (10, 20, 40, 40):
        book >> Tick() << moved()
        book >> TransferFailed(next(iter(book.state.transfers)), "-5013") << said("margin.refused")
        book.wait(wait_s - 0.1).alive() >> Tick() << silence()
        book.wait(0.2).alive()
    book >> Tick() << moved()
    book >> TransferSettled(next(iter(book.state.transfers)), "tran-1")
    assert book.state.transfers_refused == 0


def test_an_unanswered_transfer_is_reconciled_and_found(play: Play) -> None:
    book = play().scene("1000000", "0")
    book >> Tick() << moved()
    intent = next(iter(book.state.transfers.values()))
    book >> TransferUnknown(intent.id, "time-out") << said("margin.unknown") << Expect(Reconcile)
    for _ in range(4):
        book.wait(5).alive() >> Tick() << silence()
    book >> TransferSettled(intent.id, "tran-9") << saved(TransferEnded, settled=True)
    book >> Reconciled(kit.VENUE) << said("venue.reconciled")
    assert book.balance("venue:binance:perp") == intent.amount
    book.wait(1).alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> TransferSettled(intent.id, "tran-9") << silence(Persist)


def test_an_unanswered_transfer_that_two_histories_do_not_show_never_was(play: Play) -> None:
    book = play().scene("1000000", "0")
    book >> Tick() << moved()
    name = next(iter(book.state.transfers))
    book >> TransferUnknown(name, "time-out") << Expect(Reconcile)
    book.wait(1).alive() >> Reconciled(kit.VENUE) << silence()
    assert name in book.state.transfers
    book.wait(12).alive() >> Tick() << silence()
    book.wait(1).alive() >> Reconciled(kit.VENUE) << saved(TransferEnded, settled=False) << said("margin.refused")
    assert not book.state.transfers
    assert book.balance("venue:binance:perp") == 0
    book.wait(1.1).alive() >> Tick() << moved()


def test_two_histories_in_a_row_are_too_soon_to_give_a_transfer_up(play: Play) -> None:
    """The venue may book it some seconds later: made anew, it would be moved twice."""
    book = play().scene("1000000", "0")
    book >> Tick() << moved()
    name = next(iter(book.state.transfers))
    book >> TransferUnknown(name, "time-out") << Expect(Reconcile)
    for _ in range(3):
        book.wait(0.5).alive() >> Reconciled(kit.VENUE) << silence(Persist)
    book.wait(0.9).alive() >> Reconciled(kit.VENUE) << silence(Persist)
    assert name in book.state.transfers
    book.wait(0.2).alive() >> Reconciled(kit.VENUE) << saved(TransferEnded, settled=False)


def test_a_slow_reconciliation_says_what_was_when_it_began(play: Play) -> None:
    book = play().scene("1000000", "0")
    book >> Tick() << moved()
    name = next(iter(book.state.transfers))
    book >> TransferUnknown(name, "time-out") << Expect(Reconcile)
    book.wait(0.1).alive() >> Reconciled(kit.VENUE, book.mono_ms - 5_000) << silence(Persist)
    began_ms = book.mono_ms + 100
    book.wait(2.5).alive() >> Reconciled(kit.VENUE, began_ms) << silence(Persist)
    assert name in book.state.transfers
    book.wait(0.5).alive() >> Reconciled(kit.VENUE, book.mono_ms - 400) << saved(TransferEnded, settled=False)


def test_a_transfer_whose_answer_was_lost_is_not_waited_for_for_ever(play: Play) -> None:
    """As where the inbox overflowed."""
    book = play().scene("1000000", "0")
    book >> Tick() << moved()
    book.wait(59).alive() >> Tick()
    assert not book.state.transfers_unknown
    asking = Expect(Reconcile, {"reason": "a transfer has no answer"})
    book.wait(3).alive() >> Tick() << said("margin.unknown") << asking
    assert not book.state.book.ready[kit.VENUE]
    book.wait(1).alive() >> Tick()
    assert not any(asking.matches(action) for action in book.actions)


def test_a_transfer_that_was_never_made_is_no_refusal(play: Play) -> None:
    book = play().scene("1000000", "0")
    book >> Tick() << moved()
    name = next(iter(book.state.transfers))
    book >> TransferFailed(name, "the venue has no record of it, twice", refused=False) << said("margin.refused")
    assert not book.state.book.margin_stuck, "R7 may count on the next one"
    book.wait(0.5).alive() >> Tick() << silence()
    book.wait(0.6).alive() >> Tick() << moved()


def scarce(play: Play, spot: str, perp: str) -> Playbook:
    """A hedge of 49,000 held with little beside it: prices will rise against its short."""
    book = play().scene().run()
    for wallet, wanted in (("spot", spot), ("perp", perp)):
        account = f"venue:binance:{wallet}"
        book.state.ledger.balances[account, "USDT"] = Decimal(wanted)
    book.state.book.config = kit.config(("BTC",), limits=Limits(per_coin_cap=Decimal(2)))
    return book


def test_below_the_warning_margin_follows(play: Play) -> None:
    book = scarce(play, "50000", "14500")
    book.price("BTC", "103000").wait(0.3).price("BTC", "103000").alive()
    assert r07_liquidation.distance(book.state.book, kit.VENUE) < 0.25
    book >> Tick() << moved(source="spot", target="perp") << silence()


def test_below_the_minimum_with_nothing_to_move_both_legs_shrink_together(play: Play) -> None:
    book = scarce(play, "0", "10000")
    book.price("BTC", "104000").wait(0.3).price("BTC", "104000").alive()
    assert r07_liquidation.distance(book.state.book, kit.VENUE) < 0.15
    book >> Tick() << said("risk.forced", rule="R7", limit="0.15")
    forced = book.sent[-2:]
    assert {intent.purpose.value for intent in forced} == {"reduce"}
    assert forced[0].quantity_base == forced[1].quantity_base
    assert placed(book) == [1, 1], "so near to liquidation one leg is better than none: neither waits for the other"
    book.unmet.clear()


def test_far_from_liquidation_the_legs_of_a_smaller_hedge_are_placed_together(play: Play) -> None:
    book = play().scene().run()
    book >> CloseCoin("BTC", "by hand")
    book.wait(0.3).alive() >> Tick()
    assert placed(book) == [2]
    book.unmet.clear()


def placed(book: Playbook) -> list[int]:
    """How many orders each request to place some names."""
    return [len(action.intents) for action in book.actions if isinstance(action, PlaceOrders)]


def test_below_the_minimum_with_a_refused_transfer_both_legs_shrink(play: Play) -> None:
    book = scarce(play, "50000", "10000")
    book.price("BTC", "104000").wait(0.3).price("BTC", "104000").alive()
    assert r07_liquidation.distance(book.state.book, kit.VENUE) < 0.15
    book >> Tick() << silence() << moved(source="spot", target="perp")
    name = next(iter(book.state.transfers))
    book >> TransferFailed(name, "-9000") << said("margin.refused")
    book.wait(0.3).alive() >> Tick() << said("risk.forced", rule="R7")
    forced = book.sent[-2:]
    assert {intent.purpose.value for intent in forced} == {"reduce"}
    book.unmet.clear()
