"""What a daemon leaves to the next one: what no service took, and, where it is killed, what it had told."""

import json
import threading

from bot.domain.actions import Emit, Severity
from bot.observe import notebook
from bot.observe.alerting import Alerting
from bot.observe.notebook import Notebook
from bot.settings import AlertLevel, Alerts
from tests.observe.alert_endpoints import inbox
from tests.observe.test_alerts_delivery import FAILED, LOST, Reports, channel, until


async def test_what_no_service_took_is_sent_by_the_next_daemon(tmp_path):
    """It counts as told, so that no repeat of it leaves; where the net was down, nobody had heard of it."""
    memory, failed = tmp_path / "alerts.json", Emit(Severity.CRITICAL, "daemon.failed", {"reason": "no way out"})
    with inbox() as service, inbox() as other:
        service.refuse = 10**6
        channels = (channel(service.url), channel(other.url, AlertLevel.CRITICAL))
        policy = Alerts(channels=channels)
        for _ in range(2):
            alerting = Alerting(policy, Reports(), memory=memory)
            async with alerting.running():
                alerting.tell(LOST)
                alerting.tell(failed)
        assert service.got == []
        service.refuse = 0
        alerting = Alerting(policy, Reports(), memory=memory)
        async with alerting.running():
            await until(lambda: len(service.got) == 2 and not alerting.counts()["alerts_waiting"])
            await until(lambda: json.loads(memory.read_text())["waiting"] == {})
        assert [each["title"] for each in service.got] == [
            "carrybot warning: feed.lost",
            "carrybot critical: daemon.failed",
        ]
        assert len(other.got) == 1, "that one had been taken"


async def test_what_waited_for_more_than_a_day_is_no_news(tmp_path):
    memory = tmp_path / "alerts.json"
    with inbox() as service:
        service.refuse = 10**6
        policy = Alerts(channels=(channel(service.url),))
        alerting = Alerting(policy, Reports(), memory=memory)
        async with alerting.running():
            alerting.tell(LOST)
        service.refuse = 0
        written = json.loads(memory.read_text())
        memory.write_text(json.dumps({**written, "at_s": written["at_s"] - 90_000}))
        alerting = Alerting(policy, Reports(), memory=memory)
        async with alerting.running():
            alerting.tell(FAILED)
        assert [each["title"] for each in service.got] == ["carrybot critical: store.failed"]


async def test_a_daemon_that_is_killed_again_and_again_is_no_flood(tmp_path):
    """As for want of memory, which it runs into anew after each start."""
    memory, left = tmp_path / "alerts.json", ""
    with inbox() as service:
        policy = Alerts(channels=(channel(service.url),))
        for number in range(3):
            alerting = Alerting(policy, Reports(), memory=memory)
            async with alerting.running():
                alerting.tell(LOST)
                await until(lambda number=number: memory.exists() and f'"repeats": {number}' in memory.read_text())
                await until(lambda: service.got)
                left = memory.read_text()
            memory.write_text(left)  # nothing is written at an end that is none
        assert len(service.got) == 1


def test_a_disk_that_hangs_keeps_nobody_waiting_and_gets_the_newest(tmp_path, monkeypatch):
    free, asked, write = threading.Event(), threading.Event(), notebook.write_private
    file = tmp_path / "alerts.json"

    def hanging(path, content):
        asked.set()
        assert free.wait(10)
        write(path, content)

    monkeypatch.setattr(notebook, "write_private", hanging)
    book = Notebook(file)
    book.write("first", 0.01)
    assert asked.wait(10)
    book.write("second")
    book.write("third", 0.01)
    assert not file.exists()
    free.set()
    book.write("last", 10)
    assert file.read_text() == "last"
