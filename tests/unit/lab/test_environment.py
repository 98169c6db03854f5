"""Environment and configuration of a container."""

import asyncio
import base64

import pytest

from stormlab.client import ApiError
from stormlab.node.downward import ConfigError
from stormlab.node.environment import environment, expand
from stormlab.node.podspec import parse

ADDRESSES = {"podIP": "10.77.1.2", "hostIP": "10.77.1.1"}


class Objects:
    """Answers as the API does."""

    def __init__(self, **objects):
        self._objects = objects

    async def get(self, path):
        kind, name = path.split("/")[-2:]
        found = self._objects.get(f"{kind}_{name}".replace("-", "_"))
        if found is None:
            raise ApiError(404, "NotFound", f'{kind} "{name}" not found')
        return found


OBJECTS = Objects(
    configmaps_cm={"data": {"a": "1", "b": "2"}},
    secrets_sec={"data": {"pw": base64.b64encode(b"geheim").decode()}},
)


def pod(container=None, **spec):
    base = {"name": "c", "image": "i", "command": ["x"], **(container or {})}
    labels = {"labels": {"zone": "city1-a"}}
    metadata = {"uid": "u", "namespace": "bank", "name": "p", **labels}
    return parse({"metadata": metadata, "spec": {"nodeName": "n", "containers": [base], **spec}})


def env_of(container, objects=OBJECTS):
    spec = pod(container)
    return asyncio.run(environment(spec.containers[0], spec, ADDRESSES, ["/opt/i/bin"], objects))


def test_references_and_order():
    env = env_of(
        {
            "env": [
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "a"}}},
                {"name": "PW", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "pw"}}},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "ZONE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['zone']"}}},
                {"name": "URL", "value": "http://$(IP):$(A)/$(LATER)$$"},
                {"name": "LATER", "value": "x"},
                {"name": "NOT", "valueFrom": {"secretKeyRef": {"name": "no", "key": "k", "optional": True}}},
            ],
            "envFrom": [{"configMapRef": {"name": "cm"}, "prefix": "P_"}],
        }
    )
    assert env["A"] == "1"
    assert env["PW"] == "geheim"
    assert env["URL"] == "http://10.77.1.2:1/$(LATER)$"
    assert env["ZONE"] == "city1-a"
    assert (env["P_a"], env["P_b"]) == ("1", "2")
    assert "NOT" not in env
    assert env["PATH"].startswith("/opt/i/bin:")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"configMapKeyRef": {"name": "cm", "key": "z"}}, "couldn't find key z"),
        ({"secretKeyRef": {"name": "no", "key": "z"}}, "not found"),
        ({"fieldRef": {"fieldPath": "status.phase"}}, "not supported"),
    ],
)
def test_what_is_not_there(source, said):
    with pytest.raises(ConfigError, match=said):
        env_of({"env": [{"name": "X", "valueFrom": source}]})


def test_expansion():
    assert expand("$(A) $$(A) $(B) $A", {"A": "1"}) == "1 $(A) $(B) $A"


def test_resources_by_reference():
    def of(name, divisor=None):
        reference = {"resource": name, **({"divisor": divisor} if divisor else {})}
        return {"name": "X", "valueFrom": {"resourceFieldRef": reference}}

    resources = {"limits": {"cpu": "1500m", "memory": "64Mi"}, "requests": {"cpu": "250m"}}

    def value(*reference):
        return env_of({"env": [of(*reference)], "resources": resources})["X"]

    assert (value("limits.cpu"), value("limits.cpu", "1m")) == ("2", "1500")
    assert (value("limits.memory"), value("limits.memory", "1Mi")) == (str(64 << 20), "64")
    assert (value("requests.cpu", "1m"), value("requests.memory")) == ("250", "0")
    whole_node = env_of({"env": [of("limits.cpu")]})["X"]
    assert int(whole_node) >= 1, "without a limit it is what the node has"
    with pytest.raises(ConfigError, match="not supported"):
        value("limits.ephemeral-storage")
