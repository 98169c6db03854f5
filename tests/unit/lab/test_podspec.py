"""Reading pods: what is taken over, what is refused and why."""

import copy

import pytest

from stormlab.node.podspec import UnsupportedPodError, parse

POD = {
    "metadata": {"uid": "u", "namespace": "bank", "name": "p"},
    "spec": {
        "nodeName": "a",
        "securityContext": {"runAsUser": 65534, "fsGroup": 1},
        "initContainers": [],
        "containers": [
            {
                "name": "c",
                "image": "i:1",
                "command": ["prog"],
                "args": ["--x"],
                "ports": [{"name": "http", "containerPort": 8080}],
                "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1},
                "livenessProbe": {"tcpSocket": {"port": 9}, "failureThreshold": 5},
                "startupProbe": {"exec": {"command": ["true"]}},
                "volumeMounts": [{"name": "v", "mountPath": "/data/"}],
                "resources": {"limits": {"cpu": "1"}},
            }
        ],
        "volumes": [{"name": "v", "emptyDir": {}}],
    },
}


def changed(change):
    pod = copy.deepcopy(POD)
    change(pod["spec"], pod["spec"]["containers"][0])
    return pod


def test_what_a_pod_says():
    spec = parse(POD)
    container = spec.containers[0]
    assert container.command == ("prog", "--x")
    assert (container.user, container.group) == (65534, 65534)
    assert container.mounts[0].path == "/data"
    assert (spec.grace_s, spec.restart_policy, spec.hostname) == (30, "Always", "p")
    readiness, liveness = container.probe("readiness"), container.probe("liveness")
    assert (readiness.method, readiness.port, readiness.path, readiness.period_s) == (
        "http",
        8080,
        "/readyz",
        1,
    )
    assert (liveness.method, liveness.port, liveness.failures, liveness.period_s) == ("tcp", 9, 5, 10)
    assert container.probe("startup").command == ("true",)


def test_a_grace_period_of_zero_is_zero():
    assert parse(changed(lambda spec, _: spec.update(terminationGracePeriodSeconds=0))).grace_s == 0


def test_a_container_overrides_the_pods_user():
    pod = changed(lambda _, c: c.update(securityContext={"runAsUser": 999, "runAsGroup": 5}))
    container = parse(pod).containers[0]
    assert (container.user, container.group) == (999, 5)


def test_a_pod_of_the_host():
    def change(spec, container):
        spec.update(hostPID=True, hostNetwork=True)
        container.update(securityContext={"privileged": True})

    spec = parse(changed(change))
    assert (spec.host_pid, spec.host_network, spec.containers[0].privileged) == (True, True, True)
    assert not parse(POD).containers[0].privileged


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s, _: s.update(initContainers=[{"name": "x"}]), "initContainers"),
        (lambda s, _: s.update(hostIPC=True), "hostIPC"),
        (lambda s, _: s.update(hostAliases=[{"ip": "1.2.3.4"}]), "hostAliases"),
        (lambda s, _: s.update(dnsPolicy="None"), "dnsPolicy"),
        (lambda s, _: s["volumes"].append({"name": "h", "hostPath": {"path": "/"}}), "a disk .* of its own"),
        (
            lambda s, _: s["volumes"].append({"name": "h", "hostPath": {"path": "/proc/1"}}),
            "a disk .* of its own",
        ),
        (
            lambda s, _: s["volumes"].append({"name": "h", "hostPath": {"path": "/x", "type": "Socket"}}),
            "type Socket",
        ),
        (lambda s, _: s["volumes"].append({"name": "n", "nfs": {"path": "/"}}), "volume kind nfs"),
        (lambda _, c: c.update(lifecycle={"preStop": {}}), "lifecycle"),
        (lambda _, c: c.update(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}), "SYS_ADMIN"),
        (lambda _, c: c["ports"].append({"containerPort": 1, "hostPort": 1}), "hostPort"),
        (
            lambda _, c: c.update(env=[{"name": "X", "valueFrom": {"resourceFieldRef": {"a": 1}}}]),
            "resourceFieldRef",
        ),
        (lambda _, c: c.update(livenessProbe={"grpc": {"port": 1}}), "grpc"),
        (lambda _, c: c.update(readinessProbe={"httpGet": {"port": "nope"}}), "does not name"),
    ],
)
def test_what_would_change_its_meaning_is_refused(change, said):
    with pytest.raises(UnsupportedPodError, match=said):
        parse(changed(change))


def test_all_reasons_at_once():
    pod = changed(lambda s, c: (s.update(hostIPC=True), c.update(lifecycle={"preStop": {}})))
    with pytest.raises(UnsupportedPodError, match=r"hostIPC.*lifecycle"):
        parse(pod)
