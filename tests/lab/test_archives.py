"""The archives of preset `small`: whole in every place, through a change of primary, and restored by a pod.

What is restored is compared with the books that it was taken from.
"""

import base64
import datetime as dt
import json
import time
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import psycopg
import pytest
import yaml

pytestmark = pytest.mark.lab
JOB = Path(__file__).parents[2] / "topology/kubernetes/jobs/restore.yaml"
PLACES = {"city1-a": "city1", "city1-b": "city1", "city2-a": "city2"}
"""Zones with an archive, and the region of each."""


def wait(condition, what, timeout_s, poll_s=0.5):
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s"
        time.sleep(poll_s)
    return value


def metrics(lab, zone):
    """The archive's metrics, as Prometheus last saw them: not every kubectl can exec in the lab."""
    query = urllib.parse.quote(f'{{__name__=~"archive_.*",pod="archive-cell0-{zone}-0"}}')
    with urllib.request.urlopen(
        f"http://{lab.endpoints['prometheus']}/api/v1/query?query={query}", timeout=5
    ) as answer:
        found = json.loads(answer.read())["data"]["result"]
    return {one["metric"]["__name__"]: float(one["value"][1]) for one in found}


def whole(lab, zone):
    """Wait until everything of now is in a zone's archive, beside a base backup."""
    now_s = time.time()

    def there():
        told = metrics(lab, zone)
        return told.get("archive_whole_until_seconds", 0) >= now_s and told["archive_bases"] >= 1 and told

    return wait(there, f"the archive in {zone} is whole", 90)


def restored(lab, zone, *wish):
    """Restore from a zone's archive by a pod of its own, as docs/backup.md says; its report."""
    job = yaml.safe_load(JOB.read_text().replace("city1-b", zone))
    job["spec"]["containers"][0]["command"] += wish
    path = lab.state / "restore.yaml"
    path.write_text(yaml.safe_dump(job))
    region = PLACES[zone]
    # The lab's API has no OpenAPI document for kubectl to look a field up in; it looks at fields itself.
    made = lab.kubectl(region, "create", "--validate=false", "-f", str(path), "-o", "name", check=False)
    assert made.returncode == 0, made.stderr
    name = made.stdout.strip()
    phase = (region, "-n", "bank", "get", name, "-o", "jsonpath={.status.phase}")
    try:
        wait(lambda: lab.kubectl(*phase).stdout in ("Succeeded", "Failed"), "the restore is over", 90)
        report = json.loads(lab.kubectl(region, "-n", "bank", "logs", name).stdout)
        assert lab.kubectl(*phase).stdout == ("Succeeded" if report["ok"] else "Failed")
        return report
    finally:
        lab.kubectl(region, "-n", "bank", "delete", name, "--wait=false")
        path.unlink()


def books(lab, question, *values):
    """One value, asked of whoever takes writes."""
    secret = lab.kubectl("city1", "get", "secret", "postgres", "-n", "bank", "-o", "json").stdout
    password = base64.b64decode(json.loads(secret)["data"]["auditor-password"]).decode()
    ports = [lab.endpoints[name].rpartition(":")[2] for name in ("postgres-city1-a", "postgres-city1-b")]
    dsn = f"host=127.0.0.1,127.0.0.1 port={','.join(ports)} dbname=bank user=auditor target_session_attrs=read-write"
    with psycopg.connect(dsn, password=password, connect_timeout=3) as connection:
        return connection.execute(question, values).fetchone()[0]


def pay(lab, times):
    """As a phone does."""

    def asked(path, body, **headers):
        url = f"http://{lab.endpoints['edge-city1-b']}{path}"
        data = json.dumps(body).encode()
        asked = urllib.request.Request(url, data, {"Content-Type": "application/json"} | headers)
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return json.loads(answer.read())

    login = {"customer": 1, "device": "device-1", "password": "pw-1"}
    token = asked("/v1/login", login)["token"]
    for _ in range(times):
        key = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}
        asked("/v1/payments", {"payee": "water", "amount": 1}, **key)


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


def test_every_archive_is_whole_and_a_change_of_primary_is_followed(small_lab):
    before = {zone: whole(small_lab, zone) for zone in PLACES}
    first = restored(small_lab, "city1-b")
    assert first["ok"]
    assert first["figures"]["customers"] == "10000"
    first_leader = leader(small_lab)
    switch_from(small_lab, first_leader)
    try:
        # The primary's own zone has one as well now; what counts is that the other one has.
        for zone in PLACES:
            after = whole(small_lab, zone)
            assert after["archive_timeline"] == before[zone]["archive_timeline"] + 1
            assert after["archive_gaps_total"] == 0
    finally:
        switch_from(small_lab, leader(small_lab))


def test_a_moment_is_restored_from_each_city_with_as_many_movements_as_the_primary_had(small_lab):
    for zone in PLACES:
        whole(small_lab, zone)
    pay(small_lab, 3)
    # By the database's clock, and nobody else does business: what was booked before this is all that was committed.
    moment = books(small_lab, "SELECT now()")
    pay(small_lab, 2)
    until = books(small_lab, "SELECT count(*) FROM movement WHERE created_at <= %s", moment)
    now = books(small_lab, "SELECT count(*) FROM movement")
    assert (until >= 3, now) == (True, until + 2)
    to = moment.astimezone(dt.UTC).isoformat()
    for zone in PLACES:
        whole(small_lab, zone)
        report = restored(small_lab, zone, "--to", to, "--expect", f"movements={until}")
        assert report["ok"], report
        assert report["figures"]["movements"] == str(until)
        print(f"restored from {zone} in {report['took']}")
    # A pod that comes to another number says so, and fails.
    wrong = restored(small_lab, "city2-a", "--expect", f"movements={until}")
    assert [each["id"] for each in wrong["invariants"] if not each["holds"]] == ["movements"]
    assert wrong["figures"]["movements"] == str(now)
