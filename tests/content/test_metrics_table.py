"""The one table of metrics: names as Prometheus wants them, a page that is not stale, and nobody beside it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from stormarchive.state import State
from stormbank.metrics.kinds import CounterMetric, HistogramMetric, Metric
from stormbank.metrics.table import Section, _check, sections
from stormestate.lab_half import _STATUS

ROOT = Path(__file__).parents[2]
BANK = ROOT / "src" / "stormbank"
NAME = re.compile(r"\b(?:bank|archive)_[a-z_]+\b")
METRICS = [metric for section in sections() for metric in section.metrics]


def test_the_page_is_what_the_table_says():
    argv = [sys.executable, str(ROOT / "scripts" / "metrics_page.py"), "--check"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_name_says_whose_it_is_and_what_it_counts(metric):
    assert re.fullmatch(r"bank_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == isinstance(metric, CounterMetric)
    assert metric.help.endswith(".")
    if isinstance(metric, HistogramMetric):
        assert metric.name.endswith("_seconds")
        assert metric.buckets == tuple(sorted(set(metric.buckets)))
    metric.on(CollectorRegistry())  # the client library takes it


def test_all_fit_into_one_registry():
    registry = CollectorRegistry()
    for metric in METRICS:
        metric.on(registry)


def test_rules_and_topologies_ask_for_names_that_there_are():
    known = {name for metric in METRICS for name in _series(metric)} | archive_names()
    files = [
        *ROOT.glob("topology/*.yaml"),
        *ROOT.glob("topology/prometheus/**/*.yml"),
        *ROOT.glob("runbooks/*.md"),
    ]
    # Whatever stands behind a name: nothing else in these files is called so.
    texts = [*(file.read_text() for file in files), *_STATUS.values()]
    asked = {name for text in texts for name in NAME.findall(text)}
    assert {
        "bank_admitted_total",
        "bank_admission_limit",
        "bank_cell_promotion",
        "archive_gaps_total",
    } <= asked
    assert asked <= known


def test_the_page_of_the_archive_knows_its_names():
    told = set(NAME.findall((ROOT / "docs" / "backup.md").read_text()))
    assert told == archive_names()


def archive_names() -> set[str]:
    """Every metric of an archive; it says them itself."""
    return set(re.findall(r"^# TYPE (archive_[a-z_]+) ", State().exposition(), re.MULTILINE))


def _series(metric: Metric) -> tuple[str, ...]:
    if isinstance(metric, HistogramMetric):
        return tuple(metric.name + end for end in ("_bucket", "_count", "_sum"))
    return (metric.name,)


def test_metrics_are_made_in_their_package_only():
    making = {
        "Counter",
        "Gauge",
        "Histogram",
        "Summary",
        "Info",
        "Enum",
        "GaugeMetricFamily",
        "CounterMetricFamily",
    }
    for path in BANK.rglob("*.py"):
        source = path.read_text()
        if path.is_relative_to(BANK / "metrics") or "prometheus_client" not in source:
            continue
        calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
        made = {func.id for func in calls if isinstance(func, ast.Name)} & making
        assert not made, f"{path} makes a {made}: a metric belongs into stormbank/metrics/names"


def test_what_is_wrong_with_a_table_is_told_together():
    twice = CounterMetric("bank_x_total", "X.", ("why",))
    with pytest.raises(
        ValueError, match=r"bank_x_total is named twice; label why is explained nowhere; label how is"
    ):
        _check((Section("x", (twice, twice), {"how": "so"}),))
