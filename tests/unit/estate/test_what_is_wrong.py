"""Mistakes in a compact estate: all at once, each at its line, with what would be right; the same in both readers."""

from pathlib import Path

import pytest

from stormdrill import cli

FULL_FORM = Path(__file__).with_name("small-in-full.yaml")

CELL1 = "cell1: {primary: city1-b, standby: [city1-a], remote: [city2-a]}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("primary: city1-b", "primary: city1-x", "no zone 'city1-x' (there is: city1-a, city1-b, city2-a)"),
        ("standby: [city1-a]", "standby: [nowhere]", "no zone 'nowhere'"),
        ("primary: city1-b", "primary: [city1-a, city1-b]", "2 primaries (city1-a, city1-b): a cell has one; keep one"),
        ("primary: city1-b", "primary: city1-w", "'city1-w' is a witness and holds no data; one of city1-a"),
        ("zones: [city2-a]", "zones: [city1-a]", "zone 'city1-a' is already in city1: a zone is in one region, once"),
        ("standby: [city1-a]", "standby: [city1-b]", "primary and standby are both in city1-b"),
        ("standby: [city1-a], remote", "standby: [city2-a], remote", "city2-a is in city2, the primary in city1: "),
        ("[city1-a], remote: [city2-a]", "[city1-a], remote: [city1-a]", "home and remote are both in city1"),
        ("[city1-a], remote: [city2-a]", "[city1-a], remote: [city2-a, city2-a]", "city2-a is named twice"),
        (", city1-w], witness: city1-w", "]", "an even number of etcd members (2: city1-a, city1-b)"),
        (", city1-w], witness: city1-w", ", city1-c, city1-w], witness: city1-w", "an even number of etcd members (4:"),
        ("witness: city1-w", "witness: city1-w, etcd: [city1-a, city1-b]", "an even number of etcd members (2:"),
        ("witness: city1-w", "witness: city1-w, etcd: [city1-a, city1-b, x]", "no zone of city1 'x'"),
        ("witness: city1-w", "witness: city1-x", "the witness 'city1-x' is no zone of city1: one of city1-a, city1-b"),
        ("cell1: {primary", "cell1: {database: pg, primary", "the Service 'pg' would be cell0's as well"),
        ("cell1: {primary", "cell1: {ledger: books, primary", "'books' must be 'ledger' or begin with 'ledger-'"),
        (CELL1, "cell0-city2: {primary: city2-a}", "the Patroni scope 'cell0-city2' in city2 would be cell0's as well"),
        ("cell1: {primary", "Cell_1: {primary", "Cell_1"),
        ("primary: city1-b, standby: [city1-a], ", "", "'primary' is missing"),
        ("ports: 22000", "ports: 70000", "'70000' is no port from 1024 to 65535"),
        ("ports: 22000", "ports: 65000", "choose a lower base"),
        ("ports: 22000", "ports: {base: 22000, names: 22501}", "port 22501 is names's and edge city1-a's"),
        ("ports: 22000", "ports: {base: 22000, api: {city9: 22001}}", "no api 'city9' (there is: city1, city2)"),
        ("ports: 22000", "ports: {names: 22001}", "no port for prometheus, sms, sms-admin, face, face-admin"),
        ("lab:\n  network: 10.79.0.0/16\n  ports: 22000\n", "lab:\n  network: 10.79.0.0/16\n", "'ports' is missing"),
        ("lab:\n  network: 10.79.0.0/16\n", "lab:\n", "'network' is missing"),
        ("primary: city1-b", "primry: city1-b", "unknown key 'primry'; did you mean 'primary'?"),
        ("environment: lab", "environmet: lab", "unknown key 'environmet'; did you mean 'environment'?"),
    ],
)  # fmt: skip
def test_one_mistake(estate, old, new, said):
    line = estate.change(old, new)
    for found in (estate.problems(), estate.problems_of_lab()):
        assert [text for at, text in found if said in text and at == line], (line, found)


