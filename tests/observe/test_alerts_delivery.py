"""Alerts through Apprise to services on this machine; services that fail delay nothing."""

import asyncio
import json
import threading
import time
from contextlib import contextmanager, suppress

from pydantic import SecretStr

from bot.domain.actions import Emit, Severity
from bot.observe import alerting as alerting_module
from bot.observe import courier as courier_module
from bot.observe.alerting import Alerting
from bot.observe.courier import QUEUE_MAX, Courier, send
from bot.observe.gate import Message
from bot.settings import AlertLevel, Alerts, Channel, QuietHours
from tests.observe.alert_endpoints import dead, hanging, inbox

LOST = Emit(Severity.WARNING, "feed.lost", {"feed": "binance:spot", "reason": "no pong"})
FAILED = Emit(Severity.CRITICAL, "store.failed", {"reason": "disk full"})


def channel(url, least=AlertLevel.WARNING):
    return Channel(url=SecretStr(url), min_severity=least)


class Reports(list):
    def __call__(self, severity, name, **fields):
        self.append((severity, name, fields))


async def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


@contextmanager
def ticking():
    """Gaps between the ticks of a task that wants to run each 10 ms, as the daemon's own tasks do."""
    gaps = []

    async def tick():
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.01)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    task = asyncio.get_running_loop().create_task(tick())
    try:
        yield gaps
    finally:
        task.cancel()


async def test_an_alert_says_what_happened_what_was_done_and_what_to_do():
    with inbox() as service:
        alerting = Alerting(Alerts(channels=(channel(service.url),)), Reports())
        async with alerting.running():
            alerting.tell(LOST)
            await until(lambda: service.got)
        (got,) = service.got
    assert got["title"] == "carrybot warning: feed.lost"
    assert got["type"] == "warning"
    assert "The feed binance:spot was lost: no pong." in got["message"]
    assert "The daemon: Nothing opens" in got["message"]
    assert "You: " in got["message"]


async def test_each_channel_is_sent_what_is_severe_enough_for_it():
    with inbox() as every, inbox() as worst:
        channels = (channel(every.url, AlertLevel.INFO), channel(worst.url, AlertLevel.CRITICAL))
        alerting = Alerting(Alerts(channels=channels), Reports())
        async with alerting.running():
            alerting.tell(LOST)
            alerting.tell(FAILED)
            alerting.tell(Emit(Severity.INFO, "control.running", {"reason": "asked for"}))
            alerting.tell(Emit(Severity.INFO, "hedge.opened", {}))
            await until(lambda: len(every.got) == 3 and worst.got)
        assert [each["title"] for each in worst.got] == ["carrybot critical: store.failed"]
        assert {each["type"] for each in every.got} == {"info", "warning", "failure"}


async def test_a_heartbeat_reaches_every_channel():
    with inbox() as service:
        policy = Alerts(channels=(channel(service.url, AlertLevel.CRITICAL),), heartbeat_h=1e-7)
        alerting = Alerting(policy, Reports())
        alerting.heartbeat = lambda: "NAV 1,000,000 USD, 12 hedges"
        async with alerting.running():
            await until(lambda: service.got)
        assert service.got[0]["message"] == "NAV 1,000,000 USD, 12 hedges"


async def test_a_daemon_that_is_restarted_each_day_has_its_heartbeat_all_the_same(tmp_path):
    """When none comes its owner takes it for dead."""
    memory = tmp_path / "alerts.json"
    with inbox() as service:
        policy = Alerts(channels=(channel(service.url),), heartbeat_h=24)
        async with Alerting(policy, Reports(), memory=memory).running():
            pass
        written = json.loads(memory.read_text())
        memory.write_text(json.dumps({**written, "at_s": written["at_s"] - 7 * 3600, "beat_ago_s": 17 * 3600}))
        alerting, starting = Alerting(policy, Reports(), memory=memory), [False, True]

        def says():
            assert not starting.pop(), "there is nothing to say yet"
            return "it trades"

        alerting.heartbeat = says
        async with alerting.running():
            await until(lambda: service.got)
        (got,) = service.got
        assert got["message"] == "it trades"
        assert json.loads(memory.read_text())["beat_ago_s"] < 3600


