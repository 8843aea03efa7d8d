"""Reconciliation: the order of what is delivered, and when balances may be called complete."""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest
from quiet_venue import PERP, SPOT, START_MS, QuietVenue
from test_runtime_consumer import intent

from bot.domain import events as ev
from bot.domain.books import Books
from bot.domain.config import CoreConfig
from bot.domain.hedges import Hedge, HedgeState, Leg, LiquidationCharge, TransferIntent
from bot.domain.instruments import Kind
from bot.domain.orders import Fill, OrderRecord, OrderState, Side
from bot.domain.time import Stamp
from bot.engine.core import step
from bot.engine.money import TAKEN
from bot.engine.recovery import restore
from bot.ports import CapitalBooked, TransferBooked, VenueError, VenueHistory
from bot.runtime.account import StateView
from bot.runtime.reconcile import LAG_S, BooksEnd, Reconciler
from bot.runtime.vitals import Vitals


class Clock:
    def __init__(self, venue: QuietVenue) -> None:
        self.venue = venue
        self.wall_ms = 10_000

    def market_ms(self) -> int:
        return self.venue.now_ms

    def mono_ms(self) -> int:
        return self.wall_ms


class Rig:
    """A reconciler over the real engine; events are applied when the reconciler waits for them."""

    def __init__(self, venue: QuietVenue, *, opened: bool = True) -> None:
        self.venue = venue
        self.clock = Clock(venue)
        self.state = restore(Books(epoch=1), CoreConfig())
        self.delivered: list[ev.Event] = []
        self.applied = 0
        self.traffic = (0, 0)
        self.books = BooksEnd(0, 0, set())
        self.lines: list[str] = []
        self.reconciler = Reconciler(
            venue,
            StateView(self.state, "toy"),
            self.books,
            self.clock,
            self.delivered.append,
            self.flush,
            lambda: self.traffic,
            2.0,
            Vitals(self.clock.mono_ms),
            lambda _severity, name, **_fields: self.lines.append(name),
        )
        self.opened = opened

    async def start(self) -> "Rig":
        self.delivered.append(await self.venue.fetch_listing())
        await self.flush()
        if self.opened:
            assert await self.reconciler.once("start")
            await self.flush()
            self.delivered.clear()
            self.applied = 0
            self.venue.asked.clear()
        return self

    async def flush(self) -> None:
        while self.applied < len(self.delivered):
            event = self.delivered[self.applied]
            self.applied += 1
            step(self.state, event, Stamp(self.applied, self.clock.market_ms(), self.clock.mono_ms()))

    @property
    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.delivered]

    @property
    def accounts(self) -> list[ev.AccountReported]:
        return [event for event in self.delivered if isinstance(event, ev.AccountReported)]


async def test_the_first_pass_opens_the_ledger_with_what_the_venue_holds() -> None:
    rig = await Rig(QuietVenue(), opened=False).start()
    assert await rig.reconciler.once("start")
    await rig.flush()
    assert rig.kinds == ["VenueListed", "AccountReported", "Reconciled"]
    assert rig.state.ledger.balance("venue:toy:spot", "USDT") == 100_000
    assert rig.books.floor_ms == START_MS
    assert rig.state.book.ready == {"toy": True}


async def test_money_from_before_the_opening_is_never_booked_again() -> None:
    venue = QuietVenue()
    venue.pay("7", 1)
    venue.now_ms += 60_000
    rig = await Rig(venue).start()
    venue.now_ms += 60_000
    venue.pay("3", 2)
    assert await rig.reconciler.once("regular")
    await rig.flush()
    assert [e.receipt.venue_id for e in rig.delivered if isinstance(e, ev.FundingReceived)] == ["2"]
    assert rig.state.differences == {}


async def test_equal_balances_need_no_history() -> None:
    rig = await Rig(QuietVenue()).start()
    assert await rig.reconciler.once("regular")
    assert rig.venue.asked == ["account"]
    assert rig.kinds == ["AccountReported", "Reconciled"]
    assert rig.accounts[0].complete


async def test_funding_alone_costs_one_question_and_comes_before_the_balances() -> None:
    rig = await Rig(QuietVenue()).start()
    rig.venue.now_ms += 1_000
    rig.venue.pay("1.5", 1)
    rig.venue.pay("-0.25", 2)
    assert await rig.reconciler.once("regular")
    await rig.flush()
    assert rig.venue.asked == ["account", "receipts"]
    assert rig.kinds == ["FundingReceived", "FundingReceived", "AccountReported", "Reconciled"]
    assert rig.state.differences == {}


