"""The manifests of preset `small` as kustomize renders them."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from patroni.config import Config
from patroni.utils import parse_int

from stormlab import claimspace, manifests, pki, topologyfile

TOPOLOGY = Path(__file__).parents[2] / "topology"


@pytest.fixture
def rendered(small_objects):
    return small_objects


def of_kind(objects, kind):
    return {part["metadata"]["name"]: part for part in objects if part["kind"] == kind}


def test_every_workload_is_placed_in_the_zone_it_is_named_after(rendered):
    for objects in rendered.values():
        for part in manifests.workloads(objects):
            if part["metadata"]["namespace"] != "bank":
                continue
            zone = part["spec"]["template"]["spec"]["nodeSelector"]["topology.kubernetes.io/zone"]
            assert part["metadata"]["name"].endswith(f"-{zone}")
            assert part["spec"]["template"]["metadata"]["labels"]["topology.kubernetes.io/zone"] == zone


def test_member_names_are_unique_over_both_regions(rendered):
    """Patroni would let the wrong node acknowledge synchronous commits otherwise."""
    names = [name for objects in rendered.values() for name in of_kind(objects, "StatefulSet")]
    assert len(names) == len(set(names))
    assert {name for name in names if name.startswith("pg-")} == {"pg-city1-a", "pg-city1-b", "pg-city2-a"}


def test_only_the_first_site_founds_the_database_cluster(rendered):
    sets = of_kind(rendered["city1"], "StatefulSet")

    def configured(name):
        volumes = sets[name]["spec"]["template"]["spec"]["volumes"]
        config = next(volume for volume in volumes if volume["name"] == "config")
        return {item["key"] for item in config["configMap"]["items"]}

    assert "bootstrap-cell0.yml" in configured("pg-city1-a")
    assert "bootstrap-cell0.yml" not in configured("pg-city1-b")
    assert "region-cell0.yml" in configured("pg-city1-b")


def test_patroni_can_recover_within_its_lease(rendered):
    """Patroni's own rule: loop_wait + 2 * retry_timeout <= ttl."""
    for objects in rendered.values():
        data = of_kind(objects, "ConfigMap")["patroni"]["data"]
        dcs = yaml.safe_load(data["bootstrap-cell0.yml"])["bootstrap"]["dcs"]
        assert dcs["loop_wait"] + 2 * dcs["retry_timeout"] <= dcs["ttl"]
        assert dcs["synchronous_mode"] is True


def test_logs_of_all_members_leave_room_in_the_memory_they_share(rendered, tmp_path):
    """A site that stays away, or a load without pause, must stop no database by a full volume."""
    total_mb = 0
    for objects in rendered.values():
        files = of_kind(objects, "ConfigMap")["patroni"]["data"]
        for path, name in (("10", "patroni.yml"), ("20", "region-cell0.yml"), ("30", "bootstrap-cell0.yml")):
            (tmp_path / f"{path}.yml").write_text(files[name])
        # As Patroni reads its directory: by name, later files over earlier ones.
        found = Config(str(tmp_path), None).local_configuration
        dynamic = found["bootstrap"]["dcs"]["postgresql"]["parameters"]["max_slot_wal_keep_size"]
        each = (found["postgresql"]["parameters"]["max_wal_size"], dynamic)
        members = sum(name.startswith("pg-") for name in of_kind(objects, "StatefulSet"))
        total_mb += members * sum(parse_int(size, "MB") for size in each)
    assert 0 < total_mb <= claimspace.SIZE_MB / 2


def test_initdb_options_have_the_form_patroni_takes(rendered):
    data = of_kind(rendered["city1"], "ConfigMap")["patroni"]["data"]
    for option in yaml.safe_load(data["bootstrap-cell0.yml"])["bootstrap"]["initdb"]:
        values = [option] if isinstance(option, str) else next(iter(option.items()))
        assert all(isinstance(value, str) for value in values), option


