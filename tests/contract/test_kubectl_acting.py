"""Debian's kubectl changes things: deleting, labelling, patching, applying, draining."""

from __future__ import annotations

import json
import time

import pytest
import yaml

from .asking import Api, core, group
from .cited import BUDGETS, DRAIN, FORCED, KUBECTL, LABELS, PATCHES, TERMINATION, cites
from .conftest import Region, needs_kubectl, skip_where_protobuf_is_sent
from .workloads import STUBBORN, deployment, pod, run_deployment, run_pod

pytestmark = [needs_kubectl, cites(KUBECTL)]


@pytest.fixture
def api(region: Region) -> Api:
    return Api.of(region)


@cites(TERMINATION, FORCED)
def test_delete_waits_unless_told_not_to(region: Region, api: Api, namespace: str) -> None:
    run_pod(region, api, namespace, pod(region, "polite"))
    assert 'pod "polite" deleted' in region.kubectl("-n", namespace, "delete", "pod", "polite")
    api.get(core(namespace, "pods", "polite")).refused(404, "NotFound")
    run_pod(region, api, namespace, pod(region, "stubborn", STUBBORN, terminationGracePeriodSeconds=60))
    began = time.monotonic()
    region.kubectl("-n", namespace, "delete", "pod", "stubborn", "--wait=false")
    meta = api.done("GET", core(namespace, "pods", "stubborn"))["metadata"]
    assert meta["deletionGracePeriodSeconds"] == 60
    region.kubectl("-n", namespace, "delete", "pod", "stubborn", "--grace-period=0", "--force")
    assert time.monotonic() - began < 30
    api.get(core(namespace, "pods", "stubborn")).refused(404, "NotFound")


@cites(TERMINATION)
def test_delete_with_a_grace_of_ones_own(region: Region, api: Api, namespace: str) -> None:
    run_pod(region, api, namespace, pod(region, "one", STUBBORN, terminationGracePeriodSeconds=60))
    region.kubectl("-n", namespace, "delete", "pod", "one", "--grace-period=1")
    api.get(core(namespace, "pods", "one")).refused(404, "NotFound")


@cites(LABELS)
def test_delete_by_selector_and_all(region: Region, api: Api, namespace: str) -> None:
    for name, colour in (("a", "red"), ("b", "red"), ("c", "blue")):
        api.done(
            "POST", core(namespace, "secrets"), {"metadata": {"name": name, "labels": {"colour": colour}}}
        )
    told = region.kubectl("-n", namespace, "delete", "secret", "-l", "colour=red").splitlines()
    assert told == ['secret "a" deleted', 'secret "b" deleted']
    assert region.kubectl("-n", namespace, "get", "secret", "-l", "colour", "-o", "name").split() == [
        "secret/c"
    ]
    assert "No resources found" in region.kubectl("-n", namespace, "delete", "secret", "-l", "colour=green")
    region.kubectl("-n", namespace, "delete", "secret", "--all")
    told = region.kubectl("-n", namespace, "delete", "secret", "c", check=False)
    assert 'secrets "c" not found' in told
    region.kubectl("-n", namespace, "delete", "secret", "c", "--ignore-not-found")


@cites(PATCHES)
def test_labels_annotations_and_patches(region: Region, api: Api, namespace: str) -> None:
    api.done("POST", group("apps/v1", namespace, "deployments"), deployment(region, "web", 0))
    for verb in ("label", "annotate"):
        region.kubectl("-n", namespace, verb, "deploy/web", "x=1", "y=2")
        region.kubectl("-n", namespace, verb, "deploy/web", "y-")
        told = region.kubectl("-n", namespace, verb, "deploy/web", "x=3", check=False)
        assert "'x' already has a value (1)" in told
    for kind, change in (
        ("strategic", '{"spec":{"replicas":1,"paused":true}}'),
        ("merge", '{"spec":{"revisionHistoryLimit":3}}'),
        ("json", '[{"op":"replace","path":"/spec/replicas","value":0}]'),
    ):
        region.kubectl("-n", namespace, "patch", "deploy/web", "--type", kind, "-p", change)
    found = api.done("GET", group("apps/v1", namespace, "deployments", "web"))
    assert (found["metadata"]["labels"], found["metadata"]["annotations"]["x"]) == ({"x": "1"}, "1")
    spec = found["spec"]
    assert (spec["replicas"], spec["paused"], spec["revisionHistoryLimit"]) == (0, True, 3)


