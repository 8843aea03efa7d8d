"""Prometheus metrics, computed when they are asked for: nothing is counted twice and nothing can lag."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from bot.engine import summary
from bot.observe.health import Running, feed_ages_s, problems

_GAUGES = {"step_ms_max", "commit_ms_max", "inbox_length"} | {
    *("memory_mb", "descriptors", "threads", "tasks", "wal_mb"),
}
Lines = Callable[[], Mapping[tuple[str, str], int]]


class _DaemonCollector(Collector):
    def __init__(
        self, running: Running, lines: Lines, alerts: Callable[[], Mapping[str, float]], rules: Lines
    ) -> None:
        self._running = running
        self._rules = rules
        self._lines = lines
        self._alerts = alerts

    def collect(self) -> Iterator[Metric]:
        running = self._running
        yield _gauge("ready", "1 when /readyz says so", float(not problems(running)))
        for name, value in running.counts().items():
            if name in _GAUGES:
                yield _gauge(name, "As it is now, or the largest since start", value)
            else:
                shown = CounterMetricFamily(f"carrybot_{name}", f"Total of {name} since start")
                shown.add_metric([], value)
                yield shown
        for name, value in self._alerts().items():
            yield _gauge(name, "Messages to the owner's channels", value)
        yield from self._book()
        lines = CounterMetricFamily("carrybot_lines", "Log lines by severity and name", labels=["severity", "name"])
        for (severity, name), count in self._lines().items():
            lines.add_metric([severity, name], count)
        yield lines
        rules = CounterMetricFamily(
            "carrybot_rules", "What the rules of the book refused, forced or set off", labels=["rule", "name"]
        )
        for (rule, name), count in self._rules().items():
            rules.add_metric([rule, name], count)
        yield rules

    def _book(self) -> Iterator[Metric]:
        state = self._running.state
        yield _gauge("nav_usd", "Net asset value", summary.nav_usd(state))
        yield _gauge("leverage", "Notional of all hedges over NAV", summary.leverage(state))
        yield _gauge("deployed_usd", "Notional of all hedges", summary.deployed_usd(state))
        yield _gauge("unhedged_usd", "Sum of the absolute leg imbalances", summary.unhedged_usd(state))
        hedges = GaugeMetricFamily("carrybot_hedges", "Live hedges by state", labels=["state"])
        counts: dict[str, int] = {}
        for hedge in state.hedges.values():
            if hedge.live:
                counts[hedge.state.value] = counts.get(hedge.state.value, 0) + 1
        for name, count in sorted(counts.items()):
            hedges.add_metric([name], count)
        yield hedges
        unsettled = sum(1 for order in state.orders.values() if not order.settled)
        yield _gauge("orders_unsettled", "Orders whose outcome or fills are not all known", unsettled)
        ages = GaugeMetricFamily("carrybot_feed_age_seconds", "Since the last frame of a feed", labels=["feed"])
        for feed, age_s in feed_ages_s(self._running).items():
            if age_s is not None:
                ages.add_metric([feed], age_s)
        yield ages


def _gauge(name: str, text: str, value: Decimal | float) -> Metric:
    return GaugeMetricFamily(f"carrybot_{name}", text, value=float(value))


def exposition(
    running: Running, lines: Lines, alerts: Callable[[], Mapping[str, float]] = dict, rules: Lines = dict
) -> Callable[[], tuple[bytes, str]]:
    """A function that gives (body, content type) of the metrics as they are at that moment."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_DaemonCollector(running, lines, alerts, rules))

    def show() -> tuple[bytes, str]:
        return generate_latest(registry), CONTENT_TYPE_LATEST

    return show
