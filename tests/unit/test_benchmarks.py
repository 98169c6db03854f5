"""What `make bench` prints and keeps; the figures themselves are no tests."""

import subprocess
import sys
from pathlib import Path

from benchmarks.figure import Bounded, Figure, Skipped, in_turn, table

ROOT = Path(__file__).parents[2]
COST = Figure("a.cost_ms", "ms", 3.0, 1.5, "a cost; plain: half of it")


def test_a_ratio_is_ours_to_the_plain_ways():
    assert COST.ratio == 2.0
    assert COST.to_json() | {"ratio": 2.0, "value": 3.0, "how": "make bench ONLY=a.cost_ms"} == COST.to_json()


def test_both_ways_are_measured_in_turn_and_one_outlier_counts_for_neither():
    order, ours, plain = [], iter([1.0, 9.0, 2.0]), iter([5.0, 6.0, 99.0])

    def measured(name, values):
        order.append(name)
        return next(values)

    assert in_turn(lambda: measured("ours", ours), lambda: measured("plain", plain), 3) == (2.0, 6.0)
    assert order == ["ours", "plain"] * 3


def test_a_line_for_each_figure_and_for_what_could_not_be_measured():
    lines = table([COST, Skipped("relay", "needs root")]).splitlines()
    assert lines[1].split()[:5] == ["a.cost_ms", "3", "1.5", "ms", "2"]
    assert lines[2].split(maxsplit=1) == ["relay", "not measured: needs root"]


def test_what_has_no_plain_way_is_shown_beside_its_limit():
    good, bad = (Bounded("lab.x_s", "s", value, 40.0, "how long") for value in (39.5, 40.5))
    assert (good.holds, bad.holds) == (True, False)
    assert good.to_json()["limit"] == 40.0
    lines = table([good, bad]).splitlines()
    assert lines[1].split() == ["lab.x_s", "39.5", "s", "holds", "how", "long;", "at", "most", "40"]
    assert "EXCEEDED" in lines[2]


def test_a_limit_may_be_the_least_that_is_wanted():
    good, bad = (Bounded("bank.r", "", value, 0.9, "a share", at_least=True) for value in (0.95, 0.85))
    assert (good.holds, bad.holds) == (True, False)
    assert "at least 0.9" in table([good])
    assert "MISSED" in table([bad])


def test_a_name_that_is_none_is_told_with_those_that_are():
    argv = [sys.executable, "-m", "benchmarks", "recods"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no figure 'recods' (known: records.append_us," in done.stderr
