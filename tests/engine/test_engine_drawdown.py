"""R5: the high-water mark, the soft and the hard limit, entry costs, capital, restarts."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import (
    Play,
    Playbook,
    fill_of,
    fills,
    orders,
    receipt,
    report_of,
    said,
    saved,
    severity_of,
    silence,
    unanswered,
)
from reverse_kit import dearer

from bot.domain.actions import ControlSet, LastPrice, Severity
from bot.domain.books import Books
from bot.domain.config import DrawdownLimits, Limits, SpreadLimits
from bot.domain.events import CapitalMoved, CloseCoin, OrderFilled, Reconciled, Reconfigure, Resume, Tick
from bot.domain.guards import Breach, Remembered
from bot.domain.hedges import Control
from bot.domain.ledger import Transaction
from bot.domain.orders import OrderRecord, OrderState, Side
from bot.domain.time import HOUR_MS
from bot.engine.recovery import restore
from bot.risk.rules import r05_drawdown

D = Decimal
NO_R4 = SpreadLimits(reduce_drawdown=D(1))
WIDE = Limits(per_coin_cap=D("0.3"), drawdown=DrawdownLimits(cooldown_s=3600), spread=NO_R4)


def basis(book: Playbook, bps: int, seconds: float = 0.6) -> Playbook:
    """The perp's mark stands so far above its index, with everything alive."""
    book.wait(seconds).alive()
    mark = book.state.market.marks[kit.perp_id("BTC")]
    book.feed(replace(mark, mark=mark.index * (1 + D(bps) / 10_000)))
    return book


def scene(play: Play, limits: Limits = WIDE) -> Playbook:
    book = play(kit.config(("BTC",), limits=limits)).scene().run(60)
    assert book.hedge.size_base > D("2.9"), "0.29 of NAV in one hedge"
    return book


def ticked(book: Playbook, name: str) -> bool:
    book >> Tick()
    book.unmet.clear()
    return severity_of(book, name) is not None


def state(book: Playbook) -> r05_drawdown.Breach:
    return book.state.book.guards.drawdown.level


def test_filling_a_book_costs_nothing_at_once(play: Play) -> None:
    book = scene(play)
    drawdown = book.state.book.guards.drawdown
    paid = book.hedge.fees_usd
    assert paid > 400
    assert drawdown.share < D("0.00005"), "entry costs are spread over the holding time"
    assert r05_drawdown.deferred_usd(book.state.book) > paid * D("0.99")
    half_ms = int(book.state.config.strategy.holding_h / 2 * HOUR_MS)
    book.until(book.market_ms + half_ms).alive()
    half = r05_drawdown.deferred_usd(book.state.book)
    assert abs(half / paid - D("0.5")) < D("0.05"), "half of the holding time is over"
    book.until(book.market_ms + half_ms + HOUR_MS).alive()
    assert r05_drawdown.deferred_usd(book.state.book) == 0


def test_the_soft_limit_reduces_by_a_step_and_freezes_entries(play: Play) -> None:
    book = scene(play)
    before = book.hedge.target_base
    assert not ticked(basis(book, 300), "drawdown.soft"), "one frame is no drawdown"
    basis(book, 300)
    book >> Tick() << silence()
    (
        basis(book, 300)
        >> Tick()
        << saved(Remembered, rule="R5", name="level", value=D(1))
        << said("drawdown.soft", rule="R5", limit=D("0.008"))
        << saved(Remembered, rule="R5", name="step")
        << said("risk.forced", rule="R5", coin="BTC")
    )
    book.unmet.clear()
    assert severity_of(book, "drawdown.soft") is Severity.CRITICAL
    assert book.hedge.target_base == (before * D("0.75")).quantize(D("0.001"), rounding="ROUND_FLOOR")
    book.state.decide_due = True
    basis(book, 300) >> Tick() << said("risk.refused", rule="R5")
    book.unmet.clear()


def test_nothing_opens_while_a_breach_is_confirmed(play: Play) -> None:
    book = scene(play)
    assert not ticked(basis(book, 300), "drawdown.soft"), "one frame is no drawdown"
    assert not r05_drawdown.allows(book.state.book)
    book.unmet.clear()
    assert not ticked(basis(book, 0), "drawdown.soft")
    assert r05_drawdown.allows(book.state.book)


