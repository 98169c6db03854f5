"""What a user gets by editing a line: a datacenter, a cell, a second remote city, an estate without a witness."""

import pytest
import yaml

REGIONS = "zones: [city1-a, city1-b, city1-w], witness: city1-w"


def patroni(objects, region, cell, what):
    return yaml.safe_load(objects[region]["ConfigMap", "patroni"]["data"][f"{what}-{cell}.yml"])


def etcd(objects, region):
    (initial,) = [
        value
        for key, value in objects[region]["ConfigMap", "etcd"]["data"].items()
        if key == "initial-cluster"
    ]
    return [member.partition("=")[0] for member in initial.split(",")]


def env(objects, region, deployment):
    (container,) = objects[region]["Deployment", deployment]["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value") for entry in container["env"]}


def peers(objects, region):
    return objects[region]["ConfigMap", "canary"]["data"]["peers"]


def listening(lab):
    return {entry.name: entry.listen for entry in lab.forwards} | {r.name: r.api_port for r in lab.regions}


def test_a_third_datacenter_that_holds_a_second_standby(estate):
    before = listening(estate.lab())
    estate.change(REGIONS, "zones: [city1-a, city1-b, city1-c]")
    estate.change("standby: [city1-b]", "standby: [city1-b, city1-c]")
    harness, lab, objects = estate.harness(), estate.lab(), estate.objects()
    assert etcd(objects, "city1") == ["etcd-city1-a-0", "etcd-city1-b-0", "etcd-city1-c-0"]
    assert list(harness.databases["cell0"].members) == ["pg-city1-a-0", "pg-city1-b-0", "pg-city1-c-0"]
    assert [edge.name for edge in harness.edges] == ["city1-a", "city1-b", "city1-c", "city2-a"]
    ready = {
        (part.selector, part.region): part.expect for part in lab.preset.ready if hasattr(part, "expect")
    }
    assert ready["app=pg,cell=cell0", "city1"] == ("leader", "sync_standby", "replica")
    behind = [env(objects, "city1", f"edge-city1-{zone}")["EDGE_BACKUP_ZONE"] for zone in "abc"]
    assert behind == ["city1-b", "city1-c", "city1-a"]
    # Ledgers of a cell run in every serving zone of its region, whether a member of its database does or not.
    assert ("Deployment", "ledger-cell1-city1-c") in objects["city1"]
    assert ("StatefulSet", "pg-cell1-city1-c") not in objects["city1"]
    assert before.items() <= listening(lab).items(), "what there was keeps its ports"
    for region in ("city1", "city2"):
        zones = objects[region]["ConfigMap", "bank"]["data"]["BANK_ZONES"]
        assert zones == "city1-a,city1-b,city1-c,city2-a", "where a cell may be given its home"


def test_a_third_datacenter_that_holds_a_primary(estate):
    estate.change(REGIONS, "zones: [city1-a, city1-b, city1-c]")
    estate.change("primary: city1-b", "primary: city1-c")
    harness, objects = estate.harness(), estate.objects()
    assert next(iter(harness.databases["cell1"].members)) == "pg-cell1-city1-c-0"
    assert patroni(objects, "city2", "cell1", "bootstrap")["bootstrap"]["dcs"]["standby_cluster"][
        "host"
    ].startswith("pg-cell1-city1-c-0.")


def test_a_third_cell(estate):
    before = listening(estate.lab())
    estate.change("links:\n", "  cell2: {primary: city1-a, standby: [city1-b]}\nlinks:\n")
    harness, lab, objects = estate.harness(), estate.lab(), estate.objects()
    assert [cell.customers.remainder for cell in harness.cells.values()] == [0, 1, 2]
    assert harness.databases["cell2"].standby is None, "it has no remote site"
    assert ("StatefulSet", "pg-cell2-city1-a") in objects["city1"]
    assert ("StatefulSet", "pg-cell2-city2-a") not in objects["city2"]
    assert objects["city1"]["ConfigMap", "bank"]["data"]["BANK_CELLS"] == "cell0,cell1,cell2"
    # Without ledgers of its own there, gateways of city2 ask those of the cell's home.
    assert objects["city2"]["ConfigMap", "bank"]["data"]["BANK_LEDGERS"].endswith(
        "cell2=http://ledger-cell2.bank.svc.city1.local:8090"
    )
    assert objects["city2"]["ConfigMap", "bank"]["data"]["BANK_LEDGER_ZONES"].endswith(
        "cell2@city1-a=http://ledger-cell2-city1-a.bank.svc.city1.local:8090,"
        "cell2@city1-b=http://ledger-cell2-city1-b.bank.svc.city1.local:8090"
    )
    assert before.items() <= listening(lab).items()


