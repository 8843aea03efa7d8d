"""The rules of the book at work: R1, R1b, R1c, R2, R3, R8, R10, R11 and R15, each as a story."""

from decimal import Decimal

import market_kit as kit
import pytest
from playbook import (
    Play,
    Playbook,
    asked,
    both_fill,
    expires,
    fills,
    orders,
    refused,
    report_of,
    said,
    saved,
    severity_of,
    silence,
    unanswered,
)

from bot.domain.actions import Severity, VerdictGiven
from bot.domain.config import FundingStop, Limits, StrategyConfig
from bot.domain.events import FeedAlive, FeedLost, Reconciled, Reconfigure, Tick
from bot.domain.hedges import HedgeState, Removal
from bot.domain.market import SettledRate
from bot.domain.numbers import ZERO
from bot.domain.orders import OrderIntent, OrderState, Purpose
from bot.domain.time import DAY_MS, HOUR_MS
from bot.domain.valuation import leverage


def settle(book: Playbook, at_ms: int, rate: str, coin: str = "BTC") -> SettledRate:
    """The clock reaches a settlement; the public rate is what the next `>>` says."""
    book.until(max(at_ms, book.market_ms))
    book.alive()
    return SettledRate(kit.perp_id(coin), at_ms, Decimal(rate), 8 * 3600)


def a_day(book: Playbook, day: int, rate: str) -> None:
    """Three settlements of one rate, the last of them at the midnight that ends the day."""
    for hour in (8, 16, 24):
        at_ms = kit.START_MS + day * DAY_MS + hour * HOUR_MS
        if at_ms > book.market_ms:
            book >> settle(book, at_ms, rate)


def test_five_negative_days_close_the_hedge_at_the_hour_of_the_fifth_midnight(play: Play) -> None:
    book = play().scene().run()
    for day in range(4):
        a_day(book, day, "-0.000001")
        book.alive() >> Tick() << silence()
    for hour in (8, 16):
        book >> settle(book, kit.START_MS + 4 * DAY_MS + hour * HOUR_MS, "-0.000001") << silence()
        book.wait(0.3).alive() >> Tick() << silence()
    (
        book
        >> settle(book, kit.START_MS + 5 * DAY_MS, "-0.000001")
        << saved(Removal, removed=True, negative_days=5)
        << said("coin.removed", coin="BTC", rule="R1", observed=5, at_ms=kit.START_MS + 5 * DAY_MS)
    )
    (
        book.wait(0.3).alive()
        >> Tick()
        << said("risk.forced", rule="R1", observed="5 negative days")
        << saved(OrderIntent, purpose=Purpose.CLOSE)
        << orders("sell spot 0.199", "buy perp 0.199 reduce")
    )
    book >> both_fill << orders("sell spot 0.199", "buy perp 0.199 reduce")
    book >> both_fill << orders("sell spot 0.092", "buy perp 0.092 reduce")
    book >> both_fill << said("hedge.closed")
    a_day(book, 5, "0.0009")
    book.wait(0.3).alive() >> Tick() << silence()


def test_three_positive_days_readmit_it(play: Play) -> None:
    book = play().scene(rate="-0.0001")
    assert book.state.book.removals["binance", "BTC", 1].removed, "seven negative days of history"
    for day in range(2):
        a_day(book, day, "0.001")
        book.alive() >> Tick() << silence()
    for hour in (8, 16):
        book >> settle(book, kit.START_MS + 2 * DAY_MS + hour * HOUR_MS, "0.001") << silence()
    book >> settle(book, kit.START_MS + 3 * DAY_MS, "0.001") << said("coin.readmitted", rule="R1b", observed=3)
    book.wait(0.3).alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")


def test_a_day_that_is_not_negative_starts_the_count_again(play: Play) -> None:
    book = play().scene()
    for day, rate in enumerate(["-0.0001"] * 4 + ["0"] + ["-0.0001"] * 4):
        a_day(book, day, rate)
    assert not book.state.book.removals["binance", "BTC", 1].removed
    a_day(book, 9, "-0.0001")
    assert book.state.book.removals["binance", "BTC", 1].removed


