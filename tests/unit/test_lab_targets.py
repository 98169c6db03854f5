"""Which pods Prometheus scrapes, and under which labels."""

import copy

from stormlab.targets import target_of

ZONES = {"node-1": "city1-a"}
POD = {
    "metadata": {
        "namespace": "bank",
        "name": "ledger-x",
        "uid": "1",
        "labels": {"app": "ledger"},
        "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8090"},
    },
    "spec": {"nodeName": "node-1"},
    "status": {"phase": "Running", "podIP": "10.77.1.9"},
}


def changed(**paths):
    pod = copy.deepcopy(POD)
    for part, values in paths.items():
        pod[part].update(values)
    return pod


def test_an_annotated_pod_is_a_target_with_its_place():
    assert target_of("city1", POD, ZONES) == {
        "targets": ["10.77.1.9:8090"],
        "labels": {
            "region": "city1",
            "zone": "city1-a",
            "node": "node-1",
            "namespace": "bank",
            "pod": "ledger-x",
            "app": "ledger",
            "__metrics_path__": "/metrics",
        },
    }


def test_a_pod_that_starts_is_already_a_target():
    pod = changed(status={"phase": "Pending"})
    assert target_of("city1", pod, ZONES) is not None


def test_pods_that_cannot_or_must_not_be_scraped_are_none():
    for pod in (
        changed(metadata={"annotations": None}),
        changed(metadata={"annotations": {"prometheus.io/scrape": "false", "prometheus.io/port": "1"}}),
        changed(metadata={"annotations": {"prometheus.io/scrape": "true"}}),
        changed(metadata={"annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "http"}}),
        changed(status={"phase": "Failed"}),
        changed(status={"podIP": None}),
    ):
        assert target_of("city1", pod, ZONES) is None


def test_path_and_interval_are_the_pods_wish():
    notes = POD["metadata"]["annotations"] | {"prometheus.io/path": "/m", "prometheus.io/interval": "5s"}
    found = target_of("city1", changed(metadata={"annotations": notes}), ZONES)
    assert found is not None
    assert found["labels"]["__metrics_path__"] == "/m"
    assert found["labels"]["__scrape_interval__"] == "5s"
