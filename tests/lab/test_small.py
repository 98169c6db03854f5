"""Preset `small` as its topology file describes it: facts of a lab that is ready, and what happens to its pods."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab


def wait(condition, what, timeout_s, poll_s=0.1):
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s"
        time.sleep(poll_s)
    return value


def get(lab, endpoint, path, body=None):
    """GET, or POST when there is a body."""
    headers = {"Content-Type": "application/json"} if body else {}
    request = urllib.request.Request(f"http://{lab.endpoints[endpoint]}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.status, answer.read()


def query(lab, expression):
    quoted = urllib.parse.quote(expression)
    return json.loads(get(lab, "prometheus", f"/api/v1/query?query={quoted}")[1])["data"]["result"]


def test_it_is_whole(small_lab):
    status = small_lab.status()
    assert status["troubles"] == []
    assert all(pod["ready"] for pod in status["pods"]), status["pods"]
    names = {re.sub(r"-0$|-[0-9a-z]+-[0-9a-z]{5}$", "", pod["name"]) for pod in status["pods"]}
    assert {"etcd-city1-a", "etcd-city1-b", "etcd-city1-w", "etcd-city2-a"} <= names
    assert {"pg-city1-a", "pg-city1-b", "pg-city2-a", "edge-city1-a", "edge-city1-b"} <= names
    assert {f"{app}-{zone}" for app in ("gateway", "ledger") for zone in ("city1-a", "city1-b")} <= names
    daemons = sorted((pod["name"].split("-")[0], pod["zone"]) for pod in status["pods"] if of_drills(pod))
    zones = ["city1-a", "city1-b", "city1-w", "city2-a"]
    assert daemons == [(name, zone) for name in ("agent", "canary") for zone in zones]
    for pod in status["pods"]:
        assert of_drills(pod) or pod["zone"] in pod["name"], "a pod runs in the zone it is named after"


def of_drills(pod):
    return pod["name"].startswith(("agent-", "canary-"))


def test_canaries_see_every_zone_from_every_other_and_the_databases(small_lab):
    zones = {"city1-a", "city1-b", "city1-w", "city2-a"}
    wanted = {
        (zone, peer, path)
        for zone in zones
        for peer in zones - {zone}
        for path in ("tcp-held", "tcp-new", "udp")
    }
    wanted |= {(zone, peer, "database") for zone in zones for peer in zones - {"city1-w"}}
    wanted |= {(zone, "control-plane", "control-plane") for zone in zones}

    def works():
        rows = [row["metric"] for row in query(small_lab, "stormdrill_canary_up == 1")]
        return {(row["zone"], row["peer"], row["path"]) for row in rows} == wanted

    wait(works, "canaries that see each other", 10)


def test_the_pair_is_synchronous_and_the_remote_site_follows(small_lab):
    roles = {member["name"]: member for member in small_lab.status()["databases"]}
    assert roles["pg-city2-a-0"]["role"] == "standby_leader"
    assert roles["pg-city2-a-0"]["state"] == "streaming"
    pair = [roles["pg-city1-a-0"]["role"], roles["pg-city1-b-0"]["role"]]
    assert sorted(pair) == ["leader", "sync_standby"]


def test_phones_reach_a_gateway_through_either_edge(small_lab):
    for edge in ("edge-city1-a", "edge-city1-b"):
        assert get(small_lab, edge, "/readyz")[0] == 200
        body = json.dumps({"customer": 1, "device": "device-1", "password": "pw-1"}).encode()
        status, answer = get(small_lab, edge, "/v1/login", body)
        assert status == 200
        assert json.loads(answer)["token"]


def test_prometheus_sees_every_pod_every_second_with_its_place(small_lab):
    def seen():
        """The pods and what Prometheus has of them, once it has forgotten those that a drill before replaced."""
        pods = {pod["name"]: pod for pod in small_lab.status()["pods"]}
        series = {row["metric"]["pod"]: row for row in query(small_lab, 'up{job="pods"}')}
        return (pods, series) if set(series) == set(pods) else None

    pods, series = wait(seen, "a series of every pod and of no other", 15)
    for name, row in series.items():
        assert row["value"][1] == "1", name
        assert row["metric"]["zone"] == pods[name]["zone"]
        assert row["metric"]["region"] == pods[name]["region"]
        assert row["metric"]["app"] == name.split("-")[0]
    counts = query(small_lab, 'count_over_time(up{job="pods",app!="etcd"}[5s])')
    assert {row["metric"]["app"] for row in counts} >= {"pg", "edge", "gateway", "ledger"}
    for name in ("patroni_primary", "haproxy_backend_active_servers", "etcd_server_has_leader"):
        assert query(small_lab, name), f"no series {name}"


def test_rules_are_loaded(small_lab):
    groups = json.loads(get(small_lab, "prometheus", "/api/v1/rules")[1])["data"]["groups"]
    assert "DatabaseWithoutLeader" in {rule["name"] for group in groups for rule in group["rules"]}
    assert all(rule["health"] in {"ok", "unknown"} for group in groups for rule in group["rules"])


REFUSED = """
import contextlib, socket, sys, time
took = []
for _ in range(5):
    with socket.socket() as probe, contextlib.suppress(ConnectionRefusedError):
        began = time.monotonic()
        try:
            probe.connect((sys.argv[1], 1))
        finally:
            took.append(time.monotonic() - began)