async def test_what_leaves_is_redacted():
    with inbox() as service:
        alerting = Alerting(Alerts(channels=(channel(service.url),)), Reports())
        alerting.redact = lambda text: text.replace("s3cret", "[redacted]")
        async with alerting.running():
            alerting.tell(Emit(Severity.WARNING, "feed.lost", {"feed": "a", "reason": "key s3cret"}))
            await until(lambda: service.got)
        assert "s3cret" not in str(service.got)


async def test_a_refusing_service_is_tried_again_and_nothing_is_lost():
    with inbox() as service:
        service.refuse = 3
        reports = Reports()
        alerting = Alerting(Alerts(channels=(channel(service.url),)), reports, pause_s_first=0.01)
        async with alerting.running():
            alerting.tell(LOST)
            alerting.tell(FAILED)
            await until(lambda: len(service.got) == 2)
        assert [(name, fields["failures"]) for _, name, fields in reports] == [("alerts.undelivered", 3)]
        assert reports[0][2]["channel"] == "1:json"


async def test_a_repeat_that_waits_leaves_with_the_daemon():
    with inbox() as service:
        alerting = Alerting(Alerts(channels=(channel(service.url),)), Reports())
        async with alerting.running():
            alerting.tell(FAILED)
            alerting.tell(Emit(Severity.CRITICAL, "store.failed", {"reason": "I/O error"}))
        assert ["I/O error" in each["message"] for each in service.got] == [False, True]


async def test_a_daemon_that_dies_again_and_again_is_told_once_in_a_window(tmp_path):
    """Whoever supervises it starts it anew each minute: neither repeats nor the hourly rate begin anew with it."""
    ended = Emit(Severity.CRITICAL, "daemon.failed", {"reason": "disk full, says s3cret"})
    memory = tmp_path / "alerts.json"
    with inbox() as service:
        policy = Alerts(channels=(channel(service.url),), rate_per_hour=4)
        for number in range(12):
            alerting = Alerting(policy, Reports(), memory=memory)
            alerting.redact = lambda text: text.replace("s3cret", "[redacted]")
            async with alerting.running():
                alerting.tell(Emit(Severity.WARNING, "feed.lost", {"feed": str(number)}))
                alerting.tell(ended)
        titles = [each["title"] for each in service.got]
        assert titles.count("carrybot critical: daemon.failed") == 1
        assert titles.count("carrybot warning: feed.lost") == 2, "of four an hour one is for what is critical"
        assert len(titles) == 4, "and one digest of those that were held back"
        written = json.loads(memory.read_text())
        assert next(one for one in written["seen"] if one["key"] == ["daemon.failed"])["repeats"] == 11
        assert "s3cret" not in memory.read_text()
        for one in written["seen"]:
            one["ago_s"] += 601
        memory.write_text(json.dumps(written))
        service.got.clear()
        alerting = Alerting(policy, Reports(), memory=memory)
        async with alerting.running():
            alerting.tell(ended)
        (again,) = [each for each in service.got if "daemon.failed" in each["title"]]
        assert "latest of 11 repeats" in again["message"]


async def test_what_quiet_hours_hold_back_outlives_a_restart(tmp_path):
    memory, minutes = tmp_path / "alerts.json", [0]
    with inbox() as service:
        policy = Alerts(channels=(channel(service.url),), quiet_hours=QuietHours(start="22:00", end="06:00"))
        async with Alerting(policy, Reports(), lambda: minutes[0], memory=memory).running() as _:
            pass
        alerting = Alerting(policy, Reports(), lambda: minutes[0], memory=memory)
        async with alerting.running():
            alerting.tell(LOST)
        assert service.got == []
        minutes[0] = 7 * 60
        async with Alerting(policy, Reports(), lambda: minutes[0], memory=memory).running():
            pass
        assert "1 x feed.lost" in service.got[0]["message"]


async def test_a_memory_that_cannot_be_read_is_none(tmp_path):
    memory = tmp_path / "alerts.json"
    empty = (
        '{"at_s": 1, "seen": [{"severity": "info", "title": "", "body": "", "key": [], "ago_s": 1, "repeats": 1}]}'
    )
    for content in ("", "[]", "{}", '{"at_s": 1, "seen": [1]}', '{"at_s": "x"}', empty):
        memory.write_text(content)
        with inbox() as service:
            alerting = Alerting(Alerts(channels=(channel(service.url),)), Reports(), memory=memory)
            async with alerting.running():
                alerting.tell(FAILED)
            assert len(service.got) == 1


