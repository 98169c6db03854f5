"""The topology file's `links`: what each kind of link is like, and the pairs of sites that differ from their kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from stormlab import linkshape
from stormlab.estate import OUTSIDE, Region
from stormlab.linkshape import LinkShape
from stormlab.yamltree import Tree

_USUAL = {"within_region": LinkShape(1.0), "between_regions": LinkShape(30.0), "outside": LinkShape(2.0)}
_MOST_SEED = 2**32 - 1

Shapes = dict[frozenset[str], LinkShape]


def read(tree: Tree, regions: Iterable[Region]) -> tuple[Shapes, int]:
    """The shape of every pair of sites, and the seed of their chances. Problems go to the tree."""
    parts = tree.fields((*_USUAL, "pairs", "seed"))
    kinds = {kind: _kind(parts[kind], usual) for kind, usual in _USUAL.items()}
    home = {zone.name: region.name for region in regions for zone in region.zones}
    shapes = {frozenset((OUTSIDE, zone)): kinds["outside"] for zone in home}
    for one, other in combinations(home, 2):
        kind = "within_region" if home[one] == home[other] else "between_regions"
        shapes[frozenset((one, other))] = kinds[kind]
    _pairs(parts["pairs"], shapes, [OUTSIDE, *home])
    return shapes, parts["seed"].integer(1, 0, _MOST_SEED)


def _kind(tree: Tree, usual: LinkShape) -> LinkShape:
    return _shape(tree, tree.fields(linkshape.KEYS, ["rtt"]), usual)


def _pairs(tree: Tree, shapes: Shapes, sites: list[str]) -> None:
    """Let pairs differ from their kind in what they say; the rest stays as the kind has it."""
    seen: set[frozenset[str]] = set()
    for pair in tree.elements():
        fields = pair.fields(("between", *linkshape.KEYS), ["between"])
        names = [(end.text(), end) for end in fields["between"].elements()]
        unknown = [(name, end) for name, end in names if name not in sites]
        for name, end in unknown:
            end.problem(f"no site '{name}' (known: {', '.join(sites)})")
        ends = frozenset(name for name, _ in names)
        if not unknown and (len(names) != 2 or len(ends) != 2):
            fields["between"].problem("must name two different sites")
        if ends in seen:
            fields["between"].problem("given twice")
        seen.add(ends)
        if not any(fields[key].present for key in linkshape.KEYS):
            pair.problem(f"says nothing: give one or more of {', '.join(linkshape.KEYS)}")
        shape = _shape(pair, fields, shapes.get(ends, _USUAL["outside"]))
        if ends in shapes:
            shapes[ends] = shape


def _shape(tree: Tree, fields: Mapping[str, Tree], base: LinkShape) -> LinkShape:
    texts = {key: fields[key].text() for key in linkshape.KEYS if fields[key].present}
    changes = linkshape.parse(texts, lambda key, said: fields[key].problem(said))
    if len(changes) < len(texts):
        return base  # what is half understood is not judged as a whole
    try:
        return base.changed(changes)
    except ValueError as error:
        tree.problem(str(error))
        return base
