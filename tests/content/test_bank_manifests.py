"""The bank's manifests as shipped: what they render to, and that a bank process accepts their settings."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stormbank.operations import OPERATIONS
from stormbank.roles import ROLES
from stormestate import roles as services

ROOT = Path(__file__).resolve().parents[2]
ZONE = "topology.kubernetes.io/zone"


@pytest.fixture
def rendered(small_objects):
    return {(each["kind"], each["metadata"]["name"]): each for each in small_objects["city1"]}


@pytest.mark.parametrize("zone", ["city1-a", "city1-b"])
@pytest.mark.parametrize(("role", "port"), [("gateway", 8080), ("ledger", 8090)])
def test_each_serving_zone_has_both_roles(rendered, zone, role, port):
    deployment = rendered["Deployment", f"{role}-{zone}"]
    pod = deployment["spec"]["template"]
    assert deployment["spec"]["replicas"] == 2
    cell = {"cell": "cell0"} if role == "ledger" else {}
    assert pod["metadata"]["labels"] == {"app": role, ZONE: zone} | cell
    assert deployment["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    assert pod["spec"]["nodeSelector"] == {ZONE: zone}
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(port)
    (container,) = pod["spec"]["containers"]
    assert container["command"] == ["python", "-m", "stormbank", role]
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port}
    assert container["readinessProbe"]["periodSeconds"] == 1
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": port}


def test_settings_are_known_and_accepted(rendered):
    settings = rendered["ConfigMap", "bank"]["data"]
    source = "".join(
        each.read_text(encoding="utf-8") for each in (ROOT / "src/stormbank/settings").glob("*.py")
    )
    assert [name for name in settings if f'"{name}"' not in source] == []
    for role in ("gateway", "ledger", *(each.name for each in services.ROLES)):
        (container,) = rendered["Deployment", f"{role}-city1-a"]["spec"]["template"]["spec"]["containers"]
        stated = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        assert [name for name in stated if f'"{name}"' not in source] == []
        ROLES[role].read({**settings, **stated, "BANK_TOKEN_SECRET": "x" * 16})
    # Drain and the last requests fit into the time a pod is given to end.
    grace_s = rendered["Deployment", "ledger-city1-a"]["spec"]["template"]["spec"][
        "terminationGracePeriodSeconds"
    ]
    assert float(settings["BANK_DRAIN_S"]) + 3 < grace_s


def test_the_change_of_the_map_that_is_shipped_has_the_settings_of_a_ledger(rendered):
    job = yaml.safe_load((ROOT / "topology/kubernetes/jobs/remap.yaml").read_text())
    pod = rendered["Deployment", "ledger-city1-a"]["spec"]["template"]
    (ledger,), (remap,) = pod["spec"]["containers"], job["spec"]["containers"]
    for field in ("image", "env", "envFrom"):
        assert remap[field] == ledger[field], field
    for field in ("nodeSelector", "securityContext"):
        assert job["spec"][field] == pod["spec"][field], field
    assert job["metadata"]["labels"] == pod["metadata"]["labels"] | {"app": "remap"}


def test_the_estates_roles_are_the_banks(rendered):
    """Each line names a role of the bank, on the port where that listens, with a setting that is read."""
    source = "".join(
        each.read_text(encoding="utf-8") for each in (ROOT / "src/stormbank/settings").glob("*.py")
    )
    for each in (*services.ROLES, *services.PARTIES):
        assert ROLES[each.name].port == each.port
    for party in services.PARTIES:
        assert f'"{party.setting}"' in source
        ROLES[party.name].read(
            {name: value.replace("$(ADDRESS)", "10.0.0.1") for name, value in party.env.items()}
        )
    for role in services.ROLES:
        ports = [{"name": "http", "port": role.port, "targetPort": "http"}]
        assert rendered["Service", role.name]["spec"]["ports"] == ports
        assert ("Deployment", f"{role.name}-city1-b") in rendered


def test_gateways_know_every_service_that_does_an_operation(rendered):
    wanted = {each.service for each in OPERATIONS if not each.internal} - {"ledger"}
    env = {**rendered["ConfigMap", "bank"]["data"], "BANK_TOKEN_SECRET": "x" * 16}
    assert wanted <= set(ROLES["gateway"].read(env).services)


def test_no_secret_is_shipped(rendered):
    assert [name for kind, name in rendered if kind == "Secret"] == []


def test_addresses(rendered):
    assert rendered["Service", "ledger"]["spec"]["selector"] == {"app": "ledger", "cell": "cell0"}
    for zone in ("city1-a", "city1-b"):
        spec = rendered["Service", f"gateway-{zone}"]["spec"]
        assert spec["clusterIP"] == "None"
        assert spec["selector"] == {"app": "gateway", ZONE: zone}
