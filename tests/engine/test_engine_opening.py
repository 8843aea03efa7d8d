"""How a hedge is opened: slices of both legs together, intents committed first, made whole or taken back."""

from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, both_fill, expires, fills, orders, refused, said, saved, silence

from bot.domain.actions import Emit, Persist, PlaceOrders
from bot.domain.config import CoreConfig, Execution
from bot.domain.events import Tick
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.orders import Fill, OrderIntent, OrderState, Purpose
from bot.domain.time import HOUR_MS
from bot.domain.valuation import worst_usd


def test_both_legs_of_a_slice_leave_together_after_their_intents_were_saved(play: Play) -> None:
    book = play().scene()
    (
        book
        >> Tick()
        << said("hedge.aimed", coin="BTC", target_base=Decimal("0.49"))
        << saved(OrderIntent, leg=0, client_id="cb1-1-1", purpose=Purpose.OPEN)
        << saved(OrderIntent, leg=1, client_id="cb1-1-2", purpose=Purpose.OPEN)
        << saved(Hedge, state=HedgeState.OPENING, orders_made=2)
        << orders("buy spot 0.1992", "sell perp 0.199")
    )
    book >> both_fill << saved(Fill) << saved(Fill) << orders("buy spot 0.1992", "sell perp 0.199")
    book >> both_fill << orders("buy spot 0.0921", "sell perp 0.092")
    book >> both_fill << said("hedge.opened", coin="BTC", quantity_base=Decimal("0.49000950"))
    book.wait(1).alive() >> Tick() << silence()
    assert book.hedge.state is HedgeState.HEDGED


def test_every_order_has_its_intent_earlier_in_the_same_list(play: Play) -> None:
    book = play(coins=("BTC", "ETH", "PEPE")).scene()
    actions = book.feed(Tick())
    saved_ids: set[str] = set()
    placed = 0
    for action in actions:
        match action:
            case Persist(OrderIntent() as intent):
                saved_ids.add(intent.client_id)
            case PlaceOrders(intents):
                placed += 1
                assert {intent.client_id for intent in intents} <= saved_ids
            case _:
                pass
    assert placed == 3


@pytest.mark.parametrize("coin", ["BTC", "ETH", "PEPE"])
def test_a_fee_taken_in_the_coin_is_bought_too_so_that_the_legs_cancel(play: Play, coin: str) -> None:
    book = play(coins=(coin,)).scene().run()
    hedge = book.hedge
    spot, perp = (book.state.market.instruments[leg.instrument] for leg in hedge.legs)
    assert hedge.state is HedgeState.HEDGED
    assert hedge.legs[1].quantity_base == -hedge.target_base
    assert Decimal(0) <= hedge.imbalance_base <= max(spot.lot, perp.lot)
    wallet = book.balance("venue:binance:spot", coin)
    assert wallet == hedge.legs[0].quantity_base, "the leg is what the wallet holds, net of fees"


def test_contracts_of_a_thousand_are_traded_in_whole_contracts(play: Play) -> None:
    book = play(coins=("PEPE",)).scene()
    book >> Tick() << orders("buy spot 1000500501", "sell perp 999500000")
    book >> both_fill << orders("buy spot 1000500501", "sell perp 999500000")
    assert book.sent[1].quantity_base % 1000 == 0
    book.unmet.clear()


