"""The worked examples G1 to G9: computed, never typed in. `carrybot calc examples` and docs/planner.md show them."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from bot.domain import planning
from bot.research.planner import liquidation
from bot.research.planner.capital import READINGS, incomes
from bot.research.planner.sheet import Value, fixed, plain

D = Decimal
FUNDING = D("0.00282")
ACCOUNT, CAPITAL = D("0.1"), D("0.2")
SPLIT_SIZE, UNIFIED_SIZE = D("0.3"), D("1.5")
SETTLEMENTS_A_DAY = 3
MAINTENANCE = D("0.03467")
"""m1 + m2, solved back from the source's fall of 74 %."""
BTC_2019_USD = D("5304.25")
"""XBTUSD's recorded middle price at the settlement of 2019-04-20 04:00 UTC; the source gives none."""


@dataclass(frozen=True, slots=True)
class Result:
    """One computed figure: its key, what it is, its value, and how the specification prints it."""

    key: str
    label: str
    value: Decimal
    digits: int
    unit: str = "%"
    sign: bool = False

    @property
    def printed(self) -> str:
        value = 100 * self.value if self.unit == "%" else self.value
        shown = fixed(value, self.digits)
        return f"{'+' if self.sign and value > 0 else ''}{shown} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Example:
    """An example's id, its inputs in words, and its results in the specification's order."""

    id: str
    inputs: str
    results: tuple[Result, ...]
    note: str = ""

    def json(self) -> dict[str, object]:
        rows: list[dict[str, Value]] = [
            {"key": each.key, "label": each.label, "value": plain(each.value), "printed": each.printed}
            for each in self.results
        ]
        found: dict[str, object] = {"id": self.id, "inputs": self.inputs, "results": rows}
        return found | ({"note": self.note} if self.note else {})


def _g1() -> Example:
    borrow = fee = D("0.0005")
    results = (
        Result("edge_rate", "edge of one settlement, two trades", planning.edge_rate(FUNDING, borrow, fee, 2), 3),
        Result("edge_all_trades_rate", "with all four trades", planning.edge_rate(FUNDING, borrow, fee, 4), 3),
    )
    return Example("G1", "funding 0.282 %, borrow 0.05 %, taker fee 0.05 % a trade", results)


def _g2() -> Example:
    published, formula, own = incomes(SPLIT_SIZE, FUNDING, SETTLEMENTS_A_DAY, (ACCOUNT, CAPITAL))
    results = (
        Result("as_published_coin", "as published, a day", published.coin_a_day, 6, "ETH"),
        Result("as_published_on_one_rate", "on one account", published.on_one, 3),
        Result("as_published_on_both_rate", "on both", published.on_all, 4),
        Result("printed_formula_coin", "the printed formula, a day", formula.coin_a_day, 6, "ETH"),
        Result("g1_rates_coin", "with G1's own rates, a day", own.coin_a_day, 6, "ETH"),
        Result("g1_rates_on_both_rate", "on both", own.on_all, 3),
    )
    inputs = "split accounts of 0.1 ETH each, 3x, 0.3 ETH a side, 3 settlements a day at 0.282 %"
    return Example("G2", inputs, results, _costs_note())


def _costs_note() -> str:
    costs = (f"{each.label} {fixed(100 * each.costs.a_day(SETTLEMENTS_A_DAY), 3)} %" for each in READINGS)
    return "costs of a day, of one side: " + "; ".join(costs)


def _g3() -> Example:
    found = planning.margin_split(CAPITAL, D(10), D(75))
    results = (
        Result("spot_margin_coin", "margin of the spot leg", found.spot_margin, 5, "ETH"),
        Result("perp_margin_coin", "margin of the perp leg", found.perp_margin, 5, "ETH"),
        Result("size_coin", "largest hedge a side", found.size, 4, "ETH"),
    )
    return Example("G3", "unified account, 0.2 ETH, spot margin at 10x, inverse perp at 75x", results)


def _g4() -> Example:
    used = planning.margin_used(UNIFIED_SIZE, D(10), D(75))
    published, formula, own = incomes(UNIFIED_SIZE, FUNDING, SETTLEMENTS_A_DAY, (used, CAPITAL))
    apart = incomes(SPLIT_SIZE, FUNDING, SETTLEMENTS_A_DAY, (ACCOUNT, CAPITAL))[0]
    results = (
        Result("margin_used_coin", "margin used", used, 2, "ETH"),
        Result("as_published_coin", "as published, a day", published.coin_a_day, 6, "ETH"),
        Result("as_published_on_used_rate", "on margin used", published.on_one, 2),
        Result("as_published_on_account_rate", "on the account", published.on_all, 2),
        Result("printed_formula_coin", "the printed formula, a day", formula.coin_a_day, 5, "ETH"),
        Result("g1_rates_coin", "with G1's own rates, a day", own.coin_a_day, 5, "ETH"),
        Result("g1_rates_on_account_rate", "on the account", own.on_all, 2),
        Result("income_over_split", "over G2, like for like", published.on_all / apart.on_all, 2, "times"),
    )
    note = "the source's 586 % divides different bases: 7.33 % on margin used by 1.25 % on both whole accounts"
    return Example("G4", "as G2 with 1.5 ETH a side in the unified account of G3", results, note)


