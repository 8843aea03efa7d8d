"""How a hedge ends: in slices, both legs together, with dust at most; liquidations, foreign trades, the switch."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
from playbook import (
    Play,
    Playbook,
    both_fill,
    fill_of,
    fills,
    orders,
    report_of,
    said,
    saved,
    severity_of,
    silence,
)

from bot.domain.actions import ControlSet, Severity
from bot.domain.books import Books
from bot.domain.events import (
    CloseCoin,
    Flatten,
    Halt,
    OrderFilled,
    Readmit,
    Reconciled,
    Reconfigure,
    Resume,
    Stop,
    Tick,
    VenueListed,
)
from bot.domain.hedges import Control, Hedge, HedgeState, Removal
from bot.domain.orders import OrderIntent, OrderState, Purpose, Side
from bot.domain.time import DAY_MS, HOUR_MS
from bot.engine.recovery import restore
from bot.engine.summary import state_name


def opened(play: Play, coins: tuple[str, ...] = ("BTC",)) -> Playbook:
    book = play(coins=coins).scene().run()
    assert all(hedge.state is HedgeState.HEDGED for hedge in book.state.book.live_hedges())
    return book


def test_closing_sells_both_legs_in_slices_and_leaves_dust_at_most(play: Play) -> None:
    book = opened(play)
    book >> CloseCoin("BTC", "enough") << saved(Removal, removed=True) << said("coin.closing", coin="BTC")
    (
        book.wait(0.25).alive()
        >> Tick()
        << saved(OrderIntent, purpose=Purpose.CLOSE, reduce_only=False, leg=0)
        << saved(OrderIntent, purpose=Purpose.CLOSE, reduce_only=True, leg=1)
        << orders("sell spot 0.199", "buy perp 0.199 reduce")
    )
    book >> both_fill << orders("sell spot 0.199", "buy perp 0.199 reduce")
    book >> both_fill << orders("sell spot 0.092", "buy perp 0.092 reduce")
    hedge = book.hedge
    book >> both_fill << saved(Hedge, state=HedgeState.CLOSED) << said("hedge.closed", coin="BTC")
    assert hedge.legs[1].quantity_base == 0
    assert Decimal(0) <= hedge.legs[0].quantity_base < Decimal("0.00006"), "less than five dollars of coin"


def test_dust_stays_in_the_ledger_as_the_venue_holds_it(play: Play) -> None:
    book = opened(play)
    book.feed(CloseCoin("BTC", "enough"))
    book.run()
    assert not list(book.state.book.live_hedges())
    assert Decimal(0) <= book.balance("venue:binance:spot", "BTC") < Decimal("0.00006")


def test_a_coin_closed_by_the_owner_returns_only_by_the_owners_hand(play: Play) -> None:
    book = opened(play)
    book.feed(CloseCoin("BTC", "enough"))
    book.run()
    for day in range(1, 6):
        for at_ms in (kit.START_MS + day * DAY_MS - 8 * HOUR_MS, kit.START_MS + day * DAY_MS):
            book.until(max(at_ms, book.market_ms))
            book >> kit.history("BTC", at_ms, days=1)[-1]
        book.alive() >> Tick() << silence()
    assert book.state.book.removals["binance", "BTC", 1].removed
    book >> Readmit("BTC", "again") << said("coin.readmitted", rule="by hand")
    book.wait(0.3).alive() >> Tick() << said("hedge.aimed", coin="BTC")
    book.unmet.clear()


def test_a_liquidated_short_leads_to_the_sale_of_the_spot_and_keeps_the_coin_out(play: Play) -> None:
    book = opened(play)
    taken = fill_of(
        book,
        book.last("perp"),
        Decimal("0.49"),
        Decimal(140_000),
        client_id="autoclose-1733011200123456",
        fee=Decimal(100),
    )
    book >> _bought(taken) << said("position.taken", coin="BTC", quantity_base=Decimal("0.49"))
    assert severity_of(book, "position.taken") is Severity.CRITICAL
    book.wait(0.25).alive() >> Tick() << orders("sell spot 0.49")
    book >> fills("spot") << said("hedge.closed", coin="BTC")
    for _ in range(4):
        book.wait(2).alive() >> Tick() << silence()
    assert book.state.book.removals["binance", "BTC", 1].removed


def test_a_liquidation_does_not_wait_for_the_pause_that_repairs_before_it_had_earned(play: Play) -> None:
    book = opened(play)
    book.hedge.wait_until_mono_ms, book.hedge.rehedges = book.mono_ms + 30_000, 13
    taken = fill_of(book, book.last("perp"), Decimal("0.49"), client_id="autoclose-1733011200123456")
    book >> _bought(taken) << said("position.taken", coin="BTC")
    book.wait(0.25).alive() >> Tick() << orders("sell spot 0.49")
    book.unmet.clear()


def test_a_partly_deleveraged_short_is_matched_at_once(play: Play) -> None:
    book = opened(play)
    taken = fill_of(book, book.last("perp"), Decimal("0.1"), client_id="adl_autoclose")
    book >> _bought(taken) << said("position.taken", coin="BTC")
    book.wait(0.25).alive() >> Tick() << orders("sell spot 0.1")
    book >> fills("spot") << orders("sell spot 0.199", "buy perp 0.199 reduce")
    book.unmet.clear()


def test_a_foreign_trade_is_booked_and_told_but_moves_no_hedge(play: Play) -> None:
    book = opened(play)
    before = book.hedge.legs[0].quantity_base
    theirs = fill_of(book, book.last("spot"), Decimal("0.01"), client_id="web_1234")
    book >> theirs << said("fill.foreign", client_id="web_1234") << silence()
    assert book.hedge.legs[0].quantity_base == before
    assert book.balance("trade:foreign", "BTC") == Decimal("-0.01")
    book.wait(1).alive() >> Tick() << silence()


def test_halt_stops_what_grows_and_resume_goes_on(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> both_fill << orders("buy spot 0.1992", "sell perp 0.199")
    book >> Halt("lunch") << saved(ControlSet, control=Control.HALTED) << said("control.halted")
    book >> both_fill << silence()
    for _ in range(4):
        book.wait(1).alive() >> Tick() << silence()
    assert book.hedge.state is HedgeState.HEDGED
    book >> Resume("back") << saved(ControlSet, control=Control.RUNNING) << silence()
    book.wait(0.3).alive() >> Tick() << orders("buy spot 0.06707", "sell perp 0.067")
    book.unmet.clear()


def test_halt_lets_reductions_go_on(play: Play) -> None:
    book = opened(play)
    book >> Halt("lunch") << silence()
    book >> CloseCoin("BTC", "out") << silence()
    book.wait(0.3).alive() >> Tick() << orders("sell spot 0.199", "buy perp 0.199 reduce")
    book >> both_fill << orders("sell spot 0.199", "buy perp 0.199 reduce")
    book.unmet.clear()


def test_a_halted_hedge_with_one_leg_is_unwound_not_completed(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    book >> Halt("lunch") << silence()
    refused_perp = book.last("perp")
    book >> report_of(refused_perp, OrderState.CANCELLED, Decimal(0)) << orders("sell spot 0.199")


def test_flatten_closes_everything_and_ends_halted(play: Play) -> None:
    book = opened(play, ("BTC", "ETH"))
    book >> Flatten("going home") << saved(ControlSet, control=Control.FLATTENING) << silence()
    book.run(until=lambda: book.state.control is Control.HALTED)
    assert not list(book.state.book.live_hedges())
    assert book.state.wanted is Control.HALTED
    for _ in range(4):
        book.wait(5).alive() >> Tick() << silence()


def test_the_switch_survives_a_restart(play: Play) -> None:
    for control in (Control.HALTED, Control.FLATTENING):
        state = restore(Books(epoch=2, control=ControlSet(control, "the owner's wish", 0)), kit.config(("BTC",)))
        book = play(state=state).scene()
        assert book.state.control is control
        book >> Tick() << silence()
    assert book.state.control is Control.HALTED, "nothing to flatten: done"


def test_nothing_opens_before_the_venue_was_reconciled(play: Play) -> None:
    book = play().scene()
    book.state.book.ready.clear()
    for _ in range(3):
        book >> Tick() << silence()
        book.wait(0.3).alive()
    assert state_name(book.state) == "starting"
    book >> Reconciled(kit.VENUE) << said("venue.reconciled")
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.unmet.clear()


def test_stop_starts_nothing_and_takes_back_what_is_half_done(play: Play) -> None:
    book = play(coins=("BTC", "ETH")).scene()
    book.feed(Tick())
    eth, btc = book.last("spot"), book.sent[0]
    assert {eth.side, btc.side} == {Side.BUY}
    book >> Stop() << silence()
    assert state_name(book.state) == "stopping"
    for intent in book.sent[:2]:
        book >> fill_of(book, intent) << silence()
    first = book.state.hedges[book.sent[0].hedge_id]
    assert first.imbalance_base < Decimal("0.001")
    book.wait(1).alive() >> Tick() << silence()
    book >> fill_of(book, book.sent[2]) << silence()
    book >> report_of(book.sent[3], OrderState.CANCELLED, Decimal(0)) << orders(f"sell spot {_net(book.sent[2])}")


def test_at_the_very_end_nothing_leaves_of_which_nobody_would_hear(play: Play) -> None:
    book = play(coins=("BTC", "ETH")).scene()
    book.feed(Tick())
    book.feed(Stop())
    spot, perp = book.sent[:2]
    book >> fill_of(book, spot) << silence()
    book >> Stop(last=True) << silence()
    book >> report_of(perp, OrderState.CANCELLED, Decimal(0)) << silence()
    book.wait(1).alive() >> Tick() << silence()
    assert book.state.hedges[spot.hedge_id].imbalance_base > 0


def _net(intent: OrderIntent) -> str:
    net = (intent.quantity_base * Decimal("0.999")).quantize(Decimal("0.0001"), rounding="ROUND_FLOOR")
    return f"{net.normalize():f}"


def _bought(event: OrderFilled) -> OrderFilled:
    """The same trade on the other side: what a liquidation engine does to a short."""
    return OrderFilled(replace(event.fill, side=Side.BUY))


def test_a_hedge_that_the_venue_lists_no_more_is_told_of_and_ends_nothing(play: Play) -> None:
    """A coin that was delisted while the daemon was down: ticks, halts and flattens go on for the others."""
    held = opened(play).hedge
    held.order_ids.clear()
    book = play(coins=("ETH",), state=restore(Books(epoch=2, hedges=[held]), kit.config(("ETH",))))
    book.scene(rate="0")
    book >> Tick() << said("risk.refused", rule="R8", coin="BTC", hedge="h1")
    for event in (Halt("x"), Resume("x"), Flatten("x"), Tick(), CloseCoin("BTC", "x"), Tick(), Stop()):
        book.alive().feed(event)
    assert [hedge.id for hedge in book.state.book.live_hedges()] == ["h1"]


def test_a_short_that_cannot_be_bought_back_gets_its_coins_although_the_coin_is_beyond_its_cap(play: Play) -> None:
    """The venue has raised its least quantity, and the owner has lowered the cap: the short is held in any case."""
    book = play(kit.config(("BTC",))).scene().run()
    hedge = book.hedge
    spot, perp = kit.pair_instruments("BTC")
    least = abs(hedge.legs[1].quantity_base) + 1
    book.feed(VenueListed(kit.VENUE, (spot, replace(perp, quantity_min=least)), {}, {}))
    hedge.legs[0].quantity_base -= Decimal("0.1")
    hedge.state, hedge.target_base = HedgeState.UNBALANCED, Decimal("0.2")
    limits = replace(book.config.limits, per_coin_cap=Decimal("0.02"))
    book.feed(Reconfigure(replace(book.config, limits=limits)))
    sent = len(book.sent)
    (order,) = book.run(3).sent[sent:]
    assert (order.instrument, order.side, order.purpose) == (kit.spot_id("BTC"), Side.BUY, Purpose.COMPLETE)
    assert abs(hedge.imbalance_base) <= perp.lot
