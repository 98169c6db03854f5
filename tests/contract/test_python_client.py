"""The real `kubernetes` Python client, as the harness and chaos tools use it."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from kubernetes import client, stream, watch
from kubernetes.client.exceptions import ApiException

from .cited import VERBS, WATCH, cites
from .conftest import PROGRAM, Region, api_client, nodes_of

pytestmark = cites(VERBS, WATCH)


@pytest.fixture(scope="module")
def api(region: Region) -> Any:
    return api_client(region)


def pod(region: Region, name: str, **labels: str) -> dict[str, Any]:
    container = {"name": "c", "image": region.image, "command": PROGRAM}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


def test_create_list_patch_delete(api: Any, namespace: str) -> None:
    core = client.CoreV1Api(api)
    made = core.create_namespaced_config_map(
        namespace, {"metadata": {"name": "a", "labels": {"x": "1"}}, "data": {"k": "v"}}
    )
    assert isinstance(made.metadata.creation_timestamp, dt.datetime)
    listed = core.list_namespaced_config_map(namespace, label_selector="x=1")
    assert [item.metadata.name for item in listed.items] == ["a"]
    patched = core.patch_namespaced_config_map("a", namespace, {"data": {"k": None, "n": "2"}})
    assert patched.data == {"n": "2"}
    gone = core.delete_namespaced_config_map("a", namespace)
    assert gone["status"] == "Success"
    with pytest.raises(ApiException) as caught:
        core.read_namespaced_config_map("a", namespace)
    assert caught.value.status == 404
    assert caught.value.reason == "Not Found"


def test_conflict_is_an_exception_409(api: Any, namespace: str) -> None:
    core = client.CoreV1Api(api)
    first = core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}})
    core.patch_namespaced_config_map("a", namespace, {"data": {"k": "1"}})
    with pytest.raises(ApiException) as caught:
        core.replace_namespaced_config_map("a", namespace, first)
    assert caught.value.status == 409


def test_watch_sees_a_pod_live_and_die(api: Any, region: Region, namespace: str) -> None:
    core = client.CoreV1Api(api)
    seen: list[tuple[str, str, str | None]] = []
    listed = core.list_namespaced_pod(namespace)

    def follow() -> None:
        events = watch.Watch()
        limit_s = int(region.patience_s) * 2
        query = {"resource_version": listed.metadata.resource_version, "timeout_seconds": limit_s}
        for event in events.stream(core.list_namespaced_pod, namespace, **query):
            item = event["object"]
            seen.append((event["type"], item.status.phase, item.spec.node_name))
            if event["type"] == "DELETED":
                events.stop()

    thread = threading.Thread(target=follow)
    thread.start()
    core.create_namespaced_pod(namespace, pod(region, "one"))
    region.eventually(lambda: any(phase == "Running" for _, phase, _ in seen), "the pod runs")
    core.delete_namespaced_pod("one", namespace, grace_period_seconds=0)
    thread.join(timeout=region.patience_s)
    assert not thread.is_alive()
    assert [kind for kind, _, _ in seen] == ["ADDED", *["MODIFIED"] * (len(seen) - 2), "DELETED"]
    assert seen[0] == ("ADDED", "Pending", None)
    assert seen[1][2] in nodes_of(region)


def test_lease_as_a_lock(api: Any, namespace: str) -> None:
    leases = client.CoordinationV1Api(api)
    now = dt.datetime.now(dt.UTC)
    spec = client.V1LeaseSpec(
        holder_identity="one", lease_duration_seconds=15, renew_time=now, acquire_time=now
    )
    lock = client.V1Lease(metadata=client.V1ObjectMeta(name="lock"), spec=spec)
    held = leases.create_namespaced_lease(namespace, lock)
    with pytest.raises(ApiException) as caught:
        leases.create_namespaced_lease(namespace, lock)
    assert caught.value.status == 409
    held.spec.renew_time = now + dt.timedelta(seconds=5)
    renewed = leases.replace_namespaced_lease("lock", namespace, held)
    assert int(renewed.metadata.resource_version) > int(held.metadata.resource_version)
    with pytest.raises(ApiException) as caught:
        leases.replace_namespaced_lease("lock", namespace, held)
    assert caught.value.status == 409


def test_scale_and_eviction(api: Any, region: Region, namespace: str) -> None:
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    template = {"metadata": {"labels": {"app": "w"}}, "spec": pod(region, "w")["spec"]}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "w"}}, "template": template}
    apps.create_namespaced_deployment(namespace, {"metadata": {"name": "w"}, "spec": spec})
    scaled = apps.patch_namespaced_deployment_scale("w", namespace, {"spec": {"replicas": 2}})
    assert scaled.spec.replicas == 2

    def ready() -> bool:
        return apps.read_namespaced_deployment_status("w", namespace).status.ready_replicas == 2

    region.eventually(ready, "two ready")
    name = core.list_namespaced_pod(namespace).items[0].metadata.name
    body = client.V1Eviction(metadata=client.V1ObjectMeta(name=name))
    # The client reads the Status that answers as if it were the Eviction that was sent.
    assert core.create_namespaced_pod_eviction(name, namespace, body).kind == "Status"
    region.eventually(
        lambda: name not in [item.metadata.name for item in core.list_namespaced_pod(namespace).items],
        "evicted",
    )
    region.eventually(ready, "two ready again")


def test_exec_over_websocket(api: Any, region: Region, namespace: str) -> None:
    core = client.CoreV1Api(api)
    core.create_namespaced_pod(namespace, pod(region, "one"))
    region.eventually(lambda: core.read_namespaced_pod("one", namespace).status.phase == "Running", "running")
    # The stream helper patches its client for good: give it one of its own.
    own = client.CoreV1Api(api_client(region))
    out = stream.stream(
        own.connect_get_namespaced_pod_exec,
        "one",
        namespace,
        command=["echo", "hi"],
        stdout=True,
        stderr=True,
    )
    assert out == "hi\n"


def test_paging_walks_through_everything(api: Any, namespace: str) -> None:
    core = client.CoreV1Api(api)
    for index in range(7):
        core.create_namespaced_config_map(namespace, {"metadata": {"name": f"c{index}"}})
    names: list[str] = []
    token = None
    while True:
        page = core.list_namespaced_config_map(namespace, limit=3, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert names == [*(f"c{index}" for index in range(7)), "kube-root-ca.crt"]
