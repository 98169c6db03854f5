"""Where pods are placed, and what becomes of them with their node.

Kubernetes documentation: "Taints and Tolerations", "Nodes" (heartbeats), "DaemonSet", "Assigning Pods to Nodes".
"""

from __future__ import annotations

import asyncio

import pytest

from stormlab.api import kinds

from .cited import DAEMON_SETS, HEARTBEATS, PLACEMENT, TAINTS, cites
from .controlled import Cluster, endpoints_of, is_ready, run, stubborn, template

pytestmark = [
    pytest.mark.own_server("it looks into the server's store, and its pods run as it likes"),
    cites(HEARTBEATS, TAINTS, DAEMON_SETS, PLACEMENT),
]


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
