"""Defaults are written once, every key is described, and what is shipped is valid and complete."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml

from bot.domain.config import CoreConfig
from bot.settings import changes, load, redacted, require_credentials, schema
from bot.settings.document import parse
from bot.settings.fields import RULES
from bot.settings.mirror import hints_of, without_none
from bot.settings.shell import Paper, Shell

ROOT = Path(__file__).resolve().parents[2]
DEMO, LIVE, PAPER = (ROOT / "config" / name for name in ("demo.yaml", "live.yaml", "paper.yaml"))
KEYS = {"CARRYBOT_VENUES__BINANCE__API_KEY": "k" * 64, "CARRYBOT_VENUES__BINANCE__API_SECRET": "s" * 64}


def classes(source: type) -> Iterator[type]:
    yield source
    for hint in map(without_none, hints_of(source).values()):
        for each in (hint, *get_args(hint)):
            if isinstance(each, type) and is_dataclass(each):
                yield from classes(each)


ALL = [*classes(CoreConfig), *classes(Shell)]


@pytest.mark.parametrize("source", ALL, ids=lambda each: each.__name__)
def test_every_field_has_a_rule_and_every_number_has_bounds(source):
    assert set(RULES[source]) == {each.name for each in fields(source)}
    for name, hint in hints_of(source).items():
        rule, inner = RULES[source][name], without_none(hint)
        assert rule.doc.endswith((".", "}.", "db")), f"{source.__name__}.{name} says what it means"
        number = inner if get_origin(inner) is None else get_args(inner)[-1]
        if number in (int, float, Decimal):
            assert rule.gt is not None or rule.ge is not None, f"{source.__name__}.{name} has no lower bound"
            assert rule.lt is not None or rule.le is not None, f"{source.__name__}.{name} has no upper bound"


def test_a_file_without_limits_gives_the_shipped_defaults(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("venues: {a: {adapter: binance}}\n")
    assert load(path, {}).core == CoreConfig()


def test_the_demo_runs_on_the_defaults_and_needs_no_keys():
    settings = load(DEMO, {})
    require_credentials(settings)
    shipped = CoreConfig()
    assert replace(settings.core.limits, cash_rate=shipped.limits.cash_rate) == shipped.limits
    assert settings.core.universe == shipped.universe
    # Its guards and headroom fit a clock on which hours pass between a decision and its fills.
    own = {"execution": shipped.execution, "strategy": shipped.strategy, "limits": shipped.limits}
    assert replace(settings.core, **own) == shipped
    venue = settings.venues["binance"]
    assert venue.embedded
    assert venue.simulator is not None
    assert venue.simulator.speed >= 14_400
    assert venue.api_key is not None
    assert venue.api_secret is not None
    assert (venue.api_key.get_secret_value(), venue.api_secret.get_secret_value()) == ("demo-key", "demo-secret")


def test_live_has_the_defaults_and_asks_for_keys():
    settings = load(LIVE, KEYS)
    require_credentials(settings)
    shipped = CoreConfig()
    assert settings.core.limits == shipped.limits
    assert settings.core.universe == shipped.universe
    # Its guards and headroom fit a clock on which hours pass between a decision and its fills.
    assert replace(settings.core, execution=shipped.execution, strategy=shipped.strategy) == shipped
    assert settings.venues["binance"].transport is None
    assert settings.venues["binance"].simulator is None


def leaves(data: Any, path: str = "") -> Iterator[str]:
    if isinstance(data, dict) and data:
        for key, each in data.items():
            yield from leaves(each, f"{path}.{key}" if path else key)
    else:
        yield path


def test_live_explains_every_key():
    """The sections of a venue that send it elsewhere are commented examples or belong to the demonstration."""
    text = LIVE.read_text()
    written = set(leaves(parse(text, "live").data))
    expected = {
        each
        for each in leaves(redacted(load(LIVE, {})))
        if each.rpartition(".")[2] not in ("api_key", "api_secret", "transport", "simulator", "paper")
    }
    assert written == expected
    assert "# transport:" in text
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s+\w+: \S", line):
            assert "#" in line, f"line {number} explains nothing"


def test_the_commented_examples_in_live_are_valid(tmp_path):
    text = re.sub(r"^    # (transport:|  host|  port|  ca_file)", r"    \1", LIVE.read_text(), flags=re.MULTILINE)
    path = tmp_path / "live.yaml"
    path.write_text(text)
    transport = load(path, KEYS).venues["binance"].transport
    assert transport is not None
    assert transport.port == 8443


def test_the_commented_paper_account_in_live_has_the_defaults(tmp_path):
    section = r"^    # (paper:|  enabled|  cash|  spot_fee|  perp_)"
    path = tmp_path / "live.yaml"
    path.write_text(re.sub(section, r"    \1", LIVE.read_text(), flags=re.MULTILINE))
    venue = load(path, KEYS).venues["binance"]
    assert venue.on_paper
    assert venue.paper == Paper() == load(PAPER, {}).venues["binance"].paper


def test_the_shipped_schema_is_up_to_date():
    """Write it again with `carrybot config schema > config/schema.json`."""
    assert json.loads((ROOT / "config/schema.json").read_text()) == schema()


def test_the_schema_has_every_key_and_no_secret():
    made = schema()
    assert set(made["properties"]) == {*hints_of(CoreConfig), *hints_of(Shell)}
    assert made["additionalProperties"] is False
    assert "api_key" not in json.dumps(made)
    cap = made["$defs"]["Limits"]["properties"]["per_coin_cap"]
    assert (cap["type"], cap["exclusiveMinimum"], cap["maximum"], cap["default"]) == ("number", 0, 1, 0.05)
    assert cap["description"].startswith("R2")


@pytest.mark.parametrize("path", [DEMO, LIVE], ids=["demo", "live"])
def test_shipped_files_use_keys_of_the_schema(path):
    made = schema()

    def check(data: Any, node: dict[str, Any]) -> None:
        while "$ref" in node or "anyOf" in node:
            node = made["$defs"][node["$ref"].split("/")[-1]] if "$ref" in node else node["anyOf"][0]
        if isinstance(data, dict):
            rest = node.get("additionalProperties")
            for key, each in data.items():
                assert key in node.get("properties", {}) or isinstance(rest, dict), key
                check(each, node.get("properties", {}).get(key, rest))

    check(yaml.safe_load(path.read_text()), made)


def test_redacted_is_plain_json_without_secrets():
    shown = redacted(load(LIVE, KEYS))
    assert "k" * 64 not in json.dumps(shown)
    assert "s" * 64 not in json.dumps(shown)
    assert shown["venues"]["binance"]["api_key"] == "(hidden)"
    assert shown["limits"]["per_coin_cap"] == "0.05"


def test_changes_say_what_differs_and_what_needs_a_restart(tmp_path):
    path = tmp_path / "my.yaml"
    head = "venues: {binance: {adapter: binance}}\n"
    path.write_text(head)
    old = load(path, KEYS)
    assert changes(old, load(path, KEYS)) == []
    path.write_text(
        head
        + "limits: {per_coin_cap: 0.1, liquidation: {warn: 0.3}, per_coin_cap_overrides: {BTC: 0.2}}\n"
        + "universe: {exclude: [DOGE]}\nlog: {level: debug, format: json}\napi: {port: 9000}\n"
    )
    new = load(path, {**KEYS, "CARRYBOT_VENUES__BINANCE__API_SECRET": "t" * 64, "CARRYBOT_DATA": "/srv/other"})
    found = {each.key: (each.old, each.new, each.needs_restart) for each in changes(old, new)}
    assert found == {
        "api.port": (8471, 9000, True),
        "data_dir": (str(Path("data").absolute()), "/srv/other", True),
        "database.url": (old.database.url, "sqlite+aiosqlite:////srv/other/carrybot.db", True),
        "limits.liquidation.warn": (0.25, 0.3, False),
        "limits.per_coin_cap": ("0.05", "0.1", False),
        "limits.per_coin_cap_overrides.BTC": (None, "0.2", False),
        "log.format": ("auto", "json", True),
        "log.level": ("info", "debug", False),
        "universe.exclude": ([], ["DOGE"], False),
        "venues.binance.api_secret": ("(hidden)", "(hidden)", True),
    }
