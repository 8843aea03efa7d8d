"""What no service took before the daemon ended is sent by the next one."""

import json

from bot.domain.actions import Emit, Severity
from bot.observe.alerting import Alerting
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
