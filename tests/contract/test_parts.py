"""Status and scale: parts of an object with a path of their own."""

from __future__ import annotations

import pytest

from .asking import MERGE, Api, group
from .cited import CONCURRENCY, SPEC_AND_STATUS, cites
from .conftest import Region
from .workloads import deployment, run_deployment, until_available

WORKLOADS = ("deployments", "statefulsets")


@pytest.fixture
def api(region: Region) -> Api:
    return Api.of(region)


def idle(api: Api, region: Region, namespace: str, resource: str) -> str:
    """The path of a workload without pods."""
    body = deployment(region, "web", 0)
    if resource == "statefulsets":
        body["spec"]["serviceName"] = "web"
    api.done("POST", group("apps/v1", namespace, resource), body)
    return group("apps/v1", namespace, resource, "web")


@cites(SPEC_AND_STATUS)
def test_the_main_path_does_not_write_status_and_the_status_path_nothing_else(
    api: Api, region: Region, namespace: str
) -> None:
    path = idle(api, region, namespace, "deployments")
    claimed = api.done("PATCH", path, {"status": {"replicas": 77}, "metadata": {"labels": {"x": "1"}}}, MERGE)
    assert claimed["status"].get("replicas") != 77
    assert claimed["metadata"]["labels"] == {"x": "1"}
    condition = {"type": "Tested", "status": "True", "reason": "ByHand", "message": ""}
    both = {
        "status": {"conditions": [condition]},
        "spec": {"replicas": 5},
        "metadata": {"labels": {"x": "2"}},
    }
    said = api.done("PATCH", f"{path}/status", both, MERGE)
    assert "Tested" in [item["type"] for item in said["status"]["conditions"]]
    assert (said["spec"]["replicas"], said["metadata"]["labels"]) == (0, {"x": "1"})
    assert said["metadata"]["generation"] == claimed["metadata"]["generation"]


@cites(SPEC_AND_STATUS)
def test_generation_counts_what_is_wanted_and_observed_generation_follows(
    api: Api, region: Region, namespace: str
) -> None:
    path = idle(api, region, namespace, "deployments")
    assert api.done("GET", path)["metadata"]["generation"] == 1
    api.done("PATCH", path, {"metadata": {"labels": {"x": "1"}}}, MERGE)
    assert api.done("GET", path)["metadata"]["generation"] == 1
    api.done("PATCH", path, {"spec": {"minReadySeconds": 1}}, MERGE)
    assert api.done("GET", path)["metadata"]["generation"] == 2
    region.eventually(
        lambda: api.done("GET", path)["status"].get("observedGeneration") == 2, "it is observed"
    )


@cites(SPEC_AND_STATUS)
@pytest.mark.parametrize("resource", WORKLOADS)
def test_scale_reads_and_writes_the_number_of_replicas(
    api: Api, region: Region, namespace: str, resource: str
) -> None:
    path = idle(api, region, namespace, resource)
    scale = api.done("GET", f"{path}/scale")
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (scale["spec"].get("replicas", 0), scale["status"]["selector"]) == (0, "app=web")
    assert api.done("PATCH", f"{path}/scale", {"spec": {"replicas": 1}}, MERGE)["spec"]["replicas"] == 1
    assert api.done("GET", path)["spec"]["replicas"] == 1

    def put() -> bool:
        """As documented: whoever is told of a conflict reads again. The controller counts pods meanwhile."""
        scale = api.done("GET", f"{path}/scale")
        scale["spec"]["replicas"] = 0
        answer = api.call("PUT", f"{path}/scale", scale)
        return answer.status == 200 or not answer.refused(409, "Conflict")

    region.eventually(put, "the scale is taken")
    assert api.done("GET", path)["spec"]["replicas"] == 0


@cites(CONCURRENCY)
def test_scale_holds_only_for_the_version_it_was_read_at(api: Api, region: Region, namespace: str) -> None:
    path = idle(api, region, namespace, "statefulsets")
    scale = api.done("GET", f"{path}/scale")
    api.done("PATCH", path, {"metadata": {"annotations": {"x": "1"}}}, MERGE)
    api.call("PUT", f"{path}/scale", {**scale, "spec": {"replicas": 3}}).refused(409, "Conflict")


@cites(SPEC_AND_STATUS)
def test_pods_follow_the_scale(api: Api, region: Region, namespace: str) -> None:
    path = run_deployment(region, api, namespace, "web", 1)
    for replicas in (3, 0):
        api.done("PATCH", f"{path}/scale", {"spec": {"replicas": replicas}}, MERGE)
        until_available(region, api, path, replicas)
    assert api.done("GET", f"{path}/scale")["status"]["replicas"] == 0


@cites(SPEC_AND_STATUS)
def test_a_part_that_is_none_is_not_there(api: Api, region: Region, namespace: str) -> None:
    path = idle(api, region, namespace, "deployments")
    api.get(f"{path}/nosuch").refused(404, "NotFound")
