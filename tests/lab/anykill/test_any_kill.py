"""SIGKILL of any process of a lab at any moment: `up` makes it whole again, `down` leaves nothing.

LIFE_SEED is the first seed (10). `make test` runs the first four, `make soak` thirty more; each prints what it did.
"""

import contextlib
import json
import os
import signal
from pathlib import Path
from threading import Event

import pytest
from tests.lab.anykill.plans import plan_of
from tests.lab.tiny.lab import PAGE, STATES, TinyLab

from stormlab.wait import until

pytestmark = pytest.mark.lab

FIRST, SHORT, LONG = int(os.environ.get("LIFE_SEED", "10")), 4, 30
SEEDS = [
    pytest.param(FIRST + number, marks=[pytest.mark.long] if number >= SHORT else [])
    for number in range(SHORT + LONG)
]
WEB = {"one-a": 28590, "one-b": 28591, "two-a": 28592}
_KIND = {"api": "api-", "node": "node-"}


@pytest.fixture
def lab():
    made = TinyLab(Path(__file__).parent / "topology.yaml", "anykill")
    made.down()
    yield made
    made.down()
    with contextlib.suppress(OSError):  # another lab is still there
        STATES.rmdir()


@pytest.mark.parametrize("seed", SEEDS)
def test_up_and_down_mend_whatever_was_killed(lab, capsys, seed):
    plan = plan_of(seed)
    said = [str(plan)]
    try:
        if plan.under_way != "up":
            lab.up()
        command = None if plan.under_way == "nothing" else lab.start(plan.under_way.split()[0], "--json")
        if plan.under_way == "down":
            note = lab.state / "teardown.begun"
            until(lambda: note.exists() or command.poll() is not None, "it has begun", 20, poll_s=0.001)
        for kill in plan.kills:
            Event().wait(kill.after_s)  # where everything is then does not matter: every moment must do
            said.append(f"killed {strike(lab, kill, command) or 'nothing: none of its kind is there'}")
        if command is not None:
            out, err = command.communicate(timeout=150)
            said.append(f"the command ended with {command.returncode} {out[-300:]} {err[-300:]}".strip())
        for mending in plan.mended_by:
            done = lab.run(mending, "--json")
            assert done.returncode == 0, "\n".join([*said, mending, done.stdout, done.stderr])
            said.append(summary(json.loads(done.stdout)))
            if mending == "up":
                whole(lab)
        assert lab.leftovers() == [], "\n".join(said)
    finally:
        with capsys.disabled():
            print("\n" + "; ".join(said), flush=True)


def strike(lab, kill, command):
    """SIGKILL whom the plan means among those that are there now; their names."""
    if kill.victim == "command":
        if command is None or command.poll() is not None:
            return ""
        command.kill()
        return f"the command {command.pid}"
    victims = list(candidates(lab, kill.victim))
    if kill.victim != "all daemons":
        victims = victims[(at := int(kill.which * len(victims))) : at + 1]
    return ", ".join(f"{name} {one.pid}" for name, one in victims if one.signal(signal.SIGKILL))


def candidates(lab, victim):
    if victim in {"shim", "container"}:
        return [(victim, process) for process in lab.inside()[victim == "container"]]
    kind = _KIND.get(victim, victim)
    return [
        (name, process)
        for name, process in sorted(lab.daemons().items())
        if victim == "all daemons" or name.startswith(kind)
    ]


def summary(report):
    if "ready_s" in report:
        return f"up in {report['ready_s']} s, started {' '.join(report['started']) or 'nothing'}"
    return f"down in {report['down_s']} s"


def whole(lab):
    """Everything runs and answers, through every zone."""
    report = lab.status()
    assert report["troubles"] == []
    assert all(pod["ready"] for pod in report["pods"]), report["pods"]
    assert len(report["pods"]) == 4
    assert all(link["up"] for link in report["links"])
    for port in WEB.values():
        assert lab.get(port) == PAGE
    # It asks every edge once a second, and wants to hear from it twice.
    until(lambda: json.loads(lab.get(28593, "/names/web"))["edges"] == ["one-a", "two-a"], "edges", 10)
