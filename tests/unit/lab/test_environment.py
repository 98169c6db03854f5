"""Environment and configuration of a container."""

import asyncio
import base64

import pytest

from stormlab.client import ApiError
from stormlab.node.environment import ConfigError, environment, expand
from stormlab.node.hostpath import NodeFiles
from stormlab.node.podspec import parse
from stormlab.node.volumes import VolumeError, mounts, prepare

ADDRESSES = {"podIP": "10.77.1.2", "hostIP": "10.77.1.1"}


def node_files(place):
    return NodeFiles(place / "disk", place / "groups")


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
    configmaps_cm={"data": {"a": "1", "b": "2"}, "binaryData": {"bin": base64.b64encode(b"\0\1").decode()}},
    persistentvolumeclaims_data_p={"metadata": {"uid": "claim-1"}},
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


def test_volumes_become_files_with_their_modes(tmp_path):
    spec = pod(
        {
            "volumeMounts": [
                {"name": "cm", "mountPath": "/etc/cm"},
                {"name": "cm", "mountPath": "/etc/one", "subPath": "deep/a.txt"},
                {"name": "sec", "mountPath": "/etc/sec"},
                {"name": "data", "mountPath": "/data"},
            ]
        },
        volumes=[
            {"name": "cm", "configMap": {"name": "cm", "items": [{"key": "a", "path": "deep/a.txt"}]}},
            {"name": "sec", "secret": {"secretName": "sec", "defaultMode": 0o400}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data-p"}},
            {"name": "unused", "secret": {"secretName": "absent"}},
        ],
    )
    claims = tmp_path / "claims"
    found = asyncio.run(prepare(spec, tmp_path / "pod", claims, node_files(tmp_path), OBJECTS))
    assert (found["cm"] / "deep/a.txt").read_bytes() == b"1"
    assert not (found["cm"] / "b").exists()
    assert (found["sec"] / "pw").stat().st_mode & 0o777 == 0o400
    assert found["data"] == claims / "bank" / "data-p" / "claim-1"
    seen = {mount.target: mount for mount in mounts(spec.containers[0], found, spec)}
    assert seen["/etc/one"].source.endswith("volumes/cm/deep/a.txt")
    assert seen["/etc/cm"].read_only
    assert not seen["/data"].read_only


def test_a_path_out_of_its_volume_is_refused(tmp_path):
    volume = {"name": "cm", "configMap": {"name": "cm", "items": [{"key": "a", "path": "../a"}]}}
    spec = pod({"volumeMounts": [{"name": "cm", "mountPath": "/x"}]}, volumes=[volume])
    with pytest.raises(VolumeError, match="leads out"):
        asyncio.run(prepare(spec, tmp_path, tmp_path, node_files(tmp_path), OBJECTS))
