"""Why requests are shed: what flow control says, what the page explains, and what drills and alerts count are one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from stormbank.flow.metrics import FlowCounts
from stormbank.metrics import ServiceMetrics
from stormbank.metrics.names import flow as names
from stormbank.operations import BY_NAME

ROOT = Path(__file__).parents[2]
COUNTING = (
    *sorted(ROOT.glob("topology/*.yaml")), ROOT / "topology/prometheus/rules.yml",
    ROOT / "tests/unit/estate/small-in-full.yaml",
)  # fmt: skip
SELECTOR = re.compile(r'bank_shed_total\{[^}]*reason=~"([a-z|]+)"')


def constants(node: ast.AST) -> set[str]:
    return {
        each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and type(each.value) is str
    }


def raised() -> set[str]:
    """Every reason in the source: what a Shed is made with, and what a room decides."""
    found: set[str] = set()
    for path in (ROOT / "src" / "stormbank").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Shed":
                found |= constants(node.args[0])
            if isinstance(node, ast.FunctionDef) and node.name == "_reason":
                returns = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
                found |= set().union(*(constants(each) for each in returns if each is not None))
    return found


def test_every_reason_that_is_raised_is_explained_and_no_other():
    assert raised() == set(names.REASONS)
    for reason in names.REASONS:
        assert f"`{reason}`" in (ROOT / "docs" / "metrics.md").read_text()


@pytest.mark.parametrize("path", COUNTING, ids=lambda path: path.name)
def test_order_and_alert_count_every_want_of_capacity(path):
    asked = SELECTOR.findall(path.read_text())
    if "bank_shed_total" in path.read_text():
        assert asked
    assert {tuple(sorted(each.split("|"))) for each in asked} <= {tuple(sorted(names.FOR_WANT_OF_CAPACITY))}


def test_what_the_order_is_judged_by_is_there_before_its_first_event():
    metrics = ServiceMetrics("gateway", zone="z", pod="p")
    FlowCounts(metrics.registry, {"ledger-cell0": (BY_NAME["transfer"],)})
    for reason in names.FOR_WANT_OF_CAPACITY:
        labels = {"operation": "transfer", "tier": "A1", "dependency": "ledger-cell0", "reason": reason}
        assert metrics.registry.get_sample_value("bank_shed_total", labels) == 0
