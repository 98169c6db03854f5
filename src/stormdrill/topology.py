"""The topology file: `stormdrill.topology/1` decoded into an `estate.Topology`.

`links` and `lab` are the lab's half of the file; they are read by the lab and passed over here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from stormdrill import address
from stormdrill.content import Fields, Node, Problems, lines_of, open_document
from stormdrill.content.problems import unknown
from stormdrill.estate import (
    CanarySource,
    DrillLock,
    Edge,
    Environment,
    Idempotency,
    Operation,
    OperationKind,
    PrometheusSource,
    Region,
    Resolver,
    Service,
    SystemType,
    Topology,
)
from stormdrill.estate_sites import Database, FencedEdges
from stormdrill.metric_names import METRICS
from stormdrill.topology_audit import check_audited, decode_audit, decode_credential
from stormdrill.topology_cells import decode_cells
from stormdrill.topology_sites import check_sites, decode_fenced_edges, decode_site, members_of

SCHEMA = "stormdrill.topology/1"

_TIER = re.compile(r"[A-Z][0-9]?")
T = TypeVar("T")


def load(path: Path) -> Topology:
    """Read a topology file. InputError with every problem, each with its line."""
    document = open_document(path, SCHEMA)
    with document.root.fields() as top:
        topology = _decode(top, path.resolve(), document.sha256)
    _cross_check(top, topology, document.problems)
    document.problems.raise_if_any()
    return replace(topology, lines=lines_of(document.root))


def _decode(top: Fields, path: Path, sha256: str) -> Topology:
    for passed_over in ("schema", "links"):
        top.get(passed_over)
    namespace = top.need("namespace").name("default")
    return Topology(
        path=path,
        sha256=sha256,
        name=top.need("name").name(),
        environment=Environment(top.get("environment").choice([*Environment], Environment.PRODUCTION)),
        namespace=namespace,
        regions=_named(top.need("regions"), _region),
        edges=tuple(_edge(name, node) for name, node in _filled(top.need("edges"))),
        prometheus=_prometheus(top.need("prometheus")),
        services=_named(top.need("services"), lambda name, node: _service(name, node, namespace)),
        operations=_named(top.need("operations"), _operation),
        cells=decode_cells(top.get("cells")),
        idempotency=top.get("idempotency").maybe(_idempotency),
        databases=_named(top.get("databases"), _database),
        audit=decode_audit(top.need("audit"), path.parent),
        metrics=_metrics(top.get("metrics")),
        continuity=top.need("continuity").file(path.parent),
        profile=top.get("profile").maybe(lambda node: node.file(path.parent)),
        lock=_lock(top.get("lock"), namespace),
        has_lab=top.get("lab").present,
        fenced_edges=_fenced_edges(top.get("fence"), namespace),
        canaries=top.get("canaries").maybe(_canaries),
        resolver=top.get("resolver").maybe(_resolver),
    )


def _named(node: Node, read: Callable[[str, Node], T]) -> dict[str, T]:
    return {name: read(name, child) for name, child in _filled(node)}


def _filled(node: Node) -> list[tuple[str, Node]]:
    items = node.items()
    if node.present and not items:
        node.problem("must not be empty")
    return items


def _region(name: str, node: Node) -> Region:
    with node.fields() as fields:
        zones = fields.need("zones").texts()
        if not zones:
            node.problem("needs at least one zone")
        return Region(
            name,
            fields.get("context").text(name),
            zones,
            fields.get("cluster_id").maybe(Node.text),
        )


def _url(node: Node) -> str:
    text = node.text()
    if text and (wrong := address.trouble(text)):
        node.problem(wrong)
    return text.rstrip("/")


def _edge(name: str, node: Node) -> Edge:
    """A URL, or `{url, ca}` for one whose certificate an authority of the estate's own has signed."""
    if not node.is_mapping:
        return Edge(name, _url(node))
    with node.fields() as fields:
        url, authority = fields.need("url"), fields.get("ca")
        edge = Edge(name, _url(url), authority.maybe(decode_credential))
        if edge.ca is not None and not edge.url.startswith("https://"):
            authority.problem("only an https:// address has a certificate that could be checked")
        return edge


def _prometheus(node: Node) -> PrometheusSource:
    with node.fields() as fields:
        return PrometheusSource(
            _url(fields.need("url")),
            fields.get("max_age").duration_s(5.0, low=0.1),
            fields.get("timeout").duration_s(5.0, low=0.1, high=60),
            fields.get("step").duration_s(1.0, low=0.1, high=60),
            fields.get("bearer").maybe(decode_credential),
        )


