"""What a manifest may not ask of the lab: each field is refused by its path, and none is taken and forgotten."""

import copy

import pytest

from stormlab.api import kinds
from stormlab.api.objects import Objects
from stormlab.api.rules.lab import NOT_DONE, refusals
from stormlab.api.rules.taken import HONOURED, WITHOUT_EFFECT
from stormlab.api.schema import types
from stormlab.api.status import ApiError
from stormlab.api.store import Store

POD = {"containers": [{"name": "c", "image": "i:1", "ports": [{"containerPort": 80}]}]}
# Of structs that everything has, or that the server writes.
ELSEWHERE = {"ObjectMeta", "PersistentVolumeClaimStatus"}
# Taken whole, without effect.
UNREAD = {
    "SeccompProfile",
    "PodOS",
    "LocalObjectReference",
    "PreferredSchedulingTerm",
    "WeightedPodAffinityTerm",
}


@pytest.mark.parametrize("name", HONOURED)
def test_the_list_is_about_fields_there_are_and_leads_to_no_struct_that_it_does_not_know(name):
    fields, unread = types()[name], WITHOUT_EFFECT.get(name, {})
    honoured = set(HONOURED[name].split())
    assert honoured | unread.keys() <= fields.keys()
    assert not honoured & unread.keys()
    for key in honoured | unread.keys():
        kind = fields[key]
        while kind.inner is not None:
            kind = kind.inner
        known = HONOURED.keys() | ELSEWHERE | (UNREAD if key in unread else set())
        assert kind.name not in types() or kind.name in known, (name, key)


def test_what_is_taken_without_effect_belongs_to_a_struct_of_the_list():
    assert WITHOUT_EFFECT.keys() <= HONOURED.keys()


def causes(of_pod=None, of_container=None):
    spec = {**copy.deepcopy(POD), **(of_pod or {})}
    spec["containers"][0].update(of_container or {})
    return {cause.field: cause.message for cause in refusals("PodSpec", spec, "spec")}


