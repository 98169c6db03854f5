"""What controllers make of services: their endpoints follow their pods.

Kubernetes documentation: "Service", "EndpointSlices".
"""

from __future__ import annotations

import pytest

from stormlab.api import kinds

from .cited import ENDPOINT_SLICES, cites
from .controlled import Cluster, endpoints_of, run, stubborn, template

pytestmark = [
    pytest.mark.own_server("it looks into the server's store, and its pods run as it likes"),
    cites(ENDPOINT_SLICES),
]


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
        await made.setup.settled()  # nothing of what came before is written in between
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
