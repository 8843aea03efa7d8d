"""The contract of venues that lend, for Binance's cross-margin account; and what only its wire has."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.domain.events import LoanRecalled, OrderFilled, OrderOutcomeUnknown, OrderReported, VenueListed
from bot.domain.instruments import FeeRates, Kind
from bot.domain.market import CollateralRatio
from bot.domain.orders import OrderState
from bot.ports import VenueError, VenueRefusedError
from bot.simulator.wire.options import Endpoint
from bot.venues.binance import BinanceVenue, margin
from bot.venues.binance.account import AccountReader
from bot.venues.binance.clock import MarketClock
from bot.venues.binance.listing import Universe
from bot.venues.transport import Transport
from tests.simulated import running as simulated
from tests.venues.conftest import streaming
from tests.venues.contract import HOUR_MS, Bench
from tests.venues.loan_contract import LENT, LoanContract, sale, sold
from tests.venues.test_binance_decode import BTC_SPOT


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """An exchange of its own: loans and their interest outlive a test."""
    with simulated(tmp_path) as endpoint:
        bench = Bench(endpoint=endpoint)
        bench.venue = lending(endpoint, bench)
        async with streaming(bench):
            yield bench


def lending(endpoint: Endpoint, bench: Bench, key: str = "demo", *, borrows: bool = True) -> BinanceVenue:
    transport = Transport("127.0.0.1", endpoint.port, endpoint.ca_file)
    coins = ("BTC", "ETH", "SOL")
    return BinanceVenue(
        *("binance", "main", f"{key}-key", f"{key}-secret"),
        transport=transport,
        coins=coins,
        borrows=borrows,
        timeout_s=2.0,
        log=bench.log,
    )


@asynccontextmanager
async def alone(tmp_path: Path, key: str = "demo", *, borrows: bool = True) -> AsyncIterator[Bench]:
    """A connected adapter without streams, at an exchange of its own."""
    with simulated(tmp_path) as endpoint:
        bench = Bench(endpoint=endpoint)
        bench.venue = lending(endpoint, bench, key, borrows=borrows)
        await bench.venue.connect()
        try:
            yield bench
        finally:
            await bench.venue.close()


class TestBinanceLoans(LoanContract):
    async def test_a_lost_reply_is_unknown_and_the_query_finds_the_order(self, bench: Bench) -> None:
        await sold(bench, "1")
        for how in ("hang", "reset", "5xx"):
            rule = {"kind": "reply_lost", "how": how, "path": "/sapi/v1/margin/order", "method": "POST", "count": 1}
            await bench.control("POST", "/faults", rule)
            intent = sale(bench, "2")
            await bench.venue.place([intent], reducing=False, deliver=bench.deliver)
            assert len(bench.of(OrderOutcomeUnknown, intent.client_id)) == 1, how
            await bench.venue.query(intent.client_id, LENT, None, intent.created_ms, bench.deliver)
            assert bench.of(OrderReported, intent.client_id)[-1].state is OrderState.FILLED
            assert sum(one.fill.quantity_base for one in bench.of(OrderFilled, intent.client_id)) == 2

    async def test_rates_limits_and_recalls_are_the_venues(self, bench: Bench) -> None:
        await sold(bench)
        limit = {"kind": "borrow_limit", "asset": "SOL", "available": 25}
        spike = {"kind": "borrow_rate", "asset": "SOL", "rate_year": 8.76}
        recall = {"kind": "loan_recall", "asset": "SOL", "grace_s": 36_000}
        await bench.control("POST", "/faults", [limit, spike])
        (terms,) = [one async for one in bench.venue.lender.fetch_terms(["SOL"])]
        assert (float(terms.rate_per_h), float(terms.available_base)) == (0.001, 15)
        await bench.control("POST", "/faults", recall)
        await bench.control("POST", "/clock", {"speed": 7_200})
        while not (recalls := await bench.venue.lender.fetch_recalls()):  # noqa: ASYNC110 - a question, not an event
            await asyncio.sleep(0.05)
        await bench.control("POST", "/clock", {"speed": 1})
        (told,) = recalls
        assert isinstance(told, LoanRecalled)
        assert told.asset == "SOL"
        assert told.due_ms > bench.venue.market_ms()

    async def test_a_collateral_ratio_that_is_cut_is_told_and_so_is_the_level(self, bench: Bench) -> None:
        await sold(bench)
        assert await bench.venue.lender.fetch_collateral() == [CollateralRatio("binance", 1.0)]
        before = await bench.venue._rest.data("sapiGetMarginAccount")
        await bench.control("POST", "/faults", {"kind": "collateral_ratio", "asset": "USDT", "ratio": 0.85})
        assert await bench.venue.lender.fetch_collateral() == [CollateralRatio("binance", 0.85)]
        after = await bench.venue._rest.data("sapiGetMarginAccount")
        for name in ("collateralMarginLevel", "TotalCollateralValueInUSDT"):
            assert float(after[name]) == pytest.approx(0.85 * float(before[name]), rel=0.02)

    async def test_small_pages_of_interest_tell_the_same(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        since_ms = bench.venue.market_ms() - 1_000
        await sold(bench)
        await bench.control("POST", "/clock", {"speed": 20_000})
        lender = bench.venue.lender
        while len(await lender.fetch_interest(since_ms)) < 9:
            pass
        await bench.control("POST", "/clock", {"speed": 1})
        whole = await lender.fetch_interest(since_ms)
        monkeypatch.setattr(margin, "PAGE", 4)
        monkeypatch.setattr(margin, "WINDOW_MS", 5 * HOUR_MS)
        assert await lender.fetch_interest(since_ms) == whole

    async def test_the_account_pays_interest_in_what_it_owes(self, bench: Bench) -> None:
        assert (await bench.venue.account_modes()).problem is None
        assert (await bench.venue.key_rights()).can_borrow


async def test_an_account_without_margin_trades_on_without(tmp_path: Path) -> None:
    async with alone(tmp_path, "marginless") as bench:
        venue = bench.venue
        assert venue.lender is None
        assert {i.kind for i in (await venue.fetch_listing()).instruments} == {Kind.SPOT, Kind.PERP}
        assert "margin" not in (await venue.fetch_account()).balances
        assert {name for name, _ in bench.logged} == {"venue.cannot_borrow"}
        assert not (await venue.key_rights()).can_borrow


async def test_it_may_begin_to_borrow_while_it_runs(tmp_path: Path) -> None:
    async with alone(tmp_path, borrows=False) as bench:
        venue = bench.venue
        assert venue.lender is None
        assert not venue.widen(("BTC", "ETH", "SOL"), ())
        assert venue.widen(("BTC", "ETH", "SOL"), (), borrows=True)
        assert Kind.MARGIN in {i.kind for i in (await venue.fetch_listing()).instruments}
        assert venue.lender is not None
        assert (await venue.fetch_account()).balances["margin"] == {}
        assert not venue.widen(("BTC", "ETH", "SOL"), (), borrows=False), "what may be owed stays"


async def test_a_move_bears_the_name_that_it_had_before_the_margin_wallet_was_the_accounts(tmp_path: Path) -> None:
    """By it the books know that its other side is booked."""
    async with alone(tmp_path, borrows=False) as bench:
        venue = bench.venue
        since_ms = venue.market_ms() - HOUR_MS
        await bench.move("25", "spot", "margin")
        (before,) = await venue.fetch_capital(since_ms)
        assert (before.wallet, before.amount) == ("spot", -25)
        venue.widen(("BTC", "ETH", "SOL"), (), borrows=True)
        await venue.fetch_listing()
        assert not await venue.fetch_capital(since_ms)
        (moved,) = (await venue.fetch_history(since_ms, [])).transfers
        assert moved.capital_id == before.venue_id


class ToldRest:
    """Answers of an account that pays spot fees in BNB; `margin` is the margin account's own."""

    def __init__(self, margin: Any, *, borrowable: bool = True, collateral: Any = None) -> None:
        self.margin, self.borrowable, self.collateral = margin, borrowable, collateral
        self.lent_no_more = {"ETH", "SOL"}

    async def data(self, endpoint: str, params: Any = None) -> Any:
        pair = {"symbol": "BTCUSDT", "isMarginTrade": True, "isBuyAllowed": True, "isSellAllowed": True}
        limit = {"coin": "BTC", "borrowable": self.borrowable, "borrowLimit": "10"}
        if endpoint == "sapiGetMarginNextHourlyInterestRate":
            assets = params["assets"].split(",")
            if self.lent_no_more.intersection(assets):
                raise VenueRefusedError("-11001", "This asset is not supported.")
            return [{"asset": asset, "nextHourlyInterestRate": "0.00001"} for asset in assets]
        answers = {
            "sapiGetMarginAllPairs": [pair],
            "sapiGetMarginCrossMarginData": [limit],
            "sapiGetMarginAvailableInventory": {"assets": {"BTC": "5"}},
            "sapiGetMarginCrossMarginCollateralRatio": self.collateral,
            "sapiGetMarginDelistSchedule": [{"delistTime": 1, "crossMarginAssets": ["BTC"]}],
        }
        found = answers.get(endpoint, self.margin)
        if isinstance(found, Exception):
            raise found
        return found


