"""What only `up` and `status` read of the lab block: Prometheus, secrets to make, what "ready" means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stormlab import durations, statusparts
from stormlab.parties import Party
from stormlab.statusparts import StatusRow, Watch
from stormlab.yamltree import Tree

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_SECONDS = re.compile(r"(\d+)s")
_KEY = re.compile(r"[A-Za-z0-9._-]+")
_SHORTEST_LIFE_S, _LONGEST_LIFE_S = 1.0, 3650 * 86_400.0
_PATRONI_ROLES = ("leader", "sync_standby", "replica", "standby_leader")


@dataclass(frozen=True)
class PrometheusPart:
    """The Prometheus outside every site."""

    port: int
    """Where it listens outside, all addresses."""
    config: Path
    """Jinja template of prometheus.yml."""
    rules: tuple[Path, ...]


@dataclass(frozen=True)
class NamePart:
    """A name that phones resolve, answered outside every site."""

    name: str
    port: int
    """Where it is answered outside."""
    ttl_s: float
    path: str
    """What an edge that serves answers 200 to."""
    edges: Mapping[str, str]
    """Edge as the name's users know it, to the forward that leads to it."""
    drained: tuple[str, ...] = ()
    """Edges that serve only when an operator says so."""


@dataclass(frozen=True)
class SecretPart:
    """A Secret made once and put into every region: random values for `keys`, or a certificate for hosts."""

    namespace: str
    name: str
    keys: tuple[str, ...] = ()
    tls: tuple[str, ...] = ()
    lifetime_s: float | None = None
    """Of the certificate, from when it is made; None: longer than any lab."""


@dataclass(frozen=True)
class PatroniReady:
    """A Patroni scope with a running member of each role in `expect`, the standbys among them streaming."""

    selector: str
    region: str
    port: int
    expect: tuple[str, ...]


@dataclass(frozen=True)
class HttpReady:
    """A forward that answers 200."""

    forward: str
    path: str


@dataclass(frozen=True)
class PrometheusReady:
    """Every annotated pod is scraped, seen through a forward."""

    forward: str


ReadyPart = PatroniReady | HttpReady | PrometheusReady


@dataclass(frozen=True)
class Preset:
    """The parts together."""

    prometheus: PrometheusPart | None = None
    secrets: tuple[SecretPart, ...] = ()
    ready: tuple[ReadyPart, ...] = ()
    names: tuple[NamePart, ...] = ()
    outside: tuple[Party, ...] = ()
    status: tuple[StatusRow, ...] = ()
    watch: Watch = field(default_factory=Watch)
    notes: tuple[str, ...] = ()
    """What the estate cannot do, for whoever looks at it."""


def read(
    lab: dict[str, Tree],
    regions: Iterable[str],
    forwards: Sequence[str],
    base: Path,
    parties: tuple[Party, ...] = (),
) -> Preset:
    """Read these parts of the lab block; paths are relative to `base`. Problems go to the trees."""
    return Preset(
        prometheus=_prometheus(lab["prometheus"], base),
        secrets=tuple(_secret(part) for part in lab["secrets"].elements()),
        ready=_ready(lab["ready"], list(regions), forwards),
        names=tuple(_name(part, forwards) for part in lab["names"].elements()),
        outside=parties,
        status=statusparts.rows(lab["status"], has_prometheus=lab["prometheus"].present),
        watch=statusparts.watch(lab["watch"]),
        notes=tuple(part.text() for part in lab["notes"].elements()),
    )


def ports_outside(preset: Preset) -> set[int]:
    """Where Prometheus and the names listen."""
    prometheus = {preset.prometheus.port} if preset.prometheus is not None else set()
    return prometheus | {part.port for part in preset.names}


def _prometheus(tree: Tree, base: Path) -> PrometheusPart | None:
    if not tree.present:
        return None
    fields = tree.fields(("port", "config", "rules"), ("config",))
    config = _file(fields["config"], base)
    rules = tuple(_file(element, base) for element in fields["rules"].elements())
    return PrometheusPart(fields["port"].integer(9090, 1024, 65535), config, rules)


def _file(tree: Tree, base: Path) -> Path:
    path = base / tree.text()
    if not path.is_file():
        tree.problem(f"no such file: {path}")
    return path


