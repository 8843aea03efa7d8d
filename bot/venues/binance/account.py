"""What Binance says of the account, and of the instruments as the account sees them: fees, tiers, rights."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from bot.domain.actions import Severity
from bot.domain.events import AccountReported, PositionRisk, VenueListed
from bot.domain.instruments import FeeRates, Instrument, Kind, Wallet, instrument_id
from bot.ports import KeyRights, VenueError
from bot.venues.binance.decode import DecodeError
from bot.venues.binance.listing import (
    Listed,
    ListingFacts,
    Universe,
    closed_since,
    decimal,
    list_instruments,
    margin_tiers,
    permitted,
    spot_fees,
)
from bot.venues.binance.rest import BinanceRest
from bot.venues.binance.rows import convert_list
from bot.venues.binance.streams import Fields, Log
from bot.venues.binance.symbols import SymbolBook, to_base_quantity

SHOWN_MAX = 8
"""Symbols that one alert names."""
SYMBOLS_AT_ONCE = 100
NO_DISCOUNT = Decimal(1)
PERP_BURN_FACTOR = Decimal("0.9")
"""Binance: USD-M fees paid in BNB are a tenth lower; the discount is in no reply."""


class SpotBalanceRow(msgspec.Struct):
    asset: str
    free: Decimal
    locked: Decimal


class PerpAssetRow(msgspec.Struct):
    """`walletBalance` is without unrealised P&L."""

    asset: str
    wallet: Decimal = msgspec.field(name="walletBalance")


class PositionRow(msgspec.Struct):
    symbol: str
    quantity: Decimal = msgspec.field(name="positionAmt")
    side: str = msgspec.field(name="positionSide", default="BOTH")
    notional: Decimal = Decimal(0)
    unrealized: Decimal = msgspec.field(name="unRealizedProfit", default=Decimal(0))
    maintenance: Decimal = msgspec.field(name="maintMargin", default=Decimal(0))


@dataclass(frozen=True, slots=True)
class AccountModes:
    """How the account is set up; the bot needs one-way positions, single-asset margin, interest in what is owed."""

    hedge_mode: bool
    multi_assets: bool
    interest_in_bnb: bool = False
    """Interest on loans is paid out of a BNB balance: the books would charge it to the wrong hedge."""

    @property
    def problem(self) -> str | None:
        """What the owner has to change, or None."""
        if self.hedge_mode:
            return "position mode is hedge mode; set one-way mode in the USD-M preferences"
        if self.multi_assets:
            return "asset mode is multi-assets; set single-asset mode in the USD-M preferences"
        if self.interest_in_bnb:
            return "interest on margin loans is paid in BNB; switch that off in the margin preferences"
        return None


class AccountReader:
    """Reading calls about one account. All raise VenueError."""

    def __init__(self, name: str, rest: BinanceRest, universe: Universe, log: Log) -> None:
        self._name = name
        self._rest = rest
        self.universe = universe
        self.spot_discount = NO_DISCOUNT
        """Factor on spot fees that are paid in BNB, as of the latest listing."""
        self.kept: set[str] = set()
        """Instruments that may be held: they stay listed when their market is closed."""
        self._log = log
        self._told: dict[str, tuple[str, ...]] = {}

    async def listing(self, *, signed: bool) -> VenueListed:
        """Instruments with fees and tiers; without a key (`signed` False) fees and tiers are empty.

        Fees: the spot ones by symbol; the perpetual's are those of one symbol of the listing for all of them,
        because that call costs 20 weight for each symbol and the rate belongs to the account's tier.
        """
        burn, self.spot_discount = await self._spot_burn() if signed else (False, NO_DISCOUNT)
        try:
            listed = await self._instruments(fee_in_base=not burn, signed=signed)
            book = SymbolBook.of(listed.instruments)
            if not signed or not listed.instruments:
                self._keep(listed.instruments)
                return VenueListed(self._name, listed.instruments, {}, {})
            fees = spot_fees(await self._rest.data("sapiGetAssetTradeFee"), self.spot_discount, book.spot)
            perp_fee = await self._perp_fee(book)
            fees |= {i.id: perp_fee for i in book.perp.values()}
            tiers = margin_tiers(await self._rest.data("fapiPrivateGetLeverageBracket"), book.perp)
        except DecodeError as error:
            raise VenueError(f"listing: {error}") from None
        instruments = self._with_fees(listed.instruments, fees)
        self._keep(instruments)
        return VenueListed(self._name, instruments, fees, tiers)

    def _keep(self, instruments: Sequence[Instrument]) -> None:
        self.kept.update(instrument.id for instrument in instruments)

    def _with_fees(self, instruments: Sequence[Instrument], fees: dict[str, FeeRates]) -> tuple[Instrument, ...]:
        """Without the pairs whose fees are not told, as of a new one; what may be held pays the dearest that are."""
        untold = {i.coin for i in instruments if i.id not in fees and i.trades}
        spots = [fees[i.id] for i in instruments if i.kind is Kind.SPOT and i.id in fees]
        if untold and not spots:
            raise VenueError("listing: no fee rates")
        held = {i.coin for i in instruments if i.id in self.kept}
        for one in instruments:
            if one.coin in untold & held and one.id not in fees:
                fees[one.id] = max(spots, key=lambda rates: rates.taker)
        for coin in sorted(untold - held):
            fields: Fields = {"venue": self._name, "symbol": coin, "why": "the venue tells no fee rates of it"}
            self._log(Severity.WARNING, "venue.instrument_left_out", fields)
        return tuple(i for i in instruments if i.coin not in untold - held)

    async def _instruments(self, *, fee_in_base: bool, signed: bool) -> Listed:
        facts = ListingFacts(
            spot_info=await self._rest.data("publicGetExchangeInfo", {"showPermissionSets": "false"}),
            perp_info=await self._rest.data("fapiPublicGetExchangeInfo"),
            funding_info=await self._rest.data("fapiPublicGetFundingInfo"),
            spot_prices=prices(await self._rest.data("publicGetTickerPrice"), "price"),
            perp_prices=prices(await self._rest.data("fapiPublicGetPremiumIndex"), "markPrice"),
            delist_schedule=await self._rest.data("sapiGetSpotDelistSchedule") if signed else (),
            symbol_config=await self._rest.data("fapiPrivateGetSymbolConfig") if signed else (),
        )
        listed = list_instruments(self._name, facts, self.universe, fee_in_base=fee_in_base, kept=self.kept)
        if signed:
            listed = await self._asked_again(listed)
        left_out = [(symbol, "price contradicts the spot pair of its name") for symbol in listed.suspicious]
        left_out += [(symbol, "what the venue tells of it cannot be read") for symbol in listed.unreadable]
        for symbol, why in left_out:
            fields: Fields = {"venue": self._name, "symbol": symbol, "why": why}
            self._log(Severity.WARNING, "venue.instrument_left_out", fields)
        self._tell_settings(listed)
        return listed

    async def _asked_again(self, listed: Listed) -> Listed:
        """Without spots that trade, though not for this account: by country, before a public start, without a quiz.

        Asked of the listed ones alone: the sets of all symbols are megabytes. What has closed since the first answer
        is closed.
        """
        account = await self._rest.data("privateGetAccount", {"omitZeroBalances": "true"})
        granted = _field(account, "permissions")
        if not isinstance(granted, list) or not granted:
            return listed
        symbols = sorted(one.symbol for one in listed.instruments if one.kind is Kind.SPOT and one.trades)
        for first in range(0, len(symbols), SYMBOLS_AT_ONCE):
            asked = msgspec.json.encode(symbols[first : first + SYMBOLS_AT_ONCE]).decode()
            newer = await self._rest.data("publicGetExchangeInfo", {"symbols": asked})
            listed = permitted(closed_since(listed, newer), newer, granted, self.kept)
        return listed

    def _tell_settings(self, listed: Listed) -> None:
        """Once for each set of them: the listing is fetched each hour."""
        for name, found in (
            ("venue.isolated_margin", listed.isolated),
            ("venue.leverage_low", listed.unlevered),
            ("venue.not_permitted", listed.unpermitted),
        ):
            if found and found != self._told.get(name):
                more = f" and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
                symbols = ", ".join(found[:SHOWN_MAX]) + more
                self._log(Severity.WARNING, name, {"venue": self._name, "symbols": symbols})
            self._told[name] = found

    async def _spot_burn(self) -> tuple[bool, Decimal]:
        """Whether spot fees are paid in BNB, and the factor on them then."""
        reply = await self._rest.data("privateGetAccountCommission", {"symbol": "BTCUSDT"})
        try:
            discount = reply["discount"]
            if not (discount["enabledForAccount"] and discount["enabledForSymbol"]):
                return False, NO_DISCOUNT
            # "the standard commission is reduced by this rate": 0.75 leaves three quarters
            factor = decimal(discount["discount"])
            if factor <= 0:
                raise DecodeError(f"a discount of {factor}")
            return True, factor
        except (KeyError, TypeError, DecodeError) as error:
            raise VenueError(f"account/commission: {error!r}") from None

    async def _perp_fee(self, book: SymbolBook) -> FeeRates:
        symbol = "BTCUSDT" if "BTCUSDT" in book.perp else next(iter(book.perp))
        reply = await self._rest.data("fapiPrivateGetCommissionRate", {"symbol": symbol})
        burn = await self._rest.data("fapiPrivateGetFeeBurn")
        try:
            factor = PERP_BURN_FACTOR if burn["feeBurn"] else NO_DISCOUNT
            maker, taker = decimal(reply["makerCommissionRate"]), decimal(reply["takerCommissionRate"])
        except (KeyError, TypeError) as error:
            raise VenueError(f"commissionRate: {error!r}") from None
        return FeeRates(maker=maker * factor, taker=taker * factor)

    async def report(self, book: SymbolBook) -> AccountReported:
        """Balances by wallet and positions in base units; positions of unlisted symbols in venue units."""
        spot = await self._rest.data("privateGetAccount", {"omitZeroBalances": "true"})
        perp = await self._rest.data("fapiPrivateV3GetAccount")
        risk = await self._rest.data("fapiPrivateV3GetPositionRisk")
        try:
            spot_rows = convert_list(_field(spot, "balances"), SpotBalanceRow)
            perp_rows = convert_list(_field(perp, "assets"), PerpAssetRow)
            positions = convert_list(risk, PositionRow)
        except DecodeError as error:
            raise VenueError(f"account: {error}") from None
        held = {row.symbol: self._position(row, book) for row in positions if row.quantity}
        return AccountReported(
            venue=self._name,
            balances={
                Wallet.SPOT.value: {r.asset: r.free + r.locked for r in spot_rows if r.free or r.locked},
                Wallet.PERP.value: {r.asset: r.wallet for r in perp_rows if r.wallet},
            },
            positions=dict(held.values()),
            complete=False,
            risks={
                held[row.symbol][0]: PositionRisk(row.notional, row.unrealized, row.maintenance)
                for row in positions
                if row.quantity
            },
        )

    def _position(self, row: PositionRow, book: SymbolBook) -> tuple[str, Decimal]:
        if row.side != "BOTH":
            raise VenueError(f"{row.symbol}: a position in hedge mode; set one-way mode")
        instrument = book.perp.get(row.symbol)
        if instrument is None:
            fields: Fields = {"venue": self._name, "symbol": row.symbol, "quantity": row.quantity}
            self._log(Severity.WARNING, "venue.foreign_position", fields)
            return instrument_id(self._name, row.symbol, Kind.PERP), row.quantity
        return instrument.id, to_base_quantity(instrument, row.quantity)

    async def modes(self, *, borrows: bool) -> AccountModes:
        dual = await self._rest.data("fapiPrivateGetPositionSideDual")
        multi = await self._rest.data("fapiPrivateGetMultiAssetsMargin")
        burn = await self._rest.data("sapiGetBnbBurn") if borrows else {"interestBNBBurn": False}
        try:
            return AccountModes(
                _flag(dual["dualSidePosition"]), _flag(multi["multiAssetsMargin"]), _flag(burn["interestBNBBurn"])
            )
        except (KeyError, TypeError) as error:
            raise VenueError(f"account modes: {error!r}") from None

    async def rights(self) -> KeyRights:
        reply = await self._rest.data("sapiGetAccountApiRestrictions")
        try:
            return KeyRights(
                can_read=_flag(reply["enableReading"]),
                can_trade_spot=_flag(reply["enableSpotAndMarginTrading"]),
                can_trade_perp=_flag(reply["enableFutures"]),
                can_withdraw=_flag(reply["enableWithdrawals"]),
                ip_restricted=_flag(reply["ipRestrict"]),
                can_transfer=_flag(reply.get("permitsUniversalTransfer", True)),
                can_borrow=_flag(reply.get("enableMargin", False)),
                trades_until_ms=int(reply.get("tradingAuthorityExpirationTime") or 0),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise VenueError(f"apiRestrictions: {error!r}") from None


def prices(rows: Any, name: str) -> dict[str, Decimal]:
    """Prices by symbol from a list of tickers. Raises DecodeError."""
    if not isinstance(rows, list):
        raise DecodeError("a list of prices was expected")
    try:
        return {str(row["symbol"]): decimal(row[name]) for row in rows}
    except (KeyError, TypeError) as error:
        raise DecodeError(f"prices: {error!r}") from None


def _field(reply: Any, name: str) -> Any:
    return reply.get(name) if isinstance(reply, dict) else None


def _flag(value: Any) -> bool:
    """A JSON boolean, or its text as some replies have it. Raises TypeError."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise TypeError(f"not a flag: {value!r}")
