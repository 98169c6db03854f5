"""Indicators and burn-rate alerts: Prometheus takes them, they do what they say, and the lab's are the estate's."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

PROMETHEUS = Path(__file__).parents[2] / "topology" / "prometheus"
SIXTIETH = {"5m": "5s", "1h": "1m", "30m": "30s", "6h": "6m"}


def groups(name: str) -> list[Any]:
    return yaml.safe_load((PROMETHEUS / name).read_text())["groups"]


@pytest.mark.parametrize("path", sorted(PROMETHEUS.glob("*.yml")), ids=lambda path: path.name)
def test_prometheus_takes_the_rules(path):
    done = subprocess.run(
        ["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted(PROMETHEUS.glob("tests/*.yml")), ids=lambda path: path.name)
def test_they_do_what_their_own_tests_say(path):
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_labs_rules_are_the_estates_with_every_window_a_sixtieth():
    def scaled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: scaled(each) for key, each in value.items() if key != "interval"}
        if isinstance(value, list):
            return [scaled(each) for each in value]
        return (
            re.sub(r"(?<![0-9])(5m|1h|30m|6h)\b", lambda found: SIXTIETH[found[1]], value)
            if isinstance(value, str)
            else value
        )

    estate, lab = groups("slo.yml"), groups("slo-lab.yml")
    assert scaled(estate) == scaled(lab)
    assert {each["name"]: each.get("interval") for each in estate} != {
        each["name"]: each.get("interval") for each in lab
    }


def test_each_window_is_that_of_the_workbook():
    alerts = {
        rule["alert"]: rule["labels"]["window"]
        for group in groups("slo.yml")
        for rule in group["rules"]
        if "alert" in rule
    }
    assert alerts == {
        "BankBurnsBudgetFast": "1h/5m",
        "BankBurnsBudgetFastLesser": "1h/5m",
        "BankBurnsBudgetSlowly": "6h/30m",
        "BankBurnsBudgetSlowlyLesser": "6h/30m",
    }


@pytest.mark.parametrize("preset", ["small", "full"])
def test_a_lab_reads_the_labs_windows_and_not_the_estates(preset):
    topology = yaml.safe_load((PROMETHEUS.parent / f"{preset}.yaml").read_text())
    rules = topology["lab"]["prometheus"]["rules"]
    assert "prometheus/slo-lab.yml" in rules
    assert "prometheus/slo.yml" not in rules