def test_a_second_remote_city_takes_another_cell(estate):
    before = listening(estate.lab())
    estate.change(
        "  city2: {zones: [city2-a]}\n", "  city2: {zones: [city2-a]}\n  city3: {zones: [city3-a]}\n"
    )
    estate.change("standby: [city1-a], remote: [city2-a]", "standby: [city1-a], remote: [city3-a]")
    harness, lab, objects = estate.harness(), estate.lab(), estate.objects()
    assert {name: database.standby.region for name, database in harness.databases.items()} == {
        "cell0": "city2", "cell1": "city3",
    }  # fmt: skip
    assert patroni(objects, "city3", "cell1", "region")["scope"] == "cell1-city3"
    assert ("StatefulSet", "pg-cell1-city2-a") not in objects["city2"]
    assert etcd(objects, "city3") == ["etcd-city3-a-0"]
    assert env(objects, "city3", "edge-city3-a")["EDGE_CHECK"] == "/servez"
    assert lab.preset.names[0].drained == ("city2-a", "city3-a")
    assert peers(objects, "city1").count("canary.stormdrill.svc.") == 3
    assert {name: port for name, port in before.items() if "cell1-city2" not in name}.items() <= listening(
        lab
    ).items()


def test_a_second_remote_city_keeps_one_more_standby_cluster(estate):
    estate.change(
        "  city2: {zones: [city2-a]}\n", "  city2: {zones: [city2-a]}\n  city3: {zones: [city3-a]}\n"
    )
    estate.change("standby: [city1-b], remote: [city2-a]", "standby: [city1-b], remote: [city2-a, city3-a]")
    harness, lab, objects = estate.harness(), estate.lab(), estate.objects()
    assert harness.databases["cell0"].standby.region == "city2"
    slots = patroni(objects, "city1", "cell0", "bootstrap")["bootstrap"]["dcs"]["slots"]
    assert sorted(slots) == ["city2", "city3"]
    follower = patroni(objects, "city3", "cell0", "bootstrap")["bootstrap"]["dcs"]["standby_cluster"]
    assert follower["primary_slot_name"] == "city3"
    assert patroni(objects, "city3", "cell0", "region")["scope"] == "cell0-city3"
    assert any("cell0 fails over to city2; city3 keeps a copy" in note for note in lab.preset.notes)


def test_a_pair_in_the_remote_city(estate):
    estate.change(
        "city2: {zones: [city2-a]}", "city2: {zones: [city2-a, city2-b], witness: none, etcd: [city2-a]}"
    )
    estate.change("standby: [city1-b], remote: [city2-a]", "standby: [city1-b], remote: [city2-a, city2-b]")
    harness, lab = estate.harness(), estate.lab()
    assert list(harness.databases["cell0"].standby.members) == ["pg-city2-a-0", "pg-city2-b-0"]
    ready = {
        (part.selector, part.region): part.expect for part in lab.preset.ready if hasattr(part, "expect")
    }
    assert ready["app=pg,cell=cell0", "city2"] == ("standby_leader", "replica")
    assert not any("cell0 is unprotected" in note for note in lab.preset.notes)


@pytest.mark.parametrize("regions", ["zones: [city1-a, city1-b], witness: none", REGIONS])
def test_without_a_witness_etcd_is_where_it_has_an_odd_number_and_its_loss_is_said(estate, regions):
    estate.change(REGIONS, regions)
    objects, notes = estate.objects(), estate.lab().preset.notes
    witness = "city1-w" in regions
    assert etcd(objects, "city1") == [
        f"etcd-{zone}-0" for zone in (["city1-a", "city1-b", "city1-w"] if witness else ["city1-a"])
    ]
    sets = {name for kind, name in objects["city1"] if kind == "StatefulSet" and name.startswith("etcd")}
    assert sets == {name.removesuffix("-0") for name in etcd(objects, "city1")}
    said = "city1 has its etcd in city1-a alone: while city1-a is lost, nothing in city1-b takes writes or can be "
    assert any(note.startswith(said) for note in notes) is not witness
    hosts = patroni(objects, "city1", "cell0", "region")["etcd3"]["hosts"]
    assert [host.removesuffix(".etcd:2379") for host in hosts] == etcd(objects, "city1")


def test_etcd_where_the_file_says(estate):
    estate.change(REGIONS, "zones: [city1-a, city1-b], witness: none, etcd: [city1-b]")
    assert etcd(estate.objects(), "city1") == ["etcd-city1-b-0"]


def test_two_cities_that_are_each_other_s_remote(estate):
    estate.change(
        "city2: {zones: [city2-a]}", "city2: {zones: [city2-a, city2-b, city2-w], witness: city2-w}"
    )
    estate.change(
        "cell1: {primary: city1-b, standby: [city1-a], remote: [city2-a]}",
        "cell1: {primary: city2-a, standby: [city2-b], remote: [city1-a]}",
    )
    harness, lab, objects = estate.harness(), estate.lab(), estate.objects()
    assert harness.databases["cell1"].home.region == "city2"
    assert lab.preset.names[0].drained == ()
    assert env(objects, "city2", "edge-city2-a").get("EDGE_CHECK") is None
    assert harness.services["gateway"].regions == ("city1", "city2")
    assert patroni(objects, "city1", "cell1", "region")["scope"] == "cell1-city1"
