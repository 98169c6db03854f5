"""`site: {cell, lost, do | is}`: one step of a failover or of the way back, by the same code as a drill's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stormdrill.content import Node
from stormdrill.estate import Topology
from stormdrill.plan_moves import cells_at_home_in
from stormdrill.runbook.calls import Finding
from stormdrill.runbook.surroundings import Surroundings

DO = {
    "close": "close {lost} for the writers of {cell}: databases to 0, edges shut",
    "promote": "promote the other site of {cell}, behind the fence of {lost}",
    "lead": "lead phones away from {lost}",
    "export": "keep what {lost} had of {cell} and the other site never received",
    "rebuild": "overwrite {lost}'s databases of {cell}: base backup from the other site",
    "switch_back": "switch {cell} back to {lost}, and phones with it",
}
IS = {
    "closed": "{lost} is closed for the writers of {cell}, and it is known how",
    "promoted": "the other site of {cell} takes writes",
    "led": "phones are led to the other site alone, and an edge there is well",
    "rebuilt": "{lost} follows the other site of {cell} and has all that it has",
    "home": "{cell} is led from {lost} again, with every standby, and phones are led there",
}


@dataclass(frozen=True)
class Site:
    """What is done to the two sites of `cell` after `lost` was lost, or (`changes` false) asked of them.

    An empty `cell` is every cell with two sites that is at home in `lost`.

    `why` goes into the record of a promotion or a switch. `declared` is people's word that the lost site takes no
    writes, `unread` their word that volumes may be overwritten which could not be read.
    """

    cell: str
    lost: str
    what: str
    changes: bool
    why: str = ""
    declared: str | None = None
    unread: str | None = None

    @property
    def text(self) -> str:
        """What it does or wants, and on whose word."""
        cell = self.cell or "every cell at home there"
        said = (DO if self.changes else IS)[self.what].format(cell=cell, lost=self.lost)
        words = [f"on this word: {word}" for word in (self.declared, self.unread) if word]
        return "; ".join([said, *words])

    def run(self, around: Surroundings) -> Finding:
        """Do it, or look once."""
        from stormdrill.runbook.calls import site_work  # noqa: PLC0415 - `runbook check` needs no Kubernetes client

        return site_work.run(self, around)

    def cells(self, topology: Topology) -> list[str]:
        """The cells meant."""
        return [self.cell] if self.cell else cells_at_home_in(topology, [self.lost])

    def problems(self, topology: Topology) -> Iterator[str]:
        """What the topology does not have."""
        if not self.cell:
            if not self.cells(topology):
                yield f"{topology.path.name} has no cell with two sites at home in {self.lost}"
            return
        database = topology.databases.get(self.cell)
        sites = [site.region for site in (database.home, database.standby) if site] if database else []
        if len(sites) != 2:
            yield f"{topology.path.name} has no database of cell {self.cell} with two sites"
        elif self.lost not in sites:
            yield f"the database of {self.cell} has its sites in {' and '.join(sites)}, not in {self.lost}"


def decode(node: Node) -> Site:
    """From a step's block."""
    with node.fields() as fields:
        cell, lost = fields.get("cell").text(), fields.need("lost").text()
        doing, being = fields.get("do"), fields.get("is")
        if doing.present == being.present:
            node.problem("give exactly one of 'do' and 'is'")
        changes = doing.present
        what = doing.choice([*DO], "close") if changes else being.choice([*IS], "closed")
        why = fields.get("why").text() if fields.get("why").present else ""
        declared, unread = fields.get("declared").maybe(Node.text), fields.get("unread").maybe(Node.text)
        if what in ("promote", "switch_back") and not why:
            node.problem(f"'{what}' goes on record with its reason: say 'why'")
        if declared is not None and what != "promote":
            fields.get("declared").problem("belongs to 'promote'")
        if unread is not None and what != "rebuild":
            fields.get("unread").problem("belongs to 'rebuild'")
    return Site(cell, lost, what, changes, why, declared, unread)
