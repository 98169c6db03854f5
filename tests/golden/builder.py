"""Whole run directories with known truths: every file a drill writes, from a short description.

The record files are written by the real writer; the history, books and series are the documented formats. A
scene is deterministic: the same scene gives the same bytes. What its load left behind does not depend on what the
history tells, so scenes of one load share it: it is written once and copied.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

from counters import write_series
from happenings import write_history
from loads import asked_of, write_money, write_requests, write_seconds
from scene import STEADY_S, T0, WALL, Outage, S, Scene, Told, Truth, golden_plan, legend

from stormdrill.plan import Plan
from stormdrill.store import Run, write_json

__all__ = [
    "STEADY_S",
    "T0",
    "WALL",
    "Outage",
    "S",
    "Scene",
    "Told",
    "Truth",
    "build",
    "golden_plan",
    "legend",
]

TOLD_ONLY = frozenset(
    {
        "faults_s", "fault", "where", "reverted_s", "return_s", "told", "proven", "prometheus_clock_s", "guard_blind",
        "pressure", "sync", "lag_s", "leader_change_s", "leader_lost_s", "replaced_s", "abort", "aborted_s",
        "revert_failed", "hypothesis", "fault_class", "flow_asked",
    }
)  # fmt: skip
"""What of a scene only the history (and the plan) tells."""


def build(path: Path, scene: Scene, plan: Plan | None = None) -> tuple[Run, Truth]:
    """Write the run directory of a scene under `path`."""
    path.mkdir(parents=True, exist_ok=True)
    run = Run(path)
    plan = plan or golden_plan(scene.fault_class, flow_asked=scene.flow_asked or bool(scene.shed))
    plain = {one.name: one.default for one in fields(Scene) if one.name in TOLD_ONLY}
    load = replace(scene, **plain)
    _loads[repr(load)] = load
    left, truth = _left(repr(load), series=bool(plan.topology.metrics))
    shutil.copytree(left, path, dirs_exist_ok=True)
    write_json(run.plan, plan.to_json())
    write_history(run, scene)
    return run, truth


_loads: dict[str, Scene] = {}


@cache
def _left(load: str, *, series: bool) -> tuple[Path, Truth]:
    """What a load leaves in a run directory, once for all scenes that have it."""
    scene, run = _loads[load], Run(Path(tempfile.mkdtemp(dir=_scratch())))
    for directory in (run.requests, run.witness, run.series):
        directory.mkdir()
    rng = random.Random(scene.seed)
    asked = asked_of(scene, rng)
    write_requests(run, asked, scene.cells)
    truth = write_money(run, asked, scene, rng)
    write_seconds(run, asked, scene)
    if series:
        write_series(run, asked, scene)
    return run.path, truth


@cache
def _scratch() -> Path:
    kept = tempfile.TemporaryDirectory(prefix="golden-")
    _kept.append(kept)
    return Path(kept.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []  # removed when the tests end
