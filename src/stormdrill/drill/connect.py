"""Clients for everything a plan needs, each asked once whether it is there and is the right one.

All problems are reported together, as bad input: nothing has been touched yet.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from stormdrill.audit import Reader, reader_of
from stormdrill.credential import resolve
from stormdrill.direct.names import NameDirector
from stormdrill.direct.patroni import PatroniDirector
from stormdrill.drill import pressure
from stormdrill.drill.edges import reach
from stormdrill.drill.moves import unusual
from stormdrill.drill.queries import Query, queries_of
from stormdrill.drill.stop import Stop
from stormdrill.errors import Aborted, InputError, Problem, StormdrillError, TargetError
from stormdrill.estate import Region, Topology
from stormdrill.estate_books import Audit, HttpAudit, SqlAudit
from stormdrill.estate_secrets import Credential
from stormdrill.faults.canaries import Canaries
from stormdrill.kube import Cluster
from stormdrill.plan import Plan
from stormdrill.prometheus import Prometheus

_ZONE = "topology.kubernetes.io/zone"
T = TypeVar("T")


@dataclass(frozen=True)
class Targets:
    """Clients that have answered. `facts` is what was found, for the record."""

    clusters: Mapping[str, Cluster]
    directors: Mapping[str, PatroniDirector]
    prometheus: Prometheus | None
    books: Reader
    facts: dict[str, Any]
    canaries: Canaries | None = None
    authorities: Mapping[str, str] = field(default_factory=dict)
    """Who signs for the edges' certificates, as PEM by the edge's name."""

    @property
    def lock_cluster(self) -> Cluster:
        """Where the drill lock lives: the first region."""
        return next(iter(self.clusters.values()))


class _Problems:
    """Collects what is wrong, so that a person can mend all of it at once."""

    def __init__(self, topology: Topology, stop: Stop) -> None:
        self._topology = topology
        self._stop = stop
        self.found: list[Problem] = []

    def attempt(self, call: Callable[[], T], place: Query | str) -> T | None:
        """The call's result, or None with its error noted at `place`: a query's own, or a key of the topology.

        Aborted as soon as the run has to end.
        """
        try:
            return self._stop.during(call)
        except Aborted:
            raise
        except InputError as error:
            self.found += [p if p.file else self._problem(p.message, place) for p in error.problems]
        except StormdrillError as error:
            self.found.append(self._problem(str(error), place))
        return None

    def _problem(self, message: str, place: Query | str) -> Problem:
        if isinstance(place, str):
            return Problem(str(self._topology.path), self._topology.lines.get(place, 0), message)
        return Problem(str(place.file), place.line, f"{place.what}: {message}")


def connect(plan: Plan, stop: Stop) -> Targets:
    """Connect to every target of the plan. InputError with all problems together, Aborted when stopped."""
    topology = plan.topology
    problems = _Problems(topology, stop)
    identities: dict[str, str] = {}
    clusters: dict[str, Cluster] = {}
    for region in topology.regions.values():
        found = problems.attempt(partial(_cluster, plan.kubeconfig, region), f"regions.{region.name}")
        if found:
            clusters[region.name], identities[region.name] = found
    problems.attempt(lambda: _distinct(topology, identities), "regions")
    if set(clusters) == set(topology.regions):
        problems.attempt(lambda: _failed_over(topology, clusters), "databases")
    authorities = _edges(topology, clusters, problems)
    problems.attempt(lambda: _resolve(topology), "resolver.url")
    books = problems.attempt(lambda: _reader(topology, clusters), "audit")
    prometheus = problems.attempt(lambda: _prometheus(topology, clusters), "prometheus")
    if prometheus:
        for query in queries_of(plan):
            problems.attempt(partial(prometheus.instant, query.text), query)
    directors = {cell: PatroniDirector(database.members) for cell, database in topology.databases.items()}
    for cell, director in directors.items():
        problems.attempt(director.cluster, f"databases.{cell}")
    if why := pressure.trouble():
        problems.found.append(Problem("", 0, why))
    if problems.found or books is None:
        raise InputError(problems.found)
    facts = {"clusters": identities, "environment": str(topology.environment), "plan": plan.digest}
    canaries = canaries_of(topology, prometheus)
    return Targets(clusters, directors, prometheus, books, facts, canaries, authorities)


def canaries_of(topology: Topology, prometheus: Prometheus | None) -> Canaries | None:
    """The canaries as Prometheus tells of them; None when the topology names none."""
    if prometheus is None or topology.canaries is None:
        return None
    return Canaries(prometheus, topology.canaries.metric, tuple(topology.zones))


def _cluster(kubeconfig: Path | None, region: Region) -> tuple[Cluster, str]:
    """The region's cluster and its identity, once it is known to be the one the topology means."""
    cluster = Cluster.connect(kubeconfig, region.context)
    identity = cluster.identity()
    context = f"region {region.name}, context {region.context}"
    if region.cluster_id and region.cluster_id != identity:
        raise InputError(
            f"{context}: wrong cluster: its id is {identity}, the topology says {region.cluster_id}"
        )
    nodes = cluster.list("/api/v1/nodes")
    zones = {(node["metadata"].get("labels") or {}).get(_ZONE) for node in nodes} - {None}
    missing = [zone for zone in region.zones if zone not in zones]
    if missing:
        there = ", ".join(sorted(str(zone) for zone in zones)) or "no zone label at all"
        raise InputError(
            f"{context}: wrong cluster? no node has {_ZONE} {' or '.join(missing)} (its nodes have: {there})"
        )
    return cluster, identity


