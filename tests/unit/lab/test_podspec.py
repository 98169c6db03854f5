"""Reading pods: what is taken over."""

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


def test_hooks_limits_and_who_may_not_be_root():
    def change(_, container):
        container.update(
            lifecycle={
                "postStart": {"exec": {"command": ["up"]}},
                "preStop": {"httpGet": {"path": "/drain", "port": "http"}},
            },
            securityContext={"runAsNonRoot": True, "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}},
        )

    container = parse(changed(change)).containers[0]
    assert container.hook("postStart").question.command == ("up",)
    assert (container.hook("preStop").question.port, container.hook("preStop").question.path) == (
        8080,
        "/drain",
    )
    assert container.limits == {"cpu": "1"}
    assert container.non_root
    assert (container.capabilities_dropped, container.capabilities_added) == (("ALL",), ("NET_RAW",))
    pause = parse(changed(lambda _, c: c.update(lifecycle={"preStop": {"sleep": {"seconds": 3}}})))
    assert (pause.containers[0].hook("preStop").pause_s, pause.containers[0].hook("postStart")) == (3.0, None)


def test_a_probe_may_shorten_the_end_it_brings():
    probe = {"tcpSocket": {"port": 9}, "terminationGracePeriodSeconds": 0}
    container = parse(changed(lambda _, c: c.update(livenessProbe=probe))).containers[0]
    assert container.probe("liveness").grace_s == 0
    assert parse(POD).containers[0].probe("liveness").grace_s is None


def test_a_port_that_nobody_names_is_refused():
    with pytest.raises(UnsupportedPodError, match="does not name"):
        parse(changed(lambda _, c: c.update(readinessProbe={"httpGet": {"port": "nope"}})))
