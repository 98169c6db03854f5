"""Volumes of a pod: files from the API that change at one moment, and where containers see what."""

import asyncio
import base64

import pytest

from stormlab.client import ApiError
from stormlab.inventory import Inventory
from stormlab.node import payload
from stormlab.node.downward import ConfigError
from stormlab.node.hostpath import NodeFiles
from stormlab.node.payload import File
from stormlab.node.podspec import parse
from stormlab.node.projection import Sources, VolumeError, sources_of
from stormlab.node.volumes import Store, Volume, disk_of, mounts, prepare, refresh


class Objects:
    """Answers as the API does."""

    def __init__(self, **objects):
        self.objects = objects

    async def get(self, path):
        kind, name = path.split("/")[-2:]
        found = self.objects.get(f"{kind}_{name}".replace("-", "_"))
        if found is None:
            raise ApiError(404, "NotFound", f'{kind} "{name}" not found')
        return found


async def token():
    return b"token"


@pytest.fixture
def objects():
    return Objects(
        configmaps_cm={
            "data": {"a": "1", "b": "2"},
            "binaryData": {"bin": base64.b64encode(b"\0\1").decode()},
        },
        persistentvolumeclaims_data_p={"metadata": {"uid": "claim-1"}},
        secrets_sec={"data": {"pw": base64.b64encode(b"geheim").decode()}},
    )


@pytest.fixture
def store(tmp_path):
    files = NodeFiles(tmp_path / "disk", tmp_path / "groups")
    return Store(tmp_path / "pod", tmp_path / "claims", files, Inventory(tmp_path / "state"))


def pod(*volumes, mounted=(), **container):
    wanted = mounted or [{"name": one["name"], "mountPath": f"/{one['name']}"} for one in volumes]
    base = {"name": "c", "image": "i", "command": ["x"], "volumeMounts": list(wanted), **container}
    metadata = {"uid": "u", "namespace": "bank", "name": "p", "labels": {"zone": "a", "app": "x"}}
    return parse({"metadata": metadata, "spec": {"containers": [base], "volumes": list(volumes)}})


def prepared(spec, store, objects):
    return asyncio.run(prepare(spec, store, Sources(objects, token)))


