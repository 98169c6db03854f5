"""A standby that was not in sync when the fault came shows nothing about data loss: never a pass on it."""

import contextlib
import json
import subprocess

import pytest
from tests.lab.drill import books
from tests.lab.drill.estate import LIGHT, cluster, drill, event, until
from tests.lab.verdicts.changed import TIMES, configure, experiment, synchronous

pytestmark = [pytest.mark.lab, pytest.mark.long]
CUT = "name: cut-the-primarys-zone-from-everything\n"
LATER = f"{CUT}    pauses: {{before: 6}}\n"
"""The hypothesis is held before; what the test does then happens before the fault."""


@pytest.fixture
def lab(lab, spare_lab):
    """Ends with the test: the remote site may hold writes that the new primary never had, for good."""
    yield lab
    spare_lab.end()


@pytest.mark.parametrize("replication", ["asynchronous", "interrupted"])
def test_a_standby_out_of_sync_never_passes_on_data_loss(lab, tmp_path, say, replication):
    changes = ((CUT, LATER), ("duration: 45s", "duration: 30s"))
    zone_partition = experiment(tmp_path, "zone-partition", *changes)
    with contextlib.ExitStack() as undo:

        def during(run):
            event(run, "hypothesis")
            configure(lab, synchronous_mode=False)
            until(lambda: not synchronous(lab), 5, "an asynchronous standby")
            if replication == "interrupted":
                undo.enter_context(_no_replication(lab))
            event(run, "fault.applied", 30)

        options = (*LIGHT, "--topology", str(lab.topology), "--times", f"{TIMES},recover_limit=60s")
        ended = drill(lab, tmp_path / "runs", zone_partition, *options, during=during)
    lost = books.acknowledged(ended.path) - set(books.booked(lab))
    check = ended.check("lost")
    say(f"exit {ended.code}, {ended.verdict['verdict']}; lost {check['verdict']}: {check['why']}")
    assert (ended.code, ended.verdict["verdict"]) in {(1, "fail"), (3, "inconclusive")}, ended.output
    assert check["verdict"] in {"fail", "inconclusive"}
    assert check["measured"]["value"] == len(lost)
    if replication == "interrupted":
        assert check["verdict"] == "fail"
        assert lost, "nothing was lost: the test did not break what it meant to break"


@contextlib.contextmanager
def _no_replication(lab):
    """The standby hears nothing more of the primary's log; whoever else asks the primary is answered."""
    members = cluster(lab)
    leader = next(name for name, one in members.items() if one["role"] == "leader")
    (standby,) = [name for name in members if name != leader]
    pods = json.loads(lab.kubectl("city1", "get", "pods", "-n", "bank", "-l", "app=pg", "-o", "json").stdout)[
        "items"
    ]
    address = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in pods}
    zone = standby.removeprefix("pg-").removesuffix("-0")
    nft = ["ip", "netns", "exec", f"sl-{lab.name}-{zone}", "nft"]
    rule = f"ip saddr {address[standby]} ip daddr {address[leader]} tcp dport 5432 drop"
    table = f"table inet test {{ chain forward {{ type filter hook forward priority -200; {rule}; }}; }}"
    subprocess.run([*nft, "-f", "-"], input=table, text=True, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([*nft, "delete", "table", "inet", "test"], check=True, capture_output=True)
