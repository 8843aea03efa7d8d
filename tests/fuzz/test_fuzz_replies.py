"""Whatever the venue answers when the account is read: sane values, or a VenueError. Nothing else."""

from collections.abc import Coroutine
from decimal import Decimal
from typing import Any, cast

from hypothesis import example, given
from hypothesis import strategies as st
from nasty import documents, fuzzed
from sane import PERP, SPOT, sane

from bot.domain.events import VenueListed
from bot.domain.instruments import FeeRates
from bot.domain.market import BorrowTerms
from bot.domain.numbers import ZERO
from bot.ports import VenueError
from bot.venues.binance.account import AccountReader
from bot.venues.binance.capital import CapitalReader
from bot.venues.binance.clock import MarketClock
from bot.venues.binance.income import IncomeReader
from bot.venues.binance.listing import Universe
from bot.venues.binance.margin import CrossMargin
from bot.venues.binance.rates import RateHistory
from bot.venues.binance.rest import BinanceRest
from bot.venues.binance.symbols import SymbolBook

NOW_MS = 1_733_011_200_000
BOOK = SymbolBook.of((SPOT, PERP))
TRANSFER = {"asset": "USDT", "amount": "5", "type": "X", "status": "CONFIRMED", "tranId": 7, "timestamp": NOW_MS}
RATE = {"symbol": "BTCUSDT", "fundingTime": NOW_MS, "fundingRate": "0.0001", "markPrice": "40000"}
REPLIES: dict[str, Any] = {
    "sapiGetMarginAllPairs": [
        {"symbol": "BTCUSDT", "isMarginTrade": True, "isBuyAllowed": True, "isSellAllowed": True}
    ],
    "sapiGetMarginCrossMarginData": [{"coin": "BTC", "borrowable": True, "borrowLimit": "40"}],
    "sapiGetMarginAccount": {
        "userAssets": [{"asset": "BTC", "netAsset": "-1.2", "borrowed": "1.2", "interest": "0.0001"}]
    },
    "sapiGetMarginAvailableInventory": {"assets": {"BTC": "12.5"}, "updateTime": NOW_MS},
    "sapiGetMarginNextHourlyInterestRate": [{"asset": "BTC", "nextHourlyInterestRate": "0.0000014"}],
    "sapiGetMarginDelistSchedule": [{"delistTime": NOW_MS, "crossMarginAssets": ["BTC"]}],
    "sapiGetMarginInterestHistory": {
        "rows": [
            {
                "txId": 3,
                "interestAccuredTime": NOW_MS,
                "asset": "BTC",
                "interest": "0.00001",
                "interestRate": "0.00002",
            }
        ],
        "total": 1,
    },
    "fapiPrivateGetIncome": [
        {"symbol": "BTCUSDT", "income": "-0.3", "asset": "USDT", "time": NOW_MS, "tranId": "77"}
    ],
    "fapiPublicGetFundingRate": [RATE],
    "sapiGetAssetTransfer": {"total": 1, "rows": [TRANSFER]},
    "privateGetAccount": {"balances": [{"asset": "BTC", "free": "1", "locked": "0"}]},
    "fapiPrivateV3GetAccount": {"assets": [{"asset": "USDT", "walletBalance": "100.5"}]},
    "fapiPrivateV3GetPositionRisk": [{"symbol": "BTCUSDT", "positionAmt": "-1", "positionSide": "BOTH"}],
    "fapiPrivateGetPositionSideDual": {"dualSidePosition": False},
    "fapiPrivateGetMultiAssetsMargin": {"multiAssetsMargin": "false"},
    "sapiGetBnbBurn": {"spotBNBBurn": True, "interestBNBBurn": False},
    "sapiGetAccountApiRestrictions": {
        "enableReading": True,
        "enableSpotAndMarginTrading": True,
        "enableFutures": True,
        "enableWithdrawals": False,
        "ipRestrict": True,
    },
    "sapiGetCapitalDepositHisrec": [
        {"id": "d1", "coin": "USDT", "amount": "10", "status": 1, "insertTime": NOW_MS, "walletType": 0}
    ],
    "sapiGetCapitalWithdrawHistory": [
        {"id": "w1", "coin": "USDT", "amount": "9", "status": 6, "applyTime": "2024-12-01 00:00:00"}
    ],
}
LENDING = [name for name in REPLIES if "Margin" in name and name.startswith("sapi")]
MONEY = ["fapiPrivateGetIncome", "fapiPublicGetFundingRate", "sapiGetAssetTransfer", "sapiGetCapitalDepositHisrec"]
MONEY += ["sapiGetCapitalWithdrawHistory"]
ACCOUNT = [name for name in REPLIES if name not in LENDING and name not in MONEY]


