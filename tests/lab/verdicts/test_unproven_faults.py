"""A fault that could not be made, or did not do what it says, proves nothing, and leaves nothing."""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.lab.drill.estate import LIGHT, drill, event, until
from tests.lab.kills import traces
from tests.lab.verdicts.changed import TIMES, experiment

pytestmark = [pytest.mark.lab, pytest.mark.long]
HELD = "city1-b"
GREEN_S = 5.0


@contextlib.contextmanager
def agents_without_nft(lab):
    """The agents' search path leads to Python, and to no packet filter."""
    for region in traces.REGIONS:
        lab.kubectl(
            region, "set", "env", "-n", "stormdrill", "daemonset/agent", f"PATH={Path(sys.prefix, 'bin')}"
        )
    _rolled_out(lab)
    try:
        yield
    finally:
        for region in traces.REGIONS:
            lab.kubectl(region, "set", "env", "-n", "stormdrill", "daemonset/agent", "PATH-")
        _rolled_out(lab)


def _rolled_out(lab):
    for region in traces.REGIONS:
        lab.kubectl(region, "rollout", "status", "-n", "stormdrill", "daemonset/agent", "--timeout=50s")


def test_an_agent_without_nft_is_inconclusive(lab, tmp_path, say):
    zone_partition = experiment(tmp_path, "zone-partition", ("duration: 45s", "duration: 5s"))
    with agents_without_nft(lab):
        ended = _short(lab, tmp_path, zone_partition)
        left = _left(lab)
    say(f"exit {ended.code}, {ended.verdict['verdict']}; {_reasons(ended)}; left: {left or 'nothing'}")
    assert (ended.code, ended.verdict["verdict"]) == (3, "inconclusive"), ended.output
    assert "nft is not installed" in ended.output
    assert left == []


def test_a_pair_that_should_have_broken_and_did_not_is_inconclusive_and_named(lab, tmp_path, say):
    """The zone is cut from everything; the test lets one other zone's packets through."""
    zone_partition = experiment(tmp_path, "zone-partition", ("duration: 45s", "duration: 5s"))
    ended = _short(lab, tmp_path, zone_partition, during=lambda run: _hole(lab, run))
    proven = next(one for one in ended.verdict["validity"] if one["id"] == "fault_proven")
    left = _left(lab)
    say(f"exit {ended.code}, {ended.verdict['verdict']}; {proven['why']}; left: {left or 'nothing'}")
    assert (ended.code, ended.verdict["verdict"]) in {(3, "inconclusive"), (1, "fail")}, ended.output
    failed = {one["id"].partition(".")[0] for one in ended.verdict["checks"] if one["verdict"] == "fail"}
    assert (ended.code == 3) == (not failed)
    assert failed <= {"recovery"}, "only what customers felt is proven"
    assert "fault_proven" in ended.broken()
    assert HELD in proven["why"]
    assert "city1-a" in proven["why"]
    assert left == []


def _hole(lab, run):
    """Let the packets of a zone's canaries through the fault's rules, as soon as there are any."""
    pods = json.loads(lab.kubectl("city1", "get", "pods", "-n", "stormdrill", "-o", "json").stdout)["items"]
    (address,) = [
        pod["status"]["podIP"]
        for pod in pods
        if pod["metadata"]["labels"]["app"] == "canary" and pod["spec"]["nodeName"] == HELD
    ]
    event(run, "fault.intended")
    table = until(lambda: traces.tables(lab), 5, "rules")[0].split()[-1]
    for end in ("saddr", "daddr"):
        rule = ["add", "rule", "inet", table, "spare", "ip", end, address, "accept"]
        subprocess.run(
            ["ip", "netns", "exec", f"sl-{lab.name}-city1-a", "nft", *rule], check=True, capture_output=True
        )


def _short(lab, directory, path, **more):
    options = (*LIGHT, "--topology", str(lab.topology), "--times", f"{TIMES},recover_limit=30s")
    return drill(lab, directory / "runs", path, *options, **more)


def _left(lab):
    """What is left of the fault, once canaries had the time to see that it is gone."""
    end = time.monotonic() + GREEN_S
    while (red := traces.red(lab)) and time.monotonic() < end:
        time.sleep(0.1)
    return traces.tables(lab) + traces.objects(lab) + red


def _reasons(ended):
    return "; ".join(
        f"{rule['id']}: {rule['why']}"
        for rule in ended.verdict["validity"]
        if rule["verdict"] == "inconclusive"
    )
