"""The part of a topology that says which customers belong to which cell."""

from __future__ import annotations

from stormdrill.content import Node
from stormdrill.estate import Cell, Remainder


def decode_cells(node: Node) -> dict[str, Cell]:
    """`cells:` by name, in order. Rules on customers are for all cells or for none, and leave nobody out."""
    cells = {name: _cell(name, child) for name, child in node.items()}
    if node.present and not cells:
        node.problem("must not be empty")
    _check_rules(node, cells)
    return cells or {"cell0": Cell("cell0")}


def _cell(name: str, node: Node) -> Cell:
    with node.fields() as fields:
        return Cell(name, fields.get("customers").maybe(_remainder))


def _remainder(node: Node) -> Remainder:
    with node.fields() as fields:
        of = fields.need("of").integer(1, low=1)
        remainder = fields.need("remainder").integer(0, low=0)
        if fields.get("remainder").present and remainder >= of:
            fields.get("remainder").problem(f"must be below 'of', which is {of}: {remainder}")
        return Remainder(of, remainder)


def _check_rules(node: Node, cells: dict[str, Cell]) -> None:
    """Every customer belongs to exactly one cell."""
    places = dict(node.items())
    rules = {name: cell.customers for name, cell in cells.items() if cell.customers is not None}
    if not rules:
        return
    first, rule = next(iter(rules.items()))
    holders: dict[int, str] = {}
    for name in cells:
        own = rules.get(name)
        if own is None:
            places[name].problem(
                f"'customers' is missing: {first} has it; give it for every cell or for none"
            )
        elif own.of != rule.of:
            places[name].problem(
                f"customers.of is {own.of}, and {rule.of} for {first}: it must be the same for all"
            )
        elif own.remainder in holders:
            places[name].problem(
                f"customers.remainder {own.remainder} already belongs to {holders[own.remainder]}"
            )
        else:
            holders[own.remainder] = name
    left = sorted(set(range(rule.of)) - set(holders)) if len(rules) == len(cells) else []
    if left and all(own.of == rule.of for own in rules.values()):
        listed = ", ".join(map(str, left))
        node.problem(f"customers with remainder {listed} of {rule.of} belong to no cell")
