"""The arguments of what runs in an estate: an agent on every node, a canary in every zone."""

from __future__ import annotations

from pathlib import Path

from stormdrill.cli.grammar import Commands, add, lazy


def canary(commands: Commands) -> None:
    """`stormdrill canary`."""
    parser = add(
        commands,
        "canary",
        lazy("canary", "canary"),
        "watch the paths between zones from one of them, as metrics; runs in every zone of an estate",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--zone", metavar="ZONE", help="the zone it is in")
    where.add_argument("--node", metavar="NODE", help="the node it is on, whose label says the zone")
    parser.add_argument(
        "--peers", action="append", required=True, metavar="NAME,...",
        help="other canaries: names of DNS, addresses, or files with one a line; asked for every second",
    )  # fmt: skip
    parser.add_argument(
        "--database", action="append", default=[], metavar="[ZONE=]HOST:PORT,...",
        help="databases to reach, with the zone each is in",
    )  # fmt: skip
    parser.add_argument(
        "--control-plane", metavar="HOST:PORT", help="default: the Kubernetes API of the pod's environment"
    )
    parser.add_argument("--listen", default="0.0.0.0", metavar="ADDRESS", help="default: every address")
    parser.add_argument("--port", type=int, default=7400, help="TCP and UDP, the same of every canary (7400)")
    parser.add_argument("--metrics-port", type=int, default=7401, help="HTTP: /metrics and /healthz (7401)")


def agent(commands: Commands) -> None:
    """`stormdrill agent`."""
    text = "apply and take away leased faults on this node (runs there, as root)"
    parser = add(commands, "agent", lazy("agent", "agent"), text)
    parser.add_argument("--node", required=True, metavar="NAME", help="this node, as Kubernetes calls it")
    for name, default, what in (
        ("--state", "/var/lib/stormdrill", "what must outlive the agent"),
        ("--cgroup", "/sys/fs/cgroup", "the node's control groups"),
    ):
        parser.add_argument(name, type=Path, default=Path(default), metavar="DIR", help=f"{what} ({default})")
    parser.add_argument(
        "--listen", default=":7402", metavar="ADDR:PORT", help="of /metrics and /healthz (:7402)"
    )
    parser.add_argument(
        "--spare", action="append", default=[], metavar="LABEL=VALUE",
        help="pods of our namespace that a site loss does not kill (may be repeated)",
    )  # fmt: skip
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: the pod's service account")
    parser.add_argument("--context", metavar="C", help="context of the kubeconfig (its current one)")
