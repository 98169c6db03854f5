"""How pods end: with grace, by force, sooner than first asked; and what a watcher sees of it."""

from __future__ import annotations

import datetime as dt

import pytest

from .asking import Api, Json, core
from .cited import FORCED, TERMINATION, cites
from .conftest import Region
from .workloads import STUBBORN, pod, run_pod


@pytest.fixture
def api(region: Region) -> Api:
    return Api.of(region)


def options(grace_s: int) -> Json:
    return {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": grace_s}


def until_gone(region: Region, api: Api, path: str) -> None:
    region.eventually(lambda: api.get(path).status == 404, f"{path} is gone")


@cites(TERMINATION)
def test_a_pod_that_is_deleted_ends_first_and_goes_then(api: Api, region: Region, namespace: str) -> None:
    run_pod(region, api, namespace, pod(region, "one", terminationGracePeriodSeconds=7))
    path = core(namespace, "pods", "one")
    before = api.get(path).version
    answered = api.done("DELETE", path)
    meta = answered["metadata"]
    assert (answered["kind"], meta["deletionGracePeriodSeconds"]) == ("Pod", 7)
    left_s = dt.datetime.fromisoformat(meta["deletionTimestamp"]) - dt.datetime.fromisoformat(
        meta["creationTimestamp"]
    )
    assert left_s.total_seconds() >= 7
    until_gone(region, api, path)
    events = []
    for event in api.watch(
        core(namespace, "pods"), resourceVersion=before, fieldSelector="metadata.name=one"
    ):
        events.append((event["type"], event["object"]["metadata"].get("deletionGracePeriodSeconds")))
        if event["type"] == "DELETED":
            break
    # How often its status is written meanwhile is the kubelet's; that it is marked first and gone last is not.
    assert events[0] == ("MODIFIED", 7)
    assert [kind for kind, _ in events] == ["MODIFIED"] * (len(events) - 1) + ["DELETED"]
    assert events[-1][1] == 0


@cites(FORCED)
def test_a_forced_delete_takes_the_object_away_at_once(api: Api, region: Region, namespace: str) -> None:
    run_pod(region, api, namespace, pod(region, "one", STUBBORN, terminationGracePeriodSeconds=60))
    path = core(namespace, "pods", "one")
    assert api.done("DELETE", path, options(0))["kind"] == "Pod"
    api.get(path).refused(404, "NotFound")
    # Its name is free, whatever still runs.
    api.done("POST", core(namespace, "pods"), pod(region, "one"))


@cites(TERMINATION, FORCED)
def test_grace_that_was_given_can_be_shortened(api: Api, region: Region, namespace: str) -> None:
    run_pod(region, api, namespace, pod(region, "one", STUBBORN, terminationGracePeriodSeconds=60))
    path = core(namespace, "pods", "one")
    first = api.done("DELETE", path)["metadata"]
    again = api.done("DELETE", path, options(90))["metadata"]
    assert again["deletionGracePeriodSeconds"] == first["deletionGracePeriodSeconds"] == 60
    shorter = api.done("DELETE", path, options(2))["metadata"]
    assert shorter["deletionGracePeriodSeconds"] == 2
    assert shorter["deletionTimestamp"] < first["deletionTimestamp"]
    until_gone(region, api, path)


@cites(TERMINATION)
def test_a_pod_that_never_ran_goes_at_once(api: Api, region: Region, namespace: str) -> None:
    nowhere = pod(region, "one", nodeSelector={"test.stormdrill.io/nowhere": "1"})
    api.done("POST", core(namespace, "pods"), nowhere)
    path = core(namespace, "pods", "one")
    api.done("DELETE", path)
    until_gone(region, api, path)


@cites(TERMINATION)
def test_a_pod_that_is_ending_is_not_ready(api: Api, region: Region, namespace: str) -> None:
    run_pod(region, api, namespace, pod(region, "one", STUBBORN, terminationGracePeriodSeconds=30))
    path = core(namespace, "pods", "one")
    api.done("DELETE", path)
    found = api.done("GET", path)
    assert found["metadata"]["deletionTimestamp"]
    assert found["status"]["phase"] == "Running"
    api.done("DELETE", path, options(0))
