"""The lab's wide-area network: a namespace for each site, a TUN device in it, routes that lead to the relay.

    zone netns: wan0 (TUN)  10.77.i.1/32     everything of 10.77.0.0/16 but its own pods -> wan0
    outside:    wan0 (TUN)  10.77.0.1/32     the same
    relay:      reads each wan0, waits half the round-trip time, writes the wan0 of the destination

The devices are persistent: established connections survive a restart of the relay.
"""

from __future__ import annotations

from stormlab.errors import LabError
from stormlab.estate import Estate, Site, Zone
from stormlab.inventory import Inventory
from stormlab.net import netns, translation

WAN = "wan0"
MTU = 1500
_FORWARDING = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/ip_nonlocal_bind": "1",
}

# After a cut packets may look out of window; they must still be translated, or the far end resets the flow.
_TRACKING = {"net/netfilter/nf_conntrack_tcp_be_liberal": "1"}


def setup(estate: Estate, inventory: Inventory) -> None:
    """Make the namespaces, devices, addresses and routes of every site; what exists is kept. Raises LabError."""
    for site in estate.sites:
        inventory.add("netns", site.netns, site.name)
        netns.create(site.netns)
        netns.sysctl(site.netns, _FORWARDING)
        netns.ip_batch(site.netns, _commands(estate, site, has_wan=_has_wan(site.netns)))
    for zone in estate.zones:
        _track(estate, zone)


def _track(estate: Estate, zone: Zone) -> None:
    """Set how the zone's node tracks connections, in its first minute after a boot as in any other.

    Rules that translate come first: they make the kernel load what has these settings.
    """
    services = estate.region(zone.region).service_network
    netns.nft(zone.netns, translation.base(services, zone.network, WAN))
    try:
        netns.sysctl(zone.netns, _TRACKING)
    except FileNotFoundError as error:
        raise LabError(f"this kernel cannot be told how to track connections: {error.filename}") from error


def _has_wan(name: str) -> bool:
    return any(f" {WAN}:" in line for line in netns.ip(["-n", name, "-o", "link", "show"]).splitlines())


def _commands(estate: Estate, site: Site, *, has_wan: bool) -> list[str]:
    """`ip` commands that make the site's side of the network; harmless when repeated.

    An address of the zone's own without a pod behind it is routed to the relay like any other, where the
    node's rules refuse it on its way out (see `translation`).
    """
    commands = [] if has_wan else [f"tuntap add mode tun vnet_hdr name {WAN}"]
    commands += [
        f"link set {WAN} mtu {MTU} txqueuelen 1000 up",
        f"address replace {site.address}/32 dev {WAN}",
        f"route replace {estate.network} dev {WAN} src {site.address}",
    ]
    # Of the own region too: a packet needs a route before its service address can be translated.
    commands += [
        f"route replace {region.service_network} dev {WAN} src {site.address}" for region in estate.regions
    ]
    return commands
