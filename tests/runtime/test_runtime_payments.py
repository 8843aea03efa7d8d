"""Funding and interest as they come between the requests that read the wallets, and the timers of loans."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

import pytest
from quiet_venue import START_MS, QuietVenue, instrument
from test_runtime_reconcile import Rig

from bot.domain import events as ev
from bot.domain.hedges import Interest, Receipt
from bot.domain.instruments import Kind, margin_twin
from bot.domain.market import BorrowTerms, CollateralRatio
from bot.domain.time import DAY_MS, HOUR_MS
from bot.ports import CapitalBooked, TransferBooked, VenueError
from bot.runtime.payments import Payment, of_interest, of_receipt, split
from bot.runtime.pollers import Pollers, Rhythm
from bot.runtime.vitals import Vitals

D = Decimal
PERP, MARGIN = ("perp", "USDT"), ("margin", "BTC")


def receipt(payment: str, at_ms: int, number: int) -> Payment:
    terms = D("0.0001"), None, None, D(payment), "USDT", str(number)
    return of_receipt(Receipt("toy", "main", "toy:BTCUSDT:perp", "BTC", at_ms, *terms))


def interest(amount: str, at_ms: int, number: int) -> Interest:
    return Interest("toy", "main", "BTC", D(amount), None, at_ms, str(number))


def charge(amount: str, at_ms: int, number: int) -> Payment:
    return of_interest(interest(amount, at_ms, number))


def test_each_wallet_was_read_at_a_moment_of_its_own() -> None:
    """The perp wallet was read before the payment of hour 2, the margin wallet after the charge of hour 3."""
    paid = [receipt("5", 1, 1), receipt("7", 2, 2), charge("0.1", 1, 3), charge("0.2", 2, 4), charge("0.3", 3, 5)]
    found = split({PERP: D(5), MARGIN: D("-0.6")}, reversed(paid))
    assert found.explained
    assert [one.venue_id for one in found.before] == ["1", "3", "4", "5"]
    assert [one.venue_id for one in found.after] == ["2"]


@pytest.mark.parametrize("gap", ["4.99", "5.01", "12.5", "-5"])
def test_what_no_run_of_the_oldest_payments_makes_up_for_is_not_explained(gap: str) -> None:
    found = split({PERP: D(gap)}, [receipt("5", 1, 1), receipt("7", 2, 2)])
    assert not found.explained
    assert len(found.before) == 2, "all are facts, and are booked"


def test_a_payment_into_a_wallet_without_a_gap_came_later() -> None:
    assert split({PERP: D(0)}, [receipt("5", 1, 1)]).after
    unified = split({("unified", "USDT"): D(5)}, [receipt("5", 1, 1)])
    assert unified.explained


class LendingVenue(QuietVenue):
    """Owes a bitcoin on margin and is charged for it; it is its own `lender`."""

    def __init__(self) -> None:
        super().__init__()
        self.lender = self  # type: ignore[assignment]
        self.balances["margin"] = {"USDT": D(70_000)}
        self.interest: list[Interest] = []
        self.recalls: list[ev.LoanRecalled] = []
        self.counts_for = 1.0

    def charge(self, amount: str, number: int) -> None:
        self.interest.append(interest(amount, self.now_ms, number))
        self.balances["margin"]["BTC"] = self.balances["margin"].get("BTC", D(0)) - D(amount)

    async def fetch_listing(self) -> ev.VenueListed:
        listed = await super().fetch_listing()
        twin = margin_twin(instrument(Kind.SPOT))
        fees = {**listed.fees, twin.id: listed.fees["toy:BTCUSDT:spot"]}
        return ev.VenueListed("toy", (*listed.instruments, twin), fees, listed.tiers)

    async def fetch_terms(self, assets: Sequence[str]) -> AsyncIterator[BorrowTerms]:
        self._answer("terms")
        for asset in assets:
            yield BorrowTerms("toy", asset, D("0.00001"), D(5), self.now_ms)

    async def fetch_collateral(self) -> Sequence[CollateralRatio]:
        self._answer("collateral")
        return [CollateralRatio("toy", self.counts_for)]

    async def fetch_recalls(self) -> Sequence[ev.LoanRecalled]:
        self._answer("recalls")
        return self.recalls

    async def fetch_interest(self, since_ms: int) -> Sequence[Interest]:
        self._answer("interest")
        return [one for one in self.interest if one.charged_ms >= since_ms]


async def test_interest_alone_costs_two_questions_and_comes_before_the_balances() -> None:
    rig = await Rig(LendingVenue()).start()
    venue = rig.venue
    assert isinstance(venue, LendingVenue)
    assert rig.state.openings.keys() == {"opening:toy", "opening:toy:margin"}
    venue.now_ms += HOUR_MS
    venue.charge("0.00001", 1)
    assert await rig.reconciler.once("regular")
    await rig.flush()
    assert venue.asked == ["account", "receipts", "interest"]
    assert rig.kinds == ["InterestCharged", "AccountReported", "Reconciled"]
    assert rig.state.differences == {}
    assert rig.state.ledger.balance("venue:toy:margin", "BTC") == D("-0.00001")
    venue.asked.clear()
    assert await rig.reconciler.once("regular")
    assert venue.asked == ["account"]


async def test_interest_from_before_the_first_look_is_never_booked() -> None:
    venue = LendingVenue()
    venue.charge("0.5", 1)
    venue.now_ms += 1
    rig = await Rig(venue).start()
    venue.now_ms += HOUR_MS
    venue.charge("0.00001", 2)
    assert await rig.reconciler.once("regular")
    await rig.flush()
    assert rig.state.ledger.balance("interest:foreign", "BTC") == D("0.00001")
    assert rig.state.differences == {}


async def test_a_trade_by_hand_on_margin_is_a_difference() -> None:
    rig = await Rig(LendingVenue()).start()
    venue = rig.venue
    assert isinstance(venue, LendingVenue)
    venue.now_ms += HOUR_MS
    venue.charge("0.00001", 1)
    venue.balances["margin"]["BTC"] += D("0.25")
    await rig.reconciler.once("regular")
    await rig.flush()
    assert rig.state.ledger.knows("interest:toy:main:BTC:1")
    assert not rig.accounts[-1].complete or rig.state.differences


async def test_a_move_from_before_the_margin_wallet_was_opened_is_not_booked_again() -> None:
    """The owner brought collateral a day before: it is in the opening balance."""
    venue = LendingVenue()
    venue.transfers.append(TransferBooked("m-old", "USDT", D(70_000), "spot", "margin", START_MS - DAY_MS))
    rig = await Rig(venue).start()
    rig.books.floor_ms = START_MS - 2 * DAY_MS
    venue.now_ms += HOUR_MS
    venue.balances["spot"]["USDT"] -= D(3)
    venue.balances["margin"]["USDT"] += D(3)
    venue.transfers.append(TransferBooked("m-new", "USDT", D(3), "spot", "margin", venue.now_ms))
    for _ in range(3):
        await rig.reconciler.once("regular")
        await rig.flush()
    moved = {event.venue_id for event in rig.delivered if isinstance(event, ev.CapitalMoved)}
    assert moved == {"m-new:spot", "m-new:margin"}
    assert rig.state.ledger.balance("venue:toy:margin", "USDT") == 70_003
    assert rig.state.differences == {}


async def test_collateral_from_before_loans_were_allowed_leaves_the_spot_wallet_once() -> None:
    """It was a withdrawal then; since the margin wallet is one of the account's, the venue lists the same move."""
    venue = LendingVenue()
    venue.lender, margin = None, venue.balances.pop("margin")
    rig = await Rig(venue).start()
    venue.now_ms += HOUR_MS
    venue.balances["spot"]["USDT"] -= 1_000
    venue.capital.append(CapitalBooked("MAIN_MARGIN:7", "spot", "USDT", D(-1_000), venue.now_ms))
    assert await rig.reconciler.once("regular")
    await rig.flush()
    assert rig.state.ledger.balance("equity:capital", "USDT") == 1_000
    venue.now_ms += HOUR_MS
    venue.lender, venue.balances["margin"], venue.capital = venue, margin, []  # type: ignore[assignment]
    moved = TransferBooked("7", "USDT", D(1_000), "spot", "margin", venue.now_ms - HOUR_MS, "MAIN_MARGIN:7")
    venue.transfers.append(moved)
    for _ in range(4):
        rig.reconciler._capital_s -= 60
        await rig.reconciler.once("regular")
        await rig.flush()
    assert rig.state.ledger.balance("venue:toy:spot", "USDT") == venue.balances["spot"]["USDT"]
    assert rig.state.ledger.balance("venue:toy:margin", "USDT") == 70_000
    assert rig.state.ledger.balance("equity:capital", "USDT") == 0, "it is back among the account's wallets"
    assert rig.state.differences == {}


