"""The part of a topology that says where a database lives, and what else is closed when a site is."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from stormdrill import address
from stormdrill.content import Node
from stormdrill.content.problems import unknown
from stormdrill.estate_sites import Database, DatabaseSite, FencedEdges

_SLOT = re.compile(r"[a-z0-9_]{1,63}")
_SECRET = re.compile(r"password\s*=|://[^/@\s]*:[^/@\s]*@")


def members_of(node: Node) -> dict[str, str]:
    """Member names and their Patroni REST URLs."""
    if node.present and not node.items():
        node.problem("must not be empty")
    found = {}
    for name, child in node.items():
        url = child.text()
        if url and (wrong := address.trouble(url)):
            child.problem(wrong)
        found[name] = url.rstrip("/")
    return found


def decode_site(node: Node, members: Mapping[str, str] | None = None) -> DatabaseSite:
    """One site of a database. `members` are those of the cell, for the site that is its home."""
    with node.fields() as fields:
        slot, dsn = fields.need("slot"), fields.need("dsn")
        if slot.present and not _SLOT.fullmatch(slot.text()):
            slot.problem("a replication slot's name has small letters, digits and underscores only")
        if _SECRET.search(dsn.text()):
            dsn.problem("no password here: plans are kept as evidence; use 'password:' of the database")
        return DatabaseSite(
            fields.need("region").text(),
            members_of(fields.need("members")) if members is None else members,
            fields.need("address").text(),
            fields.get("port").integer(5432, low=1, high=65535),
            slot.text(),
            dsn.text(),
        )


def decode_fenced_edges(node: Node, namespace: str) -> FencedEdges:
    """Which edges, and how they are told."""
    with node.fields() as fields:
        selector = {key: value.text() for key, value in fields.need("selector").items()}
        if node.present and not selector:
            fields.get("selector").problem("an empty selector would select every pod")
        return FencedEdges(
            selector,
            fields.get("namespace").name(namespace),
            fields.get("container").maybe(Node.text),
            fields.need("socket").text(),
            fields.need("backend").text(),
        )


def check_sites(database: Database, regions: Collection[str]) -> list[str]:
    """What is wrong between the sites of a database."""
    home, standby = database.home, database.standby
    if home is None or standby is None:
        return []
    found = [
        unknown("region", site.region, regions) for site in (home, standby) if site.region not in regions
    ]
    if home.region == standby.region:
        found.append(f"'home' and 'standby' are both in {home.region}")
    if home.slot == standby.slot:
        found.append(f"'home' and 'standby' have the same slot '{home.slot}'")
    # A name seen twice would let the wrong node acknowledge synchronous commits.
    found += [f"member {name} is named in both sites" for name in home.members if name in standby.members]
    return found
