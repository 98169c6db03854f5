"""What the drill tests do to the lab, and undo: settings of the bank, links, replication, a node's cordon."""

import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stormlab.process import ProcessId

ROOT = Path(__file__).parents[3]
DRILL_S = 240
SHORT = "warmup=3s,steady=5s,window=5s"
"""Shorter than the presets: what these drills show does not depend on the times."""
LONGER = SHORT.replace("window=5s", "window=8s")
"""For what happens after the start of the window and lasts five seconds."""
LIGHT = ("--profile", str(Path(__file__).parent / "light.yaml"))


@dataclass(frozen=True)
class Ended:
    """A drill that is over."""

    code: int
    output: str
    path: Path

    @property
    def verdict(self) -> dict[str, Any]:
        """`verdict.json`."""
        return json.loads((self.path / "verdict.json").read_text())

    @property
    def measurements(self) -> dict[str, Any]:
        """`measurements.json`."""
        return json.loads((self.path / "measurements.json").read_text())

    def check(self, identity: str) -> dict[str, Any]:
        """One check or validity rule by id."""
        verdict = self.verdict
        return next(one for one in verdict["checks"] + verdict["validity"] if one["id"] == identity)

    def broken(self) -> set[str]:
        """Ids of the validity rules that do not hold."""
        return {
            rule["id"]
            for rule in self.verdict["validity"]
            if rule["verdict"] not in {"pass", "not_exercised"}
        }


def drill(
    lab: Any, runs: Path, experiment: str, *options: str, during: Callable[[Path], None] | None = None
) -> Ended:
    """Run one drill as a user would; `during` gets the run's directory as soon as there is one."""
    argv = [sys.executable, "-m", "stormdrill", "run", str(ROOT / experiment), "--runs", str(runs)]
    argv += ["--kubeconfig", str(lab.kubeconfig), *options]
    before = set(runs.glob("*")) if runs.exists() else set()
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        if during:
            during(_directory(process, runs, before))
        output, _ = process.communicate(timeout=DRILL_S)
    finally:
        process.kill()
        process.wait()
    made = sorted(set(runs.glob("*")) - before)
    assert made, f"no run directory; it said:\n{output}"
    return Ended(process.returncode, output, made[-1])


def _directory(process: subprocess.Popen[str], runs: Path, before: set[Path]) -> Path:
    made = until(
        lambda: sorted(set(runs.glob("*")) - before) or process.poll() is not None, 60, "a run directory"
    )
    assert isinstance(made, list), f"the drill ended: {process.communicate()[0]}"
    return made[-1]


def event(run: Path, kind: str, deadline_s: float = 120, **data: Any) -> dict[str, Any]:
    """Wait for an event of the run's history."""

    def look() -> dict[str, Any] | None:
        # Asked first: all events of a drill that has ended can be read.
        ended = (run / "verdict.json").exists()
        history = run / "history.jsonl"
        for line in history.read_text().splitlines(keepends=True) if history.exists() else ():
            found = json.loads(line) if line.endswith("\n") else {}
            if (
                found.get("kind") == kind
                and data.items() <= {**found["data"], "phase": found["phase"]}.items()
            ):
                return found
        assert not ended, f"the drill ended without event {kind} {data}"
        return None

    return until(look, deadline_s, f"event {kind} {data}")


def until(condition: Callable[[], Any], deadline_s: float, what: str) -> Any:
    """Poll until true; the value."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < end, f"{what}: not within {deadline_s} s"
        time.sleep(0.02)
    return value


def patroni(lab: Any, member: str = "patroni-city1-a") -> str:
    """URL of a member's REST API."""
    return f"http://{lab.endpoints[member]}"


def get(url: str) -> dict[str, Any]:
    """GET JSON, whatever its status."""
    with urllib.request.urlopen(url, timeout=3) as answer:
        return json.loads(answer.read())


def cluster(lab: Any) -> dict[str, dict[str, Any]]:
    """Members by name, as any Patroni that answers lists them; empty when none does."""
    for member in ("patroni-city1-a", "patroni-city1-b"):
        with contextlib.suppress(OSError, ValueError):
            return {one["name"]: one for one in get(f"{patroni(lab, member)}/cluster")["members"]}
    return {}


def whole(lab: Any) -> bool:
    """A leader, and a streaming standby on its timeline."""
    members = cluster(lab).values()
    leaders = [one for one in members if one["role"] == "leader" and one["state"] == "running"]
    standbys = [one for one in members if one["state"] == "streaming" and one["role"] != "leader"]
    return bool(leaders and standbys) and {one["timeline"] for one in members} == {leaders[0].get("timeline")}


@contextlib.contextmanager
def slow_link(lab: Any, rtt: str) -> Iterator[None]:
    """The two sites are further apart."""
    lab.lab("link", "city1-a", "city1-b", "--rtt", rtt)
    try:
        yield
    finally:
        lab.lab("link", "city1-a", "city1-b", "--rtt", "1ms")


class Bank:
    """The bank, whose settings a test may change: what it leaves unsaid is as it was in the beginning."""

    def __init__(self, lab: Any) -> None:
        self._lab = lab
        shown = lab.kubectl("city1", "get", "configmap", "bank", "-n", "bank", "-o", "json").stdout
        self._first: dict[str, str] = json.loads(shown)["data"]
        self._now = self._first

    def runs_with(self, **settings: str) -> None:
        """Roll it out with these, unless it runs with them."""
        wanted = self._first | settings
        if wanted != self._now:
            _roll_out(self._lab, wanted)
            self._now = wanted


def _roll_out(lab: Any, settings: dict[str, str]) -> None:
    patch = json.dumps({"data": settings})
    lab.kubectl("city1", "patch", "configmap", "bank", "-n", "bank", "--type", "merge", "-p", patch)
    names = [f"deployment/{app}-{zone}" for app in ("gateway", "ledger") for zone in ("city1-a", "city1-b")]
    lab.kubectl("city1", "rollout", "restart", "-n", "bank", *names)
    for name in names:
        lab.kubectl("city1", "rollout", "status", "-n", "bank", name, "--timeout=50s")


def impatient(topology: Path, directory: Path) -> Path:
    """A copy of the lab's topology, below `directory`, by which Prometheus is given up soon."""
    text = topology.read_text()
    assert text.count("max_age: 5s, timeout: 5s") == 1
    copy = directory / topology.name
    copy.write_text(text.replace("max_age: 5s, timeout: 5s", "max_age: 5s, timeout: 1s"))
    for name in ("continuity.yaml", "kubernetes", "prometheus"):
        (directory / name).symlink_to((topology.parent / name).resolve())
    return copy


def stop_prometheus(lab: Any, run: Path, phase: str) -> None:
    """Freeze the lab's Prometheus from the start of a phase until the audit has asked it in vain."""
    pid = next(one["pid"] for one in lab.status()["processes"] if one["name"] == "prometheus")
    prometheus = ProcessId.of(pid)
    assert prometheus is not None
    event(run, "phase.start", phase=phase)
    prometheus.signal(signal.SIGSTOP)
    try:
        event(run, "phase.start", phase="measure")
    finally:
        prometheus.signal(signal.SIGCONT)