def affinity(term):
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"hostIPC": True}, "hostIPC"),
        ({"initContainers": [{"name": "x", "restartPolicy": "Always"}]}, "initContainers[0].restartPolicy"),
        (
            {"initContainers": [{"name": "x", "livenessProbe": {"exec": {}}}]},
            "initContainers[0].livenessProbe",
        ),
        ({"ephemeralContainers": [{"name": "x"}]}, "ephemeralContainers"),
        ({"activeDeadlineSeconds": 0}, "activeDeadlineSeconds"),
        ({"runtimeClassName": "kata"}, "runtimeClassName"),
        ({"dnsPolicy": "None"}, "dnsPolicy"),
        ({"securityContext": {"sysctls": [{"name": "x", "value": "1"}]}}, "securityContext.sysctls"),
        ({"volumes": [{"name": "n", "nfs": {"path": "/"}}]}, "volumes[0].nfs"),
        ({"volumes": [{"name": "h", "hostPath": {"path": "/"}}]}, "volumes[0].hostPath.path"),
        ({"volumes": [{"name": "h", "hostPath": {"path": "/proc/1"}}]}, "volumes[0].hostPath.path"),
        (
            {"volumes": [{"name": "h", "hostPath": {"path": "/x", "type": "Socket"}}]},
            "volumes[0].hostPath.type",
        ),
        ({"volumes": [{"name": "e", "emptyDir": {"medium": "HugePages"}}]}, "volumes[0].emptyDir.medium"),
        (
            {"affinity": affinity({"namespaceSelector": {"matchLabels": {"a": "b"}}})},
            "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespaceSelector",
        ),
    ],
)
def test_a_pod_is_refused_by_the_field(said, field):
    (found,) = causes(said).items()
    assert found[0] == f"spec.{field}"
    assert found[1].startswith("Forbidden: ")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"livenessProbe": {"grpc": {"port": 1}}}, "livenessProbe.grpc"),
        ({"tty": True}, "tty"),
        ({"lifecycle": {"preStop": {"tcpSocket": {"port": 1}}}}, "lifecycle.preStop.tcpSocket"),
        ({"lifecycle": {"stopSignal": "SIGINT"}}, "lifecycle.stopSignal"),
        ({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}, "securityContext.capabilities.add"),
        ({"ports": [{"containerPort": 80, "hostPort": 80}]}, "ports[0].hostPort"),
        ({"resources": {"limits": {"ephemeral-storage": "1Gi"}}}, "resources.limits"),
        (
            {"env": [{"name": "X", "valueFrom": {"fileKeyRef": {"key": "k"}}}]},
            "env[0].valueFrom.fileKeyRef",
        ),
        (
            {"volumeMounts": [{"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}]},
            "volumeMounts[0].mountPropagation",
        ),
    ],
)
def test_a_container_is_refused_by_the_field(said, field):
    (found,) = causes(of_container=said).items()
    assert found[0] == f"spec.containers[0].{field}"
    assert found[1].startswith("Forbidden: ")


@pytest.mark.parametrize(
    ("struct", "value", "field", "said"),
    [
        ("DeploymentSpec", {"strategy": {"type": "Blue"}}, "s.strategy.type", '"Recreate", "RollingUpdate"'),
        (
            "DeploymentSpec",
            {"strategy": {"rollingUpdate": {"maxSurge": "some"}}},
            "s.strategy.rollingUpdate.maxSurge",
            "a valid percent string",
        ),
        ("StatefulSetSpec", {"podManagementPolicy": "Any"}, "s.podManagementPolicy", '"Parallel"'),
        ("PodDisruptionBudgetSpec", {"minAvailable": -1}, "s.minAvailable", "greater than or equal to 0"),
        ("PodSpec", {"tolerations": [{"operator": "Likes"}]}, "s.tolerations[0].operator", '"Exists"'),
    ],
)
def test_a_word_that_nobody_knows_is_refused_with_those_that_are_known(struct, value, field, said):
    (cause,) = refusals(struct, value, "s")
    assert cause.field == field
    assert said in cause.message


def test_everything_at_once():
    found = causes({"hostIPC": True}, {"stdin": True})
    assert set(found) == {"spec.hostIPC", "spec.containers[0].stdin"}
    assert set(found.values()) == {f"Forbidden: {NOT_DONE}"}


def test_what_says_nothing_is_not_refused():
    assert causes({"hostIPC": False, "initContainers": []}, {"tty": False}) == {}
    assert causes({"hostNetwork": True}, {"ports": [{"containerPort": 80, "hostPort": 80}]}) == {}


TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
SELECTOR = {"matchLabels": {"a": "b"}}


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        (kinds.POD, {**POD, "hostIPC": True}, "spec.hostIPC"),
        (
            kinds.DEPLOYMENT,
            {"selector": SELECTOR, "template": {**TEMPLATE, "spec": {**POD, "hostIPC": True}}},
            "spec.template.spec.hostIPC",
        ),
        (
            kinds.STATEFUL_SET,
            {
                "selector": SELECTOR,
                "template": TEMPLATE,
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"},
            },
            "spec.persistentVolumeClaimRetentionPolicy.whenDeleted",
        ),
        (
            kinds.DAEMON_SET,
            {
                "selector": SELECTOR,
                "template": TEMPLATE,
                "updateStrategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
                },
            },
            "spec.updateStrategy.rollingUpdate.maxSurge",
        ),
        (
            kinds.CLAIM,
            {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Mi"}},
                "volumeMode": "Block",
            },
            "spec.volumeMode",
        ),
        (kinds.SERVICE, {"ports": [{"port": 80}], "sessionAffinity": "ClientIP"}, "spec.sessionAffinity"),
        (kinds.SERVICE, {"ports": [{"port": 80}], "externalIPs": ["192.0.2.1"]}, "spec.externalIPs"),
    ],
)
def test_every_kind_answers_with_a_status_that_names_the_field(kind, spec, field):
    objects = Objects(Store())
    objects.create(kinds.NAMESPACE, "", {"metadata": {"name": "default"}})
    with pytest.raises(ApiError) as caught:
        objects.create(kind, "default", {"metadata": {"name": "x"}, "spec": copy.deepcopy(spec)})
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert [cause["field"] for cause in caught.value.details["causes"]] == [field]
    assert caught.value.message.startswith(
        f'{kind.kind}{"." + kind.group if kind.group else ""} "x" is invalid: {field}: Forbidden'
    )