def test_a_mark_that_has_risen_is_saved_at_once_and_not_each_time(play: Play) -> None:
    """A kill within the hour forgot what was earned since, and with it a part of the limits."""
    book = scene(play)
    high = book.state.book.guards.drawdown.high_usd
    assert high is not None
    for number, (payment, written) in enumerate((("300", False), ("300", True), ("300", False), ("300", True)), 1):
        book.feed(receipt("BTC", payment, book.market_ms, str(number)))
        basis(book, 0)
        kept = len(book.kept)
        ticked(book, "none")
        found = [one.value for one in book.kept[kept:] if (one.rule, one.name) == ("R5", "high")]
        assert bool(found) is written, number
        basis(book, 0)
        kept = len(book.kept)
        ticked(book, "none")
        assert not [one for one in book.kept[kept:] if (one.rule, one.name) == ("R5", "high")]
    newest = next(one for one in reversed(book.kept) if (one.rule, one.name) == ("R5", "high"))
    assert newest.value > high + 1_100
    assert restore(Books(remembered=[newest]), book.config).book.guards.drawdown.high_usd == newest.value


def test_a_flickering_price_is_not_a_drawdown(play: Play) -> None:
    book = scene(play)
    for _ in range(20):
        assert not ticked(basis(book, 400), "drawdown.soft")
        assert not ticked(basis(book, 0), "drawdown.soft")


def test_a_drawdown_that_stands_is_reduced_once_and_a_deeper_one_after_the_cool_down(play: Play) -> None:
    book = scene(play)
    for _ in range(4):
        ticked(basis(book, 310), "drawdown.soft")
    first = book.hedge.target_base
    for _ in range(5):
        basis(book, 310).wait(0.1, market_s=4000).alive()
        ticked(basis(book, 300), "drawdown.soft")
    assert book.hedge.target_base == first, "no worse: what is left earns the way back"
    for _ in range(4):
        ticked(basis(book, 420), "drawdown.soft")
    assert book.hedge.target_base < first


def test_entries_return_below_three_quarters_of_the_limit(play: Play) -> None:
    book = scene(play)
    for _ in range(4):
        ticked(basis(book, 300), "drawdown.soft")
    assert state(book) is Breach.SOFT
    share = book.state.book.guards.drawdown.share
    assert not ticked(basis(book, int(300 * D("0.0065") / share)), "drawdown.recovered"), "between: nothing changes"
    assert state(book) is Breach.SOFT
    assert ticked(basis(book, 100), "drawdown.recovered")
    assert state(book) is Breach.NONE


def test_the_hard_limit_closes_everything_halts_and_stays_so(play: Play) -> None:
    book = scene(play)
    for _ in range(2):
        ticked(basis(book, 700), "drawdown.hard")
    (
        basis(book, 700)
        >> Tick()
        << said("drawdown.hard", rule="R5", limit=D("0.015"))
        << saved(ControlSet, control=Control.FLATTENING)
    )
    book.unmet.clear()
    assert severity_of(book, "drawdown.hard") is Severity.CRITICAL
    for action in book.actions:
        book.serve(action)
    book.run(30)
    assert not list(book.state.book.live_hedges())
    assert book.state.book.control is Control.HALTED
    book >> Resume("owner") << said("drawdown.accepted")
    assert state(book) is Breach.NONE
    book.run(5)
    assert list(book.state.book.live_hedges()), "it trades again from a new mark"
    assert book.state.book.control is Control.RUNNING


def test_what_a_basis_gave_and_took_back_is_no_loss(play: Play) -> None:
    """13 March 2020: the perp 257 bps below spot for hours, and then not."""
    book = scene(play)
    for bps in (-50, -257, -481, -257, -20, 0, 0, 0, 0):
        assert not ticked(basis(book, bps), "drawdown.soft")
    assert book.state.book.guards.drawdown.share < D("0.0005")


def test_a_basis_gain_that_was_banked_lifts_the_mark(play: Play) -> None:
    book = scene(play)
    before = book.state.book.guards.drawdown.high_usd
    book.state.ledger.balances["venue:binance:spot", "USDT"] += D(5000)
    ticked(basis(book, 0), "")
    assert before is not None
    lifted = book.state.book.guards.drawdown.high_usd
    assert lifted is not None
    assert abs(lifted - before - 5000) < 1


def test_the_owners_own_coins_move_nothing(play: Play) -> None:
    book = scene(play)
    book.state.ledger.balances["venue:binance:spot", "BTC"] += D(10)
    for price in ("100000", "80000", "60000", "60000", "60000"):
        book.wait(0.6).price("BTC", price).alive()
        assert not ticked(book, "drawdown.soft")


def test_coins_that_the_owner_buys_or_sells_by_hand_are_no_loss_and_no_gain(play: Play) -> None:
    """As the platform's own, to pay fees with. The dollars that they took are counted, and they are not."""
    book = scene(play)
    ticked(basis(book, 100), "")
    share, high = book.state.book.guards.drawdown.share, book.state.book.guards.drawdown.high_usd
    assert high is not None
    bought = fill_of(book, book.last("spot"), D("0.1"), client_id="web_1", fee=D(0)).fill
    book >> OrderFilled(bought) << said("fill.foreign")
    for _ in range(4):
        assert not ticked(basis(book, 100), "drawdown.soft")
    assert abs(book.state.book.guards.drawdown.share - share) < D("0.0001")
    assert book.state.book.guards.drawdown.high_usd == pytest.approx(high - 10_000, abs=100)
    sold = replace(bought, trade_id="web-2", side=Side.SELL)
    book >> OrderFilled(sold) << saved(Remembered, rule="R5", name="high") << said("fill.foreign")
    ticked(basis(book, 100), "")
    assert book.state.book.guards.drawdown.high_usd == pytest.approx(high, abs=1)


