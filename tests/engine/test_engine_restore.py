"""From the books to a state, field by field: what is taken over, what begins anew, what nothing was known of."""

from decimal import Decimal

import market_kit as kit

from bot.domain.actions import ControlSet, LastPrice
from bot.domain.books import Books
from bot.domain.config import CoreConfig, StrategyConfig
from bot.domain.guards import Remembered
from bot.domain.hedges import Control, Hedge, HedgeState, Leg, Receipt, Removal, TransferIntent
from bot.domain.instruments import Kind
from bot.domain.orders import OrderIntent, OrderRecord, OrderState, Purpose, Side, TimeInForce
from bot.engine.recovery import half_lives_h, restore
from bot.engine.state import EngineState

D = Decimal
SPOT, PERP = kit.spot_id("ETH"), kit.perp_id("ETH")


def hedge(number: int = 1, spot: str = "2", perp: str = "-2") -> Hedge:
    legs = (Leg(SPOT, Kind.SPOT, 1, D(spot)), Leg(PERP, Kind.PERP, -1, D(perp)))
    found = Hedge(f"h{number}", number, "cash_and_carry", "ETH", kit.VENUE, HedgeState.HEDGED, legs, D(2), 7_000)
    found.order_ids = ["from before"]
    found.unbalanced_mono_ms, found.rehedges, found.wait_until_mono_ms = 55, 3, 99
    return found


def order(number: int, state: OrderState, hedge_id: str = "h1") -> OrderRecord:
    intent = OrderIntent(
        f"cb4-1-{number}",
        hedge_id,
        0,
        kit.VENUE,
        SPOT,
        Side.BUY,
        D(1),
        D(4_000),
        TimeInForce.IOC,
        reduce_only=False,
        purpose=Purpose.OPEN,
        created_ms=1,
        decided_price=D(4_000),
    )
    return OrderRecord(intent, state, None, D(0), D(0), sent_mono_ms=5, asked_mono_ms=6, asked_count=7)


def receipt(settled_ms: int, number: int, instrument: str = PERP) -> Receipt:
    return Receipt(kit.VENUE, "main", instrument, "ETH", settled_ms, None, None, None, D(1), "USDT", str(number))


def restored(books: Books) -> EngineState:
    return restore(books, CoreConfig())


def test_counters_and_the_ledger_go_on_where_they_were() -> None:
    books = Books(
        epoch=4,
        hedge_count=9,
        transfer_count=5,
        balances={("venue:binance:spot", "USDT"): D("1.50")},
        transaction_count=12,
        chain="abc",
        transaction_ids={"b", "a"},
        last_market_ms=777,
    )
    state = restored(books)
    assert (state.epoch, state.hedge_count, state.transfer_count) == (4, 9, 5)
    assert (state.ledger.count, state.ledger.chain) == (12, "abc")
    assert list(state.ledger.seen.items()) == [("a", 777), ("b", 777)], "in an order that no process changes"
    assert state.book.balances is state.ledger.balances
    assert state.book.balances == books.balances
    assert state.book.balances is not books.balances
    assert state.market.half_lives_h == half_lives_h(CoreConfig()) == (48, 504)


def test_a_hedge_is_taken_up_with_its_legs_and_without_the_clock_of_another_process() -> None:
    state = restored(Books(epoch=4, hedges=[hedge()]))
    found = state.hedges["h1"]
    assert (found.order_ids, found.unbalanced_mono_ms, found.rehedges, found.wait_until_mono_ms) == ([], None, 0, 0)
    assert state.announced == {"h1"}
    assert state.last_hedge == {SPOT: found, PERP: found}
    assert state.held_since_ms == {PERP: 7_000}, "of perpetuals alone: coins are paid no funding"


def test_a_hedge_that_holds_nothing_yet_is_not_announced_and_holds_no_perpetual() -> None:
    state = restored(Books(epoch=4, hedges=[hedge(spot="0", perp="0")]))
    assert state.announced == set()
    assert state.held_since_ms == {}
    only_coins = restored(Books(epoch=4, hedges=[hedge(spot="1", perp="0")]))
    assert only_coins.announced == {"h1"}
    assert only_coins.held_since_ms == {}


def test_orders_that_may_live_are_unknown_and_ended_ones_stay_what_they_are() -> None:
    made = [
        order(n, state) for n, state in enumerate((OrderState.INTENDED, OrderState.LIVE, OrderState.CANCELLED), 1)
    ]
    state = restored(Books(epoch=4, hedges=[hedge()], orders=[*made, order(4, OrderState.LIVE, "gone")]))
    assert [state.orders[f"cb4-1-{n}"].state for n in (1, 2, 3, 4)] == [
        *(OrderState.UNKNOWN, OrderState.UNKNOWN, OrderState.CANCELLED, OrderState.UNKNOWN)
    ]
    assert state.hedges["h1"].order_ids == ["cb4-1-1", "cb4-1-2", "cb4-1-3"]
    for record in state.orders.values():
        assert (record.sent_mono_ms, record.asked_mono_ms, record.asked_count) == (0, 0, 0)