def test_apply_changes_what_was_changed_and_takes_away_what_is_gone(
    region: Region, api: Api, namespace: str
) -> None:
    def apply(**data: str) -> str:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}
        return region.kubectl(
            "-n", namespace, "apply", "--validate=false", "-f", "-", stdin=yaml.safe_dump(body)
        ).split()[-1]

    assert [apply(x="1", y="1"), apply(x="1", y="1"), apply(x="2")] == ["created", "unchanged", "configured"]
    path = core(namespace, "configmaps", "a")
    assert api.done("GET", path)["data"] == {"x": "2"}
    # What others put there stays.
    api.done("PATCH", path, {"data": {"z": "9"}}, "application/merge-patch+json")
    apply(x="3")
    assert api.done("GET", path)["data"] == {"x": "3", "z": "9"}


def test_create_replace_and_edit_by_file(region: Region, api: Api, namespace: str) -> None:
    skip_where_protobuf_is_sent(
        region.kubectl("-n", namespace, "create", "configmap", "a", "--from-literal=k=v", check=False)
    )
    told = region.kubectl("-n", namespace, "create", "configmap", "a", check=False)
    assert 'configmaps "a" already exists' in told
    body = json.loads(region.kubectl("-n", namespace, "get", "cm", "a", "-o", "json"))
    body["data"] = {"k": "w"}
    region.kubectl("-n", namespace, "replace", "--validate=false", "-f", "-", stdin=json.dumps(body))
    assert api.done("GET", core(namespace, "configmaps", "a"))["data"] == {"k": "w"}
    told = region.kubectl(
        "-n", namespace, "replace", "--validate=false", "-f", "-", stdin=json.dumps(body), check=False
    )
    assert "the object has been modified" in told


def test_rollouts_restart_pause_and_remember(region: Region, api: Api, namespace: str) -> None:
    run_deployment(region, api, namespace, "web", 1)

    def rollout(verb: str) -> str:
        return region.kubectl("-n", namespace, "rollout", verb, "deploy/web")

    before = region.kubectl("-n", namespace, "get", "pods", "-o", "name")
    rollout("restart")
    region.kubectl("-n", namespace, "rollout", "status", "deploy/web", region.timeout)
    region.eventually(
        lambda: before not in region.kubectl("-n", namespace, "get", "pods", "-o", "name"), "another pod"
    )
    assert [line.split()[0] for line in rollout("history").splitlines()[2:] if line] == ["1", "2"]
    rollout("pause")
    assert api.done("GET", group("apps/v1", namespace, "deployments", "web"))["spec"]["paused"] is True
    rollout("resume")


@cites(DRAIN, BUDGETS)
@pytest.mark.own_server("it empties a node that others use")
def test_drain_moves_pods_as_far_as_budgets_allow(region: Region, api: Api, namespace: str) -> None:
    run_deployment(region, api, namespace, "web", 2)
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    budget = {"metadata": {"name": "b"}, "spec": spec}
    api.done("POST", group("policy/v1", namespace, "poddisruptionbudgets"), budget)
    options = ("--ignore-daemonsets", "--force", "--pod-selector=app=web")
    try:
        told = region.kubectl("drain", "city1-a", *options, region.timeout)
        assert "evicted" in told

        def moved() -> bool:
            items = api.done("GET", core(namespace, "pods"))["items"]
            return [item["spec"].get("nodeName") for item in items] == ["city1-b"] * 2

        region.eventually(moved, "both are on the other node")
        # There is no third node: one may still be evicted, and then none until it is back somewhere.
        told = region.kubectl("drain", "city1-b", *options, "--timeout=3s", check=False)
        assert "Cannot evict pod as it would violate the pod's disruption budget" in told
    finally:
        region.kubectl("uncordon", "city1-a", "city1-b")
    region.kubectl("-n", namespace, "rollout", "status", "deploy/web", region.timeout)


@pytest.mark.own_server("it taints a node that others use")
def test_taints(region: Region, api: Api, namespace: str) -> None:
    try:
        region.kubectl("taint", "node", "city1-a", "test.stormdrill.io/x=1:NoSchedule")
        run_deployment(region, api, namespace, "web", 2)
        items = api.done("GET", core(namespace, "pods"))["items"]
        assert {item["spec"]["nodeName"] for item in items} == {"city1-b"}
    finally:
        region.kubectl("taint", "node", "city1-a", "test.stormdrill.io/x-")
