"""Everything a drill on fakes needs, in one directory: content files and the command line to run it."""

import os
import subprocess
import sys
from pathlib import Path

PROFILE = """\
schema: stormdrill.profile/1
name: small
title: Small
business:
  monthly_active: 1000000
  daily_share: 20%
  uses_per_day: 3
  calls_per_use: 5
  peak_factor: 3
  yearly_value: 1000000
  ticket: 10
scale: 0.05
session: {length: 5s, opening: [login, balance], actions: {balance: 9, transfer: 1}}
probes: {transfer: 20/s, login: 5/s, balance: 5/s}
customers: {first: 1, count: 100, probes: 8}
users: 50
"""

EXPERIMENT = """\
title: The shop survives the loss of a pod
description: One pod of each zone dies.
extensions:
  - name: stormdrill
    schema: stormdrill.experiment/1
    drill: shop-pod
    fault_class: pod-loss
    topology: topology.yaml
    load: {profile: profile.yaml, locustfile: LOCUSTFILE, seed: 7}
    times: {warmup: 1s, steady: 2s, window: 2s, recover_limit: 20s}
controls:
  - name: stormdrill
    provider: {type: python, module: stormdrill.chaos.controls}
method:
  - name: first
    type: action
    provider:
      type: python
      module: stormdrill.chaos.actions
      func: kill_pods
      arguments: {service: web, zone: z1, count: 1}
  - name: second
    type: action
    pauses: {before: PAUSE}
    provider:
      type: python
      module: stormdrill.chaos.actions
      func: kill_pods
      arguments: {service: web, zone: z2, count: 1}
rollbacks: []
"""


class Whole:
    """A directory with everything; `start` runs a drill in it."""

    def __init__(self, root: Path, fake, bank_port: int, repository: Path, temporary: Path) -> None:
        self.root = root
        self.fake = fake
        self.runs = root / "runs"
        self.temporary = temporary
        fake.write(root, bank_port)
        (root / "profile.yaml").write_text(PROFILE)
        self.locustfile = repository / "loadtests" / "locustfile.py"
        self.experiment = root / "shop-pod.yaml"
        self.write_experiment()

    def write_experiment(self, pause: float = 0, **replaced: str) -> None:
        text = EXPERIMENT.replace("LOCUSTFILE", str(self.locustfile)).replace("PAUSE", str(pause))
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        self.experiment.write_text(text)

    def command(self, *arguments: str, times: int = 1) -> list[str]:
        options = ["--kubeconfig", str(self.root / "kubeconfig"), "--runs", str(self.runs)]
        experiments = [str(self.experiment)] * times
        return [sys.executable, "-m", "stormdrill", "run", *experiments, *options, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """A temporary directory of its own, so that what is left in it is this drill's."""
        return {**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(self.temporary)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments), cwd=self.root, env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str, times: int = 1) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments, times=times),
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def only_run(self) -> Path:
        (run,) = [path for path in self.runs.iterdir() if path.is_dir()]
        return run
