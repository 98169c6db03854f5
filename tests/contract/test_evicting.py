"""Eviction asks the disruption budget first."""

from __future__ import annotations

import pytest

from .asking import MERGE, Answer, Api, core, group
from .cited import BUDGETS, EVICTION, cites
from .conftest import Region
from .workloads import pod, run_deployment, run_pod, until_available


@pytest.fixture
def api(region: Region) -> Api:
    return Api.of(region)


def evict(api: Api, namespace: str, name: str) -> Answer:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    return api.call("POST", core(namespace, "pods", name, "eviction"), body)


def names(api: Api, namespace: str) -> list[str]:
    items = api.done("GET", core(namespace, "pods"))["items"]
    return [item["metadata"]["name"] for item in items if "deletionTimestamp" not in item["metadata"]]


def budget(region: Region, api: Api, namespace: str, **spec: object) -> str:
    """Its path, once the controller has seen two healthy pods."""
    body = {"metadata": {"name": "b"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}}
    api.done("POST", group("policy/v1", namespace, "poddisruptionbudgets"), body)
    path = group("policy/v1", namespace, "poddisruptionbudgets", "b")
    until_allowed(region, api, path, int(2 - int(spec.get("minAvailable", 0))))
    return path


def until_allowed(region: Region, api: Api, path: str, count: int) -> None:
    def told() -> bool:
        found = api.done("GET", path)
        status = found.get("status", {})
        observed = status.get("observedGeneration") == found["metadata"]["generation"]
        return observed and (status.get("currentHealthy"), status.get("disruptionsAllowed")) == (2, count)

    region.eventually(told, f"{path} allows {count}")


@cites(EVICTION, BUDGETS)
def test_a_budget_blocks_an_eviction_and_lets_it_through(api: Api, region: Region, namespace: str) -> None:
    path = run_deployment(region, api, namespace, "web", 2)
    allowed = budget(region, api, namespace, minAvailable=2)
    victim = names(api, namespace)[0]
    blocked = evict(api, namespace, victim)
    body = blocked.refused(429, "TooManyRequests")
    assert body["details"]["causes"][0]["reason"] == "DisruptionBudget"
    assert "b needs 2 healthy pods and has 2 currently" in body["details"]["causes"][0]["message"]
    assert "Retry-After" not in blocked.headers
    assert victim in names(api, namespace)
    api.done("PATCH", allowed, {"spec": {"minAvailable": 1}}, MERGE)
    until_allowed(region, api, allowed, 1)
    answer = evict(api, namespace, victim)
    assert (answer.status, answer.body["kind"], answer.body["status"]) == (201, "Status", "Success")
    region.eventually(lambda: victim not in names(api, namespace), "it is evicted")
    until_available(region, api, path, 2)


@cites(EVICTION)
def test_a_budget_is_used_up_by_the_evictions_it_allowed(api: Api, region: Region, namespace: str) -> None:
    # Pods of nobody: no replacement can be ready before the second is asked for.
    first, second = (
        run_pod(region, api, namespace, pod(region, name, labels={"app": "web"}))["metadata"]["name"]
        for name in ("one", "two")
    )
    budget(region, api, namespace, minAvailable=1)
    # One right after the other: the second must not go before the controller has counted.
    assert evict(api, namespace, first).status == 201
    evict(api, namespace, second).refused(429, "TooManyRequests")


@cites(EVICTION)
def test_without_a_budget_an_eviction_is_a_delete(api: Api, region: Region, namespace: str) -> None:
    path = run_deployment(region, api, namespace, "web", 1)
    (victim,) = names(api, namespace)
    assert evict(api, namespace, victim).status == 201
    region.eventually(lambda: api.get(core(namespace, "pods", victim)).status == 404, "it is gone")
    until_available(region, api, path, 1)
    evict(api, namespace, "nosuch").refused(404, "NotFound")
