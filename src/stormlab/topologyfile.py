"""The topology file as the lab reads it: `name`, `regions`, `links` and `lab`, strictly, into an Estate."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

from stormlab import compact, controllersettings, kubeletsettings, labels, parties, preset, topologylinks
from stormlab.errors import BadInputError
from stormlab.estate import OUTSIDE, Estate, Forward, Image, Region, Site, Zone
from stormlab.yamltree import Tree

_LONGEST = 40
"""Of the names of regions, zones and forwards."""
_LAB_KEYS = (
    "network", "manifests", "images", "api_ports", "forwards", "prometheus", "secrets", "ready", "names", "outside",
    "kubelet", "status", "watch", "notes", "controllers",
)  # fmt: skip
_COPY, ORIGIN = "topology.yaml", "topology.origin"


def load(path: Path | str, name: str | None = None) -> Estate:
    """Read the topology file; `name` replaces the lab's name, so that one file can serve two labs.

    Raises BadInputError with every problem as `file:line: text`.
    """
    return _load(Path(path).resolve(), Path(path).resolve(), name, whole=True)


def keep(estate: Estate, state: Path) -> None:
    """Copy the topology file into the state directory, where the lab's own processes read it."""
    state.mkdir(parents=True, exist_ok=True)
    (state / ORIGIN).write_text(f"{estate.name}\n{estate.source}\n", encoding="utf-8")
    temporary = state / f"{_COPY}.new"
    temporary.write_bytes(estate.source.read_bytes())
    temporary.replace(state / _COPY)


def of_state(state: Path | str) -> Estate:
    """The estate of an existing lab, as `keep` left it. Raises BadInputError when there is none."""
    state = Path(state)
    try:
        name, origin = (state / ORIGIN).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise BadInputError([f"{state}: no lab here"]) from error
    return _load(state / _COPY, Path(origin), name, whole=False)


def _load(path: Path, origin: Path, name: str | None, *, whole: bool) -> Estate:
    root, problems, overlays = compact.read(path, origin.parent, whole=whole)
    top = dict(root.items())
    absent = Tree(None, "", 1, problems)
    for key in ("name", "regions", "lab"):
        if key not in top:
            problems.add(1, f"'{key}' is missing")
    lab_name = _label(top.get("name", absent), labels.LAB_LENGTH) if name is None else labels.lab(name)
    lab = top.get("lab", absent).fields(_LAB_KEYS, ["network"])
    network = _network(lab["network"])
    regions = _regions(top.get("regions", absent), lab, lab_name, network, origin.parent)
    sites = [OUTSIDE, *(zone.name for region in regions for zone in region.zones)]
    images = _images(lab["images"], origin.parent)
    outside = parties.read(lab["outside"], images)
    forwards = _forwards(lab["forwards"], sites, outside)
    links, link_seed = topologylinks.read(top.get("links", absent), regions)
    parts = preset.read(lab, [r.name for r in regions], [f.name for f in forwards], origin.parent, outside)
    parties.clashes(lab["outside"], outside, preset.ports_outside(parts) | {r.api_port for r in regions})
    estate = Estate(
        name=lab_name,
        source=origin,
        network=network,
        regions=regions,
        outside=Site(OUTSIDE, f"sl-{lab_name}-outside", _slice(network, 0), _first(_slice(network, 0))),
        links=links,
        link_seed=link_seed,
        images=images,
        forwards=forwards,
        preset=parts,
        kubelet=kubeletsettings.read(lab["kubelet"]),
        controllers=controllersettings.read(lab["controllers"]),
        overlays=overlays,
    )
    problems.raise_if_any()
    return estate


def _label(tree: Tree, longest: int) -> str:
    text = tree.text("unnamed")
    if wrong := labels.wrong(text, longest):
        tree.problem(wrong)
    return text


def _network(tree: Tree) -> IPv4Network:
    default = IPv4Network("10.77.0.0/16")
    try:
        network = IPv4Network(tree.text(str(default)))
    except ValueError as error:
        tree.problem(f"not an IPv4 network: {error}")
        return default
    if network.prefixlen != 16 or 96 <= network.network_address.packed[1] <= 127:
        tree.problem("must be an IPv4 /16 outside x.96-127.0.0 (those are service addresses)")
        return default
    return network


