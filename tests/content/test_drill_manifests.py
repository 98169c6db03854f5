"""What drills need inside an estate, as shipped: agents that can do their work, canaries that watch every zone."""

from __future__ import annotations

from pathlib import Path

import pytest

from stormdrill import faultspec
from stormdrill.canary.services import target_of
from stormdrill.canary.wire import METRICS_PORT, PORT
from stormdrill.cli.parser import parse
from stormlab import topologyfile

ROOT = Path(__file__).resolve().parents[2]
REGIONS = ("city1", "city2")


@pytest.fixture(params=REGIONS)
def rendered(request, small_objects):
    return {(each["kind"], each["metadata"]["name"]): each for each in small_objects[request.param]}


def pod(rendered, name):
    daemons = rendered["DaemonSet", name]
    template = daemons["spec"]["template"]
    assert daemons["metadata"]["namespace"] == faultspec.NAMESPACE
    assert daemons["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"] == {"app": name}
    assert template["spec"]["tolerations"] == [{"operator": "Exists"}], (
        "on every node, whatever is wrong with it"
    )
    assert template["spec"]["serviceAccountName"] == name
    (container,) = template["spec"]["containers"]
    assert container["image"] in topologyfile.load(ROOT / "topology/small.yaml").images
    return template["metadata"], template["spec"], container


def arguments(container, values):
    words = [*container["command"], *container["args"]]
    for name, value in values.items():
        words = [word.replace(f"$({name})", value) for word in words]
    assert not any("$(" in word for word in words)
    return parse(words[words.index("stormdrill") + 1 :])


def test_the_bank_is_where_it_was(rendered):
    assert rendered[
        "StatefulSet", "pg-city1-a" if ("StatefulSet", "pg-city1-a") in rendered else "pg-city2-a"
    ]
    assert rendered["Namespace", "bank"]


def test_an_agent_has_what_it_works_with(rendered):
    _, spec, container = pod(rendered, "agent")
    assert spec["hostNetwork"]
    assert spec["hostPID"]
    assert container["securityContext"] == {"privileged": True}
    found = arguments(container, {"NODE": "n1", "ADDRESS": "10.0.0.1"})
    assert found.node == "n1"
    own = {one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"] for one in container["env"]}
    assert (own["POD_NAME"], own["POD_UID"]) == ("metadata.name", "metadata.uid")
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"]}
    for path in (str(found.state), str(found.cgroup)):
        assert volumes[mounted[path]] == path


def test_an_agent_may_read_faults_and_write_their_status_only(rendered):
    rules = rendered["Role", "agent"]["rules"]
    assert {(*rule["apiGroups"], *rule["resources"]): set(rule["verbs"]) for rule in rules} == {
        (faultspec.GROUP, faultspec.PLURAL): {"get", "list", "watch"},
        (faultspec.GROUP, f"{faultspec.PLURAL}/status"): {"get", "patch"},
    }
    (rule,) = rendered["Role", "stormdrill-agent"]["rules"]
    assert rule == {
        "apiGroups": [""], "resources": ["endpoints"], "resourceNames": ["kubernetes"], "verbs": ["get"],
    }  # fmt: skip
    assert rendered["RoleBinding", "stormdrill-agent"]["metadata"]["namespace"] == "default"
    for kind, name, account in (
        ("RoleBinding", "agent", "agent"),
        ("RoleBinding", "stormdrill-agent", "agent"),
        ("ClusterRoleBinding", "stormdrill-agent", "agent"),
        ("ClusterRoleBinding", "stormdrill-canary", "canary"),
    ):  # fmt: skip
        binding = rendered[kind, name]
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in rendered
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": account, "namespace": faultspec.NAMESPACE}
        ]
        assert ("ServiceAccount", account) in rendered


def test_canaries_watch_every_region_and_every_database_member(rendered):
    metadata, spec, container = pod(rendered, "canary")
    assert "hostNetwork" not in spec, "a pod's paths are what a partition cuts"
    assert metadata["annotations"]["prometheus.io/port"] == str(METRICS_PORT)
    data = rendered["ConfigMap", "canary"]["data"]
    found = arguments(container, {"NODE": "n1", "PEERS": data["peers"], "DATABASES": data["databases"]})
    assert found.peers == [
        ",".join(f"canary.{faultspec.NAMESPACE}.svc.{region}.local." for region in REGIONS)
    ]
    members = {target_of(text, "database").peer for text in found.database[0].split(",")}
    assert members == {"city1-a", "city1-b", "city2-a"}
    service = rendered["Service", "canary"]["spec"]
    assert service["clusterIP"] == "None"
    assert service["publishNotReadyAddresses"]
    assert {(port["port"], port["protocol"]) for port in service["ports"]} == {(PORT, "TCP"), (PORT, "UDP")}