def test_receipts_tell_until_when_each_instrument_and_venue_was_paid() -> None:
    other = kit.perp_id("BTC")
    books = Books(epoch=4, recent_receipts=[receipt(2_000, 1), receipt(9_000, 2, other), receipt(1_000, 3)])
    state = restored(books)
    assert state.receipts_until_ms == {kit.VENUE: 9_000}
    assert state.receipt_seen_ms == {PERP: 2_000, other: 9_000}


def test_a_single_receipt_at_the_very_beginning_counts() -> None:
    state = restored(Books(epoch=4, recent_receipts=[receipt(0, 1)]))
    assert state.receipts_until_ms == {kit.VENUE: 0}
    assert state.receipt_seen_ms == {PERP: 0}


def test_transfers_removals_prices_and_the_owners_wish() -> None:
    transfer = TransferIntent("t4-1", kit.VENUE, "USDT", D(50), "spot", "perp", 1)
    removal = Removal(kit.VENUE, "ETH", 1, removed=True)
    books = Books(
        epoch=4,
        transfers=[transfer],
        removals=[removal],
        prices=[LastPrice(PERP, D("4000.5"), 5)],
        control=ControlSet(Control.FLATTENING, "by hand", 5),
    )
    state = restored(books)
    assert state.transfers == {"t4-1": transfer}
    assert state.transfers_unknown == {"t4-1": None}
    assert state.book.removals == {(kit.VENUE, "ETH", 1): removal}
    mark = state.market.marks[PERP]
    assert (mark.instrument, mark.mark, mark.index, mark.predicted_rate) == (PERP, D("4000.5"), D("4000.5"), 0)
    assert (mark.next_funding_ms, mark.venue_ms) == (0, 0)
    assert (state.wanted, state.wanted_reason) == (Control.FLATTENING, "by hand")
    assert state.control is Control.HALTED, "until the venue's truth was fetched"


def test_without_a_wish_of_the_owner_it_runs_once_it_is_reconciled() -> None:
    state = restored(Books(epoch=4))
    assert (state.wanted, state.control) == (Control.RUNNING, Control.HALTED)
    assert state.book.ready == {}


def test_what_the_rules_wrote_down_is_theirs_again() -> None:
    books = Books(
        epoch=4,
        remembered=[
            Remembered("R5", "", "high", D(1_000), 5),
            Remembered("R9", f"{kit.VENUE}:ETH", "recalled", D(1), 33),
        ],
    )
    guards = restored(books).book.guards
    assert guards.drawdown.high_usd == 1_000
    assert guards.recalls == {(kit.VENUE, "ETH"): 33}


def test_rates_are_averaged_by_the_owners_half_lives() -> None:
    config = CoreConfig(strategy=StrategyConfig(fast_half_life_h=10, slow_half_life_h=100))
    assert restore(Books(epoch=4), config).market.half_lives_h == (10, 100)


def test_what_was_closed_last_is_known_for_what_is_still_paid_or_charged() -> None:
    before, now = hedge(2, "0.00001", "0"), hedge(5)
    before.state = HedgeState.CLOSED
    state = restored(Books(epoch=4, hedges=[now], closed=[before]))
    assert state.last_hedge == {SPOT: now, PERP: now}
    assert state.former_hedges == {SPOT: [before], PERP: [before]}
    assert set(state.hedges) == {"h5"}
    assert state.held_since_ms == {PERP: 7_000}
    alone = restored(Books(epoch=4, closed=[before]))
    assert alone.last_hedge == {SPOT: before, PERP: before}
    assert not alone.hedges


def test_what_a_crumb_an_empty_hedge_or_an_unknown_order_needs_stays_listed() -> None:
    """The venue may have closed its market while nobody ran, and must still be asked in the right units."""
    crumb = hedge(2, "0.00001", "0")
    crumb.state = HedgeState.CLOSED
    assert restored(Books(epoch=4, closed=[crumb])).instruments_in_use() == {SPOT, PERP}
    assert restored(Books(epoch=4, hedges=[hedge(3, "0", "0")])).instruments_in_use() == {SPOT, PERP}
    assert restored(Books(epoch=4, orders=[order(1, OrderState.LIVE)])).instruments_in_use() == {SPOT}
    assert not restored(Books(epoch=4)).instruments_in_use()
