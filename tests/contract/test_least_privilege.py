"""Agents, canaries and the harness have the rights that they need, and no others.

Asked as themselves: an administrator acts as the service account (impersonation), so the same tests run where nobody
hands out tokens.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .asking import MERGE, Answer, Api, core, group
from .cited import AUTHORIZATION, RBAC, RBAC_NAMES, STATUS_KIND, cites
from .conftest import Region, nodes_of
from .customs import Faults, fault
from .rights import account, granted, harness, manifest, may
from .test_custom_resources import defined  # noqa: F401  -- a fixture
from .workloads import pod

FAULTS = "stormdrill.io"


@pytest.fixture
def api(region: Region) -> Api:
    return Api.of(region)


@pytest.fixture
def parts(region: Region, api: Api, namespace: str, defined: str) -> Iterator[str]:  # noqa: F811
    """A namespace with our manifest, the harness's rights, and a fault."""
    with granted(api, [*manifest(namespace), *harness(namespace)]):
        Faults(region, namespace).create(fault("one"))
        for name in ("agent", "canary", "harness"):
            me = api.acting_as(account(namespace, name))
            region.eventually(lambda me=me: knows_a_right(me, namespace), f"{name} has its rights")
        yield namespace


def knows_a_right(me: Api, namespace: str) -> bool:
    """Roles take a moment to be seen by all API servers of a cluster."""
    return may(me, "list", "faults", namespace, group=FAULTS) or may(me, "get", "nodes", name="any")


def denied(answer: Answer) -> str:
    body = answer.refused(403, "Forbidden")
    return str(body["message"])


def fault_path(namespace: str, part: str = "") -> str:
    return group("stormdrill.io/v1alpha1", namespace, "faults", "one", part)


@cites(RBAC, AUTHORIZATION)
def test_an_agent_reads_faults_and_says_what_became_of_them(api: Api, parts: str) -> None:
    me = api.acting_as(account(parts, "agent"))
    path = fault_path(parts)
    version = me.get(path).version
    assert [item["metadata"]["name"] for item in me.done("GET", path.rpartition("/")[0])["items"]] == ["one"]
    said = {"status": {"nodes": {"n1": {"state": "applied"}}}}
    me.done("PATCH", f"{path}/status", said, MERGE)
    events = me.watch(path.rpartition("/")[0], resourceVersion=version)
    assert next(iter(events))["object"]["status"] == said["status"]
    me.done("GET", "/api/v1/pods")
    me.done("GET", core("default", "endpoints", "kubernetes"))


@cites(RBAC, RBAC_NAMES, STATUS_KIND)
def test_an_agent_changes_nothing_that_is_wanted(api: Api, parts: str) -> None:
    me = api.acting_as(account(parts, "agent"))
    path = fault_path(parts)
    who = f'User "{account(parts, "agent")}" cannot'
    told = denied(me.call("PATCH", path, {"spec": {"renewal": 9}}, MERGE))
    assert f'faults.stormdrill.io "one" is forbidden: {who} patch resource "faults"' in told
    assert f'in API group "stormdrill.io" in the namespace "{parts}"' in told
    for method in ("PUT", "DELETE"):
        denied(me.call(method, path, {}))
    denied(me.call("POST", path.rpartition("/")[0], fault("two")))
    # Its own other objects: secrets least of all; pods only to read; another name than the one in the rule.
    for refused in (core(parts, "secrets"), core(parts, "configmaps"), core("default", "endpoints", "other")):
        denied(me.get(refused))
    denied(me.get(core("default", "endpoints")))
    denied(me.call("DELETE", core(parts, "pods", "any")))
    denied(me.get(core(parts, "pods", "any", "log")))
    denied(me.call("POST", core(parts, "pods", "any", "eviction"), {}))
    denied(me.get("/api/v1/nodes"))
    denied(me.call("POST", core(parts, "pods"), {"metadata": {"name": "x"}}))