def _g5() -> Example:
    plain_account = liquidation.Unified(CAPITAL, UNIFIED_SIZE, MAINTENANCE)
    widened = liquidation.Unified(CAPITAL, UNIFIED_SIZE, MAINTENANCE, D("0.05"))
    survives = planning.leverage_surviving_fall(D("0.33"), MAINTENANCE)
    results = (
        Result("price_factor", "liquidation at P/P0", plain_account.factor(), 2, ""),
        Result("fall", "a fall of", 1 - plain_account.factor(), 0),
        Result("price_factor_widened", "premium 5 % wider: P/P0", widened.factor(), 2, ""),
        Result("leverage_33_one_side", "leverage that survives -33 %, one side", survives, 1, "x"),
        Result("leverage_33_gross", "gross, both legs over equity", 2 * survives, 1, "x"),
    )
    inputs = "equity 0.2 coins, 1.5 a side long on a USD loan and short inverse, maintenance 3.467 % together"
    note = (
        '3.467 % is solved back from the source\'s 74 % (add the liquidation fee); its "average leverage 15" is '
        'gross, its "below 20" one side'
    )
    return Example("G5", inputs, results, note)


def _g6() -> Example:
    spot, taker, maker = D("0.001"), D("0.0005"), D("0.0002")
    results = (
        Result("round_trip_rate", "round trip, of one side's notional", planning.round_trip_rate((spot, taker)), 2),
        Result("round_trip_maker_rate", "perp at a 0.02 % maker fee", planning.round_trip_rate((spot, maker)), 2),
    )
    return Example("G6", "spot fee 0.1 %, perp fee 0.05 %, in and out", results)


def _g7() -> Example:
    pay = planning.funding_payment
    across = pay(D(1), D("0.0002"), -1) + pay(D(1), D("-0.0001"), +1)
    results = (
        Result("high_coin", "10 BTC short at 0.05 %", pay(D(10), D("0.0005"), -1), 3, "BTC"),
        Result("low_coin", "10 BTC short at 0.01 %", pay(D(10), D("0.0001"), -1), 3, "BTC"),
        Result("cross_venue_coin", "1 BTC short at +0.02 %, long at -0.01 %", across, 4, "BTC"),
    )
    return Example("G7", "one settlement", results)


def _g8() -> Example:
    nav, ceiling, cap = D(1_000_000), D(2), D("0.05")
    results = (
        Result("spot_usd", "spot", nav * ceiling, 0, "USD"),
        Result("short_perp_usd", "short perp", nav * ceiling, 0, "USD"),
        Result("per_coin_usd", "no coin above", nav * cap, 0, "USD"),
    )
    return Example("G8", "NAV 1,000,000 USD at the ceiling of 2.0, 5 % of NAV a coin", results)


def _g9() -> Example:
    rates, prices = (D("-0.00107"), D("0.0001")), (BTC_2019_USD, D(170))
    found = planning.triangle(D(10_000), rates, prices, D(60))
    results = (
        Result("funding_rate", "funding an interval, of one side", found.funding_rate, 3),
        Result("delta_b_coin", "delta at entry", found.delta_b, 1, "ETH", sign=True),
        Result("delta_a_coin", "delta at entry", found.delta_a, 2, "BTC", sign=True),
        Result("delta_share", "largest delta, of one side", found.worst_share, 1),
        Result("window_rate", "both rates, 20 April to 2 May 2019", D("0.012727") + D("0.016301"), 2),
    )
    inputs = (
        "XBTUSD long at -0.107 %, ETHUSD short at +0.01 %, 10,000 USD each, 60 ETH at 170 USD bought against BTC; "
        "in the window they summed to -1.2727 and +1.6301 %"
    )
    note = f"the source gives no BTC price: {BTC_2019_USD} USD is XBTUSD as recorded at 2019-04-20 04:00 UTC"
    return Example("G9", inputs, results, note)


MAKERS: tuple[Callable[[], Example], ...] = (_g1, _g2, _g3, _g4, _g5, _g6, _g7, _g8, _g9)


def examples() -> tuple[Example, ...]:
    """All worked examples, in order."""
    return tuple(make() for make in MAKERS)
