"""Write docs/metrics.md from the table of metrics (stormbank.metrics.names); --check only compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from stormbank.metrics.kinds import HistogramMetric, Metric
from stormbank.metrics.table import Section, sections

_ROOT = Path(__file__).parents[1]
_PAGE = _ROOT / "docs" / "metrics.md"
_HEAD = """\
# Metrics

<!-- written by scripts/metrics_page.py from src/stormbank/metrics/names -->

What the processes of the reference bank tell Prometheus, each under `/metrics` on its port. The names are stable:
rules (`topology/prometheus/`), drills and dashboards use them. A series is there from its first event on; those by
which the order of shedding is judged (`bank_shed_total`, `bank_admitted_total`), calls of dependencies, and what a
gateway fails and sheds (`bank_requests_total` of the codes 429, 500, 503 and 504, for each operation and cell) from the
start. Beside these there are the usual `process_*` of the client library.

Whoever adds a metric puts it into a file of `src/stormbank/metrics/names` (a new file there is found by itself), makes
it with `NAME.on(registry)`, and runs `python scripts/metrics_page.py`.
"""


def main() -> int:
    """0 when the page is right (now), 1 when `--check` finds that it is not."""
    table = sections()
    right = _HEAD + "".join(map(_part, table)) + _labels(table)
    if _PAGE.exists() and _PAGE.read_text(encoding="utf-8") == right:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"{_PAGE.relative_to(_ROOT)} is stale: run scripts/metrics_page.py", file=sys.stderr)
        return 1
    _PAGE.write_text(right, encoding="utf-8")
    return 0


def _part(section: Section) -> str:
    rows = "".join(_row(metric) for metric in section.metrics)
    return f"\n## {section.title}\n\n| name | kind | labels | what |\n|---|---|---|---|\n{rows}"


def _row(metric: Metric) -> str:
    what = metric.help
    if isinstance(metric, HistogramMetric):
        what += f" Bounds: {', '.join(f'{bound:g}' for bound in metric.buckets)}."
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {what} |\n"


def _labels(table: tuple[Section, ...]) -> str:
    rows = "".join(f"| `{label}` | {says} |\n" for label, says in _explained(table))
    return f"\n## Labels\n\n| label | what |\n|---|---|\n{rows}"


def _explained(table: tuple[Section, ...]) -> Iterator[tuple[str, str]]:
    for section in table:
        yield from section.labels.items()


if __name__ == "__main__":
    raise SystemExit(main())
