"""The lab's estate: regions, zones, links, and every address and name that follows from them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

from stormlab import labels
from stormlab.controllersettings import ControllerSettings
from stormlab.kubeletsettings import KubeletSettings
from stormlab.linkshape import LinkShape
from stormlab.overlays import Overlays
from stormlab.preset import Preset

OUTSIDE = "outside"
STATE_PARENT_ENV = "STORMLAB_STATE"
DEFAULT_STATE_PARENT = "/var/lib/stormlab"


@dataclass(frozen=True)
class Site:
    """One end of the links with a network namespace of its own: a zone, or the outside."""

    name: str
    netns: str
    network: IPv4Network
    """The /24 of this site; its pods live here."""
    address: str
    """The site's own address: of a zone's node (hostIP and DNS server), or of the outside."""


@dataclass(frozen=True)
class Zone(Site):
    """A datacenter of a region: one node with its pods."""

    region: str
    index: int
    """1-based, in the order of the file over all regions."""


@dataclass(frozen=True)
class Region:
    """One Kubernetes API with its zones."""

    name: str
    context: str
    index: int
    zones: tuple[Zone, ...]
    service_network: IPv4Network
    api_port: int
    """TLS port, both on the host's loopback and on the outside address inside the lab."""
    manifests: Path | None
    """Kustomize directory applied by `up`; None when it follows from a compact estate, or there is none."""


@dataclass(frozen=True)
class Image:
    """An image name and the program directories of this machine that stand for it."""

    name: str
    path: tuple[str, ...] = ()
    reserves: bool = True
    """Whether its programs can reserve room in files: what nobody writes takes memory here then."""


@dataclass(frozen=True)
class Forward:
    """A TCP port on the host's loopback that leads to a node port of a zone, or to a port outside."""

    name: str
    listen: int
    zone: str | None
    port: int


@dataclass(frozen=True)
class Estate:
    """Everything the lab knows about what it is to build."""

    name: str
    source: Path
    """The topology file."""
    network: IPv4Network
    regions: tuple[Region, ...]
    outside: Site
    links: Mapping[frozenset[str], LinkShape]
    """What the link between each pair of sites is like."""
    images: Mapping[str, Image]
    forwards: tuple[Forward, ...] = ()
    link_seed: int = 1
    """Of what chance decides on links: the same packets are lost again, counted from the relay's start."""
    preset: Preset = field(default_factory=Preset)
    """What only `up` and `status` read."""
    kubelet: KubeletSettings = field(default_factory=KubeletSettings)
    controllers: ControllerSettings = field(default_factory=ControllerSettings)
    overlays: Overlays | None = None
    """Manifests of regions that have no directory of their own."""
    environment: str = field(default="lab")

    @property
    def zones(self) -> tuple[Zone, ...]:
        """All zones in the order of the file."""
        return tuple(zone for region in self.regions for zone in region.zones)

    @property
    def sites(self) -> tuple[Site, ...]:
        """The outside and all zones."""
        return (self.outside, *self.zones)

    @property
    def cgroup(self) -> str:
        """Name of the lab's cgroup below each hierarchy's root."""
        return f"stormlab-{self.name}"

    def zone(self, name: str) -> Zone:
        """The zone of that name; KeyError when there is none."""
        return {zone.name: zone for zone in self.zones}[name]

    def region(self, name: str) -> Region:
        """The region of that name; KeyError when there is none."""
        return {region.name: region for region in self.regions}[name]

    def region_of(self, zone: str) -> Region:
        """The region a zone belongs to; KeyError when there is none."""
        return self.region(self.zone(zone).region)

    def api_url(self, region: str) -> str:
        """Where the nodes of `region` reach their API: the outside address, over the links."""
        return f"https://{self.outside.address}:{self.region(region).api_port}"

    def pod_netns(self, uid: str) -> str:
        """Name of a pod's network namespace."""
        return f"sl-{self.name}-p-{uid[:8]}"


def state_dir(lab: str) -> Path:
    """Directory that holds all state of the lab called `lab`. Raises BadInputError for what is no name."""
    return Path(os.environ.get(STATE_PARENT_ENV) or DEFAULT_STATE_PARENT) / labels.lab(lab)
