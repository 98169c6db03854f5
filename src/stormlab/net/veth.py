"""The wire between a pod and its node: a veth pair, the pod's address, a host route."""

from __future__ import annotations

import contextlib

from stormlab.errors import LabError
from stormlab.estate import Zone
from stormlab.net import netns
from stormlab.net.setup import MTU


def device(uid: str) -> str:
    """Name of the node's end of a pod's wire (at most 15 characters)."""
    return f"pod{uid[:8]}"


def connect(zone: Zone, namespace: str, uid: str, address: str) -> None:
    """Make the pod's namespace and its wire to the node. Raises LabError."""
    netns.create(namespace)
    # As container runtimes set it: a program that is not root may serve port 80.
    netns.sysctl(namespace, {"net/ipv4/ip_unprivileged_port_start": "0"})
    host = device(uid)
    with contextlib.suppress(LabError):  # left from an attempt that was killed
        netns.ip(["-n", zone.netns, "link", "delete", host])
    netns.ip_batch(
        zone.netns,
        [
            f"link add {host} mtu {MTU} type veth peer name eth0 mtu {MTU} netns {namespace}",
            f"link set {host} up",
            f"route replace {address}/32 dev {host}",
        ],
    )
    netns.ip_batch(
        namespace,
        [
            f"address add {address}/32 dev eth0",
            "link set eth0 up",
            f"route add {zone.address} dev eth0 scope link",
            f"route add default via {zone.address} dev eth0",
        ],
    )


def disconnect(zone: Zone, namespace: str, uid: str) -> None:
    """Remove the wire and the pod's namespace. Raises LabError when the namespace stays.

    The wire goes first and by itself: a namespace lives as long as any of its sockets, and the
    address must stop answering at once.
    """
    with contextlib.suppress(LabError):
        netns.ip(["-n", zone.netns, "link", "delete", device(uid)])
    error = netns.delete(namespace)
    if error:
        raise LabError(f"namespace {namespace}: {error}")
