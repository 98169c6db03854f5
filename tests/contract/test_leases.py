"""The drill's lock: one holder at a time, taken over only after it has been silent for its whole duration.

The server's part is optimistic locking; that nobody takes over earlier is the holders' rule. Both are seen together
here: the harness's own lock (`stormdrill.kube.Lease`) against the API under test.
"""

from __future__ import annotations

import threading
import time

import pytest

from stormdrill.kube import Cluster, Lease, LeaseHeldError
from stormdrill.kube import contexts as contexts_of

from .asking import Api, Json, group
from .cited import CONCURRENCY, LEASES, UPDATES, cites
from .conftest import Region

DURATION_S = 3


@pytest.fixture
def api(region: Region) -> Api:
    return Api.of(region)


@pytest.fixture
def cluster(region: Region) -> Cluster:
    from kubernetes.config import list_kube_config_contexts

    context = region.context
    if not context:
        context = list_kube_config_contexts(config_file=str(region.kubeconfig))[1]["name"]
    assert context in contexts_of(region.kubeconfig)
    return Cluster.connect(region.kubeconfig, context, timeout_s=region.patience_s)


def holder(cluster: Cluster, namespace: str, name: str) -> Lease:
    return Lease(cluster, namespace, "lock", name, DURATION_S)


def body(**spec: object) -> Json:
    return {"metadata": {"name": "lock"}, "spec": {"leaseDurationSeconds": DURATION_S, **spec}}


@cites(LEASES)
def test_the_second_holder_waits_for_the_silence_of_the_first(cluster: Cluster, namespace: str) -> None:
    first, second = holder(cluster, namespace, "one"), holder(cluster, namespace, "two")
    first.acquire()
    with pytest.raises(LeaseHeldError) as caught:
        second.acquire()
    assert caught.value.holder == "one"
    began = time.monotonic()
    second.acquire(wait_s=DURATION_S * 5)
    assert time.monotonic() - began >= DURATION_S
    with pytest.raises(LeaseHeldError) as caught:
        first.renew()
    assert caught.value.holder == "two"
    first.release()  # not its own any more: left alone
    assert second.holder_now() == "two"
    second.renew()
    second.release()
    assert second.holder_now() is None


@cites(LEASES)
def test_a_holder_that_renews_keeps_it(cluster: Cluster, namespace: str) -> None:
    first, second = holder(cluster, namespace, "one"), holder(cluster, namespace, "two")
    first.acquire()
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(DURATION_S / 5):
            first.renew()

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        with pytest.raises(LeaseHeldError):
            second.acquire(wait_s=DURATION_S * 1.5)
    finally:
        ended.set()
        thread.join()
    assert first.holder_now() == "one"


@cites(LEASES, CONCURRENCY)
def test_of_many_who_take_over_at_once_one_holds_it(cluster: Cluster, namespace: str) -> None:
    holder(cluster, namespace, "gone").acquire()
    got: list[str] = []
    refused: list[str] = []
    start = threading.Barrier(6)

    def contend(name: str) -> None:
        mine = holder(cluster, namespace, name)
        start.wait()
        try:
            mine.acquire(is_dead=lambda other: other == "gone")
            got.append(name)
        except LeaseHeldError as error:
            refused.append(error.holder)

    threads = [threading.Thread(target=contend, args=(f"holder-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert refused == got * 5
    assert holder(cluster, namespace, "").holder_now() == got[0]


@cites(CONCURRENCY, LEASES)
def test_of_two_who_write_what_they_read_one_is_refused(api: Api, namespace: str) -> None:
    path = group("coordination.k8s.io/v1", namespace, "leases", "lock")
    read = api.done("POST", group("coordination.k8s.io/v1", namespace, "leases"), body(holderIdentity="one"))
    stamps = ("2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.000002Z")
    first, second = ({**read, "spec": {**read["spec"], "renewTime": stamp}} for stamp in stamps)
    # Times are kept to the microsecond: two renewals are two changes.
    assert api.done("PUT", path, first)["spec"]["renewTime"] == stamps[0]
    api.call("PUT", path, second).refused(409, "Conflict")
    assert api.done("GET", path)["spec"]["renewTime"] == stamps[0]


@cites(LEASES, CONCURRENCY)
def test_a_lease_is_made_once(api: Api, namespace: str) -> None:
    collection = group("coordination.k8s.io/v1", namespace, "leases")
    api.done("POST", collection, body(holderIdentity="one"))
    api.call("POST", collection, body(holderIdentity="two")).refused(409, "AlreadyExists")


@cites(UPDATES)
def test_a_lease_is_not_replaced_without_its_version(api: Api, namespace: str) -> None:
    collection = group("coordination.k8s.io/v1", namespace, "leases")
    api.done("POST", collection, body(holderIdentity="one"))
    said = api.call("PUT", f"{collection}/lock", body(holderIdentity="two")).refused(422, "Invalid")
    assert said["details"]["causes"][0]["field"] == "metadata.resourceVersion"


@cites(LEASES, CONCURRENCY)
def test_letting_go_is_meant_for_the_lease_as_it_was_read(api: Api, cluster: Cluster, namespace: str) -> None:
    mine = holder(cluster, namespace, "one")
    mine.acquire()
    read = api.done("GET", mine.path)["metadata"]
    mine.renew()
    conditions = {"uid": read["uid"], "resourceVersion": read["resourceVersion"]}
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": conditions}
    api.call("DELETE", mine.path, options).refused(409, "Conflict")
    assert mine.holder_now() == "one"
