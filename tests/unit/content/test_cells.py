"""Several cells in a topology and a plan: whose customers, whose books, whose database is meant; mistakes by line."""

import re
from pathlib import Path

import pytest
from tests import two_cells

from stormdrill import plan, topology
from stormdrill.content.plain import from_plain, to_plain
from stormdrill.errors import InputError
from stormdrill.estate import Remainder, Topology
from stormdrill.estate_books import Across
from stormdrill.plan import Overrides
from stormdrill.population import Population

ROOT = Path(__file__).parents[3]


def cells(**customers):
    def change(raw):
        raw["cells"] = {name: {} if rule is None else {"customers": rule} for name, rule in customers.items()}

    return change


def complaints(tmp_path, change):
    with pytest.raises(InputError) as caught:
        topology.load(two_cells.write(tmp_path, change))
    return [f"{problem.line}: {problem.message}" for problem in caught.value.problems]


def test_a_rule_for_each_cell_and_books_of_its_own(tmp_path):
    read = topology.load(two_cells.write(tmp_path))
    assert [cell.customers for cell in read.cells.values()] == [Remainder(2, 0), Remainder(2, 1)]
    assert list(read.audit.cells) == ["cell0", "cell1"]
    assert read.audit.dsn == ""
    assert read.first_database == "cell0"
    assert from_plain(Topology, to_plain(read)) == read


def test_what_one_cell_is_written_as_has_nothing_of_several(tmp_path):
    plain = to_plain(topology.load(ROOT / "topology" / "small.yaml"))
    assert plain["cells"] == {"cell0": {"name": "cell0"}}
    assert "cells" not in plain["audit"]


RULES = [
    (cells(cell0={"of": 2, "remainder": 0}, cell1=None), "cells.cell1: 'customers' is missing"),
    (cells(cell0={"of": 2, "remainder": 0}, cell1={"of": 2, "remainder": 0}), "0 already belongs to cell0"),
    (cells(cell0={"of": 2, "remainder": 0}, cell1={"of": 3, "remainder": 1}), "of is 3, and 2 for cell0"),
    (cells(cell0={"of": 2, "remainder": 2}, cell1={"of": 2, "remainder": 1}), "must be below 'of', which is 2"),
    (cells(cell0={"of": 3, "remainder": 0}, cell1={"of": 3, "remainder": 1}), "remainder 2 of 3 belong to no cell"),
    (cells(cell0={"of": 2}, cell1={"of": 2, "remainder": 1}), "'remainder' is missing"),
    (cells(cell0={"of": 0, "remainder": 0}), "must be at least 1"),
    (lambda raw: raw["audit"]["cells"].pop("cell1"), "must name every cell's books: cell1 is missing"),
    (lambda raw: raw["audit"]["cells"].update(cell7={"dsn": "dbname=x"}), "unknown cell 'cell7'"),
    (lambda raw: raw["audit"].update(dsn="dbname=x"), "give either 'dsn' (one set of books) or 'cells'"),
    (lambda raw: raw["audit"].pop("cells"), "give either 'dsn' (one set of books) or 'cells'"),
    (lambda raw: raw["audit"]["cells"]["cell1"].update(dsn="dbname=x password=y"), "no password here"),
]  # fmt: skip


def across(*items):
    return lambda raw: raw["audit"].update(across=list(items))


ONE = {"id": "cancels", "query": "SELECT 1", "expect": 0}
ACROSS = [
    (across({**ONE, "expect": "0"}), "must be a whole number"),
    (across({**ONE, "limit": 1}), "unknown key 'limit'"),
    (across({**ONE, "within": "0s"}), "must be"),
    (across({"id": "cancels", "expect": 0}), "'query' is missing"),
    (across(ONE, ONE), "cancels is the name of another invariant"),
]


@pytest.mark.parametrize(("change", "says"), ACROSS)
def test_a_mistake_in_what_is_asked_over_all_cells_is_told_with_its_line(tmp_path, change, says):
    (found,) = complaints(tmp_path, change)
    assert says in found
    lines = (tmp_path / "two.yaml").read_text().splitlines()
    line = lines[int(found.partition(":")[0]) - 1]
    assert re.match(r"\s*(- )?(across|id|query|expect|limit|within)\b", line), line


def test_what_is_asked_over_all_cells_has_a_limit_and_may_name_keys(tmp_path):
    more = {"id": "more", "query": "SELECT 2", "expect": 1, "within": "5s", "by_key": "SELECT 1, 2"}
    read = topology.load(two_cells.write(tmp_path, across(ONE, more)))
    assert read.audit.across == (
        Across("cancels", "SELECT 1", 0, 30.0, None),
        Across("more", "SELECT 2", 1, 5.0, "SELECT 1, 2"),
    )
    assert from_plain(Topology, to_plain(read)) == read


@pytest.mark.parametrize(("change", "says"), RULES)
def test_a_mistake_is_told_with_its_line(tmp_path, change, says):
    found = complaints(tmp_path, change)
    mine = [text for text in found if says in text]
    assert mine, found
    lines = (tmp_path / "two.yaml").read_text().splitlines()
    line = lines[int(mine[0].partition(":")[0]) - 1]
    assert re.match(r"\s*(cells|cell\d|customers|of|remainder|dsn|audit|kind)\b", line), line


