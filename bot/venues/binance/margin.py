"""Binance's cross-margin account: what can be borrowed and at which rate, what is owed, and the interest charged.

Orders that borrow and repay are in `orders.py`. Isolated margin is not used, and quote currency is never borrowed.
The account has no private stream here: a margin order takes or ends at once and answers in full, and what else
happens to it (interest, a liquidation) is asked for. Source: https://developers.binance.com/docs/margin_trading
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import msgspec

from bot.domain.events import LoanRecalled, VenueListed
from bot.domain.hedges import Interest
from bot.domain.instruments import FeeRates, Kind, margin_twin
from bot.domain.market import BorrowTerms, CollateralRatio
from bot.domain.numbers import ONE, ZERO
from bot.domain.time import DAY_MS, HOUR_MS
from bot.ports import VenueError, VenueRefusedError
from bot.venues.binance.clock import MarketClock
from bot.venues.binance.decode import DecodeError, TimeMs
from bot.venues.binance.listing import QUOTE_ASSET, decimal
from bot.venues.binance.rest import BinanceRest
from bot.venues.binance.rows import convert_list

RATES_AT_ONCE = 20
PAGE = 100
PAGES_MAX = 500
WINDOW_MS = 30 * DAY_MS
"""Binance answers for at most this long a time of interest."""
RECALL_WITHIN_MS = 2 * DAY_MS
"""An asset that leaves margin trading by then is wanted back. Announcements come weeks before."""
MAY_NOT_BORROW = frozenset({"-1002", "-2015", "-3003", "-3022"})
"""Refusals of an account that has no margin account, or of a key that may not use it."""
NOT_LENT = frozenset({"-3027", "-11001"})
"""Refusals of an asset that is lent no more."""
_HOURS_A_DAY = 24
_EXACT = Context(prec=40, rounding=ROUND_HALF_EVEN)


class PairRow(msgspec.Struct):
    symbol: str
    trades: bool = msgspec.field(name="isMarginTrade")
    buys: bool = msgspec.field(name="isBuyAllowed")
    sells: bool = msgspec.field(name="isSellAllowed")


class LimitRow(msgspec.Struct):
    """What this account may borrow of an asset at its VIP level."""

    asset: str = msgspec.field(name="coin")
    borrowable: bool
    limit: Decimal = msgspec.field(name="borrowLimit")


class RateRow(msgspec.Struct):
    """A fraction an hour, of the coming hour."""

    asset: str
    rate: Decimal = msgspec.field(name="nextHourlyInterestRate")


class DelistingRow(msgspec.Struct):
    at_ms: TimeMs = msgspec.field(name="delistTime")
    assets: list[str] = msgspec.field(name="crossMarginAssets")


class TierRow(msgspec.Struct):
    """What lies between two worths in USD counts at `rate`; the last one has no end."""

    floor_usd: Decimal = msgspec.field(name="minUsdValue")
    rate: Decimal = msgspec.field(name="discountRate")
    cap_usd: Decimal | None = msgspec.field(name="maxUsdValue", default=None)


class CollateralRow(msgspec.Struct):
    tiers: list[TierRow] = msgspec.field(name="collaterals")
    assets: list[str] = msgspec.field(name="assetNames")


class AssetRow(msgspec.Struct):
    """`net` is what is there less what was borrowed and its unpaid interest."""

    asset: str
    net: Decimal = msgspec.field(name="netAsset")
    borrowed: Decimal
    interest: Decimal


class InterestRow(msgspec.Struct):
    """`asset` is what was charged; where the owner lets BNB pay, it is not the asset that is owed."""

    transaction_id: int | str = msgspec.field(name="txId")
    at_ms: TimeMs = msgspec.field(name="interestAccuredTime")
    asset: str
    interest: Decimal
    daily_rate: Decimal = msgspec.field(name="interestRate")
    type: str = ""

    @property
    def at_borrowing(self) -> bool:
        return self.type == "ON_BORROW"


class CrossMargin:
    """Implements `ports.Lender`; every method that asks raises VenueError."""

    def __init__(self, venue: str, account: str, rest: BinanceRest, clock: MarketClock) -> None:
        self._venue = venue
        self._account = account
        self._rest = rest
        self._clock = clock
        self._owed: dict[str, Decimal] = {}
        """By asset, as the account was last read."""
        self._quote_held = ZERO
        """Quote currency in the account, as it was last read."""
        self._lent: frozenset[str] = frozenset()
        """Base assets of the listed margin pairs."""
        self._kept: set[str] = set()
        """Symbols of which the books hold or owe something, or that an order was asked about in."""
        self._coins: frozenset[str] = frozenset()
        """Base assets of all spots: a coin may not be lent just because it was recalled."""

    async def listed(self, listing: VenueListed, spot_discount: Decimal) -> VenueListed:
        """The listing with the margin spot of everything that can be sold on loan.

        What is owed, or was ever listed, stays: borrowing is suspended days before an asset leaves margin trading,
        and by then it has to be bought back. It pays the spot's fees without their `spot_discount` (a factor), and
        in the coin when it buys: they would be paid in BNB only out of the margin wallet, where the bot keeps none.
        """
        await self.balances()  # refuses where there is no margin account; what may be borrowed is told to anyone
        pairs = {row.symbol for row in await self._pairs() if row.trades and row.buys and row.sells}
        lent = {asset for asset, limit in (await self._limits()).items() if limit}
        kept = self._lent | self._owed.keys()
        spots = [
            i
            for i in listing.instruments
            if i.kind is Kind.SPOT
            and (i.symbol in self._kept or i.base_asset in kept or (i.symbol in pairs and i.base_asset in lent))
        ]
        twins = tuple(replace(margin_twin(spot), fee_in_base=True) for spot in spots)
        fees = {
            twin.id: _undiscounted(listing.fees[spot.id], spot_discount)
            for spot, twin in zip(spots, twins, strict=True)
            if spot.id in listing.fees
        }
        self._lent = frozenset(twin.base_asset for twin in twins)
        self._coins = frozenset(one.base_asset for one in listing.instruments if one.kind is Kind.SPOT)
        return replace(listing, instruments=(*listing.instruments, *twins), fees={**listing.fees, **fees})

    def keep(self, symbol: str) -> bool:
        """List this pair from now on, whatever is lent: an order of ours may have repaid all before a restart.

        False where that was asked before.
        """
        new = symbol not in self._kept
        self._kept.add(symbol)
        return new

    async def balances(self) -> dict[str, Decimal]:
        """Asset -> what is there less what is owed, interest included; no zeros."""
        reply = await self._rest.data("sapiGetMarginAccount")
        rows = _rows("margin/account", reply.get("userAssets") if isinstance(reply, dict) else None, AssetRow)
        self._owed = {row.asset: owed for row in rows if (owed := row.borrowed + row.interest)}
        self._quote_held = sum((row.net for row in rows if row.asset == QUOTE_ASSET), ZERO)
        return {row.asset: row.net for row in rows if row.net}

    async def fetch_terms(self, assets: Sequence[str]) -> AsyncIterator[BorrowTerms]:
        """`available_base` is the smaller of the venue's inventory and what the account's limit leaves."""
        wanted = [asset for asset in assets if asset in self._lent]
        if not wanted:
            return
        limits, inventory = await self._limits(), await self._inventory()
        now_ms = self._clock.now_ms()
        for first in range(0, len(wanted), RATES_AT_ONCE):
            async for row in self._rates(wanted[first : first + RATES_AT_ONCE]):
                left = limits.get(row.asset, ZERO) - self._owed.get(row.asset, ZERO)
                available = max(ZERO, min(left, inventory.get(row.asset, ZERO)))
                yield BorrowTerms(self._venue, row.asset, row.rate, available, now_ms)

    async def _rates(self, assets: Sequence[str]) -> AsyncIterator[RateRow]:
        """Rates of at most `RATES_AT_ONCE`; one that is lent no more is left out and takes no other with it."""
        asked = {"assets": ",".join(assets), "isIsolated": "FALSE"}
        try:
            reply = await self._rest.data("sapiGetMarginNextHourlyInterestRate", asked)
        except VenueRefusedError as error:
            if error.code not in NOT_LENT:
                raise
            if half := len(assets) // 2:
                for some in (assets[:half], assets[half:]):
                    async for row in self._rates(some):
                        yield row
            return
        for row in _rows("next-hourly-interest-rate", reply, RateRow):
            yield row

    async def fetch_collateral(self) -> list[CollateralRatio]:
        """What the quote currency that is held counts for; nothing where the venue has no word on it."""
        reply = await self._rest.data("sapiGetMarginCrossMarginCollateralRatio")
        rows = _rows("crossMarginCollateralRatio", reply, CollateralRow)
        found = [counted_share(row.tiers, self._quote_held) for row in rows if QUOTE_ASSET in row.assets]
        if not all(0 < share <= 1 for share in found):
            raise VenueError(f"crossMarginCollateralRatio: {QUOTE_ASSET} counts at {found}")
        return [CollateralRatio(self._venue, float(share)) for share in found[:1]]

    async def fetch_recalls(self) -> list[LoanRecalled]:
        """Assets that leave margin trading within `RECALL_WITHIN_MS`: Binance then closes what is still owed."""
        reply = await self._rest.data("sapiGetMarginDelistSchedule")
        until_ms = self._clock.now_ms() + RECALL_WITHIN_MS
        return [
            LoanRecalled(self._venue, asset, row.at_ms, "the venue ends margin trading of it")
            for row in _rows("delist-schedule", reply, DelistingRow)
            for asset in row.assets
            if row.at_ms <= until_ms and asset in self._coins
        ]

    async def fetch_interest(self, since_ms: int) -> list[Interest]:
        """What was charged from `since_ms` on, and for loans that were made in the hour before: Binance's example of
        such a row (`ON_BORROW`) bears a full hour.
        """
        rows: dict[tuple[str, str], InterestRow] = {}
        start_ms, now_ms = since_ms // HOUR_MS * HOUR_MS, self._clock.now_ms()
        while start_ms <= max(since_ms, now_ms):
            # The last window ends after now: our clock may lag behind the newest row.
            end_ms = start_ms + WINDOW_MS - 1
            some = await self._interest(start_ms, end_ms)
            rows.update({(row.asset, str(row.transaction_id)): row for row in some})
            start_ms = end_ms + 1
        found = [self._charged(row) for row in rows.values() if row.at_ms >= since_ms or row.at_borrowing]
        return sorted(found, key=lambda one: (one.charged_ms, one.venue_id))

    def _charged(self, row: InterestRow) -> Interest:
        return Interest(
            venue=self._venue,
            account=self._account,
            asset=row.asset,
            amount=row.interest,
            rate_per_h=row.daily_rate / _HOURS_A_DAY,
            charged_ms=row.at_ms,
            venue_id=str(row.transaction_id),
            at_borrowing=row.at_borrowing,
        )

    async def _interest(self, start_ms: int, end_ms: int) -> list[InterestRow]:
        rows: list[InterestRow] = []
        for number in range(1, PAGES_MAX + 1):
            asked = {"startTime": start_ms, "endTime": end_ms, "current": number, "size": PAGE}
            reply = await self._rest.data("sapiGetMarginInterestHistory", asked)
            if not isinstance(reply, dict):
                raise VenueError("interestHistory: the reply is no object")
            page = _rows("interestHistory", reply.get("rows") or [], InterestRow)
            rows += page
            if len(page) < PAGE:
                return rows
        raise VenueError(f"interestHistory: more than {PAGES_MAX} pages")

    async def _pairs(self) -> list[PairRow]:
        return _rows("margin/allPairs", await self._rest.data("sapiGetMarginAllPairs"), PairRow)

    async def _limits(self) -> dict[str, Decimal]:
        """What the account may owe of each asset at its VIP level; zero where it may not borrow."""
        rows = _rows("crossMarginData", await self._rest.data("sapiGetMarginCrossMarginData"), LimitRow)
        return {row.asset: row.limit if row.borrowable else ZERO for row in rows}

    async def _inventory(self) -> dict[str, Decimal]:
        reply = await self._rest.data("sapiGetMarginAvailableInventory", {"type": "MARGIN"})
        assets: Any = reply.get("assets") if isinstance(reply, dict) else None
        if not isinstance(assets, Mapping):
            raise VenueError("available-inventory: the reply has no assets")
        try:
            return {str(asset): decimal(amount) for asset, amount in assets.items()}
        except DecodeError as error:
            raise VenueError(f"available-inventory: {error}") from None


def counted_share(tiers: Sequence[TierRow], held_usd: Decimal) -> Decimal:
    """The share of what is held, one dollar at least, that its tiers count as collateral: each its own part of it.

    Example: https://www.binance.com/en/support/faq/binance-cross-margin-collateral-haircuts-4bec9126c021472285b20874f9380dfb
    """
    usd = max(held_usd, ONE)
    within = ((min(usd, usd if tier.cap_usd is None else tier.cap_usd) - tier.floor_usd, tier.rate) for tier in tiers)
    return _EXACT.divide(sum((part * rate for part, rate in within if part > 0), ZERO), usd)


def _undiscounted(fees: FeeRates, discount: Decimal) -> FeeRates:
    return FeeRates(_EXACT.divide(fees.maker, discount), _EXACT.divide(fees.taker, discount))


def _rows(what: str, rows: Any, kind: type[Any]) -> list[Any]:
    try:
        return convert_list(rows, kind)
    except DecodeError as error:
        raise VenueError(f"{what}: {error}") from None
