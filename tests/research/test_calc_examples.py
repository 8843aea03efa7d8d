"""G1 to G9 to their printed precision, and the document that shows them."""

from pathlib import Path

import pytest

from bot.research.planner import document
from bot.research.planner.examples import examples

DOCS = Path(__file__).resolve().parents[2] / "docs"

PRINTED = {
    "G1": {"edge_rate": "0.132 %", "edge_all_trades_rate": "0.032 %"},
    "G2": {
        "as_published_coin": "0.002493 ETH",
        "as_published_on_one_rate": "2.493 %",
        "as_published_on_both_rate": "1.2465 %",
        "printed_formula_coin": "0.002358 ETH",
        "g1_rates_coin": "0.002088 ETH",
        "g1_rates_on_both_rate": "1.044 %",
    },
    "G3": {"spot_margin_coin": "0.17647 ETH", "perp_margin_coin": "0.02353 ETH", "size_coin": "1.7647 ETH"},
    "G4": {
        "margin_used_coin": "0.17 ETH",
        "as_published_coin": "0.012465 ETH",
        "as_published_on_used_rate": "7.33 %",
        "as_published_on_account_rate": "6.23 %",
        "printed_formula_coin": "0.01179 ETH",
        "g1_rates_coin": "0.01044 ETH",
        "g1_rates_on_account_rate": "5.22 %",
        "income_over_split": "5.00 times",
    },
    "G5": {
        "price_factor": "0.26",
        "fall": "74 %",
        "price_factor_widened": "0.64",
        "leverage_33_one_side": "19.3 x",
        "leverage_33_gross": "38.7 x",
    },
    "G6": {"round_trip_rate": "0.30 %", "round_trip_maker_rate": "0.24 %"},
    "G7": {"high_coin": "0.005 BTC", "low_coin": "0.001 BTC", "cross_venue_coin": "0.0003 BTC"},
    "G8": {"spot_usd": "2,000,000 USD", "short_perp_usd": "2,000,000 USD", "per_coin_usd": "50,000 USD"},
    "G9": {
        "funding_rate": "0.117 %",
        "delta_b_coin": "+1.2 ETH",
        "delta_a_coin": "-0.04 BTC",
        "delta_share": "2.0 %",
        "window_rate": "2.90 %",
    },
}


@pytest.mark.parametrize("example", examples(), ids=lambda each: each.id)
def test_a_worked_example_comes_out_as_printed(example):
    assert {each.key: each.printed for each in example.results} == PRINTED[example.id]


def test_figures_that_are_exact_are_exact():
    """No rounding hides in the printing: these have finite decimals."""
    values = {(example.id, each.key): each.value for example in examples() for each in example.results}
    for key, exact in {
        ("G1", "edge_rate"): "0.00132",
        ("G2", "as_published_coin"): "0.002493",
        ("G2", "printed_formula_coin"): "0.002358",
        ("G2", "g1_rates_coin"): "0.002088",
        ("G4", "as_published_coin"): "0.012465",
        ("G4", "income_over_split"): "5",
        ("G9", "funding_rate"): "0.00117",
    }.items():
        assert str(values[key].normalize()) == exact, key
    assert values["G9", "delta_share"] <= 0.025, "within 2.5 %, as the source says"


def test_the_document_is_up_to_date():
    """Write it again with `python -m bot.research.planner.document docs/planner.md`."""
    text = (DOCS / "planner.md").read_text(encoding="utf-8")
    assert document.inserted(text) == text
    assert (DOCS / document.PICTURE).read_text(encoding="utf-8") == document.svg()


def test_a_document_without_the_marks_is_refused():
    with pytest.raises(ValueError, match="the marks"):
        document.inserted("no marks")
