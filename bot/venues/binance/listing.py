"""Binance's exchange information, fees and brackets as instruments in base units: pure.

Listed are coins that have both a spot pair and a USD-M perpetual against USDT, both trading. A perpetual whose
base asset is a number in front of a coin (`1000PEPE`, `1MBABYDOGE`) is that many coins, unless spot trades the very
same name (`1000SATS`). Where prices are known, a pair whose perpetual does not cost about multiplier x spot is
left out: the names agree but the things do not. What is to be kept stays listed whatever becomes of it, also when the
venue lists it no more: its fills, positions and coins still have to be read in the right units.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

from bot.domain.instruments import (
    FeeRates,
    Instrument,
    Kind,
    MarginTier,
    Payoff,
    Wallet,
    instrument_id,
)
from bot.venues.binance.decode import DecodeError, checked_amount
from bot.venues.binance.gone import gone_rows

QUOTE_ASSET = "USDT"
DEFAULT_INTERVAL_S = 8 * 3_600
NO_END_MS = 4_102_444_800_000
"""2100-01-01: perpetuals that do not end are given a delivery date of that December."""
LEVERAGE_MIN = 5
"""A short at less wants more initial margin than R7's distance puts behind it, and the venue refuses it (-2019)."""
NOT_PERMITTED = "the venue does not permit it to this account"
RATIO_MIN, RATIO_MAX = Decimal("0.5"), Decimal(2)
"""Perpetual price / (multiplier x spot price) beyond which two names are taken for different coins."""

_EXACT = Context(prec=40, rounding=ROUND_HALF_EVEN)
_PREFIX = re.compile(r"^(1(?:0{2,})|1M)(?=[A-Z])")
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of one symbol in venue units."""

    tick: Decimal
    lot: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    notional_min: Decimal


@dataclass(frozen=True, slots=True)
class Universe:
    """Which coins to list; an empty `coins` means all."""

    coins: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()

    def admits(self, coin: str) -> bool:
        return coin not in self.exclude and (not self.coins or coin in self.coins)


@dataclass(frozen=True, slots=True)
class ListingFacts:
    """Raw replies: both exchangeInfo, fundingInfo, spot's delist-schedule, symbolConfig; prices by symbol where
    known, quote per venue unit."""

    spot_info: Any
    perp_info: Any
    funding_info: Any
    spot_prices: Mapping[str, Decimal]
    perp_prices: Mapping[str, Decimal]
    delist_schedule: Any = ()
    """Of spot; nobody is told it without a key."""
    symbol_config: Any = ()
    """How the account has set up its perpetuals; without a key there is none."""


@dataclass(frozen=True, slots=True)
class Listed:
    """`suspicious` are symbols that were left out because their prices contradict their names, `isolated` those whose
    positions would be liquidated without the wallet behind them, `unlevered` those that are set to less leverage than
    their margin is put aside for, `unreadable` those of which the venue tells what nobody expects: all left out as
    well, but for what may be held."""

    instruments: tuple[Instrument, ...]
    suspicious: tuple[str, ...]
    isolated: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    unlevered: tuple[str, ...] = ()
    unpermitted: tuple[str, ...] = ()
    """Spot symbols that are not for this account, and left out in the same way."""


def list_instruments(
    venue: str, facts: ListingFacts, universe: Universe, *, fee_in_base: bool, kept: Collection[str] = ()
) -> Listed:
    """Spot and perpetual instruments in pairs, by symbol. Raises DecodeError.

    `kept` are ids of instruments that may be held: their pairs are listed also when a market is closed, or gone. What
    cannot be read of another is no reason to have no listing at all.
    """
    spot_rows, perp_rows = _rows(facts.spot_info), _rows(facts.perp_info)
    spots = {
        row["baseAsset"]: row
        for row in (*gone_rows(venue, Kind.SPOT, kept, spot_rows, QUOTE_ASSET), *spot_rows)
        if _spot_trades(row) or instrument_id(venue, str(row["symbol"]), Kind.SPOT) in kept
    }
    intervals, ends_ms = funding_intervals_s(facts.funding_info), spot_ends_ms(facts.delist_schedule)
    instruments: list[Instrument] = []
    suspicious, unreadable = list[str](), list[str]()
    isolated, alone = isolated_symbols(facts.symbol_config), list[str]()
    leverages, unlevered = leverages_of(facts.symbol_config), list[str]()
    perp_rows = [*perp_rows, *gone_rows(venue, Kind.PERP, kept, perp_rows, QUOTE_ASSET)]
    for row in sorted(perp_rows, key=lambda r: str(r["symbol"])):
        keep = instrument_id(venue, str(row["symbol"]), Kind.PERP) in kept
        if not keep and not _perp_trades(row):
            continue
        coin, multiplier = coin_of(str(row["baseAsset"]), spots)
        spot_row = spots.get(coin)
        if spot_row is None or not universe.admits(coin) or not (keep or _spot_trades(spot_row)):
            continue
        if not _prices_agree(facts, spot_row["symbol"], row["symbol"], multiplier):
            suspicious.append(str(row["symbol"]))
            if not keep:
                continue
        barred, leverage = "", leverages.get(row["symbol"])
        if row["symbol"] in isolated:
            alone.append(str(row["symbol"]))
            barred = "its margin is isolated"
        if leverage is not None and leverage < LEVERAGE_MIN:
            unlevered.append(str(row["symbol"]))
            barred = barred or f"its leverage is set below {LEVERAGE_MIN}"
        if barred and not keep:
            continue
        interval_s = intervals.get(row["symbol"], DEFAULT_INTERVAL_S)
        try:
            spot = _spot(venue, coin, spot_row, ends_ms, fee_in_base=fee_in_base)
            perp = _perp(venue, coin, row, multiplier, interval_s)
            instruments += spot, replace(perp, leverage=leverage, barred=barred)
        except DecodeError:
            if keep:
                raise
            unreadable.append(str(row["symbol"]))
    return Listed(tuple(instruments), tuple(suspicious), tuple(alone), tuple(unreadable), tuple(unlevered))


def coin_of(base_asset: str, spot_bases: Iterable[str] | Mapping[str, Any]) -> tuple[str, Decimal]:
    """Coin and coins per contract of a perpetual's base asset."""
    bases = spot_bases if isinstance(spot_bases, Mapping) else set(spot_bases)
    if base_asset in bases:
        return base_asset, _ONE
    match = _PREFIX.match(base_asset)
    if match is not None and (coin := base_asset[match.end() :]) in bases:
        return coin, Decimal(1_000_000) if match.group(1) == "1M" else Decimal(match.group(1))
    return base_asset, _ONE