def tiered(*tiers: tuple[str, str | None, str], assets: Sequence[str] = ("BTC", "USDT")) -> list[dict[str, Any]]:
    collaterals = [
        {"minUsdValue": low, "discountRate": rate} | ({} if high is None else {"maxUsdValue": high})
        for low, high, rate in tiers
    ]
    return [{"collaterals": collaterals, "assetNames": list(assets)}]


TIERS = ("0", "100", "1"), ("100", "200", "0.9"), ("200", None, "0.5")


@pytest.mark.parametrize(
    ("held", "share"), [("0", 1), ("100", 1), ("150", (100 + 45) / 150), ("400", (100 + 90 + 100) / 400)]
)
async def test_each_tier_of_collateral_counts_its_own_part_of_what_is_held(held: str, share: float) -> None:
    account = {"userAssets": [{"asset": "USDT", "netAsset": held, "borrowed": "0", "interest": "0"}]}
    rest = ToldRest(account, collateral=tiered(*TIERS))
    lender = margin.CrossMargin("binance", "main", rest, MarketClock())  # type: ignore[arg-type]
    await lender.balances()
    (told,) = await lender.fetch_collateral()
    assert told.ratio == pytest.approx(share)


async def test_a_venue_that_says_nothing_of_the_quote_currency_cuts_nothing() -> None:
    rest = ToldRest({}, collateral=tiered(*TIERS, assets=["BTC"]))
    lender = margin.CrossMargin("binance", "main", rest, MarketClock())  # type: ignore[arg-type]
    assert await lender.fetch_collateral() == []