@cites(RBAC, RBAC_NAMES)
def test_a_canary_reads_its_node_and_nothing_else(api: Api, region: Region, parts: str) -> None:
    me = api.acting_as(account(parts, "canary"))
    node = min(nodes_of(region))
    assert me.done("GET", f"/api/v1/nodes/{node}")["metadata"]["name"] == node
    for refused in (
        "/api/v1/nodes",
        "/api/v1/pods",
        core(parts, "pods"),
        fault_path(parts),
        core(parts, "secrets"),
    ):
        denied(me.get(refused))
    denied(me.call("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}}, MERGE))


@cites(RBAC)
def test_the_harness_does_what_a_drill_needs(api: Api, region: Region, parts: str) -> None:
    me = api.acting_as(account(parts, "harness"))
    assert me.done("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
    assert me.done("GET", "/api/v1/nodes")["items"]
    me.done("GET", "/api/v1/pods", fieldSelector="spec.nodeName=any")
    nowhere = pod(region, "one", nodeSelector={"test.stormdrill.io/nowhere": "1"})
    made = api.done("POST", core(parts, "pods"), nowhere)
    assert [item["metadata"]["name"] for item in me.done("GET", core(parts, "pods"))["items"]] == ["one"]
    conditions = {"uid": made["metadata"]["uid"]}
    me.done("DELETE", core(parts, "pods", "one"), {"gracePeriodSeconds": 0, "preconditions": conditions})
    leases = group("coordination.k8s.io/v1", parts, "leases")
    lock = me.done("POST", leases, {"metadata": {"name": "lock"}, "spec": {"holderIdentity": "me"}})
    me.done("PUT", f"{leases}/lock", lock)
    me.done("DELETE", f"{leases}/lock")
    path = fault_path(parts)
    me.done("PATCH", path, {"spec": {"renewal": 1}}, MERGE)
    me.done("DELETE", path)
    assert may(me, "create", "pods/exec", parts)


@cites(RBAC, RBAC_NAMES)
def test_the_harness_has_no_right_beyond(api: Api, parts: str) -> None:
    me = api.acting_as(account(parts, "harness"))
    denied(me.call("PATCH", fault_path(parts, "status"), {"status": {}}, MERGE))
    for refused in ("/api/v1/namespaces/default", "/api/v1/namespaces", core(parts, "secrets")):
        denied(me.get(refused))
    # Elsewhere it may see which pods there are, but none of them alone.
    for elsewhere in ("default", "kube-system"):
        denied(me.get(core(elsewhere, "pods", "x")))
        denied(me.call("DELETE", core(elsewhere, "pods", "x")))
    denied(me.call("POST", core(parts, "pods"), {"metadata": {"name": "x"}}))
    denied(me.call("PATCH", core(parts, "pods", "x"), {}, MERGE))
    assert not may(me, "impersonate", "users", name="anybody")


@cites(AUTHORIZATION, STATUS_KIND)
def test_a_refusal_does_not_say_whether_the_thing_exists(api: Api, parts: str) -> None:
    me = api.acting_as(account(parts, "canary"))
    api.done("POST", core(parts, "secrets"), {"metadata": {"name": "here"}})
    here, nowhere = (denied(me.get(core(parts, "secrets", name))) for name in ("here", "gone"))
    assert here.replace("here", "gone") == nowhere
    denied(me.get(core(parts, "nosuchthings")))


@cites(RBAC)
@pytest.mark.parametrize("name", ["agent", "canary", "harness"])
def test_a_review_says_what_a_call_would(api: Api, parts: str, name: str) -> None:
    me = api.acting_as(account(parts, name))
    said = [
        may(me, "list", "faults", parts, group=FAULTS), may(me, "patch", "faults/status", parts, group=FAULTS),
        may(me, "get", "nodes", name="any"), may(me, "delete", "pods", parts), may(me, "get", "secrets", parts),
    ]  # fmt: skip
    allowed = {
        "agent": [True, True, False, False, False],
        "canary": [False, False, True, False, False],
        "harness": [True, False, False, True, False],
    }
    assert said == allowed[name]
