"""Pods and Deployments that tests make: they run the image of the cluster under test and end when told to."""

from __future__ import annotations

from .asking import Api, Json, core, group
from .conftest import PROGRAM, Region

STUBBORN = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]


def pod(
    region: Region,
    name: str,
    command: list[str] | None = None,
    labels: dict[str, str] | None = None,
    **spec: object,
) -> Json:
    container = {"name": "c", "image": region.image, "command": command or PROGRAM}
    wanted = {"containers": [container], "terminationGracePeriodSeconds": 1, **spec}
    return {"metadata": {"name": name, "labels": labels or {"app": name}}, "spec": wanted}


def run_pod(region: Region, api: Api, namespace: str, body: Json) -> Json:
    """The pod, once it is Ready."""
    made = api.done("POST", core(namespace, "pods"), body)
    path = core(namespace, "pods", made["metadata"]["name"])

    def ready() -> Json | None:
        found = api.done("GET", path)
        return found if is_ready(found) else None

    found: Json = region.eventually(ready, f"{path} is Ready")
    return found


def is_ready(found: Json) -> bool:
    conditions = found["status"].get("conditions", ())
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def deployment(region: Region, name: str, replicas: int) -> Json:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod(region, name)["spec"]}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name}, "spec": spec}


def run_deployment(region: Region, api: Api, namespace: str, name: str, replicas: int) -> str:
    """Its path, once all its pods are available."""
    api.done("POST", group("apps/v1", namespace, "deployments"), deployment(region, name, replicas))
    path = group("apps/v1", namespace, "deployments", name)
    until_available(region, api, path, replicas)
    return path


def until_available(region: Region, api: Api, path: str, replicas: int) -> None:
    def available() -> bool:
        found = api.done("GET", path)
        status = found["status"]
        observed = status.get("observedGeneration") == found["metadata"]["generation"]
        counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
        return observed and counts == [replicas] * 3

    region.eventually(available, f"{path} has {replicas} available")