def funding_intervals_s(funding_info: Any) -> dict[str, int]:
    """Seconds between settlements by symbol; fundingInfo lists only those with adjusted settings."""
    if not isinstance(funding_info, list):
        raise DecodeError("fundingInfo is no list")
    try:
        return {str(row["symbol"]): int(row["fundingIntervalHours"]) * 3_600 for row in funding_info}
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"fundingInfo: {error!r}") from None


def spot_ends_ms(schedule: Any) -> dict[str, int]:
    """spot/delist-schedule: when spot symbols stop trading, of those whose end is announced. Raises DecodeError."""
    try:
        return {str(symbol): int(row["delistTime"]) for row in schedule for symbol in row["symbols"]}
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"spot/delist-schedule: {error!r}") from None


def isolated_symbols(symbol_config: Any) -> frozenset[str]:
    """symbolConfig: perpetuals that the account's owner has set to isolated margin. Raises DecodeError."""
    try:
        modes = {str(row["symbol"]): str(row["marginType"]) for row in symbol_config}
    except (KeyError, TypeError) as error:
        raise DecodeError(f"symbolConfig: {error!r}") from None
    return frozenset(symbol for symbol, mode in modes.items() if mode.upper() == "ISOLATED")


def permitted(listed: Listed, spot_info: Any, granted: Collection[str], kept: Collection[str]) -> Listed:
    """The listing without the pairs that are not for the account, but for what may be held. Raises DecodeError.

    An account needs one permission of each set of a symbol in exchangeInfo; sets that are not told refuse nobody.
    """
    try:
        refused = {
            row["symbol"]
            for row in _rows(spot_info)
            if not all(set(granted).intersection(some) for some in row.get("permissionSets") or ())
        }
    except TypeError as error:
        raise DecodeError(f"permissionSets: {error!r}") from None
    spots = {one.coin: one for one in listed.instruments if one.kind is Kind.SPOT and one.symbol in refused}
    held = {one.coin for one in listed.instruments if one.id in kept}
    instruments = tuple(
        replace(one, barred=NOT_PERMITTED) if one in spots.values() else one
        for one in listed.instruments
        if one.coin in held or one.coin not in spots
    )
    told = sorted({*listed.unpermitted, *(one.symbol for one in spots.values())})
    return replace(listed, instruments=instruments, unpermitted=tuple(told))