async def test_a_message_that_the_service_never_takes_keeps_no_other_back():
    with inbox() as service:
        service.dislikes = "no pong"
        alerting = Alerting(Alerts(channels=(channel(service.url),)), Reports(), pause_s_first=0.01)
        async with alerting.running():
            alerting.tell(LOST)
            alerting.tell(FAILED)
            await until(lambda: service.got)
            for number in range(5):
                alerting.tell(Emit(Severity.CRITICAL, "task.died", {"task": str(number)}))
            await until(lambda: len(service.got) == 6)


async def test_what_is_critical_is_tried_at_once_however_long_the_pause_is():
    with inbox() as service:
        service.refuse = 1
        alerting = Alerting(Alerts(channels=(channel(service.url),)), Reports(), pause_s_first=200.0)
        async with alerting.running():
            alerting.tell(LOST)
            await until(lambda: alerting.couriers[0].failures)
            alerting.tell(FAILED)
            await until(lambda: len(service.got) == 2)


async def test_a_backlog_leaves_as_one_message():
    with inbox() as service:
        service.refuse = 1
        alerting = Alerting(Alerts(channels=(channel(service.url),)), Reports(), pause_s_first=0.3)
        async with alerting.running():
            for number in range(6):
                alerting.tell(Emit(Severity.WARNING, "feed.lost", {"feed": str(number)}))
            await until(lambda: service.got)
        (got,) = service.got
        assert got["title"] == "carrybot warning: 6 alerts waited"


async def test_dead_and_hanging_services_delay_nothing():
    with inbox() as good, hanging() as silent:
        channels = (channel(dead()), channel(silent), channel(good.url))
        alerting = Alerting(Alerts(channels=channels, rate_per_hour=3_600), Reports(), pause_s_first=0.05)
        send(channel(good.url), Message(Severity.INFO, "warm", "up"))  # Apprise loads its services on first use
        with ticking() as gaps:
            async with alerting.running():
                for number in range(500):
                    alerting.tell(Emit(Severity.WARNING, "feed.lost", {"feed": str(number)}))
                await until(lambda: len(good.got) > 1)
                await asyncio.sleep(1.0)
        assert len(gaps) > 20, "the loop keeps its tick"
        assert max(gaps) < courier_module.SEND_S / 2, "no wait for a service is a wait of the loop"
        assert all(len(each) <= QUEUE_MAX for each in alerting.couriers)


async def test_a_hanging_service_ends_with_the_daemon():
    with hanging() as silent:
        alerting = Alerting(Alerts(channels=(channel(silent),)), Reports())
        async with asyncio.timeout(courier_module.SEND_S):
            async with alerting.running():
                alerting.tell(FAILED)
                await asyncio.sleep(0.1)


async def failing_end(alerting):
    with suppress(ExceptionGroup):
        async with alerting.running():
            alerting.tell(Emit(Severity.CRITICAL, "daemon.failed", {"reason": "a defect"}))
            raise RuntimeError("a defect")


async def test_the_end_by_an_error_waits_for_a_slow_service(monkeypatch):
    monkeypatch.setattr(alerting_module, "DRAIN_S", 0.1)
    with inbox() as service:
        service.delay_s = 0.5
        await failing_end(Alerting(Alerts(channels=(channel(service.url),)), Reports()))
        assert [each["title"] for each in service.got] == ["carrybot critical: daemon.failed"]


async def test_the_end_by_an_error_is_told_to_a_service_that_had_failed_before():
    with inbox() as service:
        service.refuse = 1
        alerting = Alerting(Alerts(channels=(channel(service.url),)), Reports(), pause_s_first=60.0)
        with suppress(ExceptionGroup):
            async with alerting.running():
                alerting.tell(LOST)
                await until(lambda: alerting.couriers[0].failures)
                alerting.tell(Emit(Severity.CRITICAL, "daemon.failed", {"reason": "a defect"}))
                raise RuntimeError("a defect")
        assert "carrybot critical: daemon.failed" in [each["title"] for each in service.got]


async def test_the_end_by_an_error_tries_a_dead_service_once(monkeypatch):
    monkeypatch.setattr(alerting_module, "FAILED_DRAIN_S", 60.0)
    async with asyncio.timeout(30):
        await failing_end(Alerting(Alerts(channels=(channel(dead()),)), Reports(), pause_s_first=60.0))


