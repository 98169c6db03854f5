"""Ready, ending, unready: how a pod stands behind a service, and behind one that publishes all of them."""

import datetime as dt

import pytest

from stormlab.api import kinds
from stormlab.api.bootstrap import bootstrap
from stormlab.api.objects import Objects
from stormlab.api.removal import DeleteOptions, delete
from stormlab.api.store import Store
from stormlab.controllers.endpoints import SERVICE_LABEL, EndpointsController


class World:
    """Services `some` and `all`, the second with publishNotReadyAddresses."""

    def __init__(self):
        self.objects = Objects(Store(), now=lambda: dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
        bootstrap(self.objects, service_network="10.96.0.0/16", address="10.77.0.1", port=1)
        for name, everything in (("some", False), ("all", True)):
            spec = {
                "selector": {"app": "x"},
                "ports": [{"port": 80}],
                "publishNotReadyAddresses": everything,
            }
            self.objects.create(kinds.SERVICE, "default", {"metadata": {"name": name}, "spec": spec})

    def pod(self, name, *, address="10.77.1.9", ready=True, ending=False, phase="Running"):
        spec = {"containers": [{"name": "c", "image": "x:1"}], "nodeName": "a"}
        metadata = {"name": name, "labels": {"app": "x"}}
        self.objects.create(kinds.POD, "default", {"metadata": metadata, "spec": spec})
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        status = {"phase": phase, "podIP": address, "conditions": conditions}
        self.objects.update(kinds.POD, "default", name, {"metadata": {}, "status": status}, status=True)
        if ending:
            delete(self.objects, kinds.POD, "default", name, DeleteOptions())

    def slice_of(self, service):
        EndpointsController(self.objects).reconcile(("default", service))
        listed = self.objects.store.records(kinds.ENDPOINT_SLICE, "default")
        (found,) = [item for item in listed if item.labels[SERVICE_LABEL] == service]
        return {
            item["targetRef"]["name"]: tuple(item["conditions"].values())
            for item in found.tree["endpoints"] or ()
        }

    def addresses(self, service):
        tree = self.objects.get(kinds.ENDPOINTS, "default", service).tree
        return {
            kind: [item["targetRef"]["name"] for subset in tree["subsets"] for item in subset.get(kind, ())]
            for kind in ("addresses", "notReadyAddresses")
        }


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize(
    ("pod", "some", "everything"),
    [
        ({}, (True, True, False), (True, True, False)),
        ({"ready": False}, (False, False, False), (True, False, False)),
        ({"ending": True}, (False, True, True), (True, True, True)),
        ({"ending": True, "ready": False}, (False, False, True), (True, False, True)),
    ],
)
def test_ready_serving_terminating(world, pod, some, everything):
    world.pod("p", **pod)
    assert world.slice_of("some") == {"p": some}
    assert world.slice_of("all") == {"p": everything}


def test_the_older_list_names_those_that_are_not_ready_apart_and_none_that_ends(world):
    world.pod("good", address="10.77.1.1")
    world.pod("bad", address="10.77.1.2", ready=False)
    world.pod("ending", address="10.77.1.3", ending=True)
    world.slice_of("some")
    world.slice_of("all")
    assert world.addresses("some") == {"addresses": ["good"], "notReadyAddresses": ["bad"]}
    assert world.addresses("all") == {"addresses": ["good", "bad"], "notReadyAddresses": []}


def test_who_has_ended_or_has_no_address_is_nowhere(world):
    world.pod("done", phase="Succeeded")
    world.pod("new", address="")
    assert world.slice_of("all") == {}
