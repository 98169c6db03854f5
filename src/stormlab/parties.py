"""`lab.outside`: programs of other firms, which stand outside every site and survive all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from stormlab import labels
from stormlab.yamltree import Tree

_LONGEST = 40
_KEYS = ("name", "command", "image", "port", "env", "forward")
_OWN = ("relay", "targets", "prometheus", "names", "forwards")
"""What processes of the lab itself are called."""


@dataclass(frozen=True)
class Party:
    """One program outside.

    `command` and `env` may use `$(ADDRESS)`, `$(PORT)` (where it is expected to listen) and `$(STATE)` (a directory
    of its own, kept until the lab is taken down).
    """

    name: str
    command: tuple[str, ...]
    port: int
    image: str = ""
    """Whose program directories come first on its path."""
    env: Mapping[str, str] = field(default_factory=dict)
    listen: int | None = None
    """Port on the host's loopback that leads to it."""


def read(tree: Tree, images: Collection[str]) -> tuple[Party, ...]:
    """Read the list. Problems go to the tree."""
    names = set(_OWN)
    found = []
    for element in tree.elements():
        party = _party(element, images)
        if party.name in names or party.name.startswith(("api-", "node-")):
            element.problem(f"'{party.name}' is what another process of the lab is called")
        names.add(party.name)
        found.append(party)
    return tuple(found)


def clashes(tree: Tree, parties: Iterable[Party], taken: Collection[int]) -> None:
    """Report ports outside that two have; `taken` are those of the lab itself."""
    ports = set(taken)
    for party in parties:
        if party.port in ports:
            tree.problem(f"port {party.port} outside, of {party.name}, is another's already")
        ports.add(party.port)


def _party(tree: Tree, images: Collection[str]) -> Party:
    fields = tree.fields(_KEYS, ("name", "command", "port"))
    name = fields["name"].text()
    if wrong := labels.wrong(name, _LONGEST):
        fields["name"].problem(wrong)
    command = tuple(element.text() for element in fields["command"].elements())
    if fields["command"].present and not command:
        fields["command"].problem("must name a program")
    image = fields["image"].text()
    if image and image not in images:
        fields["image"].problem(f"no image '{image}' (known: {', '.join(images)})")
    forward = fields["forward"]
    return Party(
        name=name,
        command=command,
        port=fields["port"].integer(0, 1, 65535),
        image=image,
        env={key: value.text() for key, value in fields["env"].items()},
        listen=forward.integer(0, 1024, 65535) if forward.present else None,
    )
