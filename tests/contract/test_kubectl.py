"""The real kubectl, as people and `lab up` use it."""

from __future__ import annotations

import json
import re

import pytest

from .cited import KUBECTL, cites
from .conftest import PROGRAM, Region, needs_kubectl, nodes_of

pytestmark = [needs_kubectl, cites(KUBECTL)]

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {namespace}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {{name: c, image: "{image}", command: {command}, ports: [{{containerPort: 8080, name: http}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: {namespace}}}
spec: {{type: NodePort, selector: {{app: web}}, ports: [{{port: 80, targetPort: http}}]}}
"""


@pytest.fixture
def applied(region: Region, namespace: str) -> str:
    manifest = MANIFEST.format(namespace=namespace, image=region.image, command=json.dumps(PROGRAM))
    out = region.kubectl("apply", "--validate=false", "-f", "-", stdin=manifest)
    assert out.splitlines() == ["deployment.apps/web created", "service/web created"]
    region.kubectl("-n", namespace, "rollout", "status", "deploy/web", region.timeout)
    assert "unchanged" in region.kubectl("apply", "--validate=false", "-f", "-", stdin=manifest)
    return namespace


def pods_of(region: Region, namespace: str) -> list[dict[str, object]]:
    body = json.loads(region.kubectl("-n", namespace, "get", "pods", "-o", "json"))
    items: list[dict[str, object]] = body["items"]
    return items


def test_get_pods_wide_shows_nodes_and_addresses(region: Region, applied: str) -> None:
    lines = region.kubectl("get", "pods", "-A", "-o", "wide").splitlines()
    assert lines[0].split()[:8] == ["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    mine = [row for row in map(str.split, lines[1:]) if row[0] == applied]
    assert len(mine) == 2
    assert {row[3] for row in mine} == {"Running"}
    assert {row[7] for row in mine} <= nodes_of(region)
    assert all(re.fullmatch(r"[0-9a-f:.]+", row[6]) for row in mine)


def test_a_deleted_pod_is_replaced(region: Region, applied: str) -> None:
    first = region.kubectl("-n", applied, "get", "pods", "-o", "name").split()
    region.kubectl("-n", applied, "delete", first[0], "--grace-period=0", "--force", "--wait=false")
    gone = region.kubectl("-n", applied, "wait", "--for=delete", first[0], region.timeout, check=False)
    assert "timed out" not in gone, (
        "an old kubectl complains of what was gone before it looked, a new one is silent"
    )
    region.kubectl("-n", applied, "wait", "--for=condition=Available", "deploy/web", region.timeout)
    second = region.kubectl("-n", applied, "get", "pods", "-o", "name").split()
    assert len(second) == 2
    assert first[0] not in second


def test_scale_down_and_up(region: Region, applied: str) -> None:
    region.kubectl("-n", applied, "scale", "deploy/web", "--replicas=0")
    region.eventually(lambda: not pods_of(region, applied), "no pods")
    region.kubectl("-n", applied, "scale", "deploy/web", "--replicas=3", "--current-replicas=0")
    region.kubectl("-n", applied, "rollout", "status", "deploy/web", region.timeout)
    shown = region.kubectl("-n", applied, "get", "deploy", "web", "--no-headers").split()
    assert shown[:4] == ["web", "3/3", "3", "3"]


@pytest.mark.own_server("it cordons a node that others use")
def test_a_cordoned_node_gets_no_pods(region: Region, applied: str) -> None:
    region.kubectl("cordon", "city1-a")
    try:
        assert "Ready,SchedulingDisabled" in region.kubectl("get", "node", "city1-a")
        region.kubectl("-n", applied, "scale", "deploy/web", "--replicas=6")
        region.kubectl("-n", applied, "rollout", "status", "deploy/web", region.timeout)
        nodes = [pod["spec"]["nodeName"] for pod in pods_of(region, applied)]  # type: ignore[index]
        assert sorted(nodes) == ["city1-a", *["city1-b"] * 5]
    finally:
        region.kubectl("uncordon", "city1-a")
    assert "SchedulingDisabled" not in region.kubectl("get", "node", "city1-a")


@pytest.mark.own_server("it drains a node that others use")
def test_a_node_is_drained_as_far_as_the_budget_lets(region: Region, applied: str) -> None:
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": applied},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
    }
    region.kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(budget))
    drain = ("drain", "city1-a", "--force", "--ignore-daemonsets", "--pod-selector=app=web")
    try:
        told = region.kubectl(*drain, "--timeout=2s", check=False)
        assert "Cannot evict pod as it would violate the pod's disruption budget." in told
        assert len(pods_of(region, applied)) == 2
        patch = json.dumps({"spec": {"minAvailable": 1}})
        region.kubectl("-n", applied, "patch", "pdb", "web", "--type=merge", "-p", patch)
        region.kubectl(*drain, region.timeout)
        region.kubectl("-n", applied, "rollout", "status", "deploy/web", region.timeout)
        assert {pod["spec"]["nodeName"] for pod in pods_of(region, applied)} == {"city1-b"}  # type: ignore[index]
    finally:
        region.kubectl("uncordon", "city1-a")


def test_a_changed_template_rolls_out_and_back(region: Region, applied: str) -> None:
    region.kubectl("-n", applied, "set", "env", "deploy/web", "RELEASE=next")
    region.kubectl("-n", applied, "rollout", "status", "deploy/web", region.timeout)
    settings = [
        pod["spec"]["containers"][0].get("env")
        for pod in pods_of(region, applied)
        if "deletionTimestamp" not in pod["metadata"]
    ]  # type: ignore[index]
    assert settings == [[{"name": "RELEASE", "value": "next"}]] * 2
    region.kubectl("-n", applied, "rollout", "undo", "deploy/web")
    region.kubectl("-n", applied, "rollout", "status", "deploy/web", region.timeout)
    shown = region.kubectl(
        "-n",
        applied,
        "get",
        "rs",
        "-o",
        "jsonpath={.items[*].metadata.annotations.deployment\\.kubernetes\\.io/revision}",
    )
    assert sorted(shown.split()) == ["2", "3"]


def test_logs_and_describe(region: Region, applied: str) -> None:
    name = region.kubectl("-n", applied, "get", "pods", "-o", "name").split()[0]
    assert region.kubectl("-n", applied, "logs", name, "--tail=2") == "line 5\nstarted\n"
    described = region.kubectl("-n", applied, "describe", name)
    assert re.search(r"Controlled By: +ReplicaSet/web-", described)
    assert "Node:" in described


def test_services_and_endpoints(region: Region, applied: str) -> None:
    def ready() -> list[str]:
        shown = region.kubectl("-n", applied, "get", "endpoints", "web", "--no-headers").split()
        return shown[1].split(",") if len(shown) > 1 and ":" in shown[1] else []

    region.eventually(lambda: len(ready()) == 2, "two endpoints")
    assert all(item.endswith(":8080") for item in ready())
    shown = region.kubectl("-n", applied, "get", "svc", "web", "--no-headers").split()
    assert shown[1] == "NodePort"
    assert shown[4].startswith("80:3")


def test_what_is_not_there_says_so(region: Region) -> None:
    assert 'pods "nosuch" not found' in region.kubectl("get", "pod", "nosuch", check=False)
    assert "the server doesn't have a resource type" in region.kubectl("get", "nosuch", check=False)


def test_a_namespace_goes_with_everything_in_it(region: Region, applied: str) -> None:
    region.kubectl("delete", "namespace", applied, region.timeout)
    assert "NotFound" in region.kubectl("get", "namespace", applied, check=False)
    assert applied not in region.kubectl("get", "pods,rs,deploy,svc", "-A")
