"""Short faults of one zone in whose midst SIGKILL hits the harness or an agent: nothing is left of them.

KILLS_RUNS is how many (20), KILLS_SEED the first seed (1); each is a run of its own and prints its seed. Long, and
on a lab of its own: `make soak ARGS=tests/lab/kills`.
"""

import os
import signal
import subprocess
import sys
import time
import uuid

import pytest
from tests.lab.drill.estate import event, until

from stormlab.process import ProcessId

from . import traces
from .plans import LEASE_S, plan_of

pytestmark = [pytest.mark.lab, pytest.mark.long]

SEEDS = range(
    first := int(os.environ.get("KILLS_SEED", "1")), first + int(os.environ.get("KILLS_RUNS", "20"))
)
GONE_S = LEASE_S + 2.0
GREEN_S = 3.0
"""After the last rule is gone: what a canary needs to be heard again, and a scrape."""
END_S = 120.0


@pytest.fixture(scope="module")
def lab(another_lab, tmp_path_factory):
    with another_lab(tmp_path_factory.mktemp("kills")) as found:
        yield found


class Harness:
    """One drill as a process."""

    def __init__(self, lab, experiment, runs):
        self.id, self.runs, self.before = uuid.uuid4().hex, runs, set(runs.glob("*"))
        argv = [sys.executable, "-m", "stormdrill", "run", str(experiment), "--runs", str(runs)]
        argv += ["--kubeconfig", str(lab.kubeconfig)]
        self.log = runs.parent / f"{self.id}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, env=traces.environment(self.id))

    def run(self):
        """Its run directory, once there is one."""
        made = until(
            lambda: (set(self.runs.glob("*")) - self.before) or self.process.poll() is not None, 90, "a run"
        )
        assert isinstance(made, set), f"it ended before it began: {self.said()}"
        (path,) = made
        return path

    def said(self):
        return self.log.read_text()

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def harness(lab, tmp_path):
    """Function (experiment): a drill that ends with the test."""
    started = []
    (tmp_path / "runs").mkdir()

    def start(experiment):
        started.append(Harness(lab, experiment, tmp_path / "runs"))
        return started[-1]

    yield start
    for one in started:
        one.close()


def strike(plan, lab, harness):
    """Wait for the moment and kill; when that was (monotonic seconds)."""
    run = harness.run()
    pids = traces.agent(lab, plan.zone) if plan.victim == "agent" else [harness.process.pid]
    victims = list(filter(None, map(ProcessId.of, pids)))
    more = {"phase": "steady"} if plan.after == "phase.start" else {}
    event(run, plan.after, 60, **more)
    wait_until(time.monotonic() + plan.wait_s)
    for victim in victims:
        victim.signal(signal.SIGKILL)
    return time.monotonic()


def wait_until(moment):
    until(lambda: time.monotonic() >= moment, 60, "the moment")


def gone(look, end):
    """Look until nothing is found, at least once and until `end`; what is found then, and when it was seen."""
    while (found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def recover(lab):
    argv = [sys.executable, "-m", "stormdrill", "recover", "--topology", str(lab.topology)]
    argv += ["--kubeconfig", str(lab.kubeconfig), "--runs", str(lab.topology.parent / "no-runs")]
    return subprocess.run(argv, capture_output=True, text=True, timeout=180, check=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_left(lab, harness, tmp_path, capsys, seed):
    plan = plan_of(str(seed))
    before = traces.namespaces()
    began = time.monotonic()
    drill = harness(plan.write(tmp_path / "kills.yaml", lab.topology))
    since = strike(plan, lab, drill)
    code = drill.process.wait(END_S)
    # Of a harness that says that it is over nothing is left: no lease is waited for.
    end = since + GONE_S if plan.victim == "harness" else (since := time.monotonic())
    left = gone(lambda: traces.tables(lab) + traces.faults(lab), end)
    gone_s = time.monotonic() - since
    left += gone(lambda: traces.processes(drill.id), end)
    left += [f"canary {text}" for text in gone(lambda: traces.red(lab), time.monotonic() + GREEN_S)]
    left += traces.taints(lab) + [f"namespace {name}" for name in traces.namespaces() - before]
    ended = recover(lab)
    left += traces.tables(lab) + traces.objects(lab)
    took = f"exit {code}; gone after {gone_s:.1f} s, recovered after {time.monotonic() - began:.0f} s"
    with capsys.disabled():
        print(f"\n{plan}; {took}; {'; '.join(left) or 'clean'}", flush=True)
    assert left == [], f"{plan}\n{drill.said()}"
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert code in ((-signal.SIGKILL,) if plan.victim == "harness" else (0, 1, 3)), drill.said()
