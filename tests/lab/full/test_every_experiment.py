"""The experiments on an estate of two cells: each ends as on one cell, and is judged of each cell.

Long, and on a lab of its own: `make test ARGS='-m long tests/lab/full'`.
"""

from pathlib import Path

import pytest
from tests.lab.drill.estate import drill
from tests.lab.verdicts.harness import recover

pytestmark = [pytest.mark.lab, pytest.mark.long]

FULL = Path(__file__).parents[3] / "topology" / "full.yaml"
CELLS = ("cell0", "cell1")
EXPERIMENTS = ("pod-kill", "db-primary-loss", "zone-partition", "zone-outage", "remote-failover")


@pytest.fixture(scope="module")
def full_lab(lab_of):
    """The preset, for these drills alone."""
    with lab_of(FULL, down_s=6) as lab:
        yield lab


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_it_passes_for_both_cells(full_lab, tmp_path, experiment):
    topology = ("--topology", str(full_lab.topology))
    ended = drill(full_lab, tmp_path / "runs", f"experiments/{experiment}.yaml", *topology)
    assert (ended.code, ended.verdict["verdict"]) == (0, "pass"), ended.output
    for cell in CELLS:
        assert ended.check(f"recovery.transfer.{cell}")["verdict"] == "pass"
        assert ended.check(f"books.debit-equals-credit.{cell}")["verdict"] == "pass"
    assert {one["cell"] for one in ended.measurements["loss"]["cells"] if one["intents"] > 1000} == set(CELLS)
    if experiment == "remote-failover":
        taken = {one["cell"] for one in ended.measurements["failover"]["takeovers"] if one["directed"]}
        assert taken == set(CELLS)
        assert all((ended.path / f"fork-{cell}.json").exists() for cell in CELLS)
        assert all(ended.check(f"dual_writes.{cell}")["verdict"] == "pass" for cell in CELLS)
    after = recover(full_lab, tmp_path)
    assert (after.returncode, "nothing was left behind" in after.stdout) == (0, True), after.stdout


def test_a_surge_is_shed_in_order_and_customers_of_tier_a_do_not_notice(full_lab, tmp_path):
    topology = ("--topology", str(full_lab.topology))
    ended = drill(full_lab, tmp_path / "runs", "experiments/surge-shedding.yaml", *topology)
    assert (ended.code, ended.verdict["verdict"]) == (0, "pass"), ended.output
    for name in ("flow.order", "flow.limit", "flow.rejects", "hurt.A"):
        assert ended.check(name)["verdict"] == "pass", ended.check(name)