@pytest.mark.parametrize(
    "reply", [{"code": 0}, [{"assetNames": ["USDT"]}], tiered(("0", None, "0")), tiered(("0", None, "1.2"))]
)
async def test_a_collateral_ratio_that_cannot_be_is_no_answer(reply: Any) -> None:
    lender = margin.CrossMargin("binance", "main", ToldRest({}, collateral=reply), MarketClock())  # type: ignore[arg-type]
    with pytest.raises(VenueError, match="crossMarginCollateralRatio"):
        await lender.fetch_collateral()


async def test_interest_of_two_assets_with_one_number_is_two_and_that_of_a_new_loan_bears_its_hour() -> None:
    hour_ms = 1_672_160_400_000
    row = {"txId": 7, "interestAccuredTime": hour_ms, "asset": "BTC", "interest": "0.01", "interestRate": "0.24"}
    rows = [{**row, "type": "PERIODIC"}, {**row, "asset": "ETH"}, {**row, "asset": "SOL", "type": "ON_BORROW"}]
    rest = ToldRest({"rows": rows, "total": 3})
    lender = margin.CrossMargin("binance", "main", rest, MarketClock())  # type: ignore[arg-type]
    assert [(one.asset, one.at_borrowing) for one in await lender.fetch_interest(hour_ms)] == [
        *(("BTC", False), ("ETH", False), ("SOL", True))
    ]
    assert [one.asset for one in await lender.fetch_interest(hour_ms + 600_000)] == ["SOL"]


def listed_spot() -> VenueListed:
    """Discounted to three quarters, and paid in BNB."""
    spot = replace(BTC_SPOT, fee_in_base=False)
    return VenueListed("binance", (spot,), {spot.id: FeeRates(Decimal("0.00075"), Decimal("0.00075"))}, {})


