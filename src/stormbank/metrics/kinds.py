"""What a metric is: a name with its labels and its help, and how it comes into a registry."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Metric:
    """`name` as Prometheus shows it, unit and `_total` included; `help` is one sentence."""

    name: str
    help: str
    labels: tuple[str, ...] = ()

    kind = "metric"


@dataclass(frozen=True)
class CounterMetric(Metric):
    """Only ever goes up."""

    kind = "counter"

    def on(self, registry: CollectorRegistry) -> Counter:
        """Make it known to `registry`, once."""
        return Counter(self.name, self.help, self.labels, registry=registry)

    def family(self) -> CounterMetricFamily:
        """Return an empty family, for what is read when Prometheus asks."""
        return CounterMetricFamily(self.name, self.help, labels=self.labels)


@dataclass(frozen=True)
class GaugeMetric(Metric):
    """Goes up and down."""

    kind = "gauge"

    def on(self, registry: CollectorRegistry) -> Gauge:
        """Make it known to `registry`, once."""
        return Gauge(self.name, self.help, self.labels, registry=registry)

    def family(self, value: float | None = None) -> GaugeMetricFamily:
        """Return a family for what is read when Prometheus asks: of one value, or empty where it has labels."""
        return GaugeMetricFamily(self.name, self.help, value=value, labels=self.labels or None)


@dataclass(frozen=True)
class HistogramMetric(Metric):
    """Counts observations by size: `buckets` are upper bounds, and there is always one without."""

    buckets: tuple[float, ...] = ()

    kind = "histogram"

    def on(self, registry: CollectorRegistry) -> Histogram:
        """Make it known to `registry`, once."""
        return Histogram(self.name, self.help, self.labels, buckets=self.buckets, registry=registry)
