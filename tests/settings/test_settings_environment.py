"""Variables override the file; a bad one is named, and no message holds a secret."""

from decimal import Decimal
from pathlib import Path

import pytest

from bot.settings import SettingsError, load, require_credentials, secrets

KEY, SECRET = "k" * 64, "hunter22" * 8
BINANCE = "CARRYBOT_VENUES__BINANCE__"


@pytest.fixture
def live(tmp_path: Path) -> Path:
    path = tmp_path / "live.yaml"
    path.write_text("venues: {binance: {adapter: binance}}\nlimits: {stale_s: 4}\n")
    return path


def test_every_kind_of_key_can_be_set(live, tmp_path):
    settings = load(
        live,
        {
            "CARRYBOT_DATA": str(tmp_path / "state"),
            "CARRYBOT_LIMITS__STALE_S": "7.5",
            "CARRYBOT_LIMITS__PER_COIN_CAP": "0.10",
            "CARRYBOT_LIMITS__PER_COIN_CAP_OF": "capacity",
            "CARRYBOT_LIMITS__PER_COIN_CAP_OVERRIDES__BTC": "0.2",
            "CARRYBOT_LIMITS__LIQUIDATION__WARN": "0.3",
            "CARRYBOT_UNIVERSE__COINS": "BTC, ETH,SOL",
            "CARRYBOT_UNIVERSE__EXCLUDE": "[XRP]",
            "CARRYBOT_STRATEGIES": "cash_and_carry",
            "CARRYBOT_LOG__LEVEL": "debug",
            "CARRYBOT_API__PORT": "0",
            f"{BINANCE}ACCOUNT": "second",
            f"{BINANCE}SIMULATOR__EMBEDDED": "false",
            f"{BINANCE}TRANSPORT__PORT": "8443",
            f"{BINANCE}TRANSPORT__CA_FILE": "/tmp/ca.pem",
            f"{BINANCE}API_KEY": KEY,
            f"{BINANCE}API_SECRET": SECRET + "\n",
        },
    )
    limits, venue = settings.core.limits, settings.venues["binance"]
    assert (limits.stale_s, limits.per_coin_cap, limits.per_coin_cap_of) == (7.5, Decimal("0.10"), "capacity")
    assert limits.per_coin_cap_overrides == {"BTC": Decimal("0.2")}
    assert limits.liquidation.warn == 0.3
    assert settings.core.universe.coins == ("BTC", "ETH", "SOL")
    assert settings.core.universe.exclude == ("XRP",)
    assert settings.data_dir == tmp_path / "state"
    assert settings.database.url == f"sqlite+aiosqlite:///{tmp_path}/state/carrybot.db"
    assert settings.token_file == tmp_path / "state/api.token"
    assert (settings.log.level, settings.api.port) == ("debug", 0)
    assert venue.account == "second"
    assert not venue.embedded
    assert venue.transport is not None
    assert (venue.transport.host, venue.transport.port, venue.transport.ca_file) == (
        "127.0.0.1",
        8443,
        Path("/tmp/ca.pem"),
    )
    assert venue.api_key is not None
    assert venue.api_key.get_secret_value() == KEY
    assert secrets(settings) == (SECRET, KEY)


def test_secrets_from_files(live, tmp_path):
    for name, value in (("key", KEY), ("secret", SECRET)):
        (tmp_path / name).write_text(value + "\n")
    settings = load(
        live, {f"{BINANCE}API_KEY_FILE": str(tmp_path / "key"), f"{BINANCE}API_SECRET_FILE": str(tmp_path / "secret")}
    )
    assert secrets(settings) == (SECRET, KEY)
    require_credentials(settings)


def test_no_representation_holds_a_secret(live):
    settings = load(live, {f"{BINANCE}API_KEY": KEY, f"{BINANCE}API_SECRET": SECRET})
    assert SECRET not in f"{settings!r} {settings} {settings.venues}"
    assert KEY not in repr(settings)


def test_missing_keys_load_but_do_not_run(live):
    settings = load(live, {})
    with pytest.raises(SettingsError, match=r"venues\.binance: the keys of this account are missing") as caught:
        require_credentials(settings)
    assert f"{BINANCE}API_KEY" in str(caught.value)
    assert f"{BINANCE}API_SECRET_FILE" in str(caught.value)


def test_variables_of_others_are_ignored(live):
    others = {
        "CARRYBOT_PORT": "tcp://10.0.0.1:80",
        "CARRYBOT_SERVICE_HOST": "10.0.0.1",
        "PATH": "/bin",
        "CARRYBOTX__Y": "1",
    }
    assert load(live, others).core.limits.stale_s == 4


def test_embedded_simulators_know_their_own_account_alone(tmp_path):
    path = tmp_path / "demo.yaml"
    path.write_text("venues: {binance: {adapter: binance, simulator: {embedded: true}}}\n")
    settings = load(path, {f"{BINANCE}API_SECRET": SECRET})
    require_credentials(settings)
    assert secrets(settings) == ("demo-key", "demo-secret")


