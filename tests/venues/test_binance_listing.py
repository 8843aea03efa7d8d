"""Exchange information as instruments: recorded replies, multipliers, fees and tiers."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.domain.instruments import Kind
from bot.ports import VenueError
from bot.venues.binance.account import AccountReader
from bot.venues.binance.decode import DecodeError
from bot.venues.binance.listing import (
    Listed,
    ListingFacts,
    Universe,
    closed_since,
    coin_of,
    funding_intervals_s,
    isolated_symbols,
    list_instruments,
    margin_tiers,
    spot_ends_ms,
    spot_fees,
)
from bot.venues.binance.rest import BinanceRest
from bot.venues.binance.symbols import SymbolBook

CAPTURE = "payloads/binance/rest-capture-2026-07"


def load(recorded: Path, name: str) -> Any:
    return json.loads((recorded / CAPTURE / name).read_text(), parse_float=Decimal)


def spot_row(base: str, tick: str = "0.00000001", lot: str = "1.00000000") -> dict[str, Any]:
    return {
        "symbol": f"{base}USDT", "status": "TRADING", "baseAsset": base, "quoteAsset": "USDT",
        "isSpotTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "1000000000.00", "stepSize": lot},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
        ],
    }  # fmt: skip


def perp_row(base: str) -> dict[str, Any]:
    contract = {"contractType": "PERPETUAL", "marginAsset": "USDT", "onboardDate": 1, "deliveryDate": 4133404800000}
    filters = [*spot_row(base)["filters"], {"filterType": "MIN_NOTIONAL", "notional": "5"}]
    return {**spot_row(base), **contract, "filters": filters}


def facts(recorded: Path, spot: list[dict[str, Any]], **more: Any) -> ListingFacts:
    given = {"spot_prices": {}, "perp_prices": {}, **more}
    return ListingFacts(
        spot_info={"symbols": spot},
        perp_info=load(recorded, "20260704T155543Z__fapi-v1-exchangeInfo.json"),
        funding_info=load(recorded, "20260704T155543Z__fapi-v1-fundingInfo.json"),
        **given,
    )


def test_recorded_spot_pair_and_its_perpetual(recorded: Path) -> None:
    spot = load(recorded, "20260703T051738Z__api-v3-exchangeInfo-curated-BTCETHXVG.json")["symbols"]
    listed = list_instruments("binance", facts(recorded, spot), Universe(), fee_in_base=True).instruments
    book = SymbolBook.of(listed)
    btc, perp = book.spot["BTCUSDT"], book.perp["BTCUSDT"]
    assert (btc.tick, btc.lot, btc.notional_min) == (Decimal("0.01"), Decimal("0.00001"), Decimal(5))
    assert (perp.tick, perp.lot) == (Decimal("0.10"), Decimal("0.001"))
    assert (btc.fee_in_base, perp.fee_in_base) == (True, False)
    assert perp.funding_interval_s == 8 * 3_600
    assert perp.listed_ms == 1567965300000
    assert len(book.spot) == len(book.perp)


def test_a_multiplied_contract_in_single_coins(recorded: Path) -> None:
    listed = list_instruments("binance", facts(recorded, [spot_row("PEPE")]), Universe(), fee_in_base=True)
    spot, perp = listed.instruments
    assert (spot.coin, perp.coin) == ("PEPE", "PEPE")
    assert (perp.kind, perp.multiplier, perp.base_asset) == (Kind.PERP, 1000, "1000PEPE")
    assert perp.tick == Decimal("0.0000000001")
    assert perp.lot == 1000
    assert perp.quantity_max == Decimal(800_000_000_000)
    assert perp.notional_min == 5


def test_prices_that_contradict_the_name_leave_the_pair_out(recorded: Path) -> None:
    given = facts(
        recorded,
        [spot_row("PEPE"), spot_row("BTC")],
        spot_prices={"PEPEUSDT": Decimal("0.00001"), "BTCUSDT": Decimal(60_000)},
        perp_prices={"1000PEPEUSDT": Decimal("0.00001"), "BTCUSDT": Decimal(48_000)},
    )
    listed = list_instruments("binance", given, Universe(), fee_in_base=True)
    assert {i.coin for i in listed.instruments} == {"BTC"}
    assert listed.suspicious == ("1000PEPEUSDT",)


@pytest.mark.parametrize(
    ("base", "bases", "expected"),
    [
        ("BTC", {"BTC"}, ("BTC", 1)),
        ("1000PEPE", {"PEPE"}, ("PEPE", 1000)),
        ("1000SATS", {"1000SATS"}, ("1000SATS", 1)),
        ("1000000MOG", {"MOG"}, ("MOG", 1_000_000)),
        ("1MBABYDOGE", {"BABYDOGE"}, ("BABYDOGE", 1_000_000)),
        ("1MBABYDOGE", {"1MBABYDOGE"}, ("1MBABYDOGE", 1)),
        ("1INCH", {"1INCH"}, ("1INCH", 1)),
        ("1INCH", {"INCH"}, ("1INCH", 1)),
        ("1000PEPE", {"BTC"}, ("1000PEPE", 1)),
    ],
)
def test_coin_of_a_base_asset(base: str, bases: set[str], expected: tuple[str, int]) -> None:
    assert coin_of(base, bases) == (expected[0], Decimal(expected[1]))


def test_only_what_trades_against_usdt_is_listed(recorded: Path) -> None:
    halted = {**spot_row("ETH"), "status": "BREAK"}
    listed = list_instruments(
        "binance", facts(recorded, [halted, spot_row("SOL"), spot_row("TSLA")]), Universe(), fee_in_base=True
    )
    assert {i.coin for i in listed.instruments} == {"SOL"}
    universe = Universe(coins=frozenset({"BTC"}), exclude=frozenset())
    rows = facts(recorded, [spot_row("BTC"), spot_row("SOL")])
    coins = {i.coin for i in list_instruments("binance", rows, universe, fee_in_base=True).instruments}
    assert coins == {"BTC"}


@pytest.mark.parametrize(("delivery_ms", "ends_ms"), [(4_133_404_800_000, 0), (1_790_000_000_000, 1_790_000_000_000)])
def test_a_perpetual_ends_when_the_venue_has_set_its_delivery(recorded: Path, delivery_ms: int, ends_ms: int) -> None:
    found = facts(recorded, [spot_row("SOL")])
    for row in found.perp_info["symbols"]:
        row["deliveryDate"] = delivery_ms
    spot, perp = list_instruments("binance", found, Universe(), fee_in_base=True).instruments
    assert (spot.ends_ms, perp.ends_ms) == (0, ends_ms)


def test_what_may_be_held_stays_listed_when_its_market_closes(recorded: Path) -> None:
    closed = facts(recorded, [{**spot_row("PEPE"), "status": "BREAK"}, {**spot_row("SOL"), "status": "BREAK"}])
    kept = {"binance:PEPEUSDT:spot", "binance:1000PEPEUSDT:perp"}
    spot, perp = list_instruments("binance", closed, Universe(), fee_in_base=True, kept=kept).instruments
    assert (spot.id, spot.trades) == ("binance:PEPEUSDT:spot", False)
    assert (perp.id, perp.trades, perp.multiplier) == ("binance:1000PEPEUSDT:perp", True, 1000)


def test_a_perpetual_that_settles_stays_listed_while_it_may_be_held(recorded: Path) -> None:
    found = facts(recorded, [spot_row("SOL")])
    for row in found.perp_info["symbols"]:
        row["status"] = "SETTLING"
    assert not list_instruments("binance", found, Universe(), fee_in_base=True).instruments
    kept = {"binance:SOLUSDT:perp"}
    spot, perp = list_instruments("binance", found, Universe(), fee_in_base=True, kept=kept).instruments
    assert (spot.trades, perp.trades) == (True, False)


def test_a_spot_ends_when_the_venue_has_scheduled_its_end(recorded: Path) -> None:
    schedule = [{"delistTime": 1_790_000_000_000, "symbols": ["ADAUSDT", "SOLUSDT"]}]
    found = facts(recorded, [spot_row("SOL"), spot_row("BTC")], delist_schedule=schedule)
    listed = list_instruments("binance", found, Universe(), fee_in_base=True).instruments
    assert {i.id: i.ends_ms for i in listed if i.ends_ms} == {"binance:SOLUSDT:spot": 1_790_000_000_000}


@pytest.mark.parametrize(
    "schedule", [None, {"code": 0}, [{"symbols": ["SOLUSDT"]}], [{"delistTime": "soon", "symbols": ["A"]}]]
)
def test_a_schedule_that_cannot_be_read_is_an_error(schedule: Any) -> None:
    with pytest.raises(DecodeError):
        spot_ends_ms(schedule)


def test_recorded_funding_intervals(recorded: Path) -> None:
    intervals = funding_intervals_s(load(recorded, "20260704T155543Z__fapi-v1-fundingInfo.json"))
    assert intervals["GTCUSDT"] == 8 * 3_600
    assert set(intervals.values()) <= {3_600, 4 * 3_600, 8 * 3_600}


def test_a_perpetual_listed_for_its_cap_settles_at_its_own_interval_and_at_the_default_once_it_is_not(
    recorded: Path,
) -> None:
    adjusted = {"adjustedFundingRateCap": "0.00010000", "adjustedFundingRateFloor": "-0.00010000"}
    row = {"symbol": "SOLUSDT", **adjusted, "disclaimer": False, "updateTime": 1_790_000_000_000}
    found = facts(recorded, [spot_row("SOL")])
    intervals = []
    for info in ([], [{**row, "fundingIntervalHours": 8}], [{**row, "fundingIntervalHours": 4}], []):
        listed = list_instruments("binance", replace(found, funding_info=info), Universe(), fee_in_base=True)
        intervals.append(listed.instruments[1].funding_interval_s)
    assert intervals == [28_800, 28_800, 14_400, 28_800]


def test_documented_brackets_and_fees(recorded: Path) -> None:
    listed = list_instruments("binance", facts(recorded, [spot_row("ETH")]), Universe(), fee_in_base=False)
    book = SymbolBook.of(listed.instruments)
    brackets = json.loads(
        '[{"symbol":"ETHUSDT","notionalCoef":1.50,"brackets":[{"bracket":1,"initialLeverage":75,'
        '"notionalCap":10000,"notionalFloor":0,"maintMarginRatio":0.0065,"cum":0}]},'
        '{"symbol":"ZZZUSDT","brackets":[]}]',
        parse_float=Decimal,
    )
    ((name, tiers),) = margin_tiers(brackets, book.perp).items()
    assert name == "binance:ETHUSDT:perp"
    assert (tiers[0].maintenance_rate, tiers[0].leverage_max) == (Decimal("0.0065"), 75)
    rows = [{"symbol": "ETHUSDT", "makerCommission": "0.001", "takerCommission": "0.001"}]
    fees = spot_fees(rows, Decimal("0.75"), book.spot)
    assert fees["binance:ETHUSDT:spot"].taker == Decimal("0.00075")


def test_unreadable_replies_are_errors(recorded: Path) -> None:
    good = facts(recorded, [spot_row("BTC")])
    for broken in (None, [], {"symbols": None}):
        with pytest.raises(DecodeError):
            list_instruments(
                "binance",
                ListingFacts(broken, good.perp_info, [], {}, {}),
                Universe(),
                fee_in_base=True,
            )
    with pytest.raises(DecodeError):
        funding_intervals_s({"code": 0})


@pytest.mark.parametrize(
    ("side", "field", "value"),
    [
        ("spot", "filters", []),
        ("spot", "filters", None),
        ("perp", "filters", None),
        ("perp", "onboardDate", None),
        ("perp", "deliveryDate", ""),
        ("perp", "deliveryDate", "never"),
    ],
)
def test_one_pair_that_cannot_be_read_is_left_out_and_no_reason_to_list_none(
    side: str, field: str, value: Any
) -> None:
    """No start would get past it, with all that is held; what is held there must be read, or it is an error."""
    spots, perps = ([make(coin) for coin in ("BTC", "XVG")] for make in (spot_row, perp_row))
    (spots if side == "spot" else perps)[1][field] = value
    given = ListingFacts({"symbols": spots}, {"symbols": perps}, [], {}, {})
    listed = list_instruments("binance", given, Universe(), fee_in_base=True)
    assert {i.coin for i in listed.instruments} == {"BTC"}
    assert listed.unreadable == ("XVGUSDT",)
    with pytest.raises(DecodeError, match="XVGUSDT"):
        list_instruments("binance", given, Universe(), fee_in_base=True, kept={"binance:XVGUSDT:perp"})


@pytest.mark.parametrize("row", [None, [], {"status": "TRADING"}, {"symbol": None}])
def test_rows_of_nobody_are_errors(row: Any) -> None:
    given = ListingFacts({"symbols": [row]}, {"symbols": []}, [], {}, {})
    with pytest.raises(DecodeError):
        list_instruments("binance", given, Universe(), fee_in_base=True)


def test_what_is_held_stays_listed_when_the_venue_lists_it_no_more(recorded: Path) -> None:
    """Its units come from its symbol, after a restart too; a spot that still trades is sold without its perpetual."""
    found = facts(recorded, [spot_row("SOL")])
    gone = ("1000PEPEUSDT", "SOLUSDT")
    found.perp_info["symbols"] = [row for row in found.perp_info["symbols"] if row["symbol"] not in gone]
    kept = {"binance:1000PEPEUSDT:perp", "binance:PEPEUSDT:spot", "binance:SOLUSDT:perp", "binance:SOLUSDT:spot"}
    assert not list_instruments("binance", found, Universe(), fee_in_base=True).instruments
    listed = list_instruments("binance", found, Universe(), fee_in_base=True, kept=kept).instruments
    by_id = {one.id: one for one in listed}
    assert {name: one.trades for name, one in by_id.items()} == {
        name: name == "binance:SOLUSDT:spot" for name in kept
    }
    perp, spot = by_id["binance:1000PEPEUSDT:perp"], by_id["binance:PEPEUSDT:spot"]
    assert (perp.coin, perp.multiplier, spot.coin, spot.base_asset) == ("PEPE", 1000, "PEPE", "PEPE")
    assert not list_instruments("paper", found, Universe(), fee_in_base=True, kept=kept).instruments


def test_a_perpetual_with_isolated_margin_is_left_out_unless_it_may_be_held(recorded: Path) -> None:
    """Its short is liquidated by its own margin alone, at a move that R7 takes for harmless."""
    modes = {"BTCUSDT": "CROSSED", "XVGUSDT": "ISOLATED"}
    config = [{"symbol": symbol, "marginType": mode, "leverage": 20} for symbol, mode in modes.items()]
    given = facts(recorded, [spot_row("BTC"), spot_row("XVG")], symbol_config=config)
    listed = list_instruments("binance", given, Universe(), fee_in_base=True)
    assert {i.coin for i in listed.instruments} == {"BTC"}
    assert listed.isolated == ("XVGUSDT",)
    held = list_instruments("binance", given, Universe(), fee_in_base=True, kept={"binance:XVGUSDT:perp"})
    assert {i.coin for i in held.instruments} == {"BTC", "XVG"}
    assert held.isolated == ("XVGUSDT",)
    assert {i.id for i in held.instruments if i.barred} == {"binance:XVGUSDT:perp"}
    with pytest.raises(DecodeError):
        isolated_symbols([{"symbol": "BTCUSDT"}])


def test_a_perpetual_of_low_leverage_is_left_out_unless_it_may_be_held(recorded: Path) -> None:
    """Its short is refused for want of initial margin (-2019) while the spot beside it fills; others keep theirs."""
    settings = {"BTCUSDT": 75, "XVGUSDT": 1, "SOLUSDT": "a lot"}
    config = [{"symbol": s, "marginType": "CROSSED", "leverage": setting} for s, setting in settings.items()]
    given = facts(recorded, [spot_row("BTC"), spot_row("XVG"), spot_row("SOL")], symbol_config=config)
    listed = list_instruments("binance", given, Universe(), fee_in_base=True)
    assert {i.symbol: i.leverage for i in listed.instruments if i.kind is Kind.PERP} == {
        "BTCUSDT": 75,
        "SOLUSDT": None,
    }
    assert listed.unlevered == ("XVGUSDT",)
    held = list_instruments("binance", given, Universe(), fee_in_base=True, kept={"binance:XVGUSDT:perp"})
    assert {i.coin for i in held.instruments} == {"BTC", "SOL", "XVG"}
    assert held.unlevered == ("XVGUSDT",)
    assert {i.id for i in held.instruments if i.barred} == {"binance:XVGUSDT:perp"}


def test_isolated_margin_is_told_once_and_again_when_it_is_another() -> None:
    told: list[Any] = []

    def log(_: Any, name: str, fields: Any) -> None:
        told.append((name, fields["symbols"]))

    reader = AccountReader("binance", BinanceRest("k", "s", None), Universe(), log)
    many = tuple(f"C{number}USDT" for number in range(10))
    for isolated in (("XVGUSDT",), ("XVGUSDT",), (), ("XVGUSDT",), many):
        reader._tell_settings(Listed((), (), isolated))
    shown = ", ".join(many[:8])
    assert told == [
        ("venue.isolated_margin", "XVGUSDT"),
        ("venue.isolated_margin", "XVGUSDT"),
        ("venue.isolated_margin", f"{shown} and 2 more"),
    ]


class Told:
    """A REST that tells of two coins, and the fees of one of them."""

    def __init__(self, fees: list[str]) -> None:
        fee = {"makerCommission": "0.001", "takerCommission": "0.001"}
        self.answers: dict[str, Any] = {
            "privateGetAccountCommission": {"discount": {"enabledForAccount": False, "enabledForSymbol": True}},
            "publicGetExchangeInfo": {"symbols": [spot_row("BTC"), spot_row("XVG")]},
            "fapiPublicGetExchangeInfo": {"symbols": [perp_row("BTC"), perp_row("XVG")]},
            "sapiGetAssetTradeFee": [{"symbol": symbol, **fee} for symbol in fees],
            "fapiPrivateGetCommissionRate": {"makerCommissionRate": "0.0002", "takerCommissionRate": "0.0005"},
            "fapiPrivateGetFeeBurn": {"feeBurn": False},
        }

    async def data(self, endpoint: str, params: Any = None) -> Any:
        del params
        return self.answers.get(endpoint, [])


async def test_a_pair_without_fees_is_left_out_and_no_reason_to_list_none() -> None:
    """A new pair may be told before its fees are. What may be held is listed all the same: it has to be managed."""
    left_out: list[Any] = []
    rest: Any = Told(["BTCUSDT"])
    reader = AccountReader(
        "binance", rest, Universe(), lambda _, name, fields: left_out.append((name, fields["symbol"]))
    )
    assert {i.coin for i in (await reader.listing(signed=True)).instruments} == {"BTC"}
    assert left_out == [("venue.instrument_left_out", "XVG")]
    assert {i.coin for i in (await reader.listing(signed=True)).instruments} == {"BTC"}, "that is not for good"
    reader.kept |= {"binance:XVGUSDT:spot", "binance:XVGUSDT:perp"}
    listed = await reader.listing(signed=True)
    assert {i.coin for i in listed.instruments} == {"BTC", "XVG"}
    assert listed.fees["binance:XVGUSDT:spot"] == listed.fees["binance:BTCUSDT:spot"]
    rest.answers["sapiGetAssetTradeFee"] = []
    with pytest.raises(VenueError, match="no fee rates"):
        await reader.listing(signed=True)


def test_what_a_newer_answer_says_of_a_market_counts(recorded: Path) -> None:
    """Permissions are asked for after the listing: a spot that has closed in between is closed."""
    spot = load(recorded, "20260703T051738Z__api-v3-exchangeInfo-curated-BTCETHXVG.json")["symbols"]
    listed = list_instruments("binance", facts(recorded, spot), Universe(), fee_in_base=True)
    newer = {"symbols": [{**row, "status": "BREAK"} if row["symbol"] == "BTCUSDT" else row for row in spot]}
    shut = [(one.symbol, one.kind) for one in closed_since(listed, newer).instruments if not one.trades]
    assert shut == [("BTCUSDT", Kind.SPOT)]