print(min(took) * 1000)
"""


def rtt_ms(zone, address):
    """The least time a closed port takes to refuse."""
    argv = ["ip", "netns", "exec", f"sl-small-{zone}", sys.executable, "-c", REFUSED, address]
    return float(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


def test_a_link_changes_while_it_carries(small_lab):
    assert rtt_ms("city1-w", "10.77.1.1") < 20
    small_lab.lab("link", "city1-w", "city1-a", "--rtt", "120ms")
    try:
        assert 119 < rtt_ms("city1-w", "10.77.1.1") < 160
    finally:
        small_lab.lab("link", "city1-a", "city1-w", "--rtt", "1ms")
    assert rtt_ms("city1-w", "10.77.1.1") < 20


def test_status_measures_every_link(small_lab):
    def as_declared():
        links = small_lab.status()["links"]
        assert len(links) == 10
        off = [abs((link["measured"]["rtt_ms"] or 1e9) - link["declared"]["rtt_ms"]) for link in links]
        bounds = [max(1.0, link["declared"]["rtt_ms"] / 10) for link in links]
        return all(by <= bound for by, bound in zip(off, bounds, strict=True))

    wait(as_declared, "each link within 10 % or 1 ms of what is declared", 20)


def test_status_is_one_screen(small_lab):
    lines = small_lab.lab("status").stdout.splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 100
    assert "# faults in force: none" in lines
    assert "# fences: none" in lines
    began = time.monotonic()
    rows = {row["name"]: row["samples"] for row in small_lab.status()["rows"]}
    assert time.monotonic() - began < 5, "about a second; the machine may have other things to do"
    zones = [sample["labels"]["zone"] for sample in rows["requests/s by zone"]]
    assert zones == ["city1-a", "city1-b", "city2-a"]
    followers = {sample["labels"]["pod"] for sample in rows["behind the primary, bytes"]}
    assert "pg-city2-a-0" in followers
    assert len(followers) == 2


def test_a_stopped_api_is_said_and_the_rest_is_shown(small_lab):
    pids = {row["name"]: row["pid"] for row in small_lab.status()["processes"]}
    os.kill(pids["api-city2"], signal.SIGSTOP)
    try:
        began = time.monotonic()
        status = small_lab.status()
        took_s = time.monotonic() - began
    finally:
        os.kill(pids["api-city2"], signal.SIGCONT)
    assert took_s < 6
    assert status["troubles"] == [f"city2{of}: no answer within 2 s" for of in ("", ": databases")]
    nodes = {zone["zone"]: zone["node"] for zone in status["zones"]}
    assert (nodes["city1-a"], nodes["city2-a"]) == ("Ready", "unknown")
    assert {member["scope"] for member in status["databases"]} == {"cell0"}


def processes_of(uid):
    """Pids that live in the pod's control groups; one that only waits to be collected is dead."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            dead = (entry / "stat").read_text().rpartition(") ")[2][0] in "ZX"
            if f"pod{uid}" in (entry / "cgroup").read_text() and not dead:
                found.append(entry.name)
    return found


@pytest.mark.parametrize("app", ["gateway", "ledger"])
def test_a_deleted_pod_is_dead_at_once_and_replaced(small_lab, app):
    def pods():
        done = small_lab.kubectl("city1", "get", "pods", "-n", "bank", "-l", f"app={app}", "-o", "json")
        return {item["metadata"]["uid"]: item for item in json.loads(done.stdout)["items"]}

    def ready(pod):
        conditions = pod["status"].get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    before = pods()
    uid, victim = next(iter(before.items()))
    assert processes_of(uid)
    name = victim["metadata"]["name"]
    now = ("--grace-period=0", "--force", "--wait=false")
    small_lab.kubectl("city1", "delete", "pod", "-n", "bank", name, *now)
    wait(lambda: not processes_of(uid), "all processes of the pod are gone", 1.0, 0.02)

    def replaced():
        now = pods()
        return uid not in now and len(now) == len(before) and all(map(ready, now.values()))

    wait(replaced, "a new pod is ready", 20)
    small_lab.up()


def test_kubectl_shows_pods_and_their_nodes(small_lab):
    out = small_lab.kubectl("city1", "get", "pods", "-A", "-o", "wide").stdout
    line = r"^bank +pg-city1-a-0 +1/1 +Running +\d+ .* 10\.77\.1\.\d+ +city1-a"
    assert re.search(line, out, re.MULTILINE), out
    nodes = small_lab.kubectl("city1", "get", "nodes").stdout
    assert {line.split()[0] for line in nodes.splitlines()[1:]} == {"city1-a", "city1-b", "city1-w"}


def test_logs_of_processes_and_of_pods(small_lab):
    assert small_lab.lab("kubeconfig").stdout.strip() == str(small_lab.kubeconfig)
    assert "pg-city1-a-0" in small_lab.lab("logs", "bank/pg-city1-a-0:postgres", "-n", "200").stdout
    assert small_lab.lab("logs", "forwards").returncode == 0
    unknown = small_lab.lab("logs", "nobody", check=False)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no process and no pod is called 'nobody'" in unknown.stderr


def test_up_again_starts_nothing_and_is_quick(small_lab):
    report = small_lab.up()
    assert report["started"] == []
    assert report["ready_s"] < 10
