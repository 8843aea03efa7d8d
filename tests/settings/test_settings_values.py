"""What can be wrong with a value: the line, the key, and what to write instead."""

from decimal import Decimal
from pathlib import Path

import pytest

from bot.settings import Problem, Settings, SettingsError, load

HEAD = "venues:\n  binance:\n    adapter: binance\n"
LINES = HEAD.count("\n")


def read(folder: Path, body: str, environ: dict[str, str] | None = None) -> Settings:
    path = folder / "my.yaml"
    path.write_text(HEAD + body)
    return load(path, environ or {})


def refused(folder: Path, body: str) -> tuple[Problem, ...]:
    with pytest.raises(SettingsError) as caught:
        read(folder, body)
    return caught.value.problems


BAD: list[tuple[str, int, str, str]] = [
    # body, line within it, key, words
    ("limits:\n  per_coin_cap: 1.2", 2, "limits.per_coin_cap", "must be at most 1, is 1.2; it is a share: 1.2 %"),
    ("limits:\n  per_coin_cap: 5", 2, "limits.per_coin_cap", "5 % is written 0.05"),
    ("limits:\n  per_coin_cap: 0", 2, "limits.per_coin_cap", "must be above 0, is 0"),
    ("limits:\n  per_coin_cap: -0.1", 2, "limits.per_coin_cap", "must be above 0, is -0.1"),
    ("limits:\n  per_coin_cap: 5%", 2, "limits.per_coin_cap", "expected a number, got '5%'; write 0.05"),
    ("limits:\n  per_coin_cap: 0,05", 2, "limits.per_coin_cap", "with a point for decimals"),
    ("limits:\n  per_coin_cap: five", 2, "limits.per_coin_cap", "expected a number, got 'five'"),
    ("limits:\n  per_coin_cap: true", 2, "limits.per_coin_cap", "expected a number, got true"),
    ("limits:\n  per_coin_cap: .nan", 2, "limits.per_coin_cap", "expected a number, got '.nan'"),
    ("limits:\n  per_coin_cap: .inf", 2, "limits.per_coin_cap", "expected a number, got '.inf'"),
    ("limits:\n  per_coin_cap: 1e999999999", 2, "limits.per_coin_cap", "expected a number"),
    ("limits:\n  per_coin_cap: 1e999", 2, "limits.per_coin_cap", "must be at most 1"),
    ("limits:\n  per_coin_cap:", 2, "limits.per_coin_cap", "got nothing"),
    ("limits:\n  per_coin_cap: [0.1]", 2, "limits.per_coin_cap", "got a list"),
    ("limits:\n  per_coin_cap: {a: 1}", 2, "limits.per_coin_cap", "got a section"),
    ("limits:\n  per_coin_cap:\n    0.05x", 3, "limits.per_coin_cap", "expected a number"),
    ("limits:\n  per_coin_cap_of: nva", 2, "limits.per_coin_cap_of", "did you mean 'nav'?"),
    ("limits:\n  per_coin_cap_overrides:\n    BTC: 2", 3, "limits.per_coin_cap_overrides.BTC", "at most 1"),
    ("limits:\n  per_coin_cap_overrides:\n    btc: 0.2", 3, "limits.per_coin_cap_overrides.btc", "write BTC"),
    (
        "limits:\n  per_coin_cap_overrides: [BTC]",
        2,
        "limits.per_coin_cap_overrides",
        "expected a section, got a list",
    ),
    ("limits:\n  negative_funding_days: 5.5", 2, "limits.negative_funding_days", "expected a whole number"),
    ("limits:\n  negative_funding_days: 0", 2, "limits.negative_funding_days", "must be at least 1"),
    (
        "limits:\n  negative_funding_days: true",
        2,
        "limits.negative_funding_days",
        "expected a whole number, got true",
    ),
    ("limits:\n  negative_funding_day: 5", 2, "limits.negative_funding_day", "did you mean 'negative_funding_days'?"),
    ("limits:\n  stale_s: 0", 2, "limits.stale_s", "must be above 0"),
    ("limits:\n  stale_s: 5s", 2, "limits.stale_s", "expected a number, got '5s'"),
    ("limits:\n  leverage_ceiling: 20", 2, "limits.leverage_ceiling", "must be at most 10"),
    ("limits:\n  liquidation: {warn: 1}", 2, "limits.liquidation.warn", "must be below 1"),
    ("limits:\n  liquidation:\n    min: 0.3", 3, "limits.liquidation.min", "limits.liquidation.warn (0.25)"),
    ("limits:\n  liquidation:\n    warn: 0.15", 3, "limits.liquidation.min", "not below limits.liquidation.warn"),
    ("limits:\n  funding_stop: {window_h: 0}", 2, "limits.funding_stop.window_h", "must be above 0"),
    ("limits: 5", 1, "limits", "expected a section, got '5'"),
    ("limits: []", 1, "limits", "expected a section, got a list"),
    ("limit:\n  stale_s: 5", 1, "limit", "did you mean 'limits'?"),
    ("Limits: {}", 1, "Limits", "did you mean 'limits'?"),
    ("zzz: 1", 1, "zzz", "known here: venues,"),
    ("strategies: [cash_and_cary]", 1, "strategies.0", "did you mean 'cash_and_carry'?"),
    ("strategies: cash_and_carry", 1, "strategies", "expected a list"),
    ("strategies:\n- cash_and_carry\n- cash_and_carry", 1, "strategies", "is listed twice"),
    ("universe:\n  coins:\n  - BTC\n  - eth", 4, "universe.coins.1", "write ETH"),
    ("universe:\n  coins: [BTC, 5]", 2, "universe.coins.1", "put it in quotes"),
    ("universe:\n  coins: [BTC]\n  exclude: [BTC]", 2, "universe.coins", "BTC is also in universe.exclude"),
    ("universe:\n  exclude: [ETH]\n  core: [BTC, ETH]", 3, "universe.core", "ETH is also in universe.exclude"),
    ("universe:\n  volume_usd_min: -1", 2, "universe.volume_usd_min", "must be at least 0"),
    (
        "strategy:\n  fast_half_life_h: 600",
        2,
        "strategy.fast_half_life_h",
        "not below strategy.slow_half_life_h (504)",
    ),
    ("strategy: {reserve: 1}", 1, "strategy.reserve", "must be below 1"),
    ("execution: {style: maker}", 1, "execution.style", "expected one of taker, got 'maker'"),
    ("execution:\n  guard_bps: 80", 2, "execution.repair_guard_bps", "below execution.guard_bps (80)"),
    ("execution:\n  settle_window_s: 1.5", 2, "execution.settle_window_s", "must be at least 2"),
    ("execution:\n  settle_window_s: 11", 2, "execution.settle_window_s", "longer than execution.order_timeout_s"),
    ("api: {host: 0.0.0.0}", 1, "api.host", "not a loopback address"),
    ("api: {port: 70000}", 1, "api.port", "must be at most 65535"),
    ("api: {port: 8470}", 1, "api.port", "8470 is also health.port"),
    ("health: {host: 'a b'}", 1, "health.host", "not a host name"),
    ("log: {format: xml}", 1, "log.format", "expected one of auto, json, console, got 'xml'"),
    ("log: {level: debg}", 1, "log.level", "did you mean 'debug'?"),
    ("data_dir: 5", 1, "data_dir", "expected text, got '5'; put it in quotes"),
    ("data_dir: 'a?b'", 1, "data_dir", "do without ? and #"),
    ("database: {url: 'postgresql://bot:hunter22@db/x'}", 1, "database.url", "keeps its books in SQLite"),
    ("database: {url: 'sqlite:///:memory:'}", 1, "database.url", "would be lost"),
    ("database: sqlite:///x.db", 1, "database", "expected a section"),
]


