"""A rolling release of every service of the bank under load: nobody of tier A notices.

What is counted are attempts, not what became of them in the end: a request that an app had to make twice was lost.
"""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from stormdrill import profile, store, topology
from stormdrill.load.config import LoadConfig
from stormdrill.load.process import LoadProcess
from stormdrill.records import reader
from stormdrill.records.layout import Outcome, Reason

ROOT = Path(__file__).parents[3]
LIGHT = ROOT / "tests/lab/drill/light.yaml"
ZONES = ("city1-a", "city1-b")
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
    """The light load on the lab, over its own edges."""
    estate = topology.load(small_lab.topology)
    run = store.create(tmp_path / "runs", "release")
    config = LoadConfig.of(run, estate, profile.load(LIGHT), ROOT / "loadtests/locustfile.py", 7)
    started = LoadProcess.launch(config, lambda second: None, ready_timeout_s=30)
    yield started, config
    started.kill()


def attempts_not_good(config):
    """How often each attempt of tier A ended otherwise than well, by operation and how; and how many there were."""
    records = reader.read_file(config.requests_file)
    legend, data = records.legend, records.data
    sent = data[(data["sent_ns"] > 0) & (data["reason"] != Reason.PHASE_END)]
    of_a = np.isin(sent["operation"], [n for n, tier in enumerate(legend.tiers) if tier.startswith("A")])
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
    return found, len(rows)


def test_a_release_of_every_service_loses_no_request_of_tier_a(small_lab, load):
    process, config = load
    roles = deployments(small_lab)
    assert {"gateway", "ledger", "edge"} <= set(roles)
    for role, names in sorted(roles.items()):
        release(small_lab, names)
        lost, asked = attempts_not_good(config)
        assert lost == {}, f"after the release of {role}, of {asked} attempts: {dict(lost)}"
    process.stop()
    lost, asked = attempts_not_good(config)
    assert asked > 500
    assert lost == {}
