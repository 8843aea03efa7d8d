"""After a crash: the books are all there is, what was in flight is unknown, and nothing is sent twice."""

from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal

import market_kit as kit
from playbook import (
    Play,
    Playbook,
    asked,
    both_fill,
    fill_of,
    fills,
    moved,
    orders,
    receipt,
    report_of,
    said,
    saved,
    silence,
    unanswered,
)

from bot.domain.actions import Action, ControlSet, LastPrice, Persist, PlaceOrders
from bot.domain.books import Books
from bot.domain.config import Budget, CoreConfig, Limits
from bot.domain.events import OrderNotFound, Reconciled, Tick, TransferSettled
from bot.domain.guards import Remembered
from bot.domain.hedges import Hedge, HedgeState, Receipt, Removal, TransferIntent
from bot.domain.ledger import Transaction
from bot.domain.orders import OrderRecord, OrderState
from bot.domain.time import HOUR_MS
from bot.engine.recovery import restore
from bot.engine.state import EngineState


@dataclass
class Disk:
    """What the store would hold: every record that was persisted, by its own key."""

    hedges: dict[str, Hedge] = field(default_factory=dict)
    orders: dict[str, OrderRecord] = field(default_factory=dict)
    removals: dict[tuple[str, str, int], Removal] = field(default_factory=dict)
    transactions: list[Transaction] = field(default_factory=list)
    transfers: dict[str, TransferIntent] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    prices: dict[str, LastPrice] = field(default_factory=dict)
    remembered: dict[tuple[str, str, str], Remembered] = field(default_factory=dict)
    control: ControlSet | None = None
    transfers_ended: set[str] = field(default_factory=set)

    def commit(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Persist):
                self._keep(deepcopy(action.record))

    def _keep(self, record: object) -> None:
        match record:
            case Hedge():
                self.hedges[record.id] = record
            case OrderRecord():
                self.orders[record.intent.client_id] = record
            case Removal():
                self.removals[record.venue, record.coin, record.direction] = record
            case Transaction():
                self.transactions.append(record)
            case TransferIntent():
                self.transfers[record.id] = record
            case Receipt():
                self.receipts.append(record)
            case Remembered():
                self.remembered[record.rule, record.subject, record.name] = record
            case LastPrice():
                self.prices[record.instrument] = record
            case ControlSet():
                self.control = record
            case _:
                name = getattr(record, "transfer_id", None)
                if name is not None:
                    self.transfers_ended.add(name)

    def books(self, epoch: int) -> Books:
        balances: dict[tuple[str, str], Decimal] = {}
        for one in self.transactions:
            for entry in one.entries:
                key = entry.account, entry.asset
                balances[key] = balances.get(key, Decimal(0)) + entry.amount
        return deepcopy(
            Books(
                epoch=epoch,
                hedges=[hedge for hedge in self.hedges.values() if hedge.state is not HedgeState.CLOSED],
                hedge_count=len(self.hedges),
                orders=[order for order in self.orders.values() if not order.settled],
                transfers=[one for name, one in self.transfers.items() if name not in self.transfers_ended],
                transfer_count=len(self.transfers),
                balances=balances,
                transaction_count=len(self.transactions),
                chain=self.transactions[-1].chain if self.transactions else "",
                transaction_ids={one.id for one in self.transactions},
                removals=list(self.removals.values()),
                control=self.control,
                prices=list(self.prices.values()),
                recent_receipts=list(self.receipts),
                remembered=[one for one in self.remembered.values() if one.value],
            )
        )


class Recorded(Playbook):
    """A playbook whose every step is committed to a disk before anything of it counts as sent."""

    def __init__(
        self, disk: Disk, coins: tuple[str, ...] = ("BTC",), config: CoreConfig | None = None, epoch: int = 1
    ) -> None:
        cfg = config or kit.config(coins)
        super().__init__(cfg, coins, restore(disk.books(epoch), cfg))
        self.disk = disk

    def feed(self, event):  # type: ignore[no-untyped-def]
        actions = super().feed(event)
        self.disk.commit(actions)
        return actions

    def crash(self, epoch: int) -> "Recorded":
        """Kill it, and start again from what is on disk; the market is known, the account not yet."""
        self.settle()
        again = Recorded(self.disk, self.coins, self.config, epoch)
        again.market_ms, again.mono_ms, again.trades = self.market_ms + 5_000, self.mono_ms + 5_000, self.trades
        again.sent = list(self.sent)
        again.feed(kit.listing(self.coins))
        for coin in self.coins:
            for one in (*kit.history(coin, kit.START_MS), *kit.liquidity(coin), *kit.quotes(coin)):
                again.feed(one)
        again.alive()
        return again


