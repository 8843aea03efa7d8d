"""A small venue's listing for tests of the core: BTC, ETH and PEPE (contracts of 1000 PEPE), spot and perpetual."""

from dataclasses import replace
from decimal import Decimal

from bot.domain.config import CoreConfig, Universe
from bot.domain.events import VenueListed
from bot.domain.instruments import FeeRates, Instrument, Kind, MarginTier, Payoff, Wallet, instrument_id
from bot.domain.market import BorrowTerms, Liquidity, Mark, Quote, SettledRate
from bot.domain.numbers import ceil_to, floor_to
from bot.domain.time import DAY_MS, HOUR_MS

VENUE = "binance"
START_MS = 1_733_011_200_000  # 2024-12-01 00:00 UTC
FEES = {
    Kind.SPOT: FeeRates(Decimal("0.001"), Decimal("0.001")),
    Kind.MARGIN: FeeRates(Decimal("0.001"), Decimal("0.001")),
    Kind.PERP: FeeRates(Decimal("0.0002"), Decimal("0.0005")),
}
PRICES = {"BTC": Decimal(100_000), "ETH": Decimal(4_000), "PEPE": Decimal("0.00002")}
_GRIDS = {
    # coin: spot lot, perp lot, spot tick, perp tick, perp minimum notional, perp symbol
    "BTC": ("0.00001", "0.001", "0.01", "0.1", "100", "BTCUSDT"),
    "ETH": ("0.0001", "0.001", "0.01", "0.01", "20", "ETHUSDT"),
    "PEPE": ("1", "1000", "0.00000001", "0.0000000001", "5", "1000PEPEUSDT"),
}


def spot_id(coin: str) -> str:
    return instrument_id(VENUE, f"{coin}USDT", Kind.SPOT)


def perp_id(coin: str) -> str:
    return instrument_id(VENUE, _GRIDS[coin][5], Kind.PERP)


def pair_instruments(coin: str) -> tuple[Instrument, Instrument]:
    """(spot, perpetual) of a coin on Binance's own grids."""
    spot_lot, perp_lot, spot_tick, perp_tick, perp_min, perp_symbol = _GRIDS[coin]
    most = Decimal(20_000) if coin != "PEPE" else Decimal("1e12")
    spot = Instrument(
        id=spot_id(coin),
        venue=VENUE,
        symbol=f"{coin}USDT",
        coin=coin,
        kind=Kind.SPOT,
        payoff=Payoff.LINEAR,
        wallet=Wallet.SPOT,
        base_asset=coin,
        quote_asset="USDT",
        settle_asset="USDT",
        tick=Decimal(spot_tick),
        lot=Decimal(spot_lot),
        quantity_min=Decimal(spot_lot),
        quantity_max=most,
        notional_min=Decimal(5),
        fee_in_base=True,
    )
    perp = Instrument(
        id=perp_id(coin),
        venue=VENUE,
        symbol=perp_symbol,
        coin=coin,
        kind=Kind.PERP,
        payoff=Payoff.LINEAR,
        wallet=Wallet.PERP,
        base_asset=coin,
        quote_asset="USDT",
        settle_asset="USDT",
        tick=Decimal(perp_tick),
        lot=Decimal(perp_lot),
        quantity_min=Decimal(perp_lot),
        quantity_max=most,
        notional_min=Decimal(perp_min),
        multiplier=Decimal(1000) if coin == "PEPE" else Decimal(1),
        funding_interval_s=8 * 3600,
    )
    return spot, perp


def margin_id(coin: str) -> str:
    return instrument_id(VENUE, f"{coin}USDT", Kind.MARGIN)


def margin_spot(coin: str) -> Instrument:
    """The spot of a coin as the margin wallet trades it."""
    return replace(pair_instruments(coin)[0], id=margin_id(coin), kind=Kind.MARGIN, wallet=Wallet.MARGIN)


def borrow_terms(coin: str, rate_year: str = "0.0876", available: str = "1000") -> BorrowTerms:
    """Terms of a loan; 0.0876 a year is 0.001 % an hour."""
    return BorrowTerms(VENUE, coin, Decimal(rate_year) / 8_760, Decimal(available))


def tiers(maintenance: str = "0.01") -> tuple[MarginTier, ...]:
    return (MarginTier(Decimal(0), Decimal("1e12"), 50, Decimal(maintenance), Decimal(0)),)


def listing(coins: tuple[str, ...], *, margin: bool = False) -> VenueListed:
    both = [instrument for coin in coins for instrument in pair_instruments(coin)]
    both += [margin_spot(coin) for coin in coins if margin]
    return VenueListed(
        VENUE,
        tuple(both),
        {one.id: FEES[one.kind] for one in both},
        {one.id: tiers() for one in both if one.kind is Kind.PERP},
    )


def quotes(
    coin: str, price: Decimal | str | None = None, *, basis_bps: str = "0", spread_bps: str = "1"
) -> list[Quote]:
    """Spot and perpetual quotes around a price, half the spread on each side, on the tick grids."""
    middle = PRICES[coin] if price is None else Decimal(price)
    found = []
    for instrument, mid in zip(
        pair_instruments(coin), (middle, middle * (1 + Decimal(basis_bps) / 10_000)), strict=True
    ):
        half = mid * Decimal(spread_bps) / 20_000
        bid = floor_to(mid - half, instrument.tick)
        ask = ceil_to(mid + half, instrument.tick)
        found.append(Quote(instrument.id, bid, ask, Decimal(100), Decimal(100)))
    return found


def mark(coin: str, price: Decimal | str | None = None, *, rate: str = "0.0003", next_ms: int) -> Mark:
    value = PRICES[coin] if price is None else Decimal(price)
    return Mark(perp_id(coin), value, value, Decimal(rate), next_ms)


def liquidity(coin: str, depth_usd: float = 1e6, volume_usd: float = 1e9) -> list[Liquidity]:
    return [
        Liquidity(spot_id(coin), volume_usd, depth_usd, None),
        Liquidity(perp_id(coin), volume_usd, depth_usd, 1e9),
    ]


def history(coin: str, until_ms: int, *, days: int = 7, rate: str = "0.0003", every_h: int = 8) -> list[SettledRate]:
    """Settlements up to and including `until_ms`, oldest first."""
    count = days * 24 // every_h
    return [
        SettledRate(perp_id(coin), until_ms - (count - 1 - i) * every_h * HOUR_MS, Decimal(rate), every_h * 3600)
        for i in range(count)
    ]


def config(coins: tuple[str, ...], **more: object) -> CoreConfig:
    """Shipped defaults, for these coins only."""
    return CoreConfig(universe=Universe(coins=coins), **more)  # type: ignore[arg-type]


def day_start(market_ms: int) -> int:
    return market_ms // DAY_MS * DAY_MS