class LosesItsFeed(QuietVenue):
    """A private stream is lost while the balances are fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.during: Callable[[], None] = lambda: None

    async def fetch_account(self) -> ev.AccountReported:
        self.during()
        return await super().fetch_account()


async def test_a_pass_that_began_before_a_feed_was_lost_reconciles_nothing() -> None:
    venue = LosesItsFeed()
    rig = await Rig(venue).start()

    def lose() -> None:
        rig.clock.wall_ms += 30
        rig.delivered.append(ev.FeedLost("toy:user-perp", "connected again: events in between were not sent"))

    venue.during = lose
    assert await rig.reconciler.once("regular")
    await rig.flush()
    assert rig.kinds[-1] == "Reconciled"
    assert rig.state.book.ready == {"toy": False}
    venue.during = lambda: None
    assert await rig.reconciler.once("toy:user-perp was lost")
    await rig.flush()
    assert rig.state.book.ready == {"toy": True}


class PaysInBetween(QuietVenue):
    """A market so fast that funding is paid between any two answers."""

    number = 0

    async def fetch_account(self) -> ev.AccountReported:
        report = await super().fetch_account()
        self.now_ms += 1_000
        self.number += 1
        self.pay("2", self.number)
        return report


async def test_balances_are_placed_among_the_receipts_where_they_agree() -> None:
    rig = Rig(PaysInBetween(), opened=False)
    rig.delivered.append(await rig.venue.fetch_listing())
    await rig.flush()
    for wallet, assets in rig.venue.balances.items():
        for asset, amount in assets.items():
            rig.state.ledger.balances[f"venue:toy:{wallet}", asset] = amount
    rig.books.floor_ms = START_MS
    rig.delivered.clear()
    rig.applied = 0
    rig.venue.pay("1", 1_000)
    assert await rig.reconciler.once("regular")
    await rig.flush()
    assert rig.kinds == ["FundingReceived", "AccountReported", "FundingReceived", "Reconciled"]
    assert rig.accounts[0].complete
    assert rig.state.differences == {}, "the engine saw them agree, though the venue never held still"


def hold(rig: Rig) -> None:
    legs = Leg(SPOT, Kind.SPOT, 1), Leg(PERP, Kind.PERP, -1)
    hedge = Hedge("h1", 1, "cash_and_carry", "BTC", "toy", HedgeState.OPENING, legs, Decimal(1), START_MS)
    rig.state.hedges["h1"] = hedge


async def test_a_fill_that_was_missed_is_found_and_delivered_before_the_balances() -> None:
    rig = await Rig(QuietVenue()).start()
    hold(rig)
    rig.venue.now_ms += 1_000
    order = OrderRecord(intent("cb1-1-1"), OrderState.UNKNOWN)
    rig.state.orders["cb1-1-1"] = order
    rig.state.hedges["h1"].order_ids.append("cb1-1-1")
    rig.venue.fill(order.intent)
    assert await rig.reconciler.once("start")
    await rig.flush()
    assert rig.kinds[-2:] == ["AccountReported", "Reconciled"]
    assert "OrderFilled" in rig.kinds[:-2]
    assert rig.state.orders == {}, "asked for, filled, settled"
    assert rig.state.hedges["h1"].legs[0].quantity_base == Decimal("0.999"), "net of the fee taken in the coin"
    assert rig.accounts[-1].complete
    assert rig.state.differences == {}


async def test_while_an_order_is_undecided_balances_are_not_called_complete() -> None:
    rig = await Rig(QuietVenue()).start()
    rig.state.orders["cb1-1-1"] = OrderRecord(intent("cb1-1-1"), sent_mono_ms=rig.clock.wall_ms)
    assert not await rig.reconciler.once("regular", tries=2)
    assert [account.complete for account in rig.accounts] == [False]
    assert rig.kinds[-1] == "Reconciled"


async def test_an_order_whose_request_has_not_ended_is_not_asked_for() -> None:
    """Where the venue liquidates, passes are asked for while the other legs are being sold."""
    rig = await Rig(QuietVenue()).start()
    order = rig.state.orders["cb1-1-1"] = OrderRecord(intent("cb1-1-1"), sent_mono_ms=rig.clock.wall_ms)
    assert not await rig.reconciler.once("regular", tries=1)
    assert "query" not in rig.venue.asked
    order.state = OrderState.UNKNOWN
    assert not await rig.reconciler.once("regular", tries=1)
    assert "query" in rig.venue.asked


async def test_while_something_is_being_sent_balances_are_not_called_complete() -> None:
    rig = await Rig(QuietVenue()).start()
    rig.traffic = (1, 5)
    assert not await rig.reconciler.once("regular", tries=2)
    assert not rig.accounts[-1].complete


async def test_a_real_difference_is_reported_as_one() -> None:
    rig = await Rig(QuietVenue()).start()
    rig.venue.balances["spot"]["BTC"] = Decimal("0.5")
    assert await rig.reconciler.once("regular"), "the venue held still: the difference is real"
    await rig.flush()
    assert rig.accounts[-1].complete
    assert ("toy", "spot", "BTC") in rig.state.differences


def pending(rig: Rig, amount: int = 500) -> TransferIntent:
    move = TransferIntent("t1-1", "toy", "USDT", Decimal(amount), "spot", "perp", rig.venue.now_ms)
    rig.state.transfers["t1-1"] = move
    rig.state.transfers_unknown["t1-1"] = None
    return move


async def test_an_unanswered_transfer_is_found_in_the_venues_list() -> None:
    rig = await Rig(QuietVenue()).start()
    move = pending(rig)
    rig.venue.now_ms += 1_000
    await rig.venue.transfer(move, lambda _event: None)
    assert await rig.reconciler.once("regular")
    await rig.flush()
    assert [e for e in rig.delivered if isinstance(e, ev.TransferSettled)] == [ev.TransferSettled("t1-1", "m1")]
    assert rig.state.differences == {}


async def test_another_transfers_entry_explains_nothing() -> None:
    rig = await Rig(QuietVenue()).start()
    pending(rig)
    rig.books.transfers_seen.add("m0")
    rig.venue.transfers = [
        TransferBooked("m0", "USDT", Decimal(500), "spot", "perp", rig.venue.now_ms),
        TransferBooked("m1", "USDT", Decimal(500), "perp", "spot", rig.venue.now_ms),
        TransferBooked("m2", "USDT", Decimal(501), "spot", "perp", rig.venue.now_ms),
    ]
    assert not await rig.reconciler.once("regular", tries=1)
    assert not any(isinstance(e, ev.TransferSettled) for e in rig.delivered)


async def test_a_transfer_without_a_trace_fails_only_after_the_settle_window() -> None:
    rig = await Rig(QuietVenue()).start()
    pending(rig)
    assert not await rig.reconciler.once("regular", tries=2)
    assert "TransferFailed" not in rig.kinds
    rig.clock.wall_ms += 2_100
    assert await rig.reconciler.once("regular")
    (failed,) = (event for event in rig.delivered if isinstance(event, ev.TransferFailed))
    assert not failed.refused, "it was never made: nothing speaks against making it now"


async def test_a_transfer_whose_request_has_not_ended_may_still_be_made() -> None:
    """Its commit takes seconds, or it waits for request weight: what histories do not show meanwhile says nothing."""
    rig = await Rig(QuietVenue()).start()
    pending(rig)
    del rig.state.transfers_unknown["t1-1"]
    for _ in range(3):
        assert not await rig.reconciler.once("regular", tries=1)
        rig.clock.wall_ms += 2_100
    rig.state.transfers_unknown["t1-1"] = None
    assert not await rig.reconciler.once("regular", tries=1)
    assert "TransferFailed" not in rig.kinds, "this is the first history since it got no answer"
    rig.clock.wall_ms += 2_100
    assert await rig.reconciler.once("regular", tries=1)
    assert "TransferFailed" in rig.kinds


async def test_a_history_says_nothing_of_the_time_that_its_other_answers_took() -> None:
    class Slow(QuietVenue):
        async def fetch_history(self, since_ms: int, instruments: Sequence[str]) -> VenueHistory:
            found = await super().fetch_history(since_ms, instruments)
            for clock in clocks:
                clock.wall_ms += 2_500
            return found

    clocks: list[Clock] = []
    rig = await Rig(Slow()).start()
    pending(rig)
    assert not await rig.reconciler.once("regular", tries=1)
    clocks.append(rig.clock)
    assert not await rig.reconciler.once("regular", tries=1)
    assert "TransferFailed" not in rig.kinds, "asked for at once, and answered after the settle window"
    assert await rig.reconciler.once("regular", tries=1)
    assert "TransferFailed" in rig.kinds


async def test_foreign_orders_are_named_and_left_alone() -> None:
    rig = await Rig(QuietVenue()).start()
    rig.venue.open_orders = [("mine-by-hand", SPOT, "77")]
    await rig.reconciler.look_for_foreign_orders()
    assert rig.lines[-1] == "orders.foreign"
    assert rig.delivered == []


async def test_a_venue_that_does_not_answer_ends_the_pass() -> None:
    rig = await Rig(QuietVenue()).start()
    rig.venue.down = True
    with pytest.raises(VenueError):
        await rig.reconciler.once("regular")
    assert rig.delivered == []


class TestLiquidation:
    """The venue's fee for it is in no trade and no receipt: the history alone tells of it."""

    @staticmethod
    def charged(rig: Rig, amount: str, name: str = "c1", instrument: str | None = PERP) -> LiquidationCharge:
        at_ms = rig.venue.now_ms
        charge = LiquidationCharge("toy", "main", "perp", instrument, "USDT", Decimal(amount), at_ms, name)
        rig.venue.charges.append(charge)
        rig.venue.balances["perp"]["USDT"] += charge.amount
        return charge

    @pytest.mark.parametrize("instrument", [PERP, None])
    async def test_the_fee_explains_what_money_alone_differs_by(self, instrument: str | None) -> None:
        rig = await Rig(QuietVenue()).start()
        rig.venue.now_ms += 1_000
        self.charged(rig, "-12.5", instrument=instrument)
        rig.venue.pay("0.25", 7)
        assert await rig.reconciler.once("regular")
        await rig.flush()
        assert rig.accounts[-1].complete
        assert rig.state.differences == {}
        assert rig.state.ledger.balance("fee:foreign", "USDT") == Decimal("12.5"), "no hedge is known here"
        rig.delivered.clear()
        rig.applied = 0
        assert await rig.reconciler.once("regular")
        assert rig.kinds == ["AccountReported", "Reconciled"], "it is booked once"

    async def test_a_liquidation_while_the_daemon_was_down_is_found_whole(self) -> None:
        """The position is gone, the wallet is lighter by the loss and the fee: fill, fee, and then the balances."""
        rig = await Rig(QuietVenue()).start()
        legs = (Leg(SPOT, Kind.SPOT, 1), Leg(PERP, Kind.PERP, -1, Decimal("-0.1"), Decimal(-5_000)))
        hedge = Hedge("h1", 1, "cash_and_carry", "BTC", "toy", HedgeState.HEDGED, legs, Decimal(0), 0)
        rig.state.book.hedges["h1"] = rig.state.last_hedge[PERP] = hedge
        rig.venue.now_ms += 60_000
        loss, fee = Decimal(-2_000), Decimal("3.5")
        rig.venue.fills.append(
            Fill("toy", PERP, "t9", "autoclose-1", "v9", Side.BUY, Decimal(70_000), Decimal("0.1"), fee, "USDT", loss,
                 maker=False, traded_ms=rig.venue.now_ms)
        )  # fmt: skip
        rig.venue.balances["perp"]["USDT"] += loss - fee
        self.charged(rig, "-87.5")
        assert await rig.reconciler.once("start")
        await rig.flush()
        assert rig.kinds == ["OrderFilled", "LiquidationCharged", "AccountReported", "Reconciled"]
        assert rig.accounts[-1].complete
        assert rig.state.differences == {}
        assert rig.state.ledger.balance("fee:h1", "USDT") == fee + Decimal("87.5")
        assert hedge.fees_usd == fee + Decimal("87.5")
        assert hedge.reason == TAKEN

    async def test_a_trade_of_a_coin_that_is_not_held_any_more_is_looked_for_as_well(self) -> None:
        """A margin wallet that differs may differ by interest; when it goes on, trades of it are fetched."""

        class Asked(QuietVenue):
            wanted: Sequence[str] = ()

            async def fetch_history(self, since_ms: int, instruments: Sequence[str]) -> VenueHistory:
                self.wanted = list(instruments)
                return await super().fetch_history(since_ms, instruments)

        venue = Asked()
        rig = await Rig(venue).start()
        venue.balances["margin"] = {"BTC": Decimal("0.001")}
        await rig.reconciler.once("regular", tries=4)
        assert not rig.state.hedges
        assert venue.wanted == [PERP, SPOT]

    async def test_what_was_charged_before_the_books_were_opened_is_not_booked(self) -> None:
        rig = await Rig(QuietVenue(), opened=False).start()
        self.charged(rig, "-4")
        rig.venue.now_ms += 1_000
        assert await rig.reconciler.once("start")
        await rig.flush()
        rig.venue.now_ms += 1_000
        self.charged(rig, "-1", "c2")
        assert await rig.reconciler.once("regular")
        await rig.flush()
        charges = [event.charge.venue_id for event in rig.delivered if isinstance(event, ev.LiquidationCharged)]
        assert charges == ["c2"]
        assert rig.state.differences == {}


