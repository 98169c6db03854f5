"""nft rules of a node: service addresses and node ports to the addresses of pods. Pure text.

The base chains are made once and stay: were they replaced, established connections would lose their
translation for a moment. A change flushes and fills the rules in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

TABLE = "stormlab"
_MASQUERADE = "0x4000"


@dataclass(frozen=True)
class Backend:
    """Where a connection may end."""

    address: str
    port: int


@dataclass(frozen=True)
class Frontend:
    """One port of a service, and the backends chosen for this node."""

    name: str
    protocol: str
    """tcp or udp."""
    address: str | None
    """Service address, None when it has none of its own."""
    port: int
    node_port: int | None
    backends: tuple[Backend, ...]
    local_backends: tuple[Backend, ...] | None = None
    """The node port's own when it may lead to no other zone; none of them: it answers nothing at all."""


def base(services: IPv4Network, zone: IPv4Network, wan: str) -> str:
    """Script that makes the table and its chains; harmless when they exist.

    A service address that no rule translates is refused at once, as a service without ready pods is, and so
    is the address of a pod that is gone: one of the zone's own that would leave it by `wan`. TCP is refused
    by a reset: an ICMP answer that arrives while connect() still holds
    the socket is only noted, and programs that poll then spin until the next SYN.
    """
    refusals = "\n".join(
        f"add rule ip {TABLE} {chain} {match} {refusal}"
        for chain in ("forward", "local")
        for match in (f"ip daddr {services}", f'oifname "{wan}" ip daddr {zone}')
        for refusal in ("meta l4proto tcp reject with tcp reset", "reject with icmp type port-unreachable")
    )
    return f"""
table ip {TABLE} {{
    set hairpin {{ type ipv4_addr . ipv4_addr; }}
    chain services {{ }}
    chain prerouting {{ type nat hook prerouting priority dstnat; }}
    chain output {{ type nat hook output priority -100; }}
    chain postrouting {{ type nat hook postrouting priority srcnat; }}
    chain forward {{ type filter hook forward priority filter; }}
    chain local {{ type filter hook output priority filter; }}
}}
flush chain ip {TABLE} prerouting
flush chain ip {TABLE} output
flush chain ip {TABLE} postrouting
flush chain ip {TABLE} forward
flush chain ip {TABLE} local
add rule ip {TABLE} prerouting jump services
add rule ip {TABLE} output jump services
add rule ip {TABLE} postrouting meta mark and {_MASQUERADE} == {_MASQUERADE} masquerade
add rule ip {TABLE} postrouting ct status dnat ip saddr . ip daddr @hairpin masquerade
{refusals}
"""


def rules(frontends: Iterable[Frontend], node: str, zone: IPv4Network) -> str:
    """Script that replaces all translations of the node with address `node` by these."""
    lines = [f"flush chain ip {TABLE} services", f"flush set ip {TABLE} hairpin"]
    addresses: set[str] = set()
    for front in frontends:
        addresses |= {backend.address for backend in (*front.backends, *(front.local_backends or ()))}
        # An answer must come back through here to be translated back: only what started
        # in this zone does so by itself, for the rest this node stands in as the source.
        if front.address is not None and front.backends:
            match = f"ip daddr {front.address} {front.protocol} dport {front.port}"
            lines.append(_rule(f"{match} ip saddr != {zone} meta mark set meta mark or {_MASQUERADE}"))
            lines.append(_rule(f"{match} {_translate(front.backends)}", front.name))
        if front.node_port is not None:
            lines += _node_port(front, f"ip daddr {node} {front.protocol} dport {front.node_port}")
    if addresses:
        pairs = ", ".join(f"{address} . {address}" for address in sorted(addresses))
        lines.append(f"add element ip {TABLE} hairpin {{ {pairs} }}")
    return "\n".join(lines) + "\n"


def _node_port(front: Frontend, match: str) -> list[str]:
    if front.local_backends is None:
        if not front.backends:
            return []
        masquerade = _rule(f"{match} meta mark set meta mark or {_MASQUERADE}")
        return [masquerade, _rule(f"{match} {_translate(front.backends)}", front.name)]
    # As kube-proxy does it: who asks keeps its address, and where nobody is there the packet is lost.
    return [
        _rule(f"{match} {_translate(front.local_backends) if front.local_backends else 'drop'}", front.name)
    ]


def _rule(text: str, comment: str = "") -> str:
    said = f' comment "{comment}"' if comment else ""
    return f"add rule ip {TABLE} services {text}{said}"


def _translate(backends: Sequence[Backend]) -> str:
    if len(backends) == 1:
        return f"dnat to {backends[0].address}:{backends[0].port}"
    choices = ", ".join(f"{i} : {one.address} . {one.port}" for i, one in enumerate(backends))
    return f"dnat to numgen random mod {len(backends)} map {{ {choices} }}"
