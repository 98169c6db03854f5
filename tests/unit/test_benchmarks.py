"""What `make bench` prints and keeps; the figures themselves are no tests."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.__main__ import report
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


def test_a_figure_with_a_plain_way_may_have_a_limit_too():
    good, slow, worst = (
        Figure("api.x_ms", "ms", ours, 2.0, "asked; plain: so", limit=100.0, worst=worst)
        for ours, worst in ((99.0, None), (101.0, None), (20.0, 120.0))
    )
    assert [one.holds for one in (COST, good, slow, worst)] == [True, True, False, False]
    lines = table([good, slow, worst, COST]).splitlines()
    assert lines[1].endswith("  asked; plain: so; at most 100: holds")
    assert lines[2].endswith("  asked; plain: so; at most 100: EXCEEDED")
    assert lines[3].endswith("  asked; plain: so; worst 120, at most 100: EXCEEDED")
    assert lines[4].endswith("plain: half of it")
    assert (worst.to_json()["value"], worst.to_json()["worst"], worst.to_json()["holds"]) == (
        20.0,
        120.0,
        False,
    )
    assert "limit" not in COST.to_json()


def test_a_limit_that_does_not_hold_fails_the_run_and_what_was_not_measured_does_not(tmp_path, capsys):
    good = Bounded("lab.down_s", "s", 5.0, 6.0, "down")
    bad = Bounded("lab.ready_s", "s", 41.0, 40.0, "ready")
    unknown = Bounded("bank.p99_ms", "ms", float("nan"), 200.0, "of no answers")
    slow = Figure("pod.replace_s", "s", 3.1, 1.0, "a pod", limit=3.0)
    out = tmp_path / "out" / "results.json"
    assert report([good, COST, Skipped("relay", "needs root")], out) == 0
    assert capsys.readouterr().err == ""
    assert report([good, bad, unknown, slow], out) == 1
    assert capsys.readouterr().err == "not within their limits: lab.ready_s, bank.p99_ms, pod.replace_s\n"
    kept = json.loads(out.read_text())["results"]
    assert [one["holds"] for one in kept] == [True, False, False, False]


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