class Answers(dict[str, Any]):
    """A REST that answers at once with the documents it holds."""

    async def data(self, endpoint: str, params: Any = None) -> Any:
        del params
        return self[endpoint]


def spoiled(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """One of the named answers made nasty."""
    return st.sampled_from(names).flatmap(lambda name: st.fixed_dictionaries({name: documents(REPLIES[name])}))


def rest_of(answers: Answers) -> BinanceRest:
    return cast("BinanceRest", answers)


def answer(asked: Coroutine[Any, Any, Any]) -> Any:
    """What was read, checked; None when it was refused cleanly."""
    try:
        asked.send(None)
    except VenueError:
        return None
    except StopIteration as end:
        sane(end.value)
        return end.value
    raise AssertionError("it waits for something")


@fuzzed
@given(spoiled(LENDING))
@example({"sapiGetMarginAvailableInventory": {"assets": {"BTC": "-1"}}})
@example({"sapiGetMarginAvailableInventory": {"assets": {"BTC": "1E-999999999"}}})
def test_the_margin_account(nasty: dict[str, Any]) -> None:
    clock, rest = MarketClock(), Answers(REPLIES)
    clock.observe(NOW_MS)
    margin = CrossMargin("binance", "main", rest_of(rest), clock)
    listing = VenueListed("binance", (SPOT, PERP), {SPOT.id: FeeRates(ZERO, ZERO)}, {})
    assert len(answer(margin.listed(listing, Decimal(1))).instruments) == 3
    rest.update(nasty)
    answer(margin.balances())

    async def terms() -> list[BorrowTerms]:
        return [one async for one in margin.fetch_terms(["BTC"])]

    for one in answer(terms()) or []:
        assert one.available_base >= 0
    answer(margin.fetch_recalls())
    answer(margin.fetch_interest(NOW_MS - 1))
    answer(margin.listed(listing, Decimal(1)))


@fuzzed
@given(spoiled(MONEY))
@example({"sapiGetAssetTransfer": {"total": None, "rows": None}})
@example({"sapiGetAssetTransfer": {"total": "many", "rows": [TRANSFER]}})
@example({"sapiGetAssetTransfer": {"total": 1, "rows": [{**TRANSFER, "timestamp": 2**63}]}})
@example({"fapiPublicGetFundingRate": [{**RATE, "markPrice": "1E999999999"}]})
def test_what_moved_money(nasty: dict[str, Any]) -> None:
    rest = rest_of(Answers({**REPLIES, **nasty}))
    rates = RateHistory(rest)
    income = IncomeReader("binance", "main", rest, rates)
    answer(rates.fetch(NOW_MS - 1, [PERP], each=False))
    answer(income.receipts(NOW_MS - 1, BOOK))
    answer(income.charges(NOW_MS - 1, BOOK))
    answer(income.transfers(NOW_MS - 1, NOW_MS, margin=True))
    answer(CapitalReader(rest, income).fetch(NOW_MS - 1, NOW_MS, margin=True))


@fuzzed
@given(spoiled(ACCOUNT))
def test_the_account(nasty: dict[str, Any]) -> None:
    reader = AccountReader("binance", rest_of(Answers({**REPLIES, **nasty})), Universe(), lambda *told: None)
    answer(reader.report(BOOK))
    answer(reader.modes(borrows=True))
    answer(reader.rights())
