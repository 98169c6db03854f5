"""What one run does, drawn from a seed: a short fault of one zone, whom SIGKILL hits, and when."""

import random
from dataclasses import dataclass
from pathlib import Path

from tests.lab.drill.estate import ROOT

LEASE_S = 5
_LIGHT = ROOT / "tests/lab/drill/light.yaml"
_ZONES = ("city1-a", "city1-b", "city1-w", "city2-a")
_PLACES = {
    # Whose loss no write waits for: the next run may begin soon after.
    "lose_zone": ("city1-w", "city2-a"),
    "partition_zone": _ZONES,
}
_EVENTS = {"phase.start": 3.0, "fault.intended": 0.2, "fault.applied": 4.0, "fault.reverting": 0.2}
"""After which event of the history, and at most how long after it (s): applying and reverting are short."""

_EXPERIMENT = """\
title: A short fault in whose midst somebody dies
description: {plan}
extensions:
  - name: stormdrill
    schema: stormdrill.experiment/1
    drill: kills
    topology: {topology}
    fault_class: same-city-site-loss
    load: {{profile: {profile}, locustfile: {root}/loadtests/locustfile.py, seed: 7}}
    times: {{warmup: 1s, steady: 3s, window: 3s, recover_limit: 15s}}
controls:
  - name: stormdrill
    provider: {{type: python, module: stormdrill.chaos.controls}}
method:
  - name: hurt
    type: action
    provider:
      type: python
      module: stormdrill.chaos.actions
      func: {fault}
      arguments: {{{arguments}, lease: {lease_s}s, duration: {lasts_s:.1f}s}}
rollbacks: []
"""


@dataclass(frozen=True)
class Plan:
    """`after` is the event that starts the clock, `wait_s` what passes then until the kill."""

    seed: str
    fault: str
    zone: str
    arguments: str
    lasts_s: float
    victim: str
    after: str
    wait_s: float

    def __str__(self) -> str:
        """As the run's line has it."""
        kill = f"SIGKILL of the {self.victim} {self.wait_s:.2f} s after {self.after}"
        return f"seed {self.seed}: {self.fault} {self.arguments} for {self.lasts_s:.1f} s; {kill}"

    def write(self, path: Path, topology: Path) -> Path:
        """The experiment as a file."""
        text = _EXPERIMENT.format(
            plan=str(self).replace(":", ","), topology=topology, profile=_LIGHT, root=ROOT, fault=self.fault,
            arguments=self.arguments, lease_s=LEASE_S, lasts_s=self.lasts_s,
        )  # fmt: skip
        path.write_text(text)
        return path


def plan_of(seed: str) -> Plan:
    """The same for the same seed."""
    draw = random.Random(seed)
    fault = draw.choice([*_PLACES])
    zone = draw.choice(_PLACES[fault])
    arguments = f"zone: {zone}"
    if fault == "partition_zone":
        other = draw.choice(["anything", *(name for name in _ZONES if name != zone)])
        arguments += f", cut_from: {other}, direction: {draw.choice(['both', 'in', 'out'])}"
    after = draw.choice([*_EVENTS])
    return Plan(
        seed, fault, zone, arguments, draw.uniform(1, 4), draw.choice(["harness", "agent"]),
        after, draw.uniform(0, _EVENTS[after]),
    )  # fmt: skip
