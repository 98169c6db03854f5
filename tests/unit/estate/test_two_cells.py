"""What runs where in an estate of two cells, and how its parts find each other."""

import pytest
import yaml

from stormbank.roles import ROLES

ZONE = "topology.kubernetes.io/zone"


@pytest.fixture(scope="module")
def objects(make_estate):
    return make_estate().objects()


def env_of(objects, region, deployment):
    """A container's environment with what comes from ConfigMaps; values from elsewhere are left out."""
    (container,) = objects[region]["Deployment", deployment]["spec"]["template"]["spec"]["containers"]
    found = {}
    for source in container.get("envFrom", []):
        found |= objects[region]["ConfigMap", source["configMapRef"]["name"]]["data"]
    return found | {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


def patroni_of(objects, region, name):
    """The configuration that a member mounts, merged file over file as far as these tests look."""
    (volume,) = [
        volume
        for volume in objects[region]["StatefulSet", name]["spec"]["template"]["spec"]["volumes"]
        if volume["name"] == "config"
    ]
    data = objects[region]["ConfigMap", "patroni"]["data"]
    return {item["path"]: yaml.safe_load(data[item["key"]]) for item in volume["configMap"]["items"]}


def names(objects, region, kind, start):
    return sorted(name for each, name in objects[region] if each == kind and name.startswith(start))


def test_names_of_the_first_cell_are_as_in_an_estate_of_one(objects):
    assert names(objects, "city1", "StatefulSet", "pg") == [
        "pg-cell1-city1-a", "pg-cell1-city1-b", "pg-city1-a", "pg-city1-b",
    ]  # fmt: skip
    assert names(objects, "city2", "StatefulSet", "pg") == ["pg-cell1-city2-a", "pg-city2-a"]
    assert names(objects, "city1", "Deployment", "ledger") == [
        "ledger-cell1-city1-a", "ledger-cell1-city1-b", "ledger-city1-a", "ledger-city1-b",
    ]  # fmt: skip
    for region in ("city1", "city2"):
        assert {"pg", "pg-cell1", "ledger", "ledger-cell1"} <= {
            name for kind, name in objects[region] if kind == "Service"
        }


def test_a_service_finds_its_own_cell_only(objects):
    for name, app, cell in (
        ("pg", "pg", "cell0"),
        ("pg-cell1", "pg", "cell1"),
        ("ledger-cell1", "ledger", "cell1"),
    ):
        selector = objects["city1"]["Service", name]["spec"]["selector"]
        assert selector == {"app": app, "cell": cell}
    workload = objects["city1"]["StatefulSet", "pg-cell1-city1-a"]
    assert workload["spec"]["serviceName"] == "pg-cell1"
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert labels == {"app": "pg", "cell": "cell1", ZONE: "city1-a"}


def test_only_the_member_of_the_primary_zone_founds_each_database(objects):
    founders = [
        name
        for region in objects
        for name in names(objects, region, "StatefulSet", "pg")
        if "30-bootstrap.yml" in patroni_of(objects, region, name)
    ]
    assert founders == ["pg-cell1-city1-b", "pg-city1-a", "pg-cell1-city2-a", "pg-city2-a"]


def test_scopes_and_sources(objects):
    home = patroni_of(objects, "city1", "pg-cell1-city1-a")["20-region.yml"]
    assert home["scope"] == "cell1"
    assert home["etcd3"]["hosts"] == [
        f"etcd-{zone}-0.etcd:2379" for zone in ("city1-a", "city1-b", "city1-w")
    ]
    remote = patroni_of(objects, "city2", "pg-cell1-city2-a")
    assert remote["20-region.yml"]["scope"] == "cell1-city2"
    source = remote["30-bootstrap.yml"]["bootstrap"]["dcs"]["standby_cluster"]
    assert source["host"] == (
        "pg-cell1-city1-b-0.pg-cell1.bank.svc.city1.local,pg-cell1-city1-a-0.pg-cell1.bank.svc.city1.local"
    )
    founded = patroni_of(objects, "city1", "pg-cell1-city1-b")["30-bootstrap.yml"]["bootstrap"]["dcs"]
    assert source["primary_slot_name"] in founded["slots"]


@pytest.mark.parametrize(
    ("region", "deployment", "cell", "members"),
    [
        ("city1", "ledger-city1-b", "cell0", "pg-city1-a-0.pg:5432,pg-city1-b-0.pg:5432"),
        (
            "city1",
            "ledger-cell1-city1-a",
            "cell1",
            "pg-cell1-city1-b-0.pg-cell1:5432,pg-cell1-city1-a-0.pg-cell1:5432",
        ),
        ("city2", "ledger-cell1-city2-a", "cell1", "pg-cell1-city2-a-0.pg-cell1:5432"),
    ],
)
def test_a_ledger_has_the_books_of_its_cell(objects, region, deployment, cell, members):
    env = env_of(objects, region, deployment)
    assert env["BANK_CELL"] == cell
    homes = {"cell0": "city1-a", "cell1": "city1-b"} if region == "city1" else {}
    assert env.get("BANK_HOME") == homes.get(cell)
    assert env["BANK_DB_DSN"] == f"postgresql://bank@{members}/bank?target_session_attrs=read-write"
    ROLES["ledger"].read({**env, "BANK_TOKEN_SECRET": "x" * 16})


def test_gateways_know_the_ledgers_of_every_cell(objects):
    for region, zone in (("city1", "city1-a"), ("city1", "city1-b"), ("city2", "city2-a")):
        env = env_of(objects, region, f"gateway-{zone}")
        settings = ROLES["gateway"].read({**env, "BANK_TOKEN_SECRET": "x" * 16})
        assert settings.common.cells.names == ("cell0", "cell1")
        assert settings.ledgers == {"cell0": ("http://ledger:8090",), "cell1": ("http://ledger-cell1:8090",)}
        assert settings.ledger_zones == {
            cell: {
                serving: (f"http://{name}-{serving}:8090",)
                for serving in ("city1-a", "city1-b", "city2-a")
                if serving.startswith(region)
            }
            for cell, name in (("cell0", "ledger"), ("cell1", "ledger-cell1"))
        }
        for name, selected in (("ledger", "cell0"), ("ledger-cell1", "cell1")):
            spec = objects[region]["Service", f"{name}-{zone}"]["spec"]
            assert spec["selector"] == {"app": "ledger", "cell": selected, ZONE: zone}


def test_two_cells_share_the_declared_capacity_of_one(estate, objects):
    """Slots over service time, summed over all ledgers, is the same whatever the number of cells."""

    def capacity(objects):
        total = 0.0
        for kind, name in objects["city1"]:
            if kind == "Deployment" and name.startswith("ledger"):
                settings = ROLES["ledger"].read(
                    {**env_of(objects, "city1", name), "BANK_TOKEN_SECRET": "x" * 16}
                )
                replicas = objects["city1"][kind, name]["spec"]["replicas"]
                assert replicas == 2
                total += replicas * settings.capacity.slots / settings.capacity.service_s["transfer"]
        return total

    two = capacity(objects)
    estate.change("  cell1: {primary: city1-b, standby: [city1-a], remote: [city2-a]}\n", "")
    assert capacity(estate.objects()) == pytest.approx(two, rel=1e-3)


def test_canaries_watch_every_member_by_its_zone(objects):
    data = objects["city1"]["ConfigMap", "canary"]["data"]
    assert data["peers"] == "canary.stormdrill.svc.city1.local.,canary.stormdrill.svc.city2.local."
    watched = sorted(entry.partition("=")[0] for entry in data["databases"].split(","))
    assert watched == ["city1-a", "city1-a", "city1-b", "city1-b", "city2-a", "city2-a"]


def test_node_ports_are_unique_in_a_region_and_meet_the_forwards(estate, objects):
    for region, parts in objects.items():
        ports = {
            (port["nodePort"], part["spec"]["selector"].get(ZONE))
            for (kind, _), part in parts.items()
            if kind == "Service"
            for port in part["spec"].get("ports", [])
            if "nodePort" in port
        }
        assert len({port for port, _ in ports}) == len(ports)
        for entry in estate.lab().forwards:
            if (entry.zone or "").startswith(region) and not entry.name.startswith("edge"):
                assert (entry.port, entry.zone) in ports


def test_the_harness_finds_books_and_databases_of_each_cell(estate):
    topology = estate.harness()
    assert {name: database.service for name, database in topology.databases.items()} == {
        "cell0": "database-cell0", "cell1": "database-cell1",
    }  # fmt: skip
    assert topology.services["database-cell1"].selector == {"app": "pg", "cell": "cell1"}
    assert topology.services["database"].selector == {"app": "pg"}
    listen = {entry.name: entry.listen for entry in estate.lab().forwards}
    assert topology.databases["cell1"].members == {
        "pg-cell1-city1-b-0": f"http://127.0.0.1:{listen['patroni-cell1-city1-b']}",
        "pg-cell1-city1-a-0": f"http://127.0.0.1:{listen['patroni-cell1-city1-a']}",
    }
    books = estate.full()["audit"]["cells"]["cell1"]["dsn"]
    ports = [listen[f"postgres-cell1-{zone}"] for zone in ("city1-b", "city1-a", "city2-a")]
    assert f"port={','.join(map(str, ports))} " in books


def test_logs_of_all_members_leave_room_in_the_memory_they_share(objects):
    total_mb = 0
    for region in objects:
        for name in names(objects, region, "StatefulSet", "pg"):
            kept = patroni_of(objects, region, name)["20-region.yml"]["postgresql"]["parameters"][
                "max_wal_size"
            ]
            total_mb += int(kept.removesuffix("MB"))
    assert total_mb <= 768