async def test_fees_of_the_margin_wallet_are_whole_and_taken_from_what_is_bought() -> None:
    """The BNB that pays spot fees is in the spot wallet: a purchase that forgot its fee would leave a debt."""
    lender = margin.CrossMargin("binance", "main", ToldRest({"userAssets": []}), MarketClock())  # type: ignore[arg-type]
    listing = await lender.listed(listed_spot(), Decimal("0.75"))
    (spot, twin) = listing.instruments
    assert (spot.fee_in_base, twin.fee_in_base) == (False, True)
    assert listing.fees[twin.id] == FeeRates(Decimal("0.001"), Decimal("0.001"))


async def test_a_discount_that_leaves_nothing_to_pay_is_no_answer() -> None:
    paid_in_bnb = {"discount": {"enabledForAccount": True, "enabledForSymbol": True, "discount": "0"}}
    reader = AccountReader("binance", ToldRest(paid_in_bnb), Universe(), lambda *_: None)  # type: ignore[arg-type]
    with pytest.raises(VenueError, match="commission"):
        await reader.listing(signed=True)


async def test_nothing_is_lent_to_who_has_no_margin_account_whatever_the_lists_say() -> None:
    refused = VenueRefusedError("-3003", "Margin account does not exist.")
    lender = margin.CrossMargin("binance", "main", ToldRest(refused), MarketClock())  # type: ignore[arg-type]
    with pytest.raises(VenueRefusedError) as raised:
        await lender.listed(listed_spot(), Decimal(1))
    assert raised.value.code in margin.MAY_NOT_BORROW


async def test_an_order_that_repaid_all_before_a_restart_can_still_be_asked_about() -> None:
    rest = ToldRest({"userAssets": []}, borrowable=False)
    lender = margin.CrossMargin("binance", "main", rest, MarketClock())  # type: ignore[arg-type]
    assert {i.kind for i in (await lender.listed(listed_spot(), Decimal(1))).instruments} == {Kind.SPOT}
    assert lender.keep("BTCUSDT")
    assert not lender.keep("BTCUSDT"), "asked once"
    assert {i.kind for i in (await lender.listed(listed_spot(), Decimal(1))).instruments} == {Kind.SPOT, Kind.MARGIN}


def test_what_the_books_owe_stays_listed_though_all_was_repaid_meanwhile() -> None:
    venue = BinanceVenue("binance", "main", "key", "secret", borrows=True)
    venue.keep_listed(["binance:BTCUSDT:margin", "binance:BTCUSDT:perp", "binance:ETHUSDT:spot"])
    assert not venue._margin.keep("BTCUSDT"), "kept already"
    assert venue._margin.keep("ETHUSDT"), "spot and perpetuals are listed anyway"


OWING = {"userAssets": [{"asset": "BTC", "netAsset": "-2", "borrowed": "2", "interest": "0"}]}


@pytest.mark.parametrize(("account", "listed"), [(OWING, True), ({"userAssets": []}, False)])
async def test_what_is_owed_can_be_bought_back_when_it_is_lent_no_more(account: Any, listed: bool) -> None:
    """Borrowing is suspended before the asset leaves margin trading: the order that repays must still be possible."""
    rest = ToldRest(account, borrowable=False)
    lender = margin.CrossMargin("binance", "main", rest, MarketClock())  # type: ignore[arg-type]
    listing = await lender.listed(listed_spot(), Decimal(1))
    assert (Kind.MARGIN in {i.kind for i in listing.instruments}) is listed
    assert [one.asset for one in await lender.fetch_recalls()] == ["BTC"], "told either way: it may be lent again"
    assert [one.available_base async for one in lender.fetch_terms(["BTC"])] == ([0] if listed else [])
    rest.margin = {"userAssets": []}
    again = await lender.listed(listed_spot(), Decimal(1))
    assert again.instruments == listing.instruments, "what was listed may have an order on its way"


async def test_an_asset_that_is_lent_no_more_takes_no_other_rates_with_it() -> None:
    lender = margin.CrossMargin("binance", "main", ToldRest(OWING), MarketClock())  # type: ignore[arg-type]
    lender._lent = frozenset({"BTC", "ETH", "SOL", "XRP"})
    assert [one.asset async for one in lender.fetch_terms(["SOL", "BTC", "ETH", "XRP"])] == ["BTC", "XRP"]
