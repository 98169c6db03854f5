"""What controllers make of StatefulSets: members in order, with volumes of their own, one at a time.

Kubernetes documentation: "StatefulSets".
"""

from __future__ import annotations

import pytest

from stormlab.api import kinds

from .cited import STATEFUL_SETS, cites
from .controlled import Cluster, is_ready, run, stubborn, template

pytestmark = [
    pytest.mark.own_server("it looks into the server's store, and its pods run as it likes"),
    cites(STATEFUL_SETS),
]


def test_a_statefulset_makes_its_members_in_order_with_volumes_of_their_own() -> None:
    async def work(made: Cluster) -> None:
        claim = {
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        spec = {
            "serviceName": "db",
            "replicas": 3,
            "volumeClaimTemplates": [claim],
            **template("db", stubborn(terminationGracePeriodSeconds=1)),
        }
        await made.setup.make("statefulsets", "db", "apis/apps/v1", spec=spec)
        await made.setup.running(3)
        order = [(event.change, event.after.name, is_ready(event.after)) for event in made.events]
        for number in range(2):
            ready = next(i for i, item in enumerate(order) if item[1:] == (f"db-{number}", True))
            assert ready < order.index(("ADDED", f"db-{number + 1}", False))
        pod = made.get(kinds.POD, "db-1")
        assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-1", "db")
        assert pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "1"
        assert pod["spec"]["volumes"][0] == {
            "name": "data",
            "persistentVolumeClaim": {"claimName": "data-db-1"},
        }
        assert [item.name for item in made.all(kinds.CLAIM)] == ["data-db-0", "data-db-1", "data-db-2"]
        assert made.get(kinds.CLAIM, "data-db-0")["status"]["phase"] == "Bound"
        made.events.clear()
        await made.send(
            "PATCH", "/apis/apps/v1/namespaces/default/statefulsets/db/scale", {"spec": {"replicas": 0}}
        )
        await made.until(lambda: not made.pods(), "scaled to nothing")
        gone = [event.after.name for event in made.events if event.change == "DELETED"]
        assert gone == ["db-2", "db-1", "db-0"]
        # Claims outlive pods: their data is the reason for the set.
        assert len(made.all(kinds.CLAIM)) == 3

    run(work)


def test_a_parallel_statefulset_makes_and_ends_all_members_at_once() -> None:
    async def work(made: Cluster) -> None:
        spec = {
            "serviceName": "db",
            "replicas": 3,
            "podManagementPolicy": "Parallel",
            **template("db", stubborn(terminationGracePeriodSeconds=1)),
        }
        await made.setup.make("statefulsets", "db", "apis/apps/v1", spec=spec)
        await made.setup.running(3)
        order = [(event.change, is_ready(event.after)) for event in made.events]
        last_made = max(index for index, item in enumerate(order) if item[0] == "ADDED")
        assert last_made < order.index(("MODIFIED", True)), "none waits for another"
        assert sorted(pod.name for pod in made.pods()) == ["db-0", "db-1", "db-2"]
        await made.send(
            "PATCH", "/apis/apps/v1/namespaces/default/statefulsets/db/scale", {"spec": {"replicas": 0}}
        )
        await made.until(lambda: all(pod.deleting for pod in made.pods()), "all are being ended")
        await made.until(lambda: not made.pods(), "scaled to nothing")

    run(work)


def test_a_statefulset_waits_until_the_old_member_is_gone() -> None:
    async def work(made: Cluster) -> None:
        await made.setup.make(
            "statefulsets",
            "db",
            "apis/apps/v1",
            spec={"serviceName": "db", "replicas": 1, **template("db", stubborn())},
        )
        await made.setup.running(1)
        old = made.pods()[0].uid
        made.events.clear()
        await made.delete("db-0")
        await made.until(lambda: [pod.uid for pod in made.pods()] not in ([old], []), "a new member")
        changes = [(event.change, event.after.uid == old) for event in made.events]
        assert changes.index(("DELETED", True)) < changes.index(("ADDED", False))

    run(work)


def test_a_statefulset_makes_no_member_while_an_earlier_one_ends() -> None:
    async def work(made: Cluster) -> None:
        spec = {
            "serviceName": "db",
            "replicas": 2,
            **template("db", stubborn(terminationGracePeriodSeconds=1)),
        }
        await made.setup.make("statefulsets", "db", "apis/apps/v1", spec=spec)
        await made.setup.running(2)
        old = {pod.uid for pod in made.pods()}
        made.events.clear()
        await made.delete("db-0")
        await made.delete("db-1", gracePeriodSeconds="0")
        await made.until(
            lambda: {pod.name for pod in made.pods() if pod.uid not in old} == {"db-0", "db-1"}, "both anew"
        )
        order = [
            (event.after.name, event.change == "ADDED", is_ready(event.after))
            for event in made.events
            if event.after.uid not in old
        ]
        first_ready = next(index for index, item in enumerate(order) if item == ("db-0", False, True))
        assert order.index(("db-1", True, False)) > first_ready

    run(work)


def test_a_changed_statefulset_is_updated_from_the_last_member() -> None:
    async def work(made: Cluster) -> None:
        await made.setup.workload("statefulsets", "db", 2, serviceName="db")
        await made.setup.running(2)
        before = {pod.name: pod.uid for pod in made.pods()}
        made.events.clear()
        image = {"spec": {"template": {"metadata": {"annotations": {"changed": "1"}}}}}
        await made.send("PATCH", "/apis/apps/v1/namespaces/default/statefulsets/db", image)
        await made.until(
            lambda: (
                all(before[pod.name] != pod.uid and is_ready(pod) for pod in made.pods())
                and len(made.pods()) == 2
            ),
            "updated",
        )
        assert [event.after.name for event in made.events if event.change == "DELETED"] == ["db-1", "db-0"]
        await made.until(
            lambda: made.get(kinds.STATEFUL_SET, "db")["status"]["updatedReplicas"] == 2, "status"
        )
        status = made.get(kinds.STATEFUL_SET, "db")["status"]
        assert status["currentRevision"] == status["updateRevision"]

    run(work)