async def test_given_up_attempts_are_bounded(monkeypatch):
    monkeypatch.setattr(courier_module, "SEND_S", 0.05)
    with hanging() as silent:
        courier = Courier("1:json", channel(silent), lambda *_: None, pause_s_first=0.01)
        courier.put(Message(Severity.CRITICAL, "title", "body"))
        task = asyncio.get_running_loop().create_task(courier.run())
        await until(lambda: courier.failures > 8)
        assert courier._threads <= courier_module.THREADS_MAX
        assert len(courier) == 1, "the message is kept"
        task.cancel()


async def test_what_a_slow_service_took_after_all_is_not_sent_again(monkeypatch):
    """A mail server that keeps one waiting longer than an attempt may take: each alert came every five minutes."""
    sent, answer = [], threading.Event()

    def slow(channel, message):
        del channel
        sent.append(message.title)
        return answer.wait(10)

    monkeypatch.setattr(courier_module, "SEND_S", 0.01)
    monkeypatch.setattr(courier_module, "send", slow)
    courier = Courier("1:mailto", channel("mailto://a:b@c.d"), lambda *_: None, pause_s_first=60.0)
    courier.put(Message(Severity.CRITICAL, "title", "body"))
    task = asyncio.get_running_loop().create_task(courier.run())
    await until(lambda: courier.failures)
    assert len(courier) == 1
    answer.set()
    await until(lambda: not len(courier))
    assert (courier.sent, courier.failures) == (1, 0)
    courier.put(Message(Severity.CRITICAL, "next", "body"))
    await until(lambda: len(sent) > 1)
    assert sent == ["title", "next"], "nor does the next one wait for the pause"
    task.cancel()


async def test_a_full_queue_drops_the_oldest_of_the_least_severe_and_says_so():
    with inbox() as service:
        courier = Courier("1:json", channel(service.url), lambda *_: None)
        for number in range(QUEUE_MAX):
            courier.put(Message(Severity.WARNING, f"warning {number}", ""))
        courier.put(Message(Severity.CRITICAL, "critical", ""))
        assert len(courier) == QUEUE_MAX
        task = asyncio.get_running_loop().create_task(courier.run())
        await until(lambda: service.got)
        task.cancel()
        assert "1 earlier messages could not be delivered" in service.got[0]["message"]
        assert service.got[0]["title"] == f"carrybot critical: {QUEUE_MAX} alerts waited"


async def test_the_worst_of_a_backlog_is_shown_and_the_rest_is_counted():
    """A critical alert, then an hour without network: the many later warnings do not push it out of the message."""
    with inbox() as service:
        courier = Courier("1:json", channel(service.url), lambda *_: None)
        courier.put(Message(Severity.CRITICAL, "carrybot critical: position.taken", "The short of SOL is gone."))
        for number in range(40):
            courier.put(Message(Severity.WARNING, f"carrybot warning: fetch.failed {number}", "x" * 300))
        task = asyncio.get_running_loop().create_task(courier.run())
        await until(lambda: service.got)
        task.cancel()
        said = service.got[0]["message"]
        assert said.startswith("carrybot critical: position.taken\nThe short of SOL is gone.")
        shown = said.count("fetch.failed")
        assert "fetch.failed 39" in said, "the newest of the others"
        assert f"({40 - shown} more, none of them worse; `carrybot alerts` lists them.)" in said
        assert len(said) <= courier_module.BODY_CHARS_MAX


async def test_a_full_queue_of_worse_ones_takes_no_lesser_one():
    courier = Courier("1:json", channel(dead()), lambda *_: None)
    for number in range(QUEUE_MAX):
        courier.put(Message(Severity.CRITICAL, f"critical {number}", ""))
    courier.put(Message(Severity.WARNING, "warning", ""))
    assert {each.message.severity for each in courier._queue} == {Severity.CRITICAL}
    assert courier.dropped == 1


async def test_channels_can_be_changed_while_running():
    with inbox() as first, inbox() as second:
        alerting = Alerting(Alerts(channels=(channel(first.url),)), Reports())
        async with alerting.running():
            alerting.tell(LOST)
            await until(lambda: first.got)
            alerting.configure(Alerts(channels=(channel(second.url),)))
            alerting.tell(FAILED)
            await until(lambda: second.got)
        assert len(first.got) == 1