def test_fees_in_a_coin_that_is_not_measured_are_not_spread_either(play: Play) -> None:
    """Else the mark would rise by what the platform's coin paid, and the end of the holding time look like a loss."""
    book = play(kit.config(("BTC",), limits=WIDE)).scene()
    book >> Tick()
    for leg in ("spot", "perp"):
        filled = fill_of(book, book.last(leg), fee=D("0.05")).fill
        book.feed(OrderFilled(replace(filled, fee_asset="BNB")))
    book.unmet.clear()
    assert book.hedge.fees_usd > 20
    assert r05_drawdown.deferred_usd(book.state.book) == pytest.approx(book.hedge.slippage_usd)


def test_withdrawals_and_deposits_leave_the_drawdown_as_it_is(play: Play) -> None:
    book = scene(play)
    ticked(basis(book, 150), "")
    share = book.state.book.guards.drawdown.share
    assert share > D("0.004")
    event = CapitalMoved(kit.VENUE, "spot", "USDT", D(-300_000), "w1", book.market_ms)
    book >> event << saved(Transaction, kind="capital") << said("capital.moved")
    ticked(basis(book, 150), "")
    assert abs(book.state.book.guards.drawdown.share - share) < D("0.0001")
    book >> event << silence()
    assert book.balance("equity:capital") == 300_000, "a repeat is recognised"
    book >> CapitalMoved(kit.VENUE, "spot", "USDT", D(900_000), "d1", book.market_ms)
    ticked(basis(book, 150), "")
    assert abs(book.state.book.guards.drawdown.share - share) < D("0.0001")


def test_money_that_goes_while_nothing_can_be_measured_is_no_loss(play: Play) -> None:
    book = scene(play)
    book.wait(6).feed(Tick())
    assert r05_drawdown.measure(book.state.book) is None, "marks are too old"
    book.feed(CapitalMoved(kit.VENUE, "spot", "USDT", D(-300_000), "w1", book.market_ms))
    for _ in range(4):
        assert not ticked(basis(book, 0), "drawdown.hard")
    assert book.state.book.guards.drawdown.share < D("0.0005")


def test_a_hedge_that_is_half_done_does_not_lift_the_mark(play: Play) -> None:
    """In a jump one leg is sold at the price of now, and the other one is still valued at the last."""
    book = scene(play)
    before = book.state.book.guards.drawdown.high_usd
    book.hedge.unbalanced_mono_ms = book.mono_ms
    book.state.ledger.balances["venue:binance:spot", "USDT"] += D(5000)
    ticked(basis(book, 0), "")
    assert book.state.book.guards.drawdown.high_usd == before
    assert book.hedge.unbalanced_mono_ms is None, "the legs cancel"
    ticked(basis(book, 0), "")
    assert before is not None
    assert abs((book.state.book.guards.drawdown.high_usd or D(0)) - before - 5000) < 1


@pytest.mark.parametrize("filled", [True, False])
def test_a_leg_that_may_have_filled_is_not_the_loss_of_the_other_one(play: Play, filled: bool) -> None:
    """An outage, and the price doubles: the books show a short alone, whose purchase nobody tells the end of."""
    book = scene(play)
    book >> CloseCoin("BTC", "enough")
    book >> Tick() << orders("sell spot 0.199", "buy perp 0.199 reduce")
    book >> fills("spot")
    book >> unanswered("perp")
    book.unmet.clear()
    order = book.last("perp")
    for _ in range(8):
        dearer(book.wait(0.3), "210000")
        assert not ticked(book, "drawdown.hard")
    drawdown = book.state.book.guards.drawdown
    assert drawdown.share > D("0.015")
    assert state(book) is Breach.NONE
    assert not r05_drawdown.allows(book.state.book), "nothing opens meanwhile"
    if filled:
        book.feed(fill_of(book, order, price=order.decided_price))
        book.feed(report_of(order, OrderState.FILLED, order.quantity_base))
    else:
        book.feed(report_of(order, OrderState.CANCELLED, D(0)))
    dearer(book.wait(0.3), "210000")
    assert ticked(book, "drawdown.hard") is not filled


def closing(play: Play) -> Playbook:
    """Both orders of a slice have left, and nothing was told of them yet."""
    book = scene(play)
    book >> CloseCoin("BTC", "enough")
    book >> Tick() << orders("sell spot 0.199", "buy perp 0.199 reduce")
    book.unmet.clear()
    return book


