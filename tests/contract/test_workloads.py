"""What controllers make of workloads, services and nodes, in the order a real cluster does (topics 19 to 23).

Kubernetes documentation: "Workloads", "Service", "Taints and Tolerations", "Nodes" (heartbeats).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from stormlab.api import kinds
from stormlab.api.record import Event, Record

from .kubelet import FakeKubelet
from .served import Served, serve
from .setups import STUBBORN, Setup

pytestmark = pytest.mark.own_server("it looks into the server's store, and its pods run as it likes")

PATIENCE_S = 8.0


@dataclass
class Cluster:
    """A region with a kubelet in each of three zones; events of pods are noted from the start."""

    served: Served
    setup: Setup
    kubelets: list[FakeKubelet]
    events: list[Event]

    def all(self, kind: kinds.Kind) -> list[Record]:
        return list(self.served.objects.store.records(kind, "default"))

    def pods(self) -> list[Record]:
        return self.all(kinds.POD)

    def get(self, kind: kinds.Kind, name: str) -> dict[str, Any]:
        record = self.served.objects.store.get(kind, "default" if kind.namespaced else "", name)
        assert record is not None, name
        return record.tree

    async def send(self, method: str, path: str, body: Any = None, **query: str) -> dict[str, Any]:
        headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else None
        url = self.served.url + path
        async with self.setup.session.request(
            method, url, json=body, params=query, headers=headers
        ) as answer:
            shown: dict[str, Any] = await answer.json()
            assert answer.status < 300, shown
            return shown

    async def delete(self, pod: str, **query: str) -> None:
        await self.send("DELETE", f"/api/v1/namespaces/default/pods/{pod}", **query)

    async def until(self, condition: Callable[[], Any], what: str) -> Any:
        end = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                if value := condition():
                    return value
            except AssertionError:
                pass
            assert asyncio.get_running_loop().time() < end, what
            await asyncio.sleep(0.01)


@asynccontextmanager
async def cluster(node_grace_s: float = 40.0) -> AsyncIterator[Cluster]:
    headers = {"Authorization": "Bearer admin-token"}
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serve(node_grace_s=node_grace_s))
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        kubelets = [
            await stack.enter_async_context(FakeKubelet(served.url, f"node-{zone}", zone, served.kubelets))
            for zone in "abc"
        ]
        events: list[Event] = []
        served.objects.store.listen(kinds.POD, events.append)
        yield Cluster(served, Setup(served, session, "default"), kubelets, events)


def run(work: Callable[[Cluster], Awaitable[None]], node_grace_s: float = 40.0) -> None:
    async def main() -> None:
        async with cluster(node_grace_s) as made:
            await work(made)

    asyncio.run(main())


def is_ready(pod: Record) -> bool:
    listed = pod.tree["status"].get("conditions", ())
    return any(item["type"] == "Ready" and item["status"] == "True" for item in listed)


def stubborn(**spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "k8s.local/app:1", "command": STUBBORN}
    return {"containers": [container], "terminationGracePeriodSeconds": 1, **spec}


def template(app: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "selector": {"matchLabels": {"app": app}},
        "template": {"metadata": {"labels": {"app": app}}, "spec": spec},
    }


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


def test_a_daemonset_has_one_pod_on_each_node_even_a_cordoned_one() -> None:
    async def work(made: Cluster) -> None:
        await made.send("PATCH", "/api/v1/nodes/node-b", {"spec": {"unschedulable": True}})
        await made.setup.make("daemonsets", "agent", "apis/apps/v1", spec=template("agent", stubborn()))
        await made.setup.running(3)
        assert sorted(pod.tree["spec"]["nodeName"] for pod in made.pods()) == ["node-a", "node-b", "node-c"]
        await made.until(
            lambda: made.get(kinds.DAEMON_SET, "agent")["status"].get("numberAvailable") == 3, "status"
        )
        tolerated = {item["key"] for item in made.pods()[0].tree["spec"]["tolerations"]}
        assert "node.kubernetes.io/unreachable" in tolerated
        victim = made.pods()[0].name
        await made.delete(victim, gracePeriodSeconds="0")
        await made.until(lambda: len(made.pods()) == 3, "replaced")

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


def endpoints_of(made: Cluster) -> dict[str, tuple[bool, bool, bool]]:
    found = [
        item
        for item in made.all(kinds.ENDPOINT_SLICE)
        if item.labels.get("kubernetes.io/service-name") == "web"
    ]
    return {
        item["targetRef"]["name"]: tuple(
            item["conditions"][name] for name in ("ready", "serving", "terminating")
        )  # type: ignore[misc]
        for record in found
        for item in record.tree["endpoints"] or ()
    }


def test_endpoints_follow_readiness_and_termination() -> None:
    async def work(made: Cluster) -> None:
        ports = [{"name": "http", "port": 80, "targetPort": "web"}]
        await made.setup.make("services", "web", spec={"selector": {"app": "web"}, "ports": ports})
        await made.until(
            lambda: made.all(kinds.ENDPOINT_SLICE)[-1].labels.get("kubernetes.io/service-name") == "web",
            "a slice",
        )
        assert made.all(kinds.ENDPOINT_SLICE)[-1].tree["endpoints"] is None
        assert "subsets" not in made.get(kinds.ENDPOINTS, "web")
        spec = stubborn()
        spec["containers"][0]["ports"] = [{"name": "web", "containerPort": 8080}]
        await made.setup.make(
            "deployments", "web", "apis/apps/v1", spec={"replicas": 2, **template("web", spec)}
        )
        await made.until(lambda: list(endpoints_of(made).values()) == [(True, True, False)] * 2, "two ready")
        record = made.all(kinds.ENDPOINT_SLICE)[-1].tree
        assert record["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080}]
        assert {item["zone"] for item in record["endpoints"]} <= set("abc")
        victim = next(iter(endpoints_of(made)))
        await made.delete(victim)
        await made.until(
            lambda: endpoints_of(made).get(victim) == (False, True, True), "terminating but serving"
        )
        addresses = [
            item["targetRef"]["name"]
            for subset in made.get(kinds.ENDPOINTS, "web").get("subsets", ())
            for item in subset.get("addresses", ())
        ]
        assert victim not in addresses
        await made.until(lambda: victim not in endpoints_of(made), "gone")
        await made.send("DELETE", "/api/v1/namespaces/default/services/web")
        await made.until(
            lambda: (
                not endpoints_of(made)
                and made.served.objects.store.get(kinds.ENDPOINTS, "default", "web") is None
            ),
            "nothing left",
        )

    run(work)


def test_endpoints_change_with_the_event_that_changed_them() -> None:
    async def work(made: Cluster) -> None:
        await made.setup.make("services", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
        await made.setup.workload("deployments", "web", 2)
        await made.until(lambda: list(endpoints_of(made).values()) == [(True, True, False)] * 2, "two ready")
        victim = next(iter(endpoints_of(made)))
        before = made.served.objects.store.version
        await made.delete(victim, gracePeriodSeconds="0")
        await made.until(lambda: victim not in endpoints_of(made), "out")
        version = next(
            event.version
            for event in made.served.objects.store.since(kinds.ENDPOINT_SLICE, before)
            if victim not in str(event.after.tree["endpoints"])
        )
        # MODIFIED and DELETED of the pod come first, then the slice, whatever else is to do.
        assert version <= before + 4

    run(work)


def test_an_unreachable_node_loses_endpoints_then_pods_but_not_its_statefulset_member() -> None:
    async def work(made: Cluster) -> None:
        tolerations = [
            {
                "key": f"node.kubernetes.io/{name}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 1,
            }
            for name in ("unreachable", "not-ready")
        ]
        alive = True

        async def heartbeats() -> None:
            while True:
                for kubelet in made.kubelets[: 3 if alive else 2]:
                    await kubelet.renew()
                await asyncio.sleep(0.15)

        beating = asyncio.ensure_future(heartbeats())
        await made.setup.make("services", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
        spec = {
            "tolerations": tolerations,
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "c", "image": "x:1"}],
        }
        await made.setup.make(
            "deployments", "web", "apis/apps/v1", spec={"replicas": 3, **template("web", spec)}
        )
        await made.setup.make(
            "statefulsets",
            "db",
            "apis/apps/v1",
            spec={
                "serviceName": "db",
                "replicas": 3,
                "podManagementPolicy": "Parallel",
                **template("db", spec),
            },
        )
        await made.setup.running(6)
        lost = {pod.name: pod.uid for pod in made.pods() if pod.tree["spec"]["nodeName"] == "node-c"}
        member = next(name for name in lost if name.startswith("db-"))
        victim = next(name for name in lost if name.startswith("web-"))
        # The kubelet of node-c falls silent and hears nothing either.
        alive = False
        await made.kubelets[2].__aexit__()
        await made.until(
            lambda: made.get(kinds.NODE, "node-c")["status"]["conditions"][-1]["status"] == "Unknown",
            "Unknown",
        )
        await made.until(lambda: endpoints_of(made)[victim][:2] == (False, False), "endpoint out")
        taints = await made.until(lambda: made.get(kinds.NODE, "node-c")["spec"].get("taints"), "tainted")
        assert {(item["key"], item["effect"]) for item in taints} == {
            ("node.kubernetes.io/unreachable", "NoSchedule"),
            ("node.kubernetes.io/unreachable", "NoExecute"),
        }
        assert all(not made.served.objects.get(kinds.POD, "default", name).deleting for name in lost)  # type: ignore[union-attr]
        await made.until(
            lambda: made.served.objects.get(kinds.POD, "default", victim).deleting,
            "evicted when its toleration ends",
        )  # type: ignore[union-attr]
        await made.until(
            lambda: sum(is_ready(pod) for pod in made.pods() if pod.name.startswith("web-")) == 3,
            "replaced elsewhere",
        )
        stuck = made.served.objects.get(kinds.POD, "default", member)
        assert stuck is not None
        assert (stuck.uid, stuck.deleting) == (lost[member], True)
        assert endpoints_of(made)[victim] == (False, False, True)
        # It comes back: heartbeat, Ready, taints gone.
        await made.kubelets[2].__aenter__()
        await made.kubelets[2].renew()
        await made.kubelets[2].report()
        await made.until(lambda: "taints" not in made.get(kinds.NODE, "node-c")["spec"], "taints gone")
        await made.until(
            lambda: made.get(kinds.POD, member)["metadata"]["uid"] != lost[member],
            "a new member under the old name",
        )
        beating.cancel()

    run(work, node_grace_s=1.0)


def test_what_a_deleted_owner_owned_goes_too() -> None:
    async def work(made: Cluster) -> None:
        await made.setup.workload("deployments", "web", 2)
        await made.setup.running(2)
        await made.send("DELETE", "/apis/apps/v1/namespaces/default/deployments/web")
        await made.until(lambda: not made.pods() and not made.all(kinds.REPLICA_SET), "nothing left")

    run(work)


def test_pods_that_fit_nowhere_say_why_and_are_placed_when_they_fit() -> None:
    async def work(made: Cluster) -> None:
        await made.setup.pod("here", nodeSelector={"disk": "fast"})

        def reason() -> str:
            listed = made.get(kinds.POD, "here")["status"].get("conditions", ())
            return next((f"{item['reason']}: {item['message']}" for item in listed if item.get("reason")), "")

        told = await made.until(reason, "a reason")
        assert told.startswith(
            "Unschedulable: 0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
        )
        await made.send("PATCH", "/api/v1/nodes/node-b", {"metadata": {"labels": {"disk": "fast"}}})
        await made.until(lambda: made.get(kinds.POD, "here")["spec"].get("nodeName") == "node-b", "placed")

    run(work)


def test_replicas_spread_over_nodes_and_keep_apart_when_told() -> None:
    async def work(made: Cluster) -> None:
        await made.setup.workload("deployments", "web", 3)
        await made.setup.running(3)
        assert sorted(pod.tree["spec"]["nodeName"] for pod in made.pods()) == ["node-a", "node-b", "node-c"]
        term = {
            "labelSelector": {"matchLabels": {"app": "one"}},
            "topologyKey": "topology.kubernetes.io/zone",
        }
        apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        await made.setup.make(
            "deployments",
            "one",
            "apis/apps/v1",
            spec={"replicas": 4, **template("one", stubborn(affinity=apart))},
        )
        await made.setup.running(6)
        ones = [pod for pod in made.pods() if pod.labels["app"] == "one"]
        assert sorted(str(pod.tree["spec"].get("nodeName")) for pod in ones) == [
            "None",
            "node-a",
            "node-b",
            "node-c",
        ]

    run(work)
