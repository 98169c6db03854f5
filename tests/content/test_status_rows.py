"""What `lab status` asks of Prometheus, answered by promtool."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from stormlab import topologyfile

FULL = Path(__file__).parents[2] / "topology" / "full.yaml"
SERVING = ("city1-a", "city1-b", "city2-a")
UP = {f'up{{app="gateway",zone="{zone}"}}': "1x60" for zone in SERVING}


def answered(tmp_path: Path, row: str, series: dict[str, str], wanted: dict[str, float]) -> str:
    """What promtool finds wrong with a row's samples after 30 s; empty when they are those that are wanted."""
    query = next(one.query for one in topologyfile.load(FULL).preset.status if one.name == row)
    samples = [{"labels": labels, "value": value} for labels, value in wanted.items()]
    tests: list[dict[str, Any]] = [
        {
            "interval": "1s",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [{"expr": query, "eval_time": "30s", "exp_samples": samples}],
        }
    ]
    path = tmp_path / "test.yml"
    path.write_text(json.dumps({"rule_files": [], "evaluation_interval": "1s", "tests": tests}))
    argv = ["promtool", "test", "rules", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_each_zone_has_its_share_of_the_traffic_also_one_that_nobody_asked(tmp_path: Path) -> None:
    counts = {
        'bank_requests_total{service="gateway",zone="city1-a",code="200"}': "0+20x60",
        'bank_requests_total{service="gateway",zone="city1-a",code="503"}': "0+10x60",
        'bank_requests_total{service="gateway",zone="city1-b",code="200"}': "0+10x60",
        'bank_requests_total{service="ledger",zone="city1-b",code="200"}': "0+99x60",
    }
    shares = {'{zone="city1-a"}': 75.0, '{zone="city1-b"}': 25.0, '{zone="city2-a"}': 0.0}
    assert answered(tmp_path, "share of traffic by zone, %", UP | counts, shares) == ""


def test_there_are_no_shares_of_no_traffic(tmp_path: Path) -> None:
    assert answered(tmp_path, "share of traffic by zone, %", UP, {}) == ""


def test_an_epoch_has_two_parts(tmp_path: Path) -> None:
    series = {
        f'bank_cell_{part}{{cell="cell0",pod="{pod}"}}': f"{value}x60"
        for part, value in (("promotion", 2), ("version", 5))
        for pod in ("a", "b")
    }
    wanted = {'{cell="cell0",of="promotion"}': 2.0, '{cell="cell0",of="version"}': 5.0}
    assert answered(tmp_path, "epoch by cell", series, wanted) == ""