def test_nothing_is_restarted_for_starting_slowly(rendered):
    """A liveness probe without a startup probe kills what a busy machine has not started yet."""
    for objects in rendered.values():
        for part in manifests.workloads(objects):
            for container in part["spec"]["template"]["spec"]["containers"]:
                assert ("livenessProbe" not in container) or ("startupProbe" in container), part["metadata"]


def test_the_standby_cluster_follows_a_slot_that_the_source_keeps(rendered):
    def bootstrap(region):
        data = of_kind(rendered[region], "ConfigMap")["patroni"]["data"]
        return yaml.safe_load(data["bootstrap-cell0.yml"])["bootstrap"]["dcs"], yaml.safe_load(
            data["region-cell0.yml"]
        )

    source, source_region = bootstrap("city1")
    standby, standby_region = bootstrap("city2")
    assert standby["standby_cluster"]["primary_slot_name"] in source["slots"]
    assert source_region["scope"] != standby_region["scope"]
    for member in ("pg-city1-a-0", "pg-city1-b-0"):
        assert f"{member}.pg.bank.svc.city1.local" in standby["standby_cluster"]["host"]


def test_node_ports_are_unique_in_a_region_and_meet_the_forwards(rendered):
    forwards = topologyfile.load(TOPOLOGY / "small.yaml").forwards
    for region, objects in rendered.items():
        ports = [
            port["nodePort"]
            for service in of_kind(objects, "Service").values()
            for port in service["spec"].get("ports", [])
            if "nodePort" in port
        ]
        assert len(ports) == len(set(ports))
        wanted = {entry.port for entry in forwards if (entry.zone or "").startswith(region)}
        assert wanted <= set(ports)


def test_no_secret_is_in_the_repository(rendered):
    for objects in rendered.values():
        assert not of_kind(objects, "Secret")


def test_the_edge_is_a_configuration_haproxy_accepts(rendered, tmp_path):
    if shutil.which("haproxy") is None:
        pytest.skip("haproxy is not installed")
    path = tmp_path / "haproxy.cfg"
    text = of_kind(rendered["city1"], "ConfigMap")["edge"]["data"]["haproxy.cfg"]
    path.write_text(text.replace("/etc/edge-tls", str(tmp_path)))
    pki.ensure(tmp_path, ["city1"])
    for name, pem in zip(("tls.crt", "tls.key"), pki.issue(tmp_path, "edge", ["127.0.0.1"]), strict=True):
        (tmp_path / name).write_text(pem)
    zones = {"EDGE_ZONE": "city1-a", "EDGE_BACKUP_ZONE": "city1-b", "PATH": "/usr/sbin:/usr/bin:/bin"}
    argv = ["haproxy", "-c", "-f", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, env=zones, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_each_edge_has_the_other_site_behind_it(rendered):
    deployments = of_kind(rendered["city1"], "Deployment")
    for zone, other in (("city1-a", "city1-b"), ("city1-b", "city1-a")):
        (container,) = deployments[f"edge-{zone}"]["spec"]["template"]["spec"]["containers"]
        assert {"name": "EDGE_BACKUP_ZONE", "value": other} in container["env"]


def test_the_remote_edge_is_ready_only_when_business_can_be_done_behind_it(rendered):
    """Its gateways run all the time; until the database there is promoted nobody is to be sent to them."""

    def check(region, edge):
        (container,) = of_kind(rendered[region], "Deployment")[edge]["spec"]["template"]["spec"]["containers"]
        return {one["name"]: one.get("value") for one in container["env"]}.get("EDGE_CHECK")

    assert check("city2", "edge-city2-a") == "/servez"
    assert check("city1", "edge-city1-a") is None
    ledger = of_kind(rendered["city2"], "Deployment")["ledger-city2-a"]["spec"]["template"]["spec"]
    (dsn,) = [one["value"] for one in ledger["containers"][0]["env"] if one["name"] == "BANK_DB_DSN"]
    assert "@pg-city2-a-0.pg:5432/" in dsn