def _slice(network: IPv4Network, index: int) -> IPv4Network:
    return IPv4Network((int(network.network_address) + (index << 8), 24))


def _first(network: IPv4Network) -> str:
    return str(network.network_address + 1)


def _service_network(network: IPv4Network, index: int) -> IPv4Network:
    first = network.network_address.packed[0]
    return IPv4Network(f"{first}.{95 + index}.0.0/16")


def _regions(
    tree: Tree, lab: dict[str, Tree], lab_name: str, network: IPv4Network, base: Path
) -> tuple[Region, ...]:
    regions: list[Region] = []
    zone_names: set[str] = set()
    ports = _per_region(lab["api_ports"], tree)
    manifests = _per_region(lab["manifests"], tree)
    for index, (name, part) in enumerate(tree.items(), start=1):
        if name == OUTSIDE or labels.wrong(name, _LONGEST):
            said = f"lower-case letters, digits and '-', at most {_LONGEST} characters"
            part.problem(f"a region's name is {said}, and not '{OUTSIDE}'")
        fields = part.fields(("context", "zones"), ["zones"])
        zones = []
        for element in fields["zones"].elements():
            zone_name = _label(element, _LONGEST)
            if zone_name in zone_names or zone_name == OUTSIDE:
                element.problem(f"zone '{zone_name}' is already taken")
            zone_names.add(zone_name)
            zone_index = len(zone_names)
            cidr = _slice(network, zone_index)
            zones.append(Zone(zone_name, f"sl-{lab_name}-{zone_name}", cidr, _first(cidr), name, zone_index))
        if not zones:
            part.problem("a region needs at least one zone")
        port = ports[name].integer(0, 1024, 65535) if name in ports else 0
        if name not in ports and lab["network"].present:
            lab["api_ports"].problem(f"no port for region '{name}'")
        place = (base / manifests[name].text()) if name in manifests else None
        services = _service_network(network, index)
        regions.append(Region(name, fields["context"].text(name), index, tuple(zones), services, port, place))
    if len(zone_names) > 200 or len(regions) > 32:
        tree.problem("at most 32 regions and 200 zones fit into the address plan")
    return tuple(regions)


def _per_region(tree: Tree, regions: Tree) -> dict[str, Tree]:
    names = [name for name, _ in regions.items()]
    return {key: child for key, child in tree.fields(names).items() if child.present}


def _images(tree: Tree, base: Path) -> dict[str, Image]:
    images = {}
    for name, part in tree.items():
        path = []
        fields = part.fields(["path", "reserves"])
        for element in fields["path"].elements():
            place = Path(base, element.text()).resolve()
            path.append(str(place))
            if element.text().startswith(".") and not place.is_dir():
                element.problem(f"no directory {place}")
        reserves = fields["reserves"].text("true")
        if reserves not in {"true", "false"}:
            fields["reserves"].problem("must be true or false")
        images[name] = Image(name, tuple(path), reserves == "true")
    return images


def _forwards(tree: Tree, sites: list[str], firms: tuple[parties.Party, ...]) -> tuple[Forward, ...]:
    forwards = [Forward(each.name, each.listen, None, each.port) for each in firms if each.listen is not None]
    for part in tree.elements():
        fields = part.fields(("name", "listen", "zone", "node_port", "outside_port"), ("name", "listen"))
        zone = fields["zone"].text() if fields["zone"].present else None
        if zone is not None and (zone == OUTSIDE or zone not in sites):
            fields["zone"].problem(f"no zone '{zone}'")
        inside, outside = zone is not None and fields["node_port"].present, fields["outside_port"].present
        if inside == outside:
            part.problem("give either 'zone' and 'node_port', or 'outside_port'")
        port = fields["node_port" if inside else "outside_port"].integer(0, 1, 65535)
        forward = Forward(
            _label(fields["name"], _LONGEST), fields["listen"].integer(0, 1024, 65535), zone, port
        )
        if any(forward.name == known.name or forward.listen == known.listen for known in forwards):
            part.problem("name or listen port given twice")
        forwards.append(forward)
    return tuple(forwards)