def test_volumes_become_files_with_their_modes(store, objects):
    spec = pod(
        {"name": "cm", "configMap": {"name": "cm", "items": [{"key": "a", "path": "deep/a.txt"}]}},
        {"name": "sec", "secret": {"secretName": "sec", "defaultMode": 0o400}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-p"}},
        {"name": "unused", "secret": {"secretName": "absent"}},
        mounted=[
            {"name": "cm", "mountPath": "/etc/cm"},
            {"name": "cm", "mountPath": "/etc/one", "subPath": "deep/a.txt"},
            {"name": "sec", "mountPath": "/etc/sec"},
            {"name": "data", "mountPath": "/data"},
        ],
    )
    found = prepared(spec, store, objects)
    assert (found["cm"].place / "deep/a.txt").read_bytes() == b"1"
    assert not (found["cm"].place / "b").exists()
    assert (found["sec"].place / "pw").stat().st_mode & 0o777 == 0o400
    assert found["data"].place == store.claims / "bank" / "data-p" / "claim-1"
    seen = {mount.target: mount for mount in mounts(spec.containers[0], found, spec)}
    assert seen["/etc/one"].source.endswith("volumes/cm/deep/a.txt")
    assert seen["/etc/cm"].read_only
    assert not seen["/data"].read_only


def test_a_projected_volume_gathers_what_it_names(store, objects):
    sources = [
        {"configMap": {"name": "cm", "items": [{"key": "a", "path": "cm/a", "mode": 0o600}]}},
        {"secret": {"name": "sec"}},
        {
            "downwardAPI": {
                "items": [
                    {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                    {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}},
                    {
                        "path": "memory",
                        "resourceFieldRef": {
                            "containerName": "c",
                            "resource": "limits.memory",
                            "divisor": "1Mi",
                        },
                    },
                ]
            }
        },
        {"serviceAccountToken": {"path": "token"}},
    ]
    volume = {"name": "all", "projected": {"sources": sources, "defaultMode": 0o440}}
    spec = pod(volume, resources={"limits": {"memory": "32Mi"}})
    place = prepared(spec, store, objects)["all"].place
    texts = {name: (place / name).read_text() for name in ("cm/a", "pw", "labels", "name", "memory", "token")}
    assert texts == {
        "cm/a": "1",
        "pw": "geheim",
        "labels": 'app="x"\nzone="a"',
        "name": "p",
        "memory": "32",
        "token": "token",
    }
    assert (place / "cm/a").stat().st_mode & 0o777 == 0o600
    assert (place / "pw").stat().st_mode & 0o777 == 0o440
    assert sources_of(volume) == {("configmaps", "cm"), ("secrets", "sec")}


def test_a_change_reaches_a_volume_that_is_mounted_and_no_other(store, objects):
    spec = pod({"name": "cm", "configMap": {"name": "cm"}}, {"name": "sec", "secret": {"secretName": "sec"}})
    sources = Sources(objects, token)
    assert asyncio.run(refresh(spec, store, sources)) is False, "nothing is mounted yet"
    place = prepared(spec, store, objects)["cm"].place
    inode = place.stat().st_ino
    assert asyncio.run(refresh(spec, store, sources)) is False
    objects.objects["configmaps_cm"] = {"data": {"a": "new", "c": "3"}}
    assert asyncio.run(refresh(spec, store, sources)) is True
    assert ((place / "a").read_text(), (place / "c").read_text()) == ("new", "3")
    assert not (place / "b").exists()
    assert place.stat().st_ino == inode, "who has it mounted sees the change"
    del objects.objects["configmaps_cm"]
    with pytest.raises(ConfigError, match="not found"):
        asyncio.run(refresh(spec, store, sources))
    assert (place / "a").read_text() == "new"


def test_all_files_change_at_one_moment(tmp_path):
    old = {f"f{i}": File(b"old", 0o644) for i in range(3)}
    payload.write(tmp_path, old)
    held = (tmp_path / "..data").resolve()
    (tmp_path / "..half-written").mkdir()
    assert payload.write(tmp_path, {name: File(b"new", 0o644) for name in old})
    assert {(tmp_path / name).resolve().parent for name in old} == {(tmp_path / "..data").resolve()}
    assert not held.exists(), "what nobody can reach is gone"
    assert len(list(tmp_path.glob("..*"))) == 2, "the link and one directory"
    (tmp_path / "f1").unlink()
    assert not payload.write(tmp_path, {name: File(b"new", 0o644) for name in old})
    assert (tmp_path / "f1").read_bytes() == b"new", "a write that was killed is made whole"


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        ({"configMap": {"name": "cm", "items": [{"key": "a", "path": "../a"}]}}, "leads out"),
        ({"configMap": {"name": "cm", "items": [{"key": "z", "path": "z"}]}}, "non-existent config key"),
        ({"secret": {"secretName": "absent"}}, "not found"),
        ({"persistentVolumeClaim": {"claimName": "absent"}}, "not found"),
    ],
)
def test_what_cannot_be_had_says_what(store, objects, volume, said):
    with pytest.raises((VolumeError, ConfigError), match=said):
        prepared(pod({"name": "v", **volume}), store, objects)


def test_what_is_optional_may_be_absent(store, objects):
    spec = pod({"name": "v", "configMap": {"name": "absent", "optional": True}})
    assert [item.name for item in prepared(spec, store, objects)["v"].place.glob("[!.]*")] == []


def test_a_claim_may_be_mounted_read_only(store, objects):
    spec = pod({"name": "v", "persistentVolumeClaim": {"claimName": "data-p", "readOnly": True}})
    (mount,) = mounts(spec.containers[0], prepared(spec, store, objects), spec)
    assert mount.read_only


def test_only_disks_that_a_container_may_write_count_for_it(tmp_path):
    spec = pod(
        mounted=[
            {"name": "a", "mountPath": "/a"},
            {"name": "a", "mountPath": "/b"},
            {"name": "r", "mountPath": "/r", "readOnly": True},
        ]
    )
    volumes = {"a": Volume(tmp_path, 10), "r": Volume(tmp_path, 100), "of another": Volume(tmp_path, 1000)}
    assert disk_of(spec.containers[0], volumes) == 10
