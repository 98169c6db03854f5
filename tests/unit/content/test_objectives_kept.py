"""Objectives nobody can measure, or that the databases cannot keep, are told before the start, where they stand."""

from pathlib import Path

import pytest
from tests import two_cells

from stormdrill import plan
from stormdrill.errors import InputError
from stormdrill.plan import Overrides

ROOT = Path(__file__).parents[3]


def problems(tmp_path, experiment, topology=lambda raw: None, continuity=("", "")):
    chosen = Overrides(topology=two_cells.write(tmp_path, topology))
    path = tmp_path / "continuity.yaml"
    assert continuity[0] in path.read_text()
    path.write_text(path.read_text().replace(*continuity, 1) if continuity[0] else path.read_text())
    try:
        plan.load(ROOT / "experiments" / experiment, chosen)
    except InputError as error:
        return error.problems
    return []


def without_tier_c(raw):
    raw["operations"] = {name: one for name, one in raw["operations"].items() if one["tier"] != "C"}


def one_member(raw):
    for part in (raw["databases"]["cell1"], raw["databases"]["cell1"]["standby"]):
        part["members"] = dict(list(part["members"].items())[:1])


def test_an_objective_of_a_tier_without_operations_is_told_at_its_line(tmp_path):
    found = [
        one
        for one in problems(tmp_path, "pod-kill.yaml", without_tier_c)
        if "nobody can measure" in one.message
    ]
    (one,) = found
    assert one.file.endswith("continuity.yaml")
    assert (tmp_path / "continuity.yaml").read_text().splitlines()[one.line - 1].strip().startswith("C:")


@pytest.mark.parametrize("tier_c", ['data_loss: "0s [U] x"', 'bystanders: "1% [U] x"'])
def test_an_objective_that_no_check_measures_is_told_at_its_line(tmp_path, tier_c):
    """All of tier C reads, and no check looks at the cells that were not hurt."""
    line = 'C: {recovery_time: "60s [U] our choice"}'
    (one,) = problems(tmp_path, "pod-kill.yaml", continuity=(line, f"C: {{{tier_c}}}"))
    said = tier_c.partition(":")[0]
    assert one.message.startswith(f"fault_classes.stateless-pod-loss.tiers.C.{said}: nobody can measure it")
    assert said in (tmp_path / "continuity.yaml").read_text().splitlines()[one.line - 1]


def test_an_experiment_s_own_objective_of_a_loss_nobody_can_cause_is_told(tmp_path):
    text = (ROOT / "experiments/remote-failover.yaml").read_text().replace("../", f"{ROOT}/")
    (tmp_path / "reads.yaml").write_text(text.replace("data_loss: {A: 5s}", "data_loss: {A: 5s, C: 5s}"))
    with pytest.raises(InputError) as caught:
        plan.load(tmp_path / "reads.yaml", Overrides(topology=two_cells.write(tmp_path)))
    (one,) = caught.value.problems
    assert one.message.startswith("objectives.data_loss.C: nobody can measure it: no operation of two.yaml")
    assert "data_loss" in (tmp_path / "reads.yaml").read_text().splitlines()[one.line - 1]


@pytest.mark.parametrize("experiment", ["db-primary-loss.yaml", "zone-outage.yaml", "zone-partition.yaml"])
def test_nothing_is_promised_of_a_database_without_a_standby(tmp_path, experiment):
    def lonely_first(raw):
        raw["cells"] = dict(reversed(raw["cells"].items()))  # then cell1 is the first
        one_member(raw)

    (one,) = problems(tmp_path, experiment, lonely_first)
    assert "data_loss 0 of transfer, payment" in one.message
    assert "the database of cell1 has one member: no synchronous standby" in one.message
    assert one.line > 0
    assert problems(tmp_path, experiment, one_member) == []  # cell0 is hurt, which has two


def test_nothing_is_promised_of_a_site_that_follows_asynchronously(tmp_path):
    assert problems(tmp_path, "remote-failover.yaml") == []
    text = (ROOT / "experiments/remote-failover.yaml").read_text().replace("../", f"{ROOT}/")
    (tmp_path / "strict.yaml").write_text(text.replace("data_loss: {A: 5s}", "data_loss: {A: 0s}"))
    with pytest.raises(
        InputError, match=r"strict\.yaml:\d+: .*the second site of cell0, cell1 follows asynchronously"
    ):
        plan.load(tmp_path / "strict.yaml", Overrides(topology=two_cells.write(tmp_path)))
