"""What runs in one zone: a member of etcd, an edge, gateways, services, and each cell's ledgers and database member."""

from __future__ import annotations

from typing import Any

from stormestate import roles
from stormestate.overlays import bank, patroni, services
from stormestate.overlays.text import ZONE, document, env, kustomization, workload
from stormestate.ports import patroni_node_port, postgres_node_port
from stormestate.shape import DATABASE, LEDGER, Cell, Region, Shape, Site, Zone

_BASE = "../../../../base"


def files(shape: Shape, region: Region, zone: Zone) -> dict[str, str]:
    """Files of the zone's directory; none when nothing runs in it but what runs on every node."""
    bases: list[str] = []
    patches: dict[str, str] = {}
    found: dict[str, str] = {}
    if zone.name in region.etcd:
        bases.append(f"{_BASE}/etcd/zone")
        patches["place-etcd.yaml"] = _placed("StatefulSet", "etcd", zone)
    if zone.serves:
        bases += [f"{_BASE}/edge/zone", f"{_BASE}/bank/zone"]
        patches["place-edge.yaml"] = _edge(shape, region, zone)
        patches["place-gateway.yaml"] = _placed("Deployment", "gateway", zone)
        for cell, site in shape.cells_in(region.name):
            bases.append(f"{cell.name}-ledgers")
            found |= _ledgers(cell, site, zone)
            if zone.name in site.zones:
                bases.append(f"{cell.name}-database")
                found |= _database(cell, site, zone)
        for role in roles.ROLES:
            bases.append(services.directory(role))
            more = bank.database_settings(shape, region) if role.databases else {}
            found |= services.deployment(role, zone, _BASE, more)
    if not bases:
        return {}
    top = kustomization(
        f"What runs in zone {zone.name}.",
        nameSuffix=f"-{zone.name}",
        commonLabels={ZONE: zone.name},
        bases=bases,
        patchesStrategicMerge=list(patches),
    )
    return {"kustomization.yaml": top} | patches | found


def _node(zone: Zone) -> dict[str, Any]:
    return {"nodeSelector": {ZONE: zone.name}}


def _placed(kind: str, name: str, zone: Zone) -> str:
    return document(f"Its node is {zone.name}.", workload(kind, name, _node(zone)))


def _edge(shape: Shape, region: Region, zone: Zone) -> str:
    """Behind each edge stands the next site of its region."""
    serving = [one.name for one in region.serving]
    other = serving[zone.number % len(serving)]
    settings = {"EDGE_BACKUP_ZONE": other if other != zone.name else "none"}
    title = f"Its node is {zone.name}."
    if region.name not in shape.homes:
        title += (
            " It says that it is ready once business can be done behind it, which is when a\n"
            "database has been promoted here: until then nobody is sent here."
        )
        settings["EDGE_CHECK"] = "/servez"
    pod = _node(zone) | {"containers": [{"name": "haproxy", "env": env(settings)}]}
    return document(title, workload("Deployment", "edge", pod))


def _ledgers(cell: Cell, site: Site, zone: Zone) -> dict[str, str]:
    """Also where the cell has no member: its ledgers there reach the other sites' members."""
    pod = _node(zone) | {"containers": [{"name": "ledger", "env": env(bank.ledger_settings(cell, site))}]}
    patch = document(f"Ledgers of {cell.name} in {zone.name}.", workload("Deployment", "ledger", pod))
    directory = f"{cell.name}-ledgers"
    return {
        f"{directory}/ledger.yaml": patch,
        f"{directory}/kustomization.yaml": kustomization(
            f"The ledgers of {cell.name}; the zone's name comes after the cell's.",
            nameSuffix=cell.ledger.removeprefix(LEDGER),
            commonLabels={"cell": cell.name},
            bases=[f"../{_BASE}/bank/ledger"],
            patchesStrategicMerge=["ledger.yaml"],
        ),
    }


def _database(cell: Cell, site: Site, zone: Zone) -> dict[str, str]:
    postgres = {"name": "postgres", "port": 5432, "nodePort": postgres_node_port(cell.number, zone.number)}
    rest = {"name": "patroni", "port": 8008, "nodePort": patroni_node_port(cell.number, zone.number)}
    address = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "pg-member"}}
    directory = f"{cell.name}-database"
    return {
        f"{directory}/member.yaml": document(
            f"The member of {cell.name} in {zone.name}, and its address from outside.",
            _member(cell, site, zone),
            address | {"spec": {"ports": [postgres, rest]}},
        ),
        f"{directory}/kustomization.yaml": kustomization(
            f"The database member of {cell.name}; the zone's name comes after the cell's.",
            nameSuffix=cell.database.removeprefix(DATABASE),
            commonLabels={"cell": cell.name},
            bases=[f"../{_BASE}/postgres/zone"],
            patchesStrategicMerge=["member.yaml"],
        ),
    }


def _member(cell: Cell, site: Site, zone: Zone) -> dict[str, Any]:
    items = [("patroni.yml", "10-patroni.yml"), (patroni.settings_key(cell), "20-region.yml")]
    if zone.name == site.zones[0]:
        # Only this member ever founds the database, so the first primary is here.
        items.append((patroni.founding_key(cell), "30-bootstrap.yml"))
    keys = [{"key": key, "path": path} for key, path in items]
    pod = _node(zone) | {"volumes": [{"name": "config", "configMap": {"name": "patroni", "items": keys}}]}
    if site != cell.home:
        pod["containers"] = [{"name": "postgres", "env": env({"STANDBY_SOURCE": patroni.source(cell)})}]
    return workload("StatefulSet", "pg", pod, serviceName=cell.database)