class TestCapital:
    """What the owner moved is booked as such; only what nobody explains is a difference."""

    @staticmethod
    def moved(rig: Rig, name: str, amount: str, *, asset: str = "USDT", returned: bool = False) -> CapitalBooked:
        return CapitalBooked(name, "spot", asset, Decimal(amount), rig.venue.now_ms, returned)

    @pytest.mark.parametrize(("asset", "amount"), [("USDT", "5000"), ("USDT", "-7000.5"), ("BTC", "0.25")])
    async def test_a_deposit_or_withdrawal_explains_the_balance(self, asset: str, amount: str) -> None:
        rig = await Rig(QuietVenue()).start()
        rig.venue.now_ms += 1_000
        held = rig.venue.balances["spot"]
        held[asset] = held.get(asset, Decimal(0)) + Decimal(amount)
        rig.venue.capital = [self.moved(rig, "w1", amount, asset=asset)]
        assert await rig.reconciler.once("regular")
        await rig.flush()
        assert rig.accounts[-1].complete
        assert rig.state.differences == {}
        assert rig.state.ledger.balance("equity:capital", asset) == -Decimal(amount)
        rig.delivered.clear()
        rig.applied = 0
        assert await rig.reconciler.once("regular")
        assert rig.kinds == ["AccountReported", "Reconciled"], "it is booked once"

    async def test_a_withdrawal_that_failed_comes_back(self) -> None:
        rig = await Rig(QuietVenue()).start()
        rig.venue.now_ms += 1_000
        rig.venue.balances["spot"]["USDT"] -= 100
        rig.venue.capital = [self.moved(rig, "w1", "-100")]
        assert await rig.reconciler.once("regular")
        rig.venue.balances["spot"]["USDT"] += 100
        rig.venue.capital = [self.moved(rig, "w1", "-100", returned=True)]
        rig.reconciler._capital_s -= 60
        assert await rig.reconciler.once("regular")
        await rig.flush()
        assert rig.state.differences == {}
        assert rig.state.ledger.balance("equity:capital", "USDT") == 0

    async def test_a_withdrawal_that_failed_before_it_was_booked_is_nothing(self) -> None:
        rig = await Rig(QuietVenue()).start()
        rig.venue.capital = [self.moved(rig, "w1", "-100", returned=True)]
        rig.venue.balances["spot"]["USDT"] += 1
        assert not await rig.reconciler.once("regular")
        assert "CapitalMoved" not in rig.kinds

    async def test_a_move_between_wallets_by_hand_is_booked_and_changes_no_worth(self) -> None:
        rig = await Rig(QuietVenue()).start()
        rig.venue.now_ms += 1_000
        rig.venue.balances["spot"]["USDT"] -= 300
        rig.venue.balances["perp"]["USDT"] += 300
        rig.venue.transfers = [TransferBooked("m1", "USDT", Decimal(300), "spot", "perp", rig.venue.now_ms)]
        assert await rig.reconciler.once("regular")
        await rig.flush()
        assert rig.state.differences == {}
        assert rig.state.ledger.balance("equity:capital", "USDT") == 0
        assert [e.internal for e in rig.delivered if isinstance(e, ev.CapitalMoved)] == [True, True]

    async def test_what_no_record_explains_stays_a_difference(self) -> None:
        rig = await Rig(QuietVenue()).start()
        rig.venue.now_ms += 1_000
        rig.venue.balances["spot"]["USDT"] += 50
        rig.venue.capital = [self.moved(rig, "w1", "49")]
        for _ in range(5):
            rig.reconciler._capital_s -= 60
            await rig.reconciler.once("regular")
            await rig.flush()
        off, seen = rig.state.differences["toy", "spot", "USDT"]
        assert off == 1
        assert seen >= 3
        assert rig.state.book.unexplained == {"toy"}

    async def test_what_may_be_a_deposit_is_no_alarm_before_deposits_were_asked_for(self) -> None:
        rig = await Rig(QuietVenue()).start()
        rig.venue.now_ms += 1_000
        for number, usd in enumerate(("50", "70")):
            rig.venue.balances["spot"]["USDT"] += Decimal(usd)
            rig.venue.capital = [*rig.venue.capital, self.moved(rig, f"d{number}", usd)]
            for _ in range(4):
                await rig.reconciler.once("regular")
                await rig.flush()
        assert rig.state.differences == {}, "the second came too soon after the first to be asked for"
        rig.reconciler._capital_s -= 60
        assert await rig.reconciler.once("regular")
        await rig.flush()
        assert rig.state.ledger.balance("equity:capital", "USDT") == -120

    async def test_a_question_for_deposits_that_failed_is_none(self) -> None:
        rig = await Rig(QuietVenue()).start()
        await rig.flush()
        rig.venue.now_ms += 1_000
        rig.venue.balances["spot"]["USDT"] -= 410
        rig.venue.capital = [self.moved(rig, "w1", "-410")]
        rig.reconciler._capital_s = time.monotonic()
        for _ in range(4):
            await rig.reconciler.once("regular")
            await rig.flush()
        rig.venue.failing = {"capital"}
        rig.reconciler._capital_s -= 60
        with pytest.raises(VenueError):
            await rig.reconciler.once("regular")
        for _ in range(4):
            await rig.reconciler.once("regular")
            await rig.flush()
        assert rig.state.differences == {}
        rig.reconciler._capital_s -= 60
        assert await rig.reconciler.once("regular")
        await rig.flush()
        assert rig.state.ledger.balance("equity:capital", "USDT") == 410

    @pytest.mark.parametrize(("coins", "age_s", "asked_again"), [(0, 0, False), (1, 0, True), (1, LAG_S, False)])
    async def test_money_that_the_history_does_not_explain_waits_for_the_deposits(
        self, coins: int, age_s: float, asked_again: bool
    ) -> None:
        """Where coins differ as well, a venue may show the trade later than what it changed."""
        rig = await Rig(QuietVenue()).start()
        held = rig.venue.balances["spot"]
        held["BTC"] = held.get("BTC", Decimal(0)) + coins
        rig.reconciler._capital_s = time.monotonic()
        for number in range(4):
            held["USDT"] += 50 * (number == 0)
            await rig.reconciler.once("regular")
            await rig.flush()
        rig.reconciler._left = rig.reconciler._left[0], time.monotonic() - age_s
        rig.venue.asked.clear()
        assert not await rig.reconciler.once("regular")
        assert ("history" in rig.venue.asked) == asked_again
        held["USDT"] += 1
        rig.venue.asked.clear()
        await rig.reconciler.once("regular")
        assert "history" in rig.venue.asked, "it is another difference"

    async def test_agreeing_balances_cost_no_dear_question(self) -> None:
        rig = await Rig(QuietVenue()).start()
        for _ in range(3):
            await rig.reconciler.once("regular")
        assert "capital" not in rig.venue.asked


def test_suspects_are_the_coins_that_differ() -> None:
    rig = Rig(QuietVenue())
    view = StateView(rig.state, "toy")
    calm = ev.AccountReported("toy", {}, {}, complete=False)
    assert view.suspects(calm) == []
    rig.state.book.market.list_instruments(_listed())
    moved = ev.AccountReported("toy", {}, {PERP: Decimal(-1)}, complete=False)
    assert list(view.suspects(moved)) == [PERP, SPOT]


def _listed() -> Sequence[object]:  # type: ignore[type-arg]
    from quiet_venue import instrument

    return instrument(Kind.SPOT), instrument(Kind.PERP)