@pytest.mark.parametrize(("body", "line", "key", "words"), BAD)
def test_bad_values(tmp_path, body, line, key, words):
    (found,) = refused(tmp_path, body + "\n")
    assert found.line == LINES + line, str(found)
    assert found.key == key
    assert words in str(found)
    assert "hunter22" not in str(found)


VENUES: list[tuple[str, int, str, str]] = [
    ("venues: {}", 1, "venues", "no venue is named"),
    ("log: {}", 1, "venues", "required and missing"),
    ("venues: [binance]", 1, "venues", "expected a section, got a list"),
    ("venues:\n  binance: binance", 2, "venues.binance", "expected a section"),
    ("venues:\n  binance:\n    account: main", 2, "venues.binance.adapter", "required and missing"),
    ("venues:\n  binance:\n    adapter: binanc", 3, "venues.binance.adapter", "did you mean 'binance'?"),
    ("venues:\n  My Venue:\n    adapter: binance", 2, "venues.My Venue", "is not a name"),
    ("venues:\n  a__b:\n    adapter: binance", 2, "venues.a__b", "single underscores"),
    (
        "venues:\n  binance:\n    adapter: binance\n    transport: {port: 1}",
        4,
        "venues.binance.transport.ca_file",
        "required and missing",
    ),
    (
        "venues:\n  binance:\n    adapter: binance\n    transport: {port: 1, ca_file: x}\n    simulator: {}",
        4,
        "venues.binance.transport",
        "venues.binance.simulator.embedded is true",
    ),
    (
        "venues:\n  a: {adapter: binance}\n  b: {adapter: binance}",
        3,
        "venues.b.account",
        "venues.a.account names the same account",
    ),
    (
        "venues:\n  a: {adapter: binance, simulator: {}}\n  b: {adapter: binance, simulator: {}}",
        3,
        "venues.b.simulator.embedded",
        "venues.a.simulator.embedded is true too",
    ),
    (
        "venues:\n  a:\n    adapter: binance\n    simulator:\n      speed: 0",
        5,
        "venues.a.simulator.speed",
        "must be at least 1",
    ),
    (
        "venues:\n  a:\n    adapter: binance\n    simulator:\n      port: 8471",
        5,
        "venues.a.simulator.port",
        "8471 is also api.port",
    ),
    ("venues:\n  a:\n    adapter: binance\n    sped: 1", 4, "venues.a.sped", "unknown key"),
]