def _failed_over(topology: Topology, clusters: Mapping[str, Cluster]) -> None:
    """Refuse an estate whose databases do not stand where they belong, saying where they do and what is safe."""
    if found := unusual(topology, clusters):
        raise InputError("; ".join(found))


def _distinct(topology: Topology, identities: Mapping[str, str]) -> None:
    by_id: dict[str, list[str]] = {}
    for region, identity in identities.items():
        by_id.setdefault(identity, []).append(region)
    for regions in by_id.values():
        if len(regions) > 1:
            contexts = ", ".join(f"{name} (context {topology.regions[name].context})" for name in regions)
            raise InputError(f"two regions are the same cluster: {contexts}")


def _resolve(topology: Topology) -> None:
    """Ask the name that phones resolve; it must lead to edges of the topology."""
    if topology.resolver is None:
        return
    found = NameDirector(topology.resolver.url).resolve()
    known = {edge.name for edge in topology.edges}
    if strange := [edge for edge in found.edges if edge not in known]:
        raise InputError(
            f"the name at {topology.resolver.url} leads to {', '.join(strange)}: no edge below `edges`"
        )


def _edges(topology: Topology, clusters: Mapping[str, Cluster], problems: _Problems) -> dict[str, str]:
    """Reach every edge; who signs for it, by its name."""
    authorities: dict[str, str] = {}
    for edge in topology.edges:
        found = problems.attempt(partial(_secret, edge.ca, clusters), f"edges.{edge.name}") or ""
        authorities[edge.name] = found
        if edge.ca is None or found:
            problems.attempt(partial(reach, edge, found), f"edges.{edge.name}")
    return authorities


def _secret(credential: Credential | None, clusters: Mapping[str, Cluster]) -> str | None:
    """The secret, or None when its region's API could not be reached (which is a problem of its own)."""
    if credential and credential.secret and credential.secret.region not in clusters:
        return None
    return resolve(credential, lambda region: clusters[region])


def _reader(topology: Topology, clusters: Mapping[str, Cluster]) -> Reader:
    audit = topology.audit
    credential = audit.password if isinstance(audit, SqlAudit) else None
    if isinstance(audit, HttpAudit):
        credential = audit.bearer
    secret = _secret(credential, clusters)
    reader = reader_of(audit, secret)
    if credential is None or secret is not None:
        _try_books(reader, audit)
    return reader


def _try_books(books: Reader, audit: Audit) -> None:
    """Read once what the audit will read in the end. TargetError with what would make it incomplete."""
    if isinstance(audit, SqlAudit):
        found = books.read(books.high_water(), ())
    elif isinstance(audit, HttpAudit):
        found = books.read(0, (str(uuid.uuid4()),))  # nobody's key: it has to be missing
    else:
        return  # an export that is put in place later, or nothing
    if not found.complete:
        raise TargetError(f"the audit cannot read the books: {found.why}")


def _prometheus(topology: Topology, clusters: Mapping[str, Cluster]) -> Prometheus | None:
    source = topology.prometheus
    if source is None:
        return None
    prometheus = Prometheus(source.url, source.timeout_s, _secret(source.bearer, clusters))
    age_s = prometheus.sample_age_s()
    if age_s > source.max_age_s:
        raise InputError(
            f"Prometheus at {source.url}: its newest sample is {age_s:.0f} s old, "
            f"allowed is {source.max_age_s:g} s"
        )
    return prometheus