def closed_since(listed: Listed, spot_info: Any) -> Listed:
    """The listing after a newer exchangeInfo of some spots, which may have closed meanwhile."""
    closed = {row["symbol"] for row in _rows(spot_info) if not _spot_trades(row)}
    instruments = (
        replace(one, trades=False) if one.kind is Kind.SPOT and one.symbol in closed else one
        for one in listed.instruments
    )
    return replace(listed, instruments=tuple(instruments))


def leverages_of(symbol_config: Any) -> dict[str, int]:
    """symbolConfig: the leverage setting of perpetuals, of those whose row has a readable one."""
    told = {str(row["symbol"]): str(row.get("leverage")) for row in symbol_config}
    return {symbol: int(text) for symbol, text in told.items() if text.isdecimal() and int(text) > 0}


def margin_tiers(brackets: Any, symbols: Mapping[str, Instrument]) -> dict[str, tuple[MarginTier, ...]]:
    """leverageBracket as tiers by instrument id."""
    if not isinstance(brackets, list):
        raise DecodeError("leverageBracket is no list")
    try:
        return {
            symbols[row["symbol"]].id: tuple(_tier(bracket) for bracket in row["brackets"])
            for row in brackets
            if row["symbol"] in symbols
        }
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise DecodeError(f"leverageBracket: {error!r}") from None


def spot_fees(trade_fees: Any, discount: Decimal, symbols: Mapping[str, Instrument]) -> dict[str, FeeRates]:
    """asset/tradeFee as rates by instrument id; `discount` is the factor for fees paid in BNB (1: none)."""
    if not isinstance(trade_fees, list):
        raise DecodeError("tradeFee is no list")
    try:
        return {
            symbols[row["symbol"]].id: FeeRates(
                maker=_EXACT.multiply(decimal(row["makerCommission"]), discount),
                taker=_EXACT.multiply(decimal(row["takerCommission"]), discount),
            )
            for row in trade_fees
            if row["symbol"] in symbols
        }
    except (KeyError, TypeError) as error:
        raise DecodeError(f"tradeFee: {error!r}") from None


def decimal(value: Any) -> Decimal:
    """An amount from a reply's text or exact number. Raises DecodeError."""
    try:
        number = Decimal(value) if isinstance(value, (str, int, Decimal)) else None
    except InvalidOperation:
        number = None
    if number is None:
        raise DecodeError(f"not a number: {value!r}")
    return checked_amount(number)


def _tier(bracket: Mapping[str, Any]) -> MarginTier:
    return MarginTier(
        floor_usd=decimal(bracket["notionalFloor"]),
        cap_usd=decimal(bracket["notionalCap"]),
        leverage_max=int(bracket["initialLeverage"]),
        maintenance_rate=decimal(bracket["maintMarginRatio"]),
        cumulative_usd=decimal(bracket["cum"]),
    )