def test_a_short_spot_fill_is_completed_at_once(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("perp") << silence()
    book >> fills("spot", "0.1") << silence()
    (
        book
        >> expires("spot", "0.1")
        << said("hedge.unbalanced", coin="BTC")
        << saved(OrderIntent, leg=0, purpose=Purpose.COMPLETE)
        << orders("buy spot 0.0992")
    )
    assert book.hedge.state is HedgeState.UNBALANCED
    book >> fills("spot") << said("hedge.balanced") << orders("buy spot 0.1992", "sell perp 0.199")


def test_a_short_perp_fill_is_completed_at_once(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    book >> fills("perp", "0.05") << silence()
    (
        book
        >> expires("perp", "0.05")
        << saved(OrderIntent, leg=1, purpose=Purpose.COMPLETE)
        << orders("sell perp 0.149")
    )


def test_two_empty_handed_orders_are_tried_again_after_a_pause(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> expires("spot") << silence()
    book >> expires("perp") << silence()
    book.wait(0.1).alive() >> Tick() << silence()
    book.wait(0.2).alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    assert book.sent[-1].client_id == "cb1-1-4", "a new try is a new order"


def test_what_is_being_built_keeps_its_aim_when_a_decision_falls_into_a_repair(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    book >> refused("perp", "rate limit") << orders("sell perp 0.199")
    book.until(book.market_ms + 5 * HOUR_MS).alive() >> Tick() << said("risk.refused", rule="R10", coin="BTC")
    assert book.hedge.target_base == Decimal("0.49")
    book >> fills("perp") << said("hedge.balanced") << orders("buy spot 0.1992", "sell perp 0.199")


def test_a_refused_second_leg_is_completed(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    book >> refused("perp", "-2019") << said("order.rejected", reason="-2019") << orders("sell perp 0.199")
    book >> fills("perp") << said("hedge.balanced") << orders("buy spot 0.1992", "sell perp 0.199")


def test_a_leg_that_is_refused_again_and_again_ends_with_the_first_leg_unwound(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    book >> refused("perp") << orders("sell perp 0.199")
    for _ in range(2):
        book >> refused("perp") << silence()
        book.wait(0.3).alive() >> Tick() << orders("sell perp 0.199")
    book >> refused("perp") << silence()
    book.wait(0.3).alive() >> Tick() << saved(OrderIntent, purpose=Purpose.UNWIND) << orders("sell spot 0.199")
    book.hedge.target_base = Decimal(0)
    book >> fills("spot") << said("hedge.closed", coin="BTC")


def test_when_the_leg_limit_has_passed_the_filled_leg_is_unwound(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    book >> expires("perp") << orders("sell perp 0.199")
    book >> expires("perp") << silence()
    book.wait(3.1).alive() >> Tick() << saved(OrderIntent, purpose=Purpose.UNWIND) << orders("sell spot 0.199")


def test_when_the_lagging_leg_has_run_away_the_filled_one_is_unwound(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    for quote in kit.quotes("BTC", basis_bps="-70"):
        book >> quote << silence()
    book >> expires("perp") << saved(OrderIntent, purpose=Purpose.UNWIND) << orders("sell spot 0.199")


def test_the_short_is_bought_back_when_the_spot_cannot_be_had(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("perp") << silence()
    for quote in kit.quotes("BTC", basis_bps="-70"):
        book >> quote << silence()
    book >> refused("spot", "-2010") << saved(OrderIntent, purpose=Purpose.UNWIND) << orders("buy perp 0.199 reduce")


def test_a_gap_too_small_for_the_lagging_leg_is_taken_back_on_the_other(play: Play) -> None:
    """ETH perpetuals start at 20 USDT, the spot at 5: a gap of 10 USDT cannot be completed, but it can be unwound."""
    book = play(coins=("ETH",)).scene()
    book >> Tick() << orders("buy spot 5.0041", "sell perp 4.999")
    book >> fills("spot") << silence()
    book >> fills("perp", "4.996") << silence()
    book >> expires("perp", "4.996") << saved(OrderIntent, purpose=Purpose.UNWIND) << orders("sell spot 0.003")


def test_a_gap_that_no_leg_can_trade_is_dust_and_stops_nothing(play: Play) -> None:
    book = play(coins=("PEPE",)).scene()
    book >> Tick() << orders("buy spot 1000500501", "sell perp 999500000")
    book >> fills("spot") << silence()
    # 100,000 PEPE are two dollars: more than either lot, less than either leg's minimum
    book >> fills("perp", "999400000") << silence()
    book >> expires("perp", "999400000") << silence(Emit) << orders("buy spot 1000400400", "sell perp 999500000")
    book >> both_fill << orders("buy spot 451551552", "sell perp 451100000")
    book >> both_fill << silence()
    assert book.hedge.state is HedgeState.HEDGED
    assert book.hedge.unbalanced_mono_ms is None


def test_a_thin_book_makes_small_slices(play: Play) -> None:
    book = play().scene()
    for one in kit.liquidity("BTC", depth_usd=40_000):
        book >> one
    book >> Tick() << orders("buy spot 0.0991", "sell perp 0.099")


def test_a_basis_that_fell_since_the_decision_is_waited_for(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    for quote in kit.quotes("BTC", basis_bps="-20"):
        book >> quote
    book >> both_fill << silence()
    assert book.hedge.state is HedgeState.HEDGED
    book.wait(1).alive() >> Tick() << silence()
    spot, perp = kit.quotes("BTC", basis_bps="0")
    book >> spot << silence()
    book >> perp << orders("buy spot 0.1992", "sell perp 0.199")


def test_the_repair_limits_are_the_owners(play: Play) -> None:
    config = kit.config(("BTC",), execution=Execution(rehedges_max=1))
    book = play(config).scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    book >> refused("perp") << orders("sell perp 0.199")
    book >> refused("perp") << silence()
    book.wait(0.3).alive() >> Tick() << orders("sell spot 0.199")
    assert isinstance(book.config, CoreConfig)
    assert all(order.state is not OrderState.UNKNOWN for order in book.state.orders.values())


def test_what_is_under_way_counts_at_the_price_of_now(play: Play) -> None:
    """An order that waited while its coin rose by a half is worth as much more, whatever its limit."""
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    before = worst_usd(book.state.book, book.hedge)
    book.price("BTC", "150000")
    assert worst_usd(book.state.book, book.hedge) > before * Decimal("1.4")
    assert worst_usd(book.state.book, book.hedge) == Decimal("0.1992") * 150_000
