"""One line in the registry is a service: a Deployment in each serving zone, a Service in each region, its address."""

import pytest
import yaml

from stormestate import roles
from stormestate.roles import Party, Role
from stormlab.preset import HttpReady

ZONE = "topology.kubernetes.io/zone"
SWIFT = Role("swift", 8801, "A1", "compute", replicas=2, secrets={"BANK_KEY": ("bank", "BANK_TOKEN_SECRET")})
SLOW = Role("slow", 8802, "C", "query", asked=False, env={"BANK_SLOW_MS": "5"})


@pytest.fixture
def objects(monkeypatch, estate):
    monkeypatch.setattr(roles, "ROLES", (SWIFT, SLOW))
    return estate.objects()


@pytest.mark.parametrize(
    ("region", "zone"), [("city1", "city1-a"), ("city1", "city1-b"), ("city2", "city2-a")]
)
def test_every_serving_zone_has_it(objects, region, zone):
    deployment = objects[region]["Deployment", f"swift-{zone}"]
    pod = deployment["spec"]["template"]
    assert pod["metadata"]["labels"] == {"app": "swift", ZONE: zone}
    assert deployment["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    assert deployment["spec"]["replicas"] == 2
    assert pod["spec"]["nodeSelector"] == {ZONE: zone}
    notes = pod["metadata"]["annotations"]
    assert (notes["prometheus.io/scrape"], notes["prometheus.io/port"]) == ("true", "8801")
    (container,) = pod["spec"]["containers"]
    assert container["command"] == ["python", "-m", "stormbank", "swift"]
    assert container["ports"] == [{"name": "http", "containerPort": 8801}]
    assert container["envFrom"] == [{"configMapRef": {"name": "bank"}}]
    stated = {entry["name"]: entry.get("value") or entry["valueFrom"] for entry in container["env"]}
    assert stated["BANK_KEY"] == {"secretKeyRef": {"name": "bank", "key": "BANK_TOKEN_SECRET"}}
    assert set(stated) == {"BANK_POD", "BANK_ZONE", "BANK_TOKEN_SECRET", "BANK_KEY"}


def test_a_witness_has_none(objects):
    assert [name for kind, name in objects["city1"] if kind == "Deployment" and "city1-w" in name] == []


def test_the_regions_name_leads_to_the_region_own_zone_first(objects):
    for region in objects:
        spec = objects[region]["Service", "swift"]["spec"]
        assert spec["selector"] == {"app": "swift"}
        assert spec["ports"] == [{"name": "http", "port": 8801, "targetPort": "http"}]


def test_gateways_are_told_whom_to_ask(objects):
    assert objects["city2"]["ConfigMap", "bank"]["data"]["BANK_SERVICES"] == "swift=http://swift:8801"


def test_what_may_be_given_up_is_looked_at_more_seldom(objects):
    (swift,), (slow,) = (
        objects["city1"]["Deployment", f"{name}-city1-a"]["spec"]["template"]["spec"]["containers"]
        for name in ("swift", "slow")
    )
    assert swift["readinessProbe"]["periodSeconds"] < slow["readinessProbe"]["periodSeconds"]
    assert {"name": "BANK_SLOW_MS", "value": "5"} in slow["env"]
    # No later than the node would be called lost: five failures in a row of ten seconds each.
    liveness = slow["livenessProbe"]
    assert liveness["periodSeconds"] * liveness["failureThreshold"] <= 50


def test_the_harness_knows_it(monkeypatch, estate):
    monkeypatch.setattr(roles, "ROLES", (SWIFT, SLOW))
    found = estate.harness().services["slow"]
    assert (found.selector, found.type.value) == ({"app": "slow"}, "query")


def test_without_roles_nothing_is_said_of_them(monkeypatch, estate):
    monkeypatch.setattr(roles, "ROLES", ())
    assert not [path for path in estate.expansion().overlays if "services" in path]
    assert "BANK_SERVICES" not in yaml.safe_dump(dict(estate.expansion().overlays))


BANKER = Party("banker", 8105, "BANK_BANKER_URL", env={"BOOKS": "$(STATE)/books"})


def test_a_firm_outside_is_one_line_too(monkeypatch, estate):
    monkeypatch.setattr(roles, "PARTIES", (BANKER,))
    estate.change(
        "ports: 22000",
        "ports: {base: 22000, banker: 22900}\n  outside: [{name: mine, command: [x], port: 1}]",
    )
    lab = estate.lab()
    assert [party.name for party in lab.preset.outside] == ["banker", "mine"]
    assert lab.preset.outside[0].env == {"BOOKS": "$(STATE)/books"}
    (forward,) = [each for each in lab.forwards if each.name == "banker"]
    assert (forward.listen, forward.zone, forward.port) == (22900, None, 8105)
    assert HttpReady("banker", "/livez") in lab.preset.ready
    # The lab gives the outside this address: pods find it under it.
    url = estate.objects()["city2"]["ConfigMap", "bank"]["data"]["BANK_BANKER_URL"]
    assert url == f"http://{lab.outside.address}:8105"


def test_a_firms_port_follows_from_the_base(monkeypatch, estate):
    monkeypatch.setattr(roles, "PARTIES", (BANKER,))
    (forward,) = [each for each in estate.lab().forwards if each.name == "banker"]
    assert forward.listen == 22105