def _rows(info: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(info, dict) or not isinstance(info.get("symbols"), list):
        raise DecodeError("exchangeInfo has no symbols")
    rows: Sequence[Mapping[str, Any]] = info["symbols"]
    if not all(isinstance(row, dict) and isinstance(row.get("symbol"), str) for row in rows):
        raise DecodeError("exchangeInfo has a row without a symbol")
    return [row for row in rows if isinstance(row.get("baseAsset"), str)]


def _spot_trades(row: Mapping[str, Any]) -> bool:
    return (
        row.get("quoteAsset") == QUOTE_ASSET
        and row.get("status") == "TRADING"
        and bool(row.get("isSpotTradingAllowed", True))
    )


def _perp_trades(row: Mapping[str, Any]) -> bool:
    return (
        row.get("quoteAsset") == QUOTE_ASSET
        and row.get("marginAsset") == QUOTE_ASSET
        and row.get("contractType") == "PERPETUAL"
        and row.get("status") == "TRADING"
    )


def _prices_agree(facts: ListingFacts, spot_symbol: str, perp_symbol: str, multiplier: Decimal) -> bool:
    spot, perp = facts.spot_prices.get(spot_symbol), facts.perp_prices.get(perp_symbol)
    if not spot or not perp:
        return True
    return RATIO_MIN <= _EXACT.divide(perp, spot * multiplier) <= RATIO_MAX


def _filters(row: Mapping[str, Any], notional: tuple[tuple[str, str], ...]) -> Filters:
    """`notional` are (filter type, field) pairs, the first that is there counts."""
    try:
        by_type = {f.get("filterType"): f for f in row.get("filters", ())}
        lot = by_type["LOT_SIZE"]
        smallest = next((by_type[kind][name] for kind, name in notional if kind in by_type), "0")
        return Filters(
            tick=decimal(by_type["PRICE_FILTER"]["tickSize"]).normalize(_EXACT),
            lot=decimal(lot["stepSize"]).normalize(_EXACT),
            quantity_min=decimal(lot["minQty"]),
            quantity_max=decimal(lot["maxQty"]),
            notional_min=decimal(smallest),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DecodeError(f"{row.get('symbol')}: filters: {error!r}") from None


def _spot(
    venue: str, coin: str, row: Mapping[str, Any], ends_ms: Mapping[str, int], *, fee_in_base: bool
) -> Instrument:
    filters = _filters(row, (("NOTIONAL", "minNotional"), ("MIN_NOTIONAL", "minNotional")))
    symbol = str(row["symbol"])
    return Instrument(
        id=instrument_id(venue, symbol, Kind.SPOT),
        venue=venue,
        symbol=symbol,
        coin=coin,
        kind=Kind.SPOT,
        payoff=Payoff.LINEAR,
        wallet=Wallet.SPOT,
        base_asset=str(row["baseAsset"]),
        quote_asset=QUOTE_ASSET,
        settle_asset=QUOTE_ASSET,
        tick=filters.tick,
        lot=filters.lot,
        quantity_min=filters.quantity_min,
        quantity_max=filters.quantity_max,
        notional_min=filters.notional_min,
        fee_in_base=fee_in_base,
        ends_ms=ends_ms.get(symbol, 0),
        trades=_spot_trades(row),
    )


def _perp(venue: str, coin: str, row: Mapping[str, Any], multiplier: Decimal, interval_s: int) -> Instrument:
    filters = _filters(row, (("MIN_NOTIONAL", "notional"),))
    symbol = str(row["symbol"])
    return Instrument(
        id=instrument_id(venue, symbol, Kind.PERP),
        venue=venue,
        symbol=symbol,
        coin=coin,
        kind=Kind.PERP,
        payoff=Payoff.LINEAR,
        wallet=Wallet.PERP,
        base_asset=str(row["baseAsset"]),
        quote_asset=QUOTE_ASSET,
        settle_asset=QUOTE_ASSET,
        tick=_EXACT.divide(filters.tick, multiplier),
        lot=_EXACT.multiply(filters.lot, multiplier),
        quantity_min=_EXACT.multiply(filters.quantity_min, multiplier),
        quantity_max=_EXACT.multiply(filters.quantity_max, multiplier),
        notional_min=filters.notional_min,
        multiplier=multiplier,
        funding_interval_s=interval_s,
        listed_ms=_ms(row, "onboardDate", 0),
        ends_ms=_ends_ms(row),
        trades=_perp_trades(row),
    )


def _ends_ms(row: Mapping[str, Any]) -> int:
    """Binance sets a perpetual's delivery date when it announces its end; until then it lies in the year 2100."""
    delivery_ms = _ms(row, "deliveryDate", NO_END_MS)
    return delivery_ms if 0 < delivery_ms < NO_END_MS else 0


def _ms(row: Mapping[str, Any], name: str, otherwise: int) -> int:
    try:
        return int(row.get(name, otherwise))
    except (TypeError, ValueError):
        raise DecodeError(f"{row.get('symbol')}: {name} {row.get(name)!r}") from None
