"""A rolling release of every service of the bank under load: nobody of tier A notices.

What is counted are attempts, not what became of them in the end: a request that an app had to make twice was lost.
"""

import json
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stormdrill import profile, store, topology
from stormdrill.load.config import LoadConfig
from stormdrill.load.process import LoadProcess
from stormdrill.records import reader
from stormdrill.records.layout import Outcome, Reason
from stormestate.roles import ROLES

ROOT = Path(__file__).parents[3]
LIGHT = ROOT / "tests/lab/drill/light.yaml"
OF_A = ("login", "balance", "transfer", "payment", "confirm")
"""What the topology counts as tier A."""
RELEASED = {"edge", "gateway", "ledger", *(role.name for role in ROLES)}
pytestmark = pytest.mark.lab


def deployments(lab):
    """Names of the bank's Deployments in the region that serves, by role."""
    listed = json.loads(lab.kubectl("city1", "get", "deployments", "-n", "bank", "-o", "json").stdout)
    found = {}
    for item in listed["items"]:
        found.setdefault(item["spec"]["selector"]["matchLabels"]["app"], []).append(item["metadata"]["name"])
    return found


def release(lab, names):
    """What `kubectl set image` does to pods, without another image."""
    paths = [f"deployment/{name}" for name in names]
    lab.kubectl("city1", "rollout", "restart", "-n", "bank", *paths)
    for path in paths:
        lab.kubectl("city1", "rollout", "status", "-n", "bank", path, "--timeout=58s")


@pytest.fixture
def load(small_lab, tmp_path):
    """The light load on the lab, over its own edges, and some who ask what became of their money."""
    estate = topology.load(small_lab.topology)
    assert {name for name, one in estate.operations.items() if one.tier.startswith("A")} == set(OF_A)
    run = store.create(tmp_path / "runs", "release")
    light = profile.load(LIGHT)
    asked = replace(light, probes={**light.probes, "confirm": 5.0})
    config = LoadConfig.of(run, estate, asked, ROOT / "loadtests/locustfile.py", 7)
    started = LoadProcess.launch(config, lambda second: None, ready_timeout_s=30)
    yield started, config
    started.kill()


def attempts_not_good(config, since_ns=0):
    """Attempts of tier A from a moment on: those not well, by operation and how; and all, by operation."""
    records = reader.read_file(config.requests_file)
    legend, data = records.legend, records.data
    sent = data[(data["sent_ns"] > since_ns) & (data["reason"] != Reason.PHASE_END)]
    of_a = np.isin(sent["operation"], [legend.operations.index(name) for name in OF_A])
    rows = sent[of_a]
    bad = rows[rows["outcome"] != Outcome.GOOD]
    found = Counter(
        (
            legend.operations[row["operation"]],
            Outcome(row["outcome"]).name,
            Reason(row["reason"]).name,
            int(row["status"]),
        )
        for row in bad
    )
    return found, Counter(legend.operations[number] for number in rows["operation"])


def test_a_release_of_every_service_loses_no_request_of_tier_a(small_lab, load):
    process, config = load
    roles = deployments(small_lab)
    assert roles.keys() == RELEASED
    for role, names in sorted(roles.items()):
        began_ns = time.monotonic_ns()
        release(small_lab, names)
        took_s = (time.monotonic_ns() - began_ns) / 1e9
        assert process.alive, f"the generator ended during the release of {role}: {process.error}"
        lost, asked = attempts_not_good(config, began_ns)
        assert lost == {}, f"during the release of {role}, of {asked} attempts: {dict(lost)}"
        # Half of what the probes alone ask for: that nobody was hurt is said of a release only that somebody saw.
        for operation in OF_A:
            wanted = config.profile.probes[operation] * took_s / 2
            assert asked[operation] > wanted, f"{operation} during {role}, {took_s:.1f} s: {asked}"
        print(f"{role}: {took_s:.1f} s, {asked.total()} attempts of tier A, none lost")
    process.stop()
    assert process.error == ""
    lost, _ = attempts_not_good(config)
    assert lost == {}
