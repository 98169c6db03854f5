"""Two cells, of which one lost its primary: what is said of the other one must not be told by its events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builder import Outage, Scene, build

from stormdrill.measure import _demand
from stormdrill.measure.demand import Demand
from stormdrill.measure.inputs import Inputs, read_inputs
from stormdrill.measure.loss import intents
from stormdrill.measure.recoveries import recoveries

SCENE = Scene(
    probes={"transfer": 50.0},
    sessions={"transfer": 1.0},
    after_s=25.0,
    outages=(Outage(0, 4.0),),
    leader_change_s=3.0,  # of cell0
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    run, _ = build(tmp_path_factory.mktemp("cells") / "run", SCENE)
    return read_inputs(run)


def asked_in(inputs: Inputs, hurt_cell: int) -> Demand:
    """The demand, with what was hurt in one cell and everything else in the other."""
    asked = _demand(inputs)
    assert asked is not None
    cell = np.where(asked.good, 1 - hurt_cell, hurt_cell).astype(np.uint8)
    return replace(asked, legend=replace(asked.legend, cells=("cell0", "cell1")), cell=cell)


@pytest.mark.parametrize(("hurt_cell", "first"), [(0, "detect and promote"), (1, "unexplained")])
def test_the_parts_of_all_writes_are_those_of_the_cell_that_was_hurt(
    inputs: Inputs, hurt_cell: int, first: str
) -> None:
    found = recoveries(asked_in(inputs, hurt_cell), inputs.story, inputs.plan)
    (writes,) = [entry for entry in found if entry.operation == "writes"]
    assert writes.parts[0].name == first


def test_acknowledgements_are_told_apart_by_cell(inputs: Inputs) -> None:
    legend = replace(inputs.witness.legend, cells=("cell0", "cell1"))
    meant = intents(inputs.witness.data)
    halved = replace(meant, cell=np.arange(len(meant.keys)) % 2)
    first, second = (halved.acknowledged_in(cell, legend) for cell in ("cell0", "cell1"))
    both = np.sort(meant.acknowledged_ns[meant.acknowledged])
    assert np.array_equal(np.sort(np.r_[first, second]), both)
    assert len(first) > 0 < len(second)
    assert len(halved.acknowledged_in("cell2", legend)) == 0