async def test_capital_from_before_the_margin_wallet_was_opened_is_not_booked_again() -> None:
    """What came from the funding wallet a day before is in the opening balance; a deposit has both asked for."""
    venue = LendingVenue()
    rig = await Rig(venue).start()
    rig.books.floor_ms = START_MS - 2 * DAY_MS
    venue.now_ms += HOUR_MS
    venue.balances["spot"]["USDT"] += 5
    venue.capital.append(CapitalBooked("FUNDING_MARGIN:8", "margin", "USDT", D(500), START_MS - DAY_MS))
    venue.capital.append(CapitalBooked("deposit:9", "spot", "USDT", D(5), venue.now_ms))
    for _ in range(3):
        await rig.reconciler.once("regular")
        await rig.flush()
    assert rig.state.ledger.balance("venue:toy:margin", "USDT") == 70_000
    assert rig.state.differences == {}


async def test_terms_and_recalls_are_asked_for_again_and_again_also_after_failures() -> None:
    venue = LendingVenue()
    venue.recalls.append(ev.LoanRecalled("toy", "BTC", START_MS + DAY_MS, "delisted"))
    told: list[ev.Event] = []
    lines: list[str] = []
    wanted: list[str] = []
    vitals = Vitals(lambda: 0)
    pollers = Pollers(
        venue,
        None,  # type: ignore[arg-type]
        Rhythm(loans_s=0.01),
        told.append,
        vitals,
        lambda _severity, name, **_fields: lines.append(name),
        lambda: None,
    )
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(pollers.loans(lambda: wanted))
        await asyncio.sleep(0.02)
        assert not venue.asked, "nothing is lent yet"
        wanted.append("BTC")
        venue.down = True
        await _until(lambda: "fetch.failed" in lines)
        venue.down = False
        await _until(lambda: len(told) >= 4)
        task.cancel()
    assert {type(event) for event in told} == {BorrowTerms, CollateralRatio, ev.LoanRecalled}


