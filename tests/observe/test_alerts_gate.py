"""Repeats, the hourly rate and quiet hours, in virtual time."""

from bot.domain.actions import Emit, Severity
from bot.observe.gate import DIGEST_EVERY_S, Gate
from bot.settings import AlertLevel, Alerts, QuietHours

NOON = 12 * 60


def warning(name="feed.lost", **fields):
    return Emit(Severity.WARNING, name, fields)


def critical(name="store.failed", **fields):
    return Emit(Severity.CRITICAL, name, fields)


def test_a_repeat_is_counted_and_told_when_its_window_ends():
    gate = Gate(Alerts(dedupe_s=600), 0)
    first = gate.offer(warning(feed="a", reason="1"), 0, NOON)
    assert first is not None
    assert [gate.offer(warning(feed="a", reason=str(n)), 10 + n, NOON) for n in range(7)] == [None] * 7
    assert gate.due(599, NOON) == []
    (again,) = gate.due(600, NOON)
    assert "latest of 7 repeats" in again.body
    assert ": 6." in again.body, "it is the latest one"
    assert gate.due(1_200, NOON) == []
    assert gate.offer(warning(feed="a"), 1_201, NOON) is not None


def test_other_subjects_and_worse_severities_are_not_repeats():
    gate = Gate(Alerts(), 0)
    assert gate.offer(warning(feed="a"), 0, NOON) is not None
    assert gate.offer(warning(feed="b"), 0, NOON) is not None
    assert gate.offer(Emit(Severity.CRITICAL, "feed.lost", {"feed": "a"}), 1, NOON) is not None
    assert gate.offer(warning(feed="a"), 2, NOON) is None


def test_money_that_differs_in_each_wallet_and_each_strange_symbol_are_told():
    """Of what passes for a repeat only the latest is told, and that once the window is over."""
    gate = Gate(Alerts(), 0)
    for wallet in ("spot", "perp", "margin"):
        gone = critical("ledger.difference", venue="binance", wallet=wallet, asset="USDT", venue_less_ledger=-100)
        assert gate.offer(gone, 0, NOON) is not None
        assert gate.offer(gone, 1, NOON) is None
    for symbol in ("BTCUSDT", "ETHUSDT", "XRPUSDT"):
        held = warning("venue.foreign_position", venue="binance", symbol=symbol, quantity=1)
        assert gate.offer(held, 2, NOON) is not None
        assert gate.offer(held, 3, NOON) is None


def test_what_waits_is_told_when_the_process_ends():
    gate = Gate(Alerts(rate_per_hour=4, quiet_hours=QuietHours(start="22:00", end="06:00")), 0)
    for number in range(6):
        gate.offer(critical(reason=str(number), task=str(number // 2)), 0, NOON)
    for number in range(3):
        gate.offer(critical("order.rejected", coin=str(number)), 1, NOON)
    gate.offer(warning(feed="a"), 1, 0)
    assert gate.due(2, NOON) == [], "neither the window nor the pause between digests is over"
    *repeats, digest = gate.last(2, NOON)
    assert ["1 repeats" in each.body for each in repeats] == [True] * 3
    assert ": 5." in repeats[-1].body
    assert "2 x order.rejected, 1 x feed.lost" in digest.body
    assert gate.last(3, NOON) == []
    gate.offer(warning(feed="b"), 1, 0)
    assert gate.last(4_000, 0) == [], "quiet hours are kept"


def test_the_rate_does_not_hold_back_that_the_daemon_failed():
    gate = Gate(Alerts(rate_per_hour=4), 0)
    told = [gate.offer(critical(task=str(number)), 0, NOON) for number in range(9)]
    assert told[-1] is None
    assert gate.offer(critical("daemon.failed", reason="disk full"), 0, NOON) is not None


def test_the_rate_holds_back_and_keeps_a_quarter_for_critical_alerts():
    gate = Gate(Alerts(rate_per_hour=8, dedupe_s=0), 0)
    sent = [gate.offer(warning(feed=str(n)), 0, NOON) for n in range(20)]
    assert sum(each is not None for each in sent) == 6
    worse = [gate.offer(critical(reason=str(n)), 0, NOON) for n in range(5)]
    assert sum(each is not None for each in worse) == 2
    (digest,) = gate.due(max(DIGEST_EVERY_S, 450), NOON)
    assert digest.severity is Severity.CRITICAL
    assert "17 alerts were held back" in digest.body
    assert "14 x feed.lost" in digest.body
    assert "3 x store.failed" in digest.body


def test_quiet_hours_hold_lesser_alerts_until_they_end():
    policy = Alerts(quiet_hours=QuietHours("22:00", "06:30", AlertLevel.CRITICAL))
    gate = Gate(policy, 0)
    assert gate.offer(warning(feed="a"), 0, 22 * 60) is None
    assert gate.offer(warning(feed="b"), 0, 6 * 60 + 29) is None
    assert gate.offer(critical(), 0, 23 * 60) is not None
    assert gate.due(DIGEST_EVERY_S, 3 * 60) == []
    (digest,) = gate.due(DIGEST_EVERY_S, 6 * 60 + 30)
    assert "2 x feed.lost" in digest.body
    assert gate.offer(warning(feed="c"), 1, 6 * 60 + 30) is not None


def test_quiet_hours_within_a_day():
    gate = Gate(Alerts(quiet_hours=QuietHours("12:00", "13:00", AlertLevel.WARNING)), 0)
    assert gate.quiet(Severity.INFO, 12 * 60)
    assert not gate.quiet(Severity.WARNING, 12 * 60)
    assert not gate.quiet(Severity.INFO, 13 * 60)


def test_memory_is_bounded_and_what_is_forgotten_is_counted():
    gate = Gate(Alerts(rate_per_hour=1, dedupe_s=1e6), 0)
    for number in range(3_000):
        gate.offer(warning(feed=str(number)), 0, NOON)
        gate.offer(warning(feed=str(number)), 0, NOON)
    (digest,) = gate.due(3_600, NOON)
    assert "4999 alerts were held back" in digest.body
    assert len(gate._seen) == 1_000


def test_a_policy_can_be_replaced_at_any_time():
    gate = Gate(Alerts(dedupe_s=600), 0)
    gate.offer(warning(feed="a"), 0, NOON)
    gate.policy = Alerts(dedupe_s=5)
    assert gate.offer(warning(feed="a"), 6, NOON) is not None
