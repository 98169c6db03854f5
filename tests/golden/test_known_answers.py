"""Golden runs with their answers written down: a changed number here is a changed definition.

`STORMDRILL_WRITE_GOLDEN=1 pytest tests/golden/test_known_answers.py` writes the answers anew; read the
difference before keeping it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from builder import Outage, Scene, Truth, build

from stormdrill.judge import judge
from stormdrill.measure import measure
from stormdrill.measure.loss import keys_by_class
from stormdrill.measure.values import Measurements
from stormdrill.records.layout import Outcome
from stormdrill.verdict import Verdict

EXPECTED = Path(__file__).parent / "expected"
SCENES = {
    "pod-kill": Scene(
        outages=(Outage(0.05, 1.35, "transfer", share=0.5), Outage(0.05, 0.45, "login")), replaced_s=0.9
    ),
    "primary-lost-synchronous": Scene(
        fault_class="db-primary-loss",
        after_s=60,
        outages=(
            Outage(0, 9.3, "transfer", Outcome.UNKNOWN),
            Outage(0, 9.3, "payment"),
            Outage(1, 20, "bills", Outcome.SHED, share=0.9),
            Outage(1, 12, "checkin", Outcome.BLOCKED, share=0.8),
        ),
        leader_lost_s=2.0,
        leader_change_s=5.5,
        shed={"A": 0.05, "B": 0.3, "C": 0.5},
    ),
    "primary-lost-asynchronous": Scene(
        fault_class="db-primary-loss",
        outages=(Outage(0, 5.0, "transfer", Outcome.UNKNOWN),),
        leader_change_s=4.0,
        sync="async",
        lag_s=0.5,
        lost=frozenset(range(2450, 2480)),
    ),
    "booked-twice": Scene(duplicated=frozenset({100, 2600}), altered=frozenset({300}), ghosts=2),
    "shed-in-the-wrong-order": Scene(shed={"A": 0.4, "B": 0.1, "C": 0.05}, restart_s=11.0),
    "generator-frozen": Scene(freeze_s=(3.2, 8.2)),
    "prometheus-gone-and-money-lost": Scene(prometheus_gone_s=(2, 30), lost=frozenset({2500})),
}


@pytest.mark.parametrize("name", SCENES)
def test_known_answers(tmp_path: Path, name: str) -> None:
    run, truth = build(tmp_path / name, SCENES[name])
    measured, verdict = measure(run), judge(run)
    _same_keys(measured, truth)
    answers = _answers(measured, verdict)
    file = EXPECTED / f"{name}.json"
    if os.environ.get("STORMDRILL_WRITE_GOLDEN"):
        file.write_text(json.dumps(answers, indent=1) + "\n")
    assert answers == json.loads(file.read_text())


def _same_keys(measured: Measurements, truth: Truth) -> None:
    found = {name: frozenset(keys) for name, keys in keys_by_class(measured.loss).items()}
    assert found["lost"] == truth.lost
    assert found["duplicated"] == truth.duplicated
    assert found["altered"] == truth.altered
    assert found["ghost"] == truth.ghosts
    assert found["unknown_booked"] == truth.unknown_booked
    assert found["unknown_absent"] == truth.unknown_absent
    assert measured.loss.acknowledged == truth.acknowledged
    assert measured.loss.tallies["lost"].amount == sum(truth.amounts[key] for key in truth.lost)


def _answers(measured: Measurements, verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": str(verdict.verdict),
        "exit": int(verdict.exit_code),
        "validity": {rule.id: str(rule.verdict) for rule in verdict.validity},
        "checks": {
            check.id: [str(check.verdict), check.measured.value, check.why] for check in verdict.checks
        },
        "parts": {
            entry.operation: [f"{part.name} {part.end_s - part.start_s:.3f}" for part in entry.parts]
            for entry in measured.recoveries
            if entry.parts
        },
        "at_risk": [measured.loss.risk.path, measured.loss.risk.at_risk],
        "loss_s": measured.loss.loss_s,
    }