def _secret(tree: Tree) -> SecretPart:
    fields = tree.fields(("namespace", "name", "keys", "tls", "lifetime"), ("namespace", "name"))
    if fields["keys"].present == fields["tls"].present:
        tree.problem("give either 'keys' (random values) or 'tls' (hosts of a certificate)")
    for key in ("namespace", "name"):
        if fields[key].present and not _NAME.fullmatch(fields[key].text()):
            fields[key].problem("must be lower-case letters, digits, '-' and '.'")
    keys = tuple(element.text() for element in fields["keys"].elements())
    for key in keys:
        if not _KEY.fullmatch(key):
            fields["keys"].problem(f"'{key}' is no key of a Secret")
    hosts = tuple(element.text() for element in fields["tls"].elements())
    lifetime_s = _lifetime_s(fields["lifetime"], is_certificate=fields["tls"].present)
    return SecretPart(fields["namespace"].text(), fields["name"].text(), keys, hosts, lifetime_s)


def _lifetime_s(tree: Tree, *, is_certificate: bool) -> float | None:
    if not tree.present:
        return None
    if not is_certificate:
        tree.problem("only a certificate ('tls') has one")
    found_s = durations.parse_s(tree.text(), _SHORTEST_LIFE_S, _LONGEST_LIFE_S)
    if found_s is None:
        tree.problem("must be a duration from 1s to 3650d, such as 90s or 90d")
    return found_s


def _name(tree: Tree, forwards: Sequence[str]) -> NamePart:
    fields = tree.fields(("name", "port", "ttl", "check", "edges", "drained"), ("name", "port", "edges"))
    if fields["name"].present and not _NAME.fullmatch(fields["name"].text()):
        fields["name"].problem("must be lower-case letters, digits, '-' and '.'")
    ttl = fields["ttl"].text("5s")
    found = _SECONDS.fullmatch(ttl)
    if not found or not 1 <= int(found[1]) <= 3600:
        fields["ttl"].problem("must be a number of seconds from 1s to 3600s")
    edges = {edge: _forward(through, forwards) for edge, through in fields["edges"].items()}
    if fields["edges"].present and not edges:
        fields["edges"].problem("a name needs at least one edge")
    drained = tuple(element.text() for element in fields["drained"].elements())
    for edge in drained:
        if edge not in edges:
            fields["drained"].problem(f"no edge '{edge}' (known: {', '.join(edges)})")
    path = fields["check"].fields(("path",))["path"].text("/")
    ttl_s = float(found[1]) if found else 5.0
    port = fields["port"].integer(9053, 1024, 65535)
    return NamePart(fields["name"].text(), port, ttl_s, path, edges, drained)


def _ready(tree: Tree, regions: Sequence[str], forwards: Sequence[str]) -> tuple[ReadyPart, ...]:
    parts: list[ReadyPart] = []
    for element in tree.elements():
        kinds = [key for key, _ in element.items() if key in _READERS]
        if len(kinds) != 1:
            element.problem(f"give exactly one of: {', '.join(_READERS)}")
            continue
        parts.append(_READERS[kinds[0]](element, regions, forwards))
    return tuple(parts)


def _patroni(tree: Tree, regions: Sequence[str], _: Sequence[str]) -> ReadyPart:
    fields = tree.fields(("patroni", "region", "port", "expect"), ("region", "expect"))
    region = fields["region"].text()
    if region not in regions:
        fields["region"].problem(f"no region '{region}' (known: {', '.join(regions)})")
    roles = tuple(element.text() for element in fields["expect"].elements())
    for role in roles:
        if role not in _PATRONI_ROLES:
            fields["expect"].problem(f"no role '{role}' (known: {', '.join(_PATRONI_ROLES)})")
    return PatroniReady(fields["patroni"].text(), region, fields["port"].integer(8008, 1, 65535), roles)


def _http(tree: Tree, _: Sequence[str], forwards: Sequence[str]) -> ReadyPart:
    fields = tree.fields(("http", "path"))
    return HttpReady(_forward(fields["http"], forwards), fields["path"].text("/"))


def _prometheus_ready(tree: Tree, _: Sequence[str], forwards: Sequence[str]) -> ReadyPart:
    return PrometheusReady(_forward(tree.fields(("prometheus",))["prometheus"], forwards))


def _forward(tree: Tree, forwards: Sequence[str]) -> str:
    name = tree.text()
    if name not in forwards:
        tree.problem(f"no forward '{name}' (known: {', '.join(forwards)})")
    return name


_READERS = {"patroni": _patroni, "http": _http, "prometheus": _prometheus_ready}