BAD: dict[str, tuple[dict[str, str], str, str]] = {
    "out of bounds": ({"CARRYBOT_LIMITS__PER_COIN_CAP": "5"}, "limits.per_coin_cap", "5 % is written 0.05"),
    "wrong type": ({"CARRYBOT_LIMITS__STALE_S": "soon"}, "limits.stale_s", "expected a number, got 'soon'"),
    "not a boolean": ({f"{BINANCE}SIMULATOR__EMBEDDED": "yes"}, "venues.binance.simulator.embedded", "true or false"),
    "bad item": ({"CARRYBOT_UNIVERSE__COINS": "BTC,eth"}, "universe.coins.1", "write ETH"),
    "unknown key": ({"CARRYBOT_LIMITS__STALE": "1"}, "limits.stale", "did you mean 'stale_s'?"),
    "unknown section": ({"CARRYBOT_LIMIT__STALE_S": "1"}, "limit", "did you mean 'limits'?"),
    "unknown venue": ({"CARRYBOT_VENUES__BINACE__API_KEY": SECRET}, "venues.binace", "did you mean 'binance'?"),
    "too deep": ({"CARRYBOT_LIMITS__STALE_S__X": "1"}, "limits.stale_s.x", "unknown key"),
    "a section": ({"CARRYBOT_LIMITS__LIQUIDATION": "1"}, "limits.liquidation", "this is a section"),
    "a venue": ({"CARRYBOT_VENUES__BINANCE": "1"}, "venues.binance", "this is a section"),
    "empty": ({"CARRYBOT_DATA": ""}, "data_dir", "the value is empty"),
    "half of a character": ({"CARRYBOT_DATA": "\udcff"}, "data_dir", "\\udcff is not allowed"),
    "empty secret": ({f"{BINANCE}API_KEY": " "}, "venues.binance.api_key", "the value is empty"),
    "short secret": ({f"{BINANCE}API_KEY": "short"}, "venues.binance.api_key", "at least 8 characters"),
    "spaces in a secret": ({f"{BINANCE}API_KEY": "two words"}, "venues.binance.api_key", "no spaces"),
    "key without secret": (
        {f"{BINANCE}API_KEY": SECRET},
        "venues.binance.api_key",
        "venues.binance.api_secret is not",
    ),
    "secret without key": ({f"{BINANCE}API_SECRET": SECRET}, "venues.binance.api_secret", "API_KEY_FILE too"),
    "missing file": ({f"{BINANCE}API_KEY_FILE": "/no/such"}, "venues.binance.api_key", "there is no file /no/such"),
    "directory": ({f"{BINANCE}API_KEY_FILE": "/tmp"}, "venues.binance.api_key", "not a regular file"),
    "contradiction": (
        {"CARRYBOT_LIMITS__LIQUIDATION__MIN": "0.5"},
        "limits.liquidation.min",
        "not below limits.liquidation.warn",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_variable_is_named(live, name):
    environ, key, words = BAD[name]
    with pytest.raises(SettingsError) as caught:
        load(live, environ)
    (found,) = caught.value.problems
    assert found.where == f"environment {next(iter(environ))}"
    assert found.key == key
    assert words in str(found)
    assert "hunter22" not in str(found)
    assert "short" not in str(found)


@pytest.mark.parametrize(
    ("content", "words"), [(b"\xff\xfe", "not UTF-8"), (b"", "the value is empty"), (b"x" * 20_000, "too large")]
)
def test_bad_secret_files(live, tmp_path, content, words):
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load(live, {f"{BINANCE}API_KEY_FILE": str(path)})
    (found,) = caught.value.problems
    assert words in found.wrong
    assert found.where == f"environment {BINANCE}API_KEY_FILE"


def test_a_key_set_twice(live, tmp_path):
    (tmp_path / "key").write_text(KEY)
    with pytest.raises(SettingsError, match="sets the same key"):
        load(
            live,
            {
                f"{BINANCE}API_KEY": KEY,
                f"{BINANCE}API_KEY_FILE": str(tmp_path / "key"),
                f"{BINANCE}API_SECRET": SECRET,
            },
        )


def test_the_process_s_own_environment_is_the_default(live, monkeypatch):
    monkeypatch.setenv("CARRYBOT_LIMITS__STALE_S", "9")
    assert load(live).core.limits.stale_s == 9


def test_a_variable_does_not_hide_that_its_section_is_none_in_the_file(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("venues: {binance: {adapter: binance}}\nlimits: 7\n")
    with pytest.raises(SettingsError, match=r"my.yaml:2: limits: expected a section"):
        load(path, {"CARRYBOT_LIMITS__STALE_S": "7.5"})