async def test_a_recall_is_told_also_while_the_terms_are_not() -> None:
    """An asset that leaves margin trading may be the very reason why the terms are refused."""
    venue, told = LendingVenue(), list[ev.Event]()
    venue.recalls.append(ev.LoanRecalled("toy", "BTC", START_MS + DAY_MS, "delisted"))

    async def refused(assets: Sequence[str]) -> AsyncIterator[BorrowTerms]:
        yield BorrowTerms("toy", "SOL", D("0.00001"), D(5), START_MS)
        raise VenueError("no terms")

    venue.fetch_terms = refused  # type: ignore[method-assign]
    lines: list[str] = []
    report = lambda _severity, name, **_fields: lines.append(name)  # noqa: E731
    pollers = Pollers(venue, None, Rhythm(), told.append, Vitals(lambda: 0), report, lambda: None)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(pollers.loans(lambda: ["BTC"]))
        await _until(lambda: bool(told) and "fetch.failed" in lines)
        task.cancel()
    assert {type(event) for event in told} == {BorrowTerms, CollateralRatio, ev.LoanRecalled}
    assert {event.asset for event in told if isinstance(event, BorrowTerms)} == {"SOL"}, "what was told before stands"


async def _until(done) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - a plain list tells
            await asyncio.sleep(0.01)


async def test_a_venue_that_does_not_answer_about_interest_ends_the_pass() -> None:
    rig = await Rig(LendingVenue()).start()
    venue = rig.venue
    assert isinstance(venue, LendingVenue)
    venue.now_ms += HOUR_MS
    venue.charge("0.00001", 1)

    async def silent(since_ms: int) -> Sequence[Interest]:
        raise VenueError("no answer")

    venue.fetch_interest = silent  # type: ignore[method-assign]
    with pytest.raises(VenueError):
        await rig.reconciler.once("regular")
    assert not any(isinstance(event, ev.AccountReported) for event in rig.delivered)
