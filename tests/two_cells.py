"""The estate `small` with a second cell at home in the same city: a topology to read, not one to build."""

import copy
import json
from pathlib import Path

import yaml

SHIPPED = Path(__file__).parents[1] / "topology"
FULL = Path(__file__).parent / "unit" / "estate" / "small-in-full.yaml"


def topology(change=lambda raw: None):
    """Its text, after `change` of its plain values."""
    raw = yaml.safe_load(FULL.read_text())
    raw.pop("lab")
    raw["cells"] = {f"cell{n}": {"customers": {"of": 2, "remainder": n}} for n in (0, 1)}
    second = copy.deepcopy(raw["databases"]["cell0"])
    raw["databases"]["cell1"] = json.loads(json.dumps(second).replace("pg-city", "pg-cell1-city"))
    dsn = raw["audit"].pop("dsn")
    raw["audit"]["cells"] = {"cell0": {"dsn": dsn}, "cell1": {"dsn": dsn.replace("2543", "2643")}}
    change(raw)
    return yaml.safe_dump(raw, sort_keys=False)


def write(directory, change=lambda raw: None):
    """The topology's path, with its continuity file beside it."""
    (directory / "continuity.yaml").write_text((SHIPPED / "continuity.yaml").read_text())
    (directory / "two.yaml").write_text(topology(change))
    return directory / "two.yaml"
