"""docs/configuration.md lists the keys that there are."""

from pathlib import Path

import pytest

from bot.settings.reference import inserted, markdown

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/configuration.md"


def test_the_list_of_keys_is_up_to_date():
    """Write it again with `python -m bot.settings.reference docs/configuration.md`."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert inserted(text) == text


def test_the_list_has_bounds_defaults_and_no_secret():
    table = markdown()
    assert "| `limits.per_coin_cap` | number above 0 to 1 | 0.05 |" in table
    assert "| `venues.<name>.adapter` | binance | required |" in table
    assert "| `limits.liquidation.warn` |" in table
    assert "api_key" not in table


def test_a_document_without_the_marks_is_refused():
    with pytest.raises(ValueError, match="the marks"):
        inserted("no marks")