def test_all_at_once_with_those_of_the_parts_that_are_taken_over(estate):
    wanted = {
        estate.change("primary: city1-b", "primary: [city1-a, city1-b]"): "2 primaries",
        estate.change("witness: city1-w", "witness: none, etcd: [city1-a, city1-b]"): "even number",
        estate.change("deadline: 2s", "deadline: 2"): "needs a unit",
        estate.change("high_water: SELECT 1\n", "high_watr: SELECT 1\n"): "high_watr",
    }
    found = estate.problems()
    for line, said in wanted.items():
        assert any(at == line and said in text for at, text in found), (line, said, found)
    assert {line for line, _ in found} <= {
        *wanted,
        min(line for line, said in wanted.items() if "watr" in said) - 1,
    }


def test_one_command_tells_all_mistakes_of_a_file_at_once(estate, capsys):
    """What the harness reads and what only the lab reads, each with its line and what would be right."""
    wanted = {
        estate.change(
            ", city1-w], witness: city1-w", "]"
        ): "add a zone that is the 'witness:', or say 'witness: none'",
        estate.change(
            "primary: city1-a, standby: [city1-b]", "primary: city1-a"
        ): "Name a zone of the same region",
        estate.change(
            "primary: city1-b", "primary: [city1-a, city1-b]"
        ): "2 primaries (city1-a, city1-b): a cell has",
        estate.change("30ms}", "30ms}\n  pairs: [{between: [city1-a, city9-z], rtt: 1ms}]")
        + 1: "no site 'city9-z' (known:",
        estate.change("  bills: {tier: B, kind: read, deadline: 3s}\n", "") - 2: "objectives for tier B",
        estate.change(
            "checkin: {tier: C, kind: read, deadline: 3s}", "checkin: {tier: C, kind: read, deadline: 3}"
        ): "unit",
        estate.change("movements: SELECT", "movement: SELECT"): "movement",
        estate.change("network: 10.79.0.0/16", "network: 10.79.0.0/24"): "must be an IPv4 /16",
    }
    assert cli.main(["check", str(estate.path)]) == 2
    said = capsys.readouterr().err.splitlines()
    for line, text in wanted.items():
        assert [one for one in said if f"{estate.path}:{line}: " in one and text in one], (line, text, said)
    assert len(said) == len(set(said)), "each is told once"


