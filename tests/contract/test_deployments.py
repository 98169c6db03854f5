"""What controllers make of Deployments, in the order a real cluster does.

Kubernetes documentation: "Workloads", "Deployments".
"""

from __future__ import annotations

import time

import pytest

from stormlab.api import kinds
from stormlab.api.record import Event

from .cited import DEPLOYMENTS, cites
from .controlled import Cluster, is_ready, run, stubborn, template

pytestmark = [
    pytest.mark.own_server("it looks into the server's store, and its pods run as it likes"),
    cites(DEPLOYMENTS),
]


def test_a_deployment_replaces_a_pod_while_the_old_one_still_ends() -> None:
    async def work(made: Cluster) -> None:
        await made.setup.make(
            "deployments", "web", "apis/apps/v1", spec={"replicas": 2, **template("web", stubborn())}
        )
        await made.setup.running(2)
        victim = made.pods()[0].name
        made.events.clear()
        await made.delete(victim)
        await made.until(lambda: any(event.change == "ADDED" for event in made.events), "a replacement")
        changes = [(event.change, event.after.name == victim) for event in made.events[:2]]
        assert changes == [("MODIFIED", True), ("ADDED", False)]
        assert victim in [pod.name for pod in made.pods()]
        await made.until(lambda: victim not in [pod.name for pod in made.pods()], "the old pod ends")
        assert len(made.pods()) == 2

    run(work)


def test_a_pod_deleted_at_once_has_its_replacement_at_once() -> None:
    async def work(made: Cluster) -> None:
        await made.setup.workload("deployments", "web", 2)
        await made.setup.running(2)
        times: list[float] = []
        made.served.objects.store.listen(kinds.POD, lambda event: times.append(time.monotonic()))
        took_s = []
        for _ in range(5):
            made.events.clear()
            times.clear()
            victim = made.pods()[0].name
            await made.delete(victim, gracePeriodSeconds="0")
            await made.until(lambda: any(event.change == "ADDED" for event in made.events), "a replacement")
            kinds_seen = [event.change for event in made.events]
            assert kinds_seen[:2] == ["MODIFIED", "DELETED"]
            took_s.append(times[kinds_seen.index("ADDED")] - times[1])
            await made.setup.running(2)
        assert min(took_s) < 0.02, took_s

    run(work)


def test_a_rollout_keeps_enough_pods_and_not_too_many() -> None:
    async def work(made: Cluster) -> None:
        await made.setup.workload("deployments", "web", 4)
        await made.setup.running(4)
        low, high = [4], [4]

        def note(_event: Event) -> None:
            alive = [pod for pod in made.pods() if not pod.deleting]
            low.append(sum(map(is_ready, alive)))
            high.append(len(alive))

        made.served.objects.store.listen(kinds.POD, note)
        change = {"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}
        await made.send("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", change)

        def done() -> bool:
            status = made.get(kinds.DEPLOYMENT, "web")["status"]
            return (
                status.get("updatedReplicas")
                == 4
                == status.get("availableReplicas")
                == status.get("replicas")
            )

        await made.until(done, "rolled out")
        # 25 % of 4 either way.
        assert min(low) >= 3
        assert max(high) <= 5
        conditions = {
            item["type"]: item for item in made.get(kinds.DEPLOYMENT, "web")["status"]["conditions"]
        }
        assert conditions["Progressing"]["reason"] == "NewReplicaSetAvailable"
        assert (
            made.get(kinds.DEPLOYMENT, "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
            == "2"
        )

    run(work)


def test_recreate_ends_all_old_pods_before_a_new_one() -> None:
    async def work(made: Cluster) -> None:
        await made.setup.workload("deployments", "web", 2, strategy={"type": "Recreate"})
        await made.setup.running(2)
        old = {pod.uid for pod in made.pods()}
        made.events.clear()
        change = {"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}
        await made.send("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", change)
        await made.until(
            lambda: len(made.pods()) == 2 and not old & {pod.uid for pod in made.pods()}, "recreated"
        )
        changes = [(event.change, event.after.uid in old) for event in made.events]
        last_old = max(index for index, item in enumerate(changes) if item == ("DELETED", True))
        assert changes.index(("ADDED", False)) > last_old

    run(work)


def test_what_a_deleted_owner_owned_goes_too() -> None:
    async def work(made: Cluster) -> None:
        await made.setup.workload("deployments", "web", 2)
        await made.setup.running(2)
        await made.send("DELETE", "/apis/apps/v1/namespaces/default/deployments/web")
        await made.until(lambda: not made.pods() and not made.all(kinds.REPLICA_SET), "nothing left")

    run(work)


def test_a_pod_that_is_refused_is_told_where_people_look_until_it_is_not() -> None:
    async def work(made: Cluster) -> None:
        spec = {"serviceAccountName": "late", **stubborn()}
        await made.setup.make(
            "deployments", "web", "apis/apps/v1", spec={"replicas": 1, **template("web", spec)}
        )

        def failure(kind: kinds.Kind) -> dict[str, str] | None:
            listed = made.all(kind)[0].tree["status"].get("conditions", ())
            return next((item for item in listed if item["type"] == "ReplicaFailure"), None)

        found = await made.until(lambda: failure(kinds.DEPLOYMENT), "the condition of the Deployment")
        assert found["reason"] == "FailedCreate"
        assert 'serviceaccount "late" not found' in found["message"]
        events = [record.tree for record in made.all(kinds.EVENT)]
        assert [(item["reason"], item["type"]) for item in events] == [("FailedCreate", "Warning")]
        await made.setup.make("serviceaccounts", "late")
        await made.setup.running(1)
        await made.until(
            lambda: failure(kinds.DEPLOYMENT) is failure(kinds.REPLICA_SET) is None, "it is over"
        )

    run(work)
