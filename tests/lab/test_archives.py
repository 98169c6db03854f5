"""The archives of preset `small`: whole in both places, through a change of primary, and restored by a pod."""

import json
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.lab
JOB = Path(__file__).parents[2] / "topology/kubernetes/jobs/restore.yaml"
PLACES = {"city1": "archive-cell0-city1-b-0", "city2": "archive-cell0-city2-a-0"}


def wait(condition, what, timeout_s, poll_s=0.5):
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s"
        time.sleep(poll_s)
    return value


def metrics(lab, region):
    """The archive's metrics, as Prometheus last saw them: not every kubectl can exec in the lab."""
    query = urllib.parse.quote(f'{{__name__=~"archive_.*",pod="{PLACES[region]}"}}')
    with urllib.request.urlopen(
        f"http://{lab.endpoints['prometheus']}/api/v1/query?query={query}", timeout=5
    ) as answer:
        found = json.loads(answer.read())["data"]["result"]
    return {one["metric"]["__name__"]: float(one["value"][1]) for one in found}


def whole(lab, region):
    """Wait until everything of now is in a region's archive, beside a base backup."""
    now_s = time.time()

    def there():
        told = metrics(lab, region)
        return told.get("archive_whole_until_seconds", 0) >= now_s and told["archive_bases"] >= 1 and told

    return wait(there, f"the archive in {region} is whole", 90)


def restored(lab, *wish):
    """Restore by a pod of its own; its report."""
    job = yaml.safe_load(JOB.read_text())
    job["spec"]["containers"][0]["command"] += wish
    path = lab.state / "restore.yaml"
    path.write_text(yaml.safe_dump(job))
    # The lab's API has no OpenAPI document for kubectl to look a field up in; it looks at fields itself.
    made = lab.kubectl("city1", "create", "--validate=false", "-f", str(path), "-o", "name", check=False)
    assert made.returncode == 0, made.stderr
    name = made.stdout.strip()
    phase = ("city1", "-n", "bank", "get", name, "-o", "jsonpath={.status.phase}")
    try:
        wait(lambda: lab.kubectl(*phase).stdout in ("Succeeded", "Failed"), "the restore is over", 90)
        report = json.loads(lab.kubectl("city1", "-n", "bank", "logs", name).stdout)
        assert lab.kubectl(*phase).stdout == "Succeeded", report
        return report
    finally:
        lab.kubectl("city1", "-n", "bank", "delete", name, "--wait=false")
        path.unlink()


def leader(lab):
    members = lab.status()["databases"]
    return next((each["name"] for each in members if each["role"] in ("leader", "primary")), None)


def switch_from(lab, member):
    """Change the primary as people do, and wait for the other one."""
    address = lab.endpoints[member.replace("pg-", "patroni-").removesuffix("-0")]
    body = json.dumps({"leader": member}).encode()
    asked = urllib.request.Request(f"http://{address}/switchover", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        assert answer.status == 200
    wait(lambda: leader(lab) not in (None, member), "another primary", 30)


def test_both_archives_are_whole_and_a_change_of_primary_is_followed(small_lab):
    before = {region: whole(small_lab, region) for region in PLACES}
    first = restored(small_lab)
    assert first["ok"]
    assert first["figures"]["customers"] == "10000"
    first_leader = leader(small_lab)
    switch_from(small_lab, first_leader)
    try:
        wished_s = time.time()  # which each archive reaches once it is whole
        for region in PLACES:
            after = whole(small_lab, region)
            assert after["archive_timeline"] == before[region]["archive_timeline"] + 1
            assert after["archive_gaps_total"] == 0
        report = restored(small_lab, "--to", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wished_s)))
        assert report["ok"]
        assert report["figures"]["customers"] == "10000"
        print("restored in", report["took"])
    finally:
        switch_from(small_lab, leader(small_lab))