def test_a_settlement_that_came_late_closes_what_was_kept_by_mistake(play: Play) -> None:
    """08:00 of the third day arrives only after the fifth midnight: without it that day was not negative."""
    book = play().scene().run()
    late_ms = kit.START_MS + 2 * DAY_MS + 8 * HOUR_MS
    for day in range(5):
        for hour in (8, 16, 24):
            at_ms = kit.START_MS + day * DAY_MS + hour * HOUR_MS
            if at_ms != late_ms:
                book >> settle(book, at_ms, "0.000001" if day == 2 else "-0.000001")
        book.alive() >> Tick() << silence(OrderIntent)
    (
        book
        >> settle(book, late_ms, "-0.00001")
        << saved(SettledRate, settled_ms=late_ms)
        << saved(SettledRate, settled_ms=late_ms + 8 * HOUR_MS, interval_s=8 * 3600)
        << saved(Removal, removed=True, negative_days=5, removed_ms=kit.START_MS + 5 * DAY_MS)
        << said("coin.removed", coin="BTC", rule="R1", observed=5, late_ms=late_ms)
    )
    book >> settle(book, late_ms, "-0.00001") << silence()
    (
        book.wait(0.3).alive()
        >> Tick()
        << said("risk.forced", rule="R1", observed="5 negative days")
        << orders("sell spot 0.199", "buy perp 0.199 reduce")
    )
    book.unmet.clear()


def test_a_removal_that_a_late_settlement_contradicts_is_taken_back(play: Play) -> None:
    book = play().scene()
    late_ms = kit.START_MS + 3 * DAY_MS
    for day in range(5):
        for hour in (8, 16, 24):
            at_ms = kit.START_MS + day * DAY_MS + hour * HOUR_MS
            if at_ms != late_ms:
                book.feed(settle(book, at_ms, "-0.000001"))
    assert book.state.book.removals["binance", "BTC", 1].removed
    (
        book
        >> settle(book, late_ms, "0.002")
        << saved(Removal, removed=False, negative_days=2, reason="")
        << said("coin.readmitted", coin="BTC", late_ms=late_ms)
    )
    book.wait(0.3).alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")


def test_a_late_settlement_counts_for_the_funding_stop_too(play: Play) -> None:
    patient = kit.config(("BTC",), strategy=StrategyConfig(fast_h=0, slow_h=0))
    book = play().scene().run()
    book.feed(Reconfigure(patient))
    book >> settle(book, kit.START_MS + 16 * HOUR_MS, "-0.005")
    book >> settle(book, kit.START_MS + 24 * HOUR_MS, "0")
    book.alive() >> Tick() << silence(OrderIntent)
    book >> settle(book, kit.START_MS + 8 * HOUR_MS, "-0.006")
    book.alive() >> Tick() << said("risk.forced", rule="R1c", limit="0.01", observed="0.011000")
    book.unmet.clear()


def test_a_settlement_delivered_again_expects_no_second_receipt(play: Play) -> None:
    book = play().scene().run()
    settled_ms = kit.START_MS + 8 * HOUR_MS
    first = settle(book, settled_ms, "0.0001")
    book >> first
    book.wait(5.5, market_s=3600).alive() >> Tick() << said("funding.missing", settled_ms=settled_ms)
    book >> first << silence()
    book.wait(5.5, market_s=3600).alive() >> Tick() << silence(VerdictGiven)


def test_funding_paid_beyond_the_stop_closes_at_once(play: Play) -> None:
    patient = kit.config(("BTC",), strategy=StrategyConfig(fast_h=0, slow_h=0))
    book = play().scene().run()
    book.feed(Reconfigure(patient))
    book >> settle(book, kit.START_MS + 8 * HOUR_MS, "-0.006")
    book.alive() >> Tick() << silence()
    book >> settle(book, kit.START_MS + 16 * HOUR_MS, "-0.005")
    (
        book.alive()
        >> Tick()
        << said("risk.forced", rule="R1c", limit="0.01", observed="0.011000")
        << saved(Removal, removed=True)
        << said("coin.removed", rule="R1c")
        << orders("sell spot 0.199", "buy perp 0.199 reduce")
    )
    book.unmet.clear()


def test_what_was_paid_before_it_was_opened_is_not_counted(play: Play) -> None:
    book = play(kit.config(("BTC",), limits=Limits(cash_rate=0))).scene(rate="0.002")
    book.feed(SettledRate(kit.perp_id("BTC"), kit.START_MS + 1, Decimal("-0.02"), 8 * 3600))
    book.run()
    assert book.hedge.state is HedgeState.HEDGED


def test_a_predicted_rate_beyond_the_stop_closes_too(play: Play) -> None:
    book = play().scene().run()
    (
        book.alive(rate="-0.0101")
        >> Tick()
        << said("risk.forced", rule="R1c")
        << orders("sell spot 0.199", "buy perp 0.199 reduce")
    )
    for _ in range(3):
        book >> refused("spot") << silence()
        book >> refused("perp") << silence()
        book.wait(0.3).alive(rate="-0.0101")
        book >> Tick() << orders("sell spot 0.199", "buy perp 0.199 reduce") << silence(VerdictGiven)
    assert sum(said("risk.forced").matches(action) for action in book.actions) == 0, "said once"