def fresh() -> Recorded:
    book = Recorded(Disk())
    book.scene()
    return book


def test_orders_in_flight_are_unknown_after_a_crash_and_asked_for() -> None:
    book = fresh()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    again = book.crash(2)
    states = {order.state for order in again.state.orders.values()}
    assert states == {OrderState.UNKNOWN}
    again >> Tick() << asked("cb1-1-1") << asked("cb1-1-2") << said("hedge.quarantined") << silence()
    again >> Reconciled(kit.VENUE) << silence()
    again.wait(0.3).alive() >> Tick() << silence()
    again >> fills("spot") << saved(Hedge) << silence()
    again.unmet.clear()
    again >> fills("perp") << orders("buy spot 0.1992", "sell perp 0.199")
    assert [intent.client_id for intent in again.sent[-2:]] == ["cb2-1-3", "cb2-1-4"], "a new epoch, never an old id"
    again >> both_fill << orders("buy spot 0.0921", "sell perp 0.092")
    again >> both_fill << said("hedge.opened")
    assert len({intent.client_id for intent in again.sent}) == len(again.sent)


def test_an_order_that_never_left_is_believed_gone_only_after_a_new_settle_window() -> None:
    book = fresh()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    again = book.crash(2)
    again >> Reconciled(kit.VENUE)
    for client_id in ("cb1-1-1", "cb1-1-2"):
        again >> OrderNotFound(client_id, 2) << silence()
        assert again.state.orders[client_id].state is OrderState.UNKNOWN, "it may have left just before the crash"
    again.wait(1.9).alive()
    again >> OrderNotFound("cb1-1-1", 2) << silence()
    again.wait(0.2).alive()
    again >> OrderNotFound("cb1-1-1", 2) << saved(OrderRecord, state=OrderState.NEVER_SENT) << silence()
    (
        again
        >> OrderNotFound("cb1-1-2", 2)
        << saved(OrderRecord, state=OrderState.NEVER_SENT)
        << orders("buy spot 0.1992", "sell perp 0.199")
    )


def test_a_crash_between_the_legs_ends_whole() -> None:
    book = fresh()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    again = book.crash(2)
    perp = again.last("perp")
    again >> Reconciled(kit.VENUE)
    (
        again
        >> report_of(perp, OrderState.CANCELLED, Decimal(0))
        << said("hedge.unbalanced")
        << orders("sell perp 0.199")
    )
    assert again.hedge.legs[0].quantity_base == Decimal("0.1992") * Decimal("0.999")


def test_what_was_booked_before_the_crash_is_not_booked_again() -> None:
    book = fresh()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    trade = fill_of(book, book.last("spot"))
    paid = receipt("BTC", "1.5", kit.START_MS + 8 * HOUR_MS, "9")
    book >> trade << silence()
    book >> paid << saved(Receipt)
    count, chain = book.state.ledger.count, book.state.ledger.chain
    again = book.crash(2)
    again >> trade << silence(Persist)
    again >> paid << silence(Persist)
    assert (again.state.ledger.count, again.state.ledger.chain) == (count, chain)
    assert again.state.ledger.balances == book.state.ledger.balances
    assert again.hedge.legs == book.hedge.legs


def test_a_second_crash_during_recovery_changes_nothing() -> None:
    book = fresh()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    once = book.crash(2)
    once >> Tick() << asked("cb1-1-2")
    twice = once.crash(3)
    twice >> Reconciled(kit.VENUE)
    twice >> fills("perp") << orders("buy spot 0.1992", "sell perp 0.199")
    assert twice.sent[-1].client_id == "cb3-1-4"
    twice.unmet.clear()