@pytest.mark.parametrize(("text", "line", "key", "words"), VENUES)
def test_bad_venues(tmp_path, text, line, key, words):
    path = tmp_path / "my.yaml"
    path.write_text(text + "\n")
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    (found,) = caught.value.problems
    assert (found.line, found.key) == (line, key), str(found)
    assert words in str(found)


@pytest.mark.parametrize(
    "key",
    ["api_key", "apiKey", "key", "api_secret", "secret", "password", "passphrase", "private_key", "access_token"],
)
def test_a_secret_in_the_file_is_sent_where_it_belongs_and_not_repeated(tmp_path, key):
    found = refused(tmp_path, f"    {key}: hunter22hunter22\n")
    (one,) = found
    assert one.line == LINES + 1
    assert "a secret does not belong in this file" in one.wrong
    assert "CARRYBOT_VENUES__BINANCE__API_" in one.remedy
    assert "_FILE" in one.remedy
    assert "hunter22" not in str(one)


def test_a_secret_elsewhere_in_the_file(tmp_path):
    (found,) = refused(tmp_path, "log:\n  password: hunter22\n")
    assert (found.line, found.key) == (LINES + 2, "log.password")
    assert "hunter22" not in str(found)


def test_a_coin_may_be_called_token(tmp_path):
    settings = read(tmp_path, "limits:\n  per_coin_cap_overrides: {TOKEN: 0.1, KEY: 0.2}\n")
    assert settings.core.limits.per_coin_cap_overrides == {"TOKEN": Decimal("0.1"), "KEY": Decimal("0.2")}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", "0.1"),
        ("1e-1", "0.1"),
        ("+.1", "0.1"),
        ("'0.1'", "0.1"),
        ("0.10000000000000000001", "0.10000000000000000001"),
    ],
)
def test_decimals_are_read_from_the_text(tmp_path, text, value):
    assert read(tmp_path, f"limits: {{per_coin_cap: {text}}}\n").core.limits.per_coin_cap == Decimal(value)


def test_words_that_older_yaml_takes_for_something_else(tmp_path):
    settings = read(tmp_path, "universe:\n  coins: [ON, NO, Y, 1INCH, BTC]\n  core: []\n")
    assert settings.core.universe.coins == ("ON", "NO", "Y", "1INCH", "BTC")


def test_numbers_that_older_yaml_takes_for_something_else(tmp_path):
    settings = read(tmp_path, "limits:\n  negative_funding_days: 010\nuniverse:\n  volume_usd_min: 1_000_000\n")
    assert settings.core.limits.negative_funding_days == 10
    assert settings.core.universe.volume_usd_min == 1_000_000
    (found,) = refused(tmp_path, "limits:\n  stale_s: 1:30\n")
    assert "expected a number, got '1:30'" in found.wrong


def test_a_default_core_coin_may_be_excluded(tmp_path):
    assert read(tmp_path, "universe: {exclude: [ETH]}\n").core.universe.exclude == ("ETH",)


def test_a_section_whose_lines_are_commented_out_is_empty(tmp_path):
    assert read(tmp_path, "limits:\n  # stale_s: 3\nuniverse:\n  coins:\n").core.limits.stale_s == 5


def test_a_message_is_short_whatever_the_value(tmp_path):
    (found,) = refused(tmp_path, f"limits: {{stale_s: {'x' * 5_000}}}\n")
    assert len(str(found)) < 300 + len(str(tmp_path))