def test_a_leg_whose_order_the_venue_says_is_there_is_naked(play: Play) -> None:
    book = closing(play)
    order = book.last("perp")
    book >> fills("spot")
    book.unmet.clear()
    told = False
    for _ in range(8):
        dearer(book.wait(0.3), "210000")
        book.feed(report_of(order, OrderState.LIVE, D(0)))
        told |= ticked(book, "drawdown.hard")
    assert told


def test_orders_that_leave_both_legs_in_doubt_hide_no_basis(play: Play) -> None:
    book = closing(play)
    for one in ("spot", "perp"):
        book >> unanswered(one)
        book.unmet.clear()
    assert any(ticked(basis(book, 700), "drawdown.hard") for _ in range(4))


def test_nothing_is_reduced_for_what_may_be_no_loss(play: Play) -> None:
    """The soft limit is passed by a basis; then a leg's end is unknown while its price runs, cool-downs long."""
    book = scene(play)
    for _ in range(4):
        ticked(basis(book, 310), "drawdown.soft")
    drawdown = book.state.book.guards.drawdown
    book.hedge.legs[0].quantity_base -= D("0.1")
    order = replace(book.sent[-1], client_id="cb-lost", side=Side.BUY, leg=0, quantity_base=D("0.1"))
    book.state.orders["cb-lost"] = OrderRecord(replace(order, decided_price=D(100_000)), OrderState.UNKNOWN)
    book.hedge.order_ids.append("cb-lost")
    drawdown.stepped_ms = 1
    dearer(book.wait(0.3), "150000")
    r05_drawdown.update(book.state.book)
    assert drawdown.share > drawdown.stepped_share > D("0.008")
    assert not r05_drawdown.step_due(book.state.book)
    book.state.orders["cb-lost"].state = OrderState.LIVE
    assert r05_drawdown.step_due(book.state.book)


def test_no_judgement_without_fresh_marks(play: Play) -> None:
    book = scene(play)
    basis(book, 900).wait(6)
    for _ in range(8):
        assert not ticked(book.wait(0.6), "drawdown.hard")
    assert state(book) is Breach.NONE


def test_a_closed_hedge_bears_its_entry_costs_at_once(play: Play) -> None:
    book = scene(play)
    costs = book.state.book.guards.drawdown.entry_costs
    assert costs[book.hedge.id][0] > 400
    before = costs[book.hedge.id][0]
    book.feed(Reconfigure(kit.config(("BTC",), limits=Limits(per_coin_cap=D("0.15")))))
    book.run(10)
    assert costs[book.hedge.id][0] < before * D("0.55"), "half of it went with half of the hedge"


def test_mark_level_and_costs_survive_a_restart(play: Play) -> None:
    book = scene(play)
    price = D(100_000)
    memory: dict[tuple[str, str, str], Remembered] = {}
    for _ in range(4):
        basis(book, 310)
        for action in book.feed(Tick()):
            record = getattr(action, "record", None)
            if isinstance(record, Remembered):
                memory[record.rule, record.subject, record.name] = record
    drawdown = book.state.book.guards.drawdown
    assert drawdown.high_usd is not None
    memory["R5", "", "high"] = Remembered("R5", "", "high", drawdown.high_usd, book.market_ms)
    cost = drawdown.entry_costs[book.hedge.id]
    memory["R5", book.hedge.id, "entry_cost"] = Remembered("R5", book.hedge.id, "entry_cost", *cost)
    books = Books(
        epoch=2,
        hedges=list(book.state.book.live_hedges()),
        balances=dict(book.state.ledger.balances),
        remembered=list(memory.values()),
        prices=[LastPrice(leg.instrument, price, book.market_ms) for leg in book.hedge.legs],
    )
    again = play(state=restore(books, book.config))
    found = again.state.book.guards.drawdown
    assert (found.level, found.high_usd, found.entry_costs) == (Breach.SOFT, drawdown.high_usd, drawdown.entry_costs)
    again.market_ms, again.mono_ms = book.market_ms, book.mono_ms
    again.feed(kit.listing(("BTC",)))
    again.feed(Reconciled(kit.VENUE))
    target = again.hedge.target_base
    again >> Tick() << silence()
    assert again.hedge.target_base == target, "an unvalued book is not judged, and no step is taken twice"
    assert found.level is Breach.SOFT


def test_limits_take_effect_while_running(play: Play) -> None:
    book = scene(play)
    basis(book, 100)
    tight = Limits(per_coin_cap=D("0.3"), drawdown=DrawdownLimits(soft=D("0.001"), hard=D("0.002")))
    book.feed(Reconfigure(kit.config(("BTC",), limits=tight)))
    for _ in range(3):
        ticked(basis(book, 100), "")
    assert state(book) is Breach.HARD