def test_a_mistake_that_only_the_lab_sees_is_told_for_a_tree_and_for_the_full_form(
    estate, capsys, monkeypatch
):
    line = estate.change("30ms}", "30}")
    tree = estate.path.parent / "tree"
    (tree / "topology").mkdir(parents=True)
    for name in ("t.yaml", "continuity.yaml", "kubernetes", "prometheus"):
        (estate.path.parent / name).rename(tree / "topology" / name)
    monkeypatch.chdir(tree)
    assert cli.main(["check", str(tree)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert f"topology/t.yaml:{line}: links.between_regions.rtt" in said
    text = FULL_FORM.read_text()
    assert text.count("rtt: 30ms") == 1
    Path("full.yaml").write_text(text.replace("rtt: 30ms", "rtt: 30"))
    Path("continuity.yaml").write_text((FULL_FORM.parents[3] / "topology" / "continuity.yaml").read_text())
    for name in ("kubernetes", "prometheus"):
        Path(name).symlink_to(Path("topology") / name)
    assert cli.main(["check", "full.yaml"]) == 2
    assert "links.between_regions.rtt" in capsys.readouterr().err


def test_an_unknown_zone_in_a_link_is_told_beside_other_mistakes(estate):
    cell = estate.change("primary: city1-b", "primary: city1-x")
    link = (
        estate.change("between_regions: {rtt: 30ms}", "pairs:\n    - {between: [city1-a, city9-z], rtt: 1ms}")
        + 1
    )
    found = estate.problems_of_lab()
    assert [line for line, _ in found] == [cell, link]
    assert "no site 'city9-z'" in found[1][1]


def test_no_loss_of_data_without_a_standby(estate):
    line = estate.change("standby: [city1-a], ", "")
    ((at, said),) = estate.problems()
    assert at == line
    assert said.startswith("cells.cell1: no standby, but continuity.yaml:6 allows no loss of data")
    assert "same-city-site-loss A" in said
    assert "Name a zone of the same region under 'standby', or allow a loss there" in said
    estate.change('"0s [U] our choice"', '"5s [U] our choice"', "continuity.yaml")
    estate.harness()


def test_no_loss_of_data_with_a_city(estate):
    estate.change("60s [U]", "0s [U]", "continuity.yaml")
    found = estate.problems()
    assert [said.partition(":")[0] for _, said in found] == ["cells.cell0", "cells.cell1"]
    assert all("nobody waits for the remote site" in said for _, said in found)


def test_an_objective_that_nobody_can_measure(estate):
    line = estate.change("  bills: {tier: B, kind: read, deadline: 3s}\n", "")
    ((at, said),) = estate.problems()
    assert at == line - 2
    assert said.startswith("operations: continuity.yaml:7 has objectives for tier B (same-city-site-loss)")
    assert "nobody can measure them" in said


def test_an_objective_of_a_letter_is_measured_by_any_tier_of_it(estate):
    """A covers A1 and A2; A2 alone is not covered by A1."""
    estate.change('      B: {recovery_time: "5m [U]', '      A2: {recovery_time: "5m [U]', "continuity.yaml")
    ((_, said),) = estate.problems()
    assert "tier A2" in said


def test_a_loss_of_data_in_a_tier_that_writes_nothing(estate):
    """Only what was written can be lost: an objective for reads would look kept whatever happened."""
    estate.change('B: {recovery_time: "5m [U]', 'B: {data_loss: "5m [U]', "continuity.yaml")
    ((at, said),) = estate.problems()
    assert estate.path.read_text().splitlines()[at - 1] == "operations:"
    assert said.startswith("operations: continuity.yaml:7 (same-city-site-loss) has data_loss for tier B")
    assert "nobody can measure it" in said
    assert "Give the tier such an operation, or drop data_loss there" in said
    assert estate.problems_of_lab() == [(at, said)]
    estate.change("bills: {tier: B, kind: read", "bills: {tier: B, kind: write")
    estate.harness()


def test_bystanders_that_no_check_compares(estate):
    estate.change('B: {recovery_time: "5m [U]', 'B: {bystanders: "1% [U]', "continuity.yaml")
    ((_, said),) = estate.problems()
    assert said.startswith("operations: continuity.yaml:7 (same-city-site-loss) has bystanders")
    assert "Drop it there" in said


def test_a_continuity_file_that_is_wrong_or_away_is_its_own_reader_s_to_report(estate):
    estate.path.with_name("continuity.yaml").write_text("a: [")
    estate.harness()
    estate.path.with_name("continuity.yaml").unlink()
    ((_, said),) = estate.problems()
    assert "no such file" in said


@pytest.mark.parametrize(
    "text", ["regions: 1", "regions: []", "cells: x", "lab: 3", "regions: {city1: x}", "cells: {c: []}"]
)
def test_shapes_that_are_wrong(estate, text):
    estate.path.write_text(f"schema: stormdrill.estate/1\n{text}\n")
    for found in (estate.problems(), estate.problems_of_lab()):
        assert any("must be a mapping" in said for _, said in found), found
        assert any("is missing" in said for _, said in found)


def test_what_only_follows_from_a_mistake_is_not_told(estate):
    """Without a cell nothing is left to read books of, to be ready, or to have a database."""
    estate.change("  " + CELL1 + "\n", "")
    line = estate.change("primary: city1-a", "primary: city1-x")
    assert [at for at, _ in estate.problems()] == [line]
    assert [at for at, _ in estate.problems_of_lab()] == [line]
