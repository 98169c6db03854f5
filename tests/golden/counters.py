"""What Prometheus stored of a scene: good answers, admissions, refusals, limits."""

from __future__ import annotations

from typing import Any

from loads import Asked
from scene import OPERATIONS, STEADY_S, T0, S, Scene, unix

from stormdrill.records.layout import Outcome
from stormdrill.store import Run, write_json


def write_series(run: Run, asked: list[Asked], scene: Scene) -> None:
    seconds = range(-int(STEADY_S) - 15, int(scene.after_s))
    gone = scene.prometheus_gone_s or (1e9, 1e9)
    seconds = [s for s in seconds if not gone[0] <= s < gone[1]]
    shed, admitted = [], []
    for number in range(2):
        for tier, demand in scene.demand.items():
            share = scene.shed.get(tier, 0.0)
            labels = {"pod": f"gateway-{number}", "tier": tier}
            began = -int(STEADY_S) - 15
            fell = scene.restart_s if scene.restart_s is not None and number == 0 else 1e9
            grown = [(s - began if s < fell else s - int(fell)) * demand for s in seconds]
            shed.append(
                {
                    "labels": labels,
                    "samples": [[unix(s), g * share] for s, g in zip(seconds, grown, strict=True)],
                }
            )
            admitted.append(
                {
                    "labels": labels,
                    "samples": [[unix(s), g * (1 - share)] for s, g in zip(seconds, grown, strict=True)],
                }
            )
    pods = [{"pod": "gateway-0"}, {"pod": "gateway-1"}]
    limit = [{"labels": p, "samples": [[unix(s), 64.0] for s in seconds]} for p in pods]
    inflight = [{"labels": p, "samples": [[unix(s), 64.0 + scene.over_limit] for s in seconds]} for p in pods]
    value = scene.assertion_value
    _series(
        run, scene, "_up", [{"labels": {"pod": "gateway-0"}, "samples": [[unix(s), 1.0] for s in seconds]}]
    )
    _series(run, scene, "_shed", shed if scene.shed else [])
    _series(run, scene, "_admitted", admitted)
    _series(run, scene, "_limit", limit)
    _series(run, scene, "_inflight", inflight)
    _series(run, scene, "_good", _good(asked, seconds, scene))
    _series(
        run,
        scene,
        "no-gateway-error-after",
        [{"labels": {}, "samples": [[unix(s), value] for s in seconds]}],
    )


def _good(asked: list[Asked], seconds: list[int], scene: Scene) -> list[dict[str, Any]]:
    lines = []
    for operation in OPERATIONS:
        times = sorted(
            (one.answered_ns - T0) / S
            for one in asked
            if one.operation == operation and one.outcome is Outcome.GOOD
        )
        samples, count = [], 0
        for second in seconds:
            while count < len(times) and times[count] < second:
                count += 1
            samples.append([unix(second), count * scene.agreement])
        lines.append({"labels": {"operation": operation}, "samples": samples})
    return lines


def _series(run: Run, scene: Scene, name: str, lines: list[dict[str, Any]]) -> None:
    fetched = scene.series_fetched
    stored = {
        "query": name,
        "step_s": 1.0,
        "start_utc_s": unix(-STEADY_S - 15),
        "end_utc_s": unix(scene.after_s),
        "fetched": fetched,
        "error": None if fetched else "connection refused",
        "series": lines if fetched else [],
    }
    write_json(run.series / f"{name}.json", stored)