def test_customers_by_rule_leave_nobody_out_and_nobody_twice():
    customers = plan.load(ROOT / "experiments" / "pod-kill.yaml").profile.customers
    for of in (1, 2, 3):
        population = Population(customers, of, [Remainder(of, n) for n in range(of)])
        mine = [(*population.visitors(n), *population.probes(n)) for n in range(of)]
        assert all(customer % of == n for n, each in enumerate(mine) for customer in each)
        assert sorted(customer for each in mine for customer in each) == list(range(1, 10_001))
        assert min(len(population.probes(n)) for n in range(of)) >= 64 // of


def planned(tmp_path, source, *changes, topology_change=lambda raw: None):
    text = (ROOT / source).read_text().replace("../", f"{ROOT}/")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "changed.yaml").write_text(text)
    chosen = Overrides(topology=two_cells.write(tmp_path, topology_change))
    return plan.load(tmp_path / "changed.yaml", chosen)


@pytest.mark.parametrize("preset", ["small", "full"])
@pytest.mark.parametrize("experiment", sorted(path.name for path in (ROOT / "experiments").glob("*.yaml")))
def test_every_experiment_fits_every_preset(preset, experiment):
    chosen = Overrides(topology=ROOT / "topology" / f"{preset}.yaml")
    made = plan.load(ROOT / "experiments" / experiment, chosen)
    assert made.topology.name == preset
    assert made.topology.first_database == "cell0"
    assert len(made.topology.cells) == {"small": 1, "full": 2}[preset]


FAILOVER = "experiments/remote-failover.yaml"
BACK = "func: fail_back\n      arguments: {"


def elsewhere(raw):
    raw["databases"]["cell1"]["standby"]["region"] = "city3"
    raw["regions"]["city3"] = {"context": "city3", "zones": ["city3-a"]}
    raw["edges"]["city3-a"] = "http://127.0.0.1:28084"


def far_home(raw):
    one = raw["databases"]["cell1"]
    one["home"]["region"], one["standby"]["region"] = "city2", "city1"


def nobody_home(raw):
    far_home(raw)
    one = raw["databases"]["cell0"]
    one["home"]["region"], one["standby"]["region"] = "city2", "city1"


MOVES = [
    ((("arguments: {after: 10s,", "arguments: {cell: cell9, after: 10s,"),), None, "unknown cell 'cell9'"),
    ((("arguments: {after: 10s,", "arguments: {cell: cell0, after: 10s,"),), None, None),
    (((BACK, f"{BACK}cell: cell1, "),), None, "cell0 would stay away: leave out 'cell'"),
    ((("arguments: {after: 10s,", "arguments: {cell: cell0, after: 10s,"), (BACK, f"{BACK}cell: cell1, ")),
     None, "must come after a fail_over of the same cell"),
    ((), elsewhere, "cell0, cell1 would go to city2 and city3: phones can be led to one region only"),
    ((), far_home, None),
    ((), nobody_home, "no cell with two sites is at home in city1: there is nothing to fail over"),
    ((), lambda raw: [raw["databases"]["cell1"].pop(name) for name in ("home", "standby")], None),
    ((("arguments: {after: 10s,", "arguments: {cell: cell1, after: 10s,"),),
     lambda raw: [raw["databases"]["cell1"].pop(name) for name in ("home", "standby")], "gives cell1 no second site"),
    ((("func: wait\n      arguments: {duration: 20s}", "func: fail_over\n      arguments: {cell: cell1, why: again}"),),
     None, "cell1 is failed over twice"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "estate", "says"), MOVES)
def test_a_failover_of_cells_is_checked_before_the_start(tmp_path, changes, estate, says):
    if says is None:
        planned(tmp_path, FAILOVER, *changes, topology_change=estate or (lambda raw: None))
        return
    with pytest.raises(InputError) as caught:
        planned(tmp_path, FAILOVER, *changes, topology_change=estate or (lambda raw: None))
    found = [problem for problem in caught.value.problems if says in problem.message]
    assert found, caught.value.problems
    assert found[0].line > 0


def test_a_cell_needs_customers_who_can_send_money(tmp_path):
    few = (two_cells.SHIPPED.parent / "loadtests/profiles/weekday-peak.yaml").read_text()
    (tmp_path / "few.yaml").write_text(few.replace("count: 10_000, probes: 64", "count: 10_000, probes: 3"))
    text = (ROOT / "experiments/pod-kill.yaml").read_text().replace("../", f"{ROOT}/")
    text = text.replace(f"{ROOT}/loadtests/profiles/weekday-peak.yaml", "few.yaml")
    (tmp_path / "e.yaml").write_text(text)
    with pytest.raises(
        InputError, match=r"e\.yaml:\d+: .*leaves cell cell1 \d+ customers .* and 1 for probes"
    ):
        plan.load(tmp_path / "e.yaml", Overrides(topology=two_cells.write(tmp_path)))