def _service(name: str, node: Node, namespace: str) -> Service:
    with node.fields() as fields:
        selector = {key: value.text() for key, value in fields.need("selector").items()}
        if not selector and fields.get("selector").present:
            fields.get("selector").problem("an empty selector would select every pod")
        return Service(
            name,
            selector,
            SystemType(fields.need("type").choice([*SystemType], SystemType.FLOW)),
            fields.get("namespace").name(namespace),
            fields.get("regions").texts(),
            fields.get("container").maybe(Node.text),
        )


def _operation(name: str, node: Node) -> Operation:
    with node.fields() as fields:
        tier = fields.need("tier").text("A")
        if not _TIER.fullmatch(tier):
            fields.get("tier").problem(
                f"'{tier}' is not a tier (a capital letter, then perhaps a digit: A1, B)"
            )
        match = fields.get("match")
        return Operation(
            name,
            tier,
            OperationKind(fields.need("kind").choice([*OperationKind], OperationKind.READ)),
            fields.need("deadline").duration_s(1.0, low=0.001),
            _one_or_more(match),
        )


def _one_or_more(node: Node) -> tuple[str, ...]:
    return node.texts() if node.is_list else tuple(filter(None, [node.text()]))


def _idempotency(node: Node) -> Idempotency:
    with node.fields() as fields:
        return Idempotency(
            fields.need("header").text(),
            fields.get("amount_field").maybe(Node.text),
            fields.get("target_field").maybe(Node.text),
        )


def _database(cell: str, node: Node) -> Database:
    with node.fields() as fields:
        members = members_of(fields.need("members"))
        home, standby = fields.get("home"), fields.get("standby")
        if home.present != standby.present:
            node.problem("'home' and 'standby' belong together: give both or neither")
        return Database(
            cell,
            fields.need("kind").choice(["patroni"], "patroni"),
            fields.need("service").text(),
            fields.get("container").maybe(Node.text),
            members,
            fields.get("crash").texts(),
            home.maybe(lambda site: decode_site(site, members)),
            standby.maybe(decode_site),
            fields.get("password").maybe(decode_credential),
        )


def _fenced_edges(node: Node, namespace: str) -> FencedEdges | None:
    if not node.present:
        return None
    with node.fields() as fields:
        return decode_fenced_edges(fields.need("edges"), namespace)


def _metrics(node: Node) -> dict[str, str]:
    for name, child in node.items():
        if name not in METRICS:
            child.problem(unknown("metric", name, METRICS))
    return {name: child.text() for name, child in node.items()}


def _canaries(node: Node) -> CanarySource:
    with node.fields() as fields:
        return CanarySource(fields.get("metric").text("stormdrill_canary_up"))


def _resolver(node: Node) -> Resolver:
    with node.fields() as fields:
        return Resolver(_url(fields.need("url")))


def _lock(node: Node, namespace: str) -> DrillLock:
    with node.fields() as fields:
        return DrillLock(fields.get("namespace").name(namespace), fields.get("name").name("stormdrill"))


def _cross_check(top: Fields, topology: Topology, problems: Problems) -> None:
    """What one part of the file says about another."""
    seen: set[str] = set()
    for name, region in topology.regions.items():
        for zone in region.zones:
            if zone in seen:
                _complain(top, f"regions.{name}", f"zone '{zone}' is given twice")
            seen.add(zone)
    for name, service in topology.services.items():
        _known(top, f"services.{name}", "region", service.regions, topology.regions)
    _cross_check_databases(top, topology)
    check_audited(top.get("audit"), topology.cells)
    matches: dict[str, str] = {}
    for name, operation in topology.operations.items():
        for match in operation.match:
            if match in matches:
                _complain(top, f"operations.{name}", f"'{match}' already belongs to '{matches[match]}'")
            matches[match] = name
    writes = [
        name for name, operation in topology.operations.items() if operation.kind is OperationKind.WRITE
    ]
    if writes and topology.idempotency is None:
        problems.add(
            top.node.line, f"'idempotency' is missing: {', '.join(writes)} write, and retries need a key"
        )


def _cross_check_databases(top: Fields, topology: Topology) -> None:
    for cell, database in topology.databases.items():
        _known(top, f"databases.{cell}", "cell", [cell], topology.cells)
        _known(top, f"databases.{cell}", "service", [database.service], topology.services)
        for problem in check_sites(database, topology.regions):
            _complain(top, f"databases.{cell}", problem)


def _known(top: Fields, place: str, what: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name and name not in known:
            _complain(top, place, unknown(what, name, known))


def _complain(top: Fields, place: str, message: str) -> None:
    section, _, name = place.partition(".")
    dict(top.get(section).items())[name].problem(message)