def test_budgets_of_the_hour_are_not_given_anew_by_a_restart() -> None:
    limits = Limits(budget=Budget(orders_per_hour=3))
    book = Recorded(Disk(), config=kit.config(("BTC",), limits=limits))
    book.scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> both_fill << said("risk.refused", rule="budget", limit="3", observed="4") << silence()
    spent = book.state.book.guards.spent
    again = book.crash(2)
    assert again.state.book.guards.spent == spent
    assert spent.within_hour(book.market_ms)[1] == book.hedge.fees_usd > 0
    again >> Reconciled(kit.VENUE) << silence()
    again.wait(0.3).alive() >> Tick() << said("risk.refused", rule="budget", limit="3", observed="4") << silence()
    again.wait(1, market_s=3_660).alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    again.unmet.clear()


def test_a_resting_hedge_is_taken_up_as_it_was() -> None:
    book = fresh()
    book.run()
    again = book.crash(2)
    before, after = book.hedge, again.hedge
    assert (after.target_base, after.legs, after.funding_usd) == (before.target_base, before.legs, before.funding_usd)
    again >> Reconciled(kit.VENUE) << said("venue.reconciled", hedges=1)
    again.wait(0.3).alive() >> Tick() << silence()
    assert again.hedge.state is HedgeState.HEDGED
    assert again.state.hedge_count == 1


def test_removals_and_their_days_survive() -> None:
    book = Recorded(Disk())
    book.scene(rate="-0.0001")
    assert book.disk.removals["binance", "BTC", 1].removed
    again = book.crash(2)  # whose history says +0.0003: it was counted already
    removal = again.state.book.removals["binance", "BTC", 1]
    assert removal.removed
    assert removal.negative_days == 7
    again >> Reconciled(kit.VENUE)
    again.wait(0.3).alive() >> Tick() << silence()


def test_a_transfer_in_flight_is_pending_after_a_crash_and_blocks_the_next() -> None:
    book = Recorded(Disk())
    book.scene("1000000", "0")
    book >> Tick() << moved()
    again = book.crash(2)
    (name,) = again.state.transfers
    again >> Reconciled(kit.VENUE)
    for _ in range(3):
        again.wait(1).alive() >> Tick() << silence()
    again >> TransferSettled(name, "tran-1") << saved(Transaction, kind="transfer")
    again.wait(0.3).alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")


def test_the_books_can_be_valued_before_the_first_frame() -> None:
    book = fresh()
    book.run()
    book.wait(1, market_s=3600).alive() >> Tick()
    book.unmet.clear()
    state: EngineState = restore(book.disk.books(2), book.config)
    marks = {name: mark.mark for name, mark in state.market.marks.items()}
    assert marks == {kit.spot_id("BTC"): Decimal(100_000), kit.perp_id("BTC"): Decimal(100_000)}


def test_recovery_at_every_step_of_an_opening_ends_in_the_same_books() -> None:
    """Crash after each single event of an opening; the venue then tells what had happened. Invariant 14."""
    straight = fresh()
    straight.run()
    final = straight.hedge.legs
    for crash_at in range(1, 14):
        book = fresh()
        pending: list = []
        book = _play_until(book, crash_at, pending)
        again = book.crash(2)
        again.feed(Reconciled(kit.VENUE))
        for event in pending:  # the venue's history: all that happened, told again
            for action in again.feed(event):
                again.serve(action)
        again.run()
        legs = again.hedge.legs
        assert [leg.quantity_base for leg in legs] == [leg.quantity_base for leg in final], crash_at
        assert again.state.ledger.count == straight.state.ledger.count, crash_at


def _play_until(book: Recorded, crash_at: int, told: list) -> Recorded:
    """Open step by step; the venue fills everything at once, its messages arrive one event a step."""
    queue: list = []
    for _ in range(crash_at):
        actions = book.feed(queue.pop(0)) if queue else book.alive().feed(Tick())
        for action in actions:
            for intent in action.intents if isinstance(action, PlaceOrders) else ():
                news = [fill_of(book, intent), report_of(intent, OrderState.FILLED, intent.quantity_base)]
                queue += news
                told += news
        book.mono_ms += 250
        book.market_ms += 250
    return book


def test_an_unknown_from_before_the_crash_is_still_unknown(play: Play) -> None:
    book = fresh()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    book >> unanswered("perp") << asked()
    again = book.crash(2)
    assert again.state.orders["cb1-1-2"].state is OrderState.UNKNOWN
    assert again.hedge.order_ids == ["cb1-1-2"]
    again >> Reconciled(kit.VENUE) << silence()
    again.wait(0.3).alive() >> Tick() << asked("cb1-1-2") << silence()