def test_a_standing_refusal_is_said_once_though_its_figures_move(play: Play) -> None:
    limits = Limits(per_coin_cap=Decimal("0.05"))
    book = play(kit.config(("BTC",), limits=limits)).scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> both_fill << orders("buy spot 0.1992", "sell perp 0.199")
    book.price("BTC", "104000")
    book >> both_fill << saved(VerdictGiven, verdict__rule="R2") << said("risk.refused", rule="R2") << silence()
    assert book.hedge.state is HedgeState.HEDGED, "what is held is whole, though it will not grow"
    for step in range(20):
        book.wait(0.3).price("BTC", str(104000 + step)).alive()
        book >> Tick() << silence(VerdictGiven) << silence()


def test_the_coin_cap_counts_what_is_in_flight(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.state.book.config = kit.config(("BTC",), limits=Limits(per_coin_cap=Decimal("0.03")))
    # 19,950 of spot are in the legs, 19,950 more would be within 30,000 only without the orders in flight
    book >> fills("spot") << silence()
    book >> fills("perp") << said("risk.refused", rule="R2") << silence()


def test_leverage_beyond_its_band_cuts_the_worst_carry_first(play: Play) -> None:
    free = Limits(per_coin_cap=Decimal("0.3"))
    book = play(kit.config(("BTC", "ETH"), limits=free), coins=("BTC", "ETH")).scene()
    book.feed(SettledRate(kit.perp_id("ETH"), kit.START_MS + 1, Decimal("0.0001"), 8 * 3600))
    book.run(40)
    assert leverage(book.state.book) > Decimal("0.55")
    tight = Limits(per_coin_cap=Decimal("0.3"), leverage_ceiling=Decimal("0.5"))
    book.feed(Reconfigure(kit.config(("BTC", "ETH"), limits=tight)))
    before = {hedge.coin: hedge.target_base for hedge in book.state.book.live_hedges()}
    book.wait(0.3).alive() >> Tick() << said("risk.forced", rule="R3", coin="ETH", limit="0.5")
    assert book.hedge_of("BTC").target_base == before["BTC"]
    assert book.hedge_of("ETH").target_base < before["ETH"]
    book.unmet.clear()


def test_no_order_may_lift_leverage_above_the_ceiling(play: Play) -> None:
    limits = Limits(leverage_ceiling=Decimal("0.03"), leverage_band=Decimal(1))
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.state.book.config = kit.config(("BTC",), limits=limits)
    book >> both_fill << said("risk.refused", rule="R3", limit="0.03") << silence()


def test_fills_reported_but_not_yet_booked_count_against_the_ceiling(play: Play) -> None:
    """Reported as filled, trades still to come: neither in a leg nor open, and it counts all the same."""
    book = play(coins=("BTC", "ETH")).scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199") << orders("buy spot 5.0041", "sell perp 4.999")
    for intent in book.sent[:2]:
        book >> report_of(intent, OrderState.FILLED, intent.quantity_base) << silence()
    for intent in book.sent[2:4]:
        book >> report_of(intent, OrderState.CANCELLED, ZERO) << silence()
    tight = Limits(leverage_ceiling=Decimal("0.03"), leverage_band=Decimal(1))
    book.state.book.config = kit.config(("BTC", "ETH"), limits=tight)
    book.wait(0.3).alive() >> Tick() << said("risk.refused", rule="R3") << silence()
    book.unmet.clear()


def test_only_liquid_coins_of_the_owner_are_entered(play: Play) -> None:
    book = play(kit.config(("ETH",)), coins=("BTC", "ETH")).scene()
    for one in kit.liquidity("ETH", volume_usd=9e5):
        book >> one
    (
        book
        >> Tick()
        << saved(VerdictGiven, coin="BTC", verdict__rule="R8", verdict__detail="not in the owner's list")
        << saved(VerdictGiven, coin="ETH", verdict__rule="R8", verdict__observed="900000")
        << silence()
    )


def test_unknown_liquidity_is_not_enough_and_news_of_it_is_a_reason_to_decide(play: Play) -> None:
    book = play().scene()
    book.state.market.liquidity.clear()
    book >> Tick() << saved(VerdictGiven, verdict__rule="R8", verdict__observed="unknown") << silence()
    for one in kit.liquidity("BTC"):
        book >> one << silence()
    book.wait(0.3).alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")


def test_nothing_opens_on_a_silent_feed(play: Play) -> None:
    book = play().scene()
    book.wait(5.5)
    book >> Tick() << saved(VerdictGiven, verdict__rule="R11", verdict__observed="5.5") << silence()
    book >> FeedAlive("binance:spot") << silence()
    book >> FeedAlive("binance:perp") << silence()
    book.wait(10.5)
    book.feed(FeedAlive("binance:spot")), book.feed(FeedAlive("binance:perp"))
    book >> Tick() << silence()
    book.wait(10.5).alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")


def test_a_feed_that_falls_silent_between_slices_stops_the_next_one_but_not_a_repair(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.wait(6)
    book >> fills("spot") << silence()
    (
        book
        >> expires("perp")
        << said("risk.refused", rule="R11")
        << saved(OrderIntent, purpose=Purpose.UNWIND)
        << orders("sell spot 0.199")
    )


def test_after_a_lost_feed_the_old_quotes_do_not_count(play: Play) -> None:
    book = play().scene()
    book >> FeedLost("binance:spot", "reset") << said("feed.lost") << silence()
    book >> Tick() << silence()
    book.wait(1).alive()
    book >> Reconciled(kit.VENUE) << said("venue.reconciled")
    book >> Tick() << saved(VerdictGiven, verdict__rule="R11", verdict__detail=lambda d: "since its feed" in d)
    spot, _ = kit.quotes("BTC")
    book.wait(11).alive() >> spot << silence()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")


def test_a_connection_that_is_renewed_is_reconciled_and_wakes_nobody(play: Play) -> None:
    book = play().scene()
    renewed = FeedLost("binance:user-perp", "renewed before the venue's 24-hour limit", planned=True)
    book >> renewed << said("feed.lost", severity=Severity.INFO)
    assert not book.state.book.ready[kit.VENUE]
    book.wait(1).alive()
    book >> Reconciled(kit.VENUE) << said("venue.reconciled")
    book >> FeedLost("binance:user-perp", "reset") << said("feed.lost", severity=Severity.WARNING)


def test_answers_to_questions_from_before_the_loss_reconcile_nothing(play: Play) -> None:
    book = play().scene()
    book >> FeedLost("binance:user-perp", "reset") << said("feed.lost")
    began = book.wait(1).mono_ms
    book.wait(1) >> FeedLost("binance:user-perp", "connected again: events in between were not sent")
    book.wait(0.1) >> Reconciled(kit.VENUE, began) << silence()
    book.feed(FeedAlive("binance:user-perp"))
    for one in kit.quotes("BTC"):
        book.alive() >> one
    book >> Tick() << silence()
    book.wait(0.1) >> Reconciled(kit.VENUE, book.mono_ms - 50) << said("venue.reconciled")
    book.alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")


@pytest.mark.parametrize("every_s", [1.0, 0.25, 0.05])
def test_the_owner_hears_of_a_hedge_that_cannot_be_made_whole(play: Play, every_s: float) -> None:
    """However fast the venue refuses: the tries are over long before R10's time is."""
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    book >> refused("perp") << orders("sell perp 0.199")
    heard: list[Severity | None] = []
    for _ in range(int(40 / every_s)):
        if book.state.orders:
            book >> refused("spot" if book.sent[-1].leg == 0 else "perp")
            heard.append(severity_of(book, "hedge.stuck"))
            book.unmet.clear()
        book.wait(every_s).alive() >> Tick()
        heard.append(severity_of(book, "hedge.stuck"))
        book.unmet.clear()
    assert [one for one in heard if one is not None] == [Severity.CRITICAL], "once"
    assert len(book.sent) < 30, "tried less and less often"
    assert book.last("spot").purpose is Purpose.UNWIND


def test_a_hedge_in_quarantine_is_not_added_to(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    book >> unanswered("perp") << asked()
    book.wait(0.3).alive() >> Tick() << said("hedge.quarantined")
    book >> settle(book, kit.START_MS + 8 * HOUR_MS, "0.005") << silence()
    book.alive() >> Tick() << saved(VerdictGiven, verdict__rule="R10") << silence()
    book.unmet.clear()


def test_a_changed_funding_stop_takes_effect_at_once(play: Play) -> None:
    book = play().scene().run()
    book >> settle(book, kit.START_MS + 8 * HOUR_MS, "-0.002")
    book.alive() >> Tick() << silence()
    stricter = Limits(funding_stop=FundingStop(share=Decimal("0.001")))
    book >> Reconfigure(kit.config(("BTC",), limits=stricter)) << silence()
    book.wait(0.3).alive() >> Tick() << said("risk.forced", rule="R1c", limit="0.001")
    assert book.hedge.target_base == ZERO
    book.unmet.clear()
