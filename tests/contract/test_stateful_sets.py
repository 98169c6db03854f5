"""What controllers make of StatefulSets: members in order, with volumes of their own, one at a time.

Kubernetes documentation: "StatefulSets".
"""

from __future__ import annotations

from typing import Any

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


DB = "/apis/apps/v1/namespaces/default/statefulsets/db"
REVISIONS = "/apis/apps/v1/namespaces/default/controllerrevisions"
HASH = "controller-revision-hash"


def marked(value: str) -> dict[str, Any]:
    """A patch that changes the template, to be told by an annotation of its pods."""
    return {"spec": {"template": {"metadata": {"annotations": {"mark": value}}}}}


def from_partition(number: int) -> dict[str, Any]:
    return {"spec": {"updateStrategy": {"rollingUpdate": {"partition": number}}}}


def marks(made: Cluster) -> dict[str, str]:
    """Of ready members, by name."""
    ready = [pod for pod in made.pods() if is_ready(pod) and not pod.deleting]
    return {pod.name: pod.tree["metadata"].get("annotations", {}).get("mark", "") for pod in ready}


async def anew(made: Cluster, name: str) -> dict[str, Any]:
    """Delete a member; the one that comes in its place, ready."""
    old = made.get(kinds.POD, name)["metadata"]["uid"]
    await made.delete(name, gracePeriodSeconds="0")

    def replaced() -> Any:
        return next(
            (pod for pod in made.pods() if pod.name == name and pod.uid != old and is_ready(pod)), None
        )

    return (await made.until(replaced, f"{name} anew")).tree


async def revisions(made: Cluster) -> dict[int, dict[str, Any]]:
    return {item["revision"]: item for item in (await made.send("GET", REVISIONS))["items"]}


def test_a_member_below_the_partition_comes_back_as_it_was_before_the_rollout() -> None:
    async def work(made: Cluster) -> None:
        await made.setup.workload("statefulsets", "db", 3, serviceName="db")
        await made.setup.running(3)
        await made.send("PATCH", DB, from_partition(2))
        await made.send("PATCH", DB, marked("new"))
        await made.until(
            lambda: marks(made) == {"db-0": "", "db-1": "", "db-2": "new"}, "the last is updated"
        )
        kept = await revisions(made)
        names = kept[1]["metadata"]["name"], kept[2]["metadata"]["name"]
        for name, revision in zip(("db-0", "db-1", "db-2"), (names[0], *names), strict=True):
            assert (await anew(made, name))["metadata"]["labels"][HASH] == revision, name
        assert marks(made) == {"db-0": "", "db-1": "", "db-2": "new"}
        status = made.get(kinds.STATEFUL_SET, "db")["status"]
        assert (status["currentRevision"], status["updateRevision"]) == names
        assert (status["currentReplicas"], status["updatedReplicas"]) == (2, 1)
        await made.send("PATCH", DB, from_partition(0))
        await made.until(lambda: marks(made) == dict.fromkeys(("db-0", "db-1", "db-2"), "new"), "all updated")
        assert (await anew(made, "db-0"))["metadata"]["labels"][HASH] == names[1]

    run(work)


def test_under_on_delete_a_member_comes_back_of_the_newest_template() -> None:
    async def work(made: Cluster) -> None:
        await made.setup.workload("statefulsets", "db", 2, serviceName="db")
        await made.setup.running(2)
        await made.send(
            "PATCH", DB, {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}}
        )
        await made.send("PATCH", DB, marked("new"))
        await anew(made, "db-0")
        assert marks(made) == {"db-0": "new", "db-1": ""}

    run(work)


def test_templates_are_kept_as_revisions_with_numbers() -> None:
    async def work(made: Cluster) -> None:
        await made.setup.workload("statefulsets", "db", 1, serviceName="db", revisionHistoryLimit=1)
        await made.setup.running(1)
        for value in ("1", "2", "3"):
            await made.send("PATCH", DB, marked(value))
            await made.until(lambda value=value: marks(made) == {"db-0": value}, "updated")
        await made.until(lambda: len(made.all(kinds.REVISION)) == 2, "older ones are forgotten")
        kept = await revisions(made)
        assert sorted(kept) == [3, 4]
        found = kept[4]
        owner = made.get(kinds.STATEFUL_SET, "db")["metadata"]["uid"]
        meta = found["metadata"]
        assert meta["labels"] == {
            "app": "db",
            "controller.kubernetes.io/hash": meta["name"].removeprefix("db-"),
        }
        assert [(one["kind"], one["uid"], one["controller"]) for one in meta["ownerReferences"]] == [
            ("StatefulSet", owner, True)
        ]
        present = made.get(kinds.STATEFUL_SET, "db")["spec"]["template"]
        assert found["data"] == {"spec": {"template": {**present, "$patch": "replace"}}}
        with pytest.raises(AssertionError, match="field is immutable"):
            await made.send("PATCH", f"{REVISIONS}/{meta['name']}", {"data": {"spec": None}})
        # A template that was had before is its old revision with a new number.
        await made.send("PATCH", DB, marked("2"))
        await made.until(lambda: marks(made) == {"db-0": "2"}, "rolled back")
        kept = await revisions(made)
        assert sorted(kept) == [4, 5]
        again = kept[5]["data"]["spec"]["template"]["metadata"]["annotations"]
        assert again == {"mark": "2"}
        await made.send("DELETE", f"{REVISIONS}/{kept[5]['metadata']['name']}")
        await made.until(lambda: len(made.all(kinds.REVISION)) == 2, "the present one comes back")
        await made.send("DELETE", DB)
        await made.until(lambda: not made.all(kinds.REVISION), "they go with their set")

    run(work)
