"""Channels of alerts: their URLs, where secrets may stand, and what is said about mistakes."""

import json

import pytest

from bot.settings import SettingsError, changes, load, redacted, secrets
from bot.settings.shell import AlertLevel

TOKEN = "123456789:AAHq-5f3b9d_never-to-be-seen"
TELEGRAM = f"tgram://{TOKEN}/987654321/"
HEAD = "venues: {binance: {adapter: binance}}\n"


def settings(tmp_path, text, environ=None):
    path = tmp_path / "my.yaml"
    path.write_text(HEAD + text)
    return load(path, environ or {})


def refusal(tmp_path, text, environ=None):
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, text, environ)
    said = str(caught.value)
    assert TOKEN not in said
    return said


def test_a_channel_is_one_line(tmp_path):
    found = settings(tmp_path, "alerts:\n  channels:\n    - json://127.0.0.1:8080/alerts\n").alerts
    (channel,) = found.channels
    assert channel.url is not None
    assert channel.url.get_secret_value() == "json://127.0.0.1:8080/alerts"
    assert channel.min_severity is AlertLevel.WARNING


def test_a_secret_comes_from_a_variable_or_a_file_and_is_known_to_the_redaction(tmp_path):
    (tmp_path / "mail").write_text(TELEGRAM + "\n")
    text = f"alerts: {{channels: [{{url_env: MY_CHANNEL}}, {{url_file: {tmp_path}/mail, min_severity: critical}}]}}\n"
    found = settings(tmp_path, text, {"MY_CHANNEL": TELEGRAM})
    assert [each.url.get_secret_value() for each in found.alerts.channels if each.url] == [TELEGRAM, TELEGRAM]
    assert TELEGRAM in secrets(found)
    assert any(each in TOKEN for each in secrets(found))
    assert "never-to-be-seen" not in json.dumps(redacted(found))


@pytest.mark.parametrize("as_file", [False, True])
def test_the_environment_can_hold_all_channels(tmp_path, as_file):
    value = f"{TELEGRAM},json://127.0.0.1:1/"
    (tmp_path / "channels").write_text(value)
    name, value = ("_FILE", str(tmp_path / "channels")) if as_file else ("", value)
    found = settings(tmp_path, "", {f"CARRYBOT_ALERTS__CHANNELS{name}": value})
    assert [each.url.get_secret_value() for each in found.alerts.channels if each.url] == [
        TELEGRAM,
        "json://127.0.0.1:1/",
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (f"alerts:\n  channels:\n    - url: {TELEGRAM}\n", 4, "bears a secret"),
        ("alerts:\n  channels:\n    - nonsense\n", 4, "not an Apprise URL"),
        ("alerts:\n  channels:\n    - {url: 'nosuch://x'}\n", 4, "cannot use this nosuch://"),
        ("alerts:\n  channels:\n    - {min_severity: warning}\n", 4, "has no URL"),
        ("alerts:\n  channels:\n    - {url_env: A, url_file: b}\n", 4, "more than one"),
        ("alerts:\n  channels:\n    - {url_env: NOT_SET}\n", 4, "NOT_SET is not set"),
        ("alerts:\n  channels:\n    - {url_file: /no/such}\n", 4, "no file /no/such"),
        (f"alerts:\n  channels:\n    - {{url_env: '{TELEGRAM}'}}\n", 4, "not the name of a variable"),
        ("alerts:\n  channels:\n    - {url_evn: A}\n", 4, "did you mean 'url_env'"),
        ("alerts:\n  channels:\n    - {url: 'json://127.0.0.1', min_severity: loud}\n", 4, "expected one of"),
        ("alerts:\n  channels:\n    - {token: abc}\n", 4, "name that one with url_env"),
        ("alerts:\n  quiet_hours: {start: '25:00', end: '06:00'}\n", 3, "not a time of day"),
        ("alerts:\n  quiet_hours: {start: '22:00'}\n", 3, "go together"),
        ("alerts:\n  quiet_hours: {start: '22:00', end: '22:00'}\n", 3, "begin and end at 22:00"),
        ("alerts:\n  rate_per_hour: 0\n", 3, "at least 1"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path, text, line, words):
    said = refusal(tmp_path, text)
    assert f"my.yaml:{line}: " in said
    assert words in said


def test_edits_of_alerts_need_no_restart(tmp_path):
    old = settings(tmp_path, "")
    new = settings(tmp_path, "alerts: {channels: ['json://127.0.0.1:1/'], dedupe_s: 5}\n")
    found = changes(old, new)
    assert {each.key: each.needs_restart for each in found} == {"alerts.channels": False, "alerts.dedupe_s": False}
    assert "127.0.0.1" not in repr(found)
