"""Profiles: what they must say, where they are wrong, and the arithmetic of the shipped ones."""

from pathlib import Path

import pytest

from stormdrill import demand as demand_of
from stormdrill import profile
from stormdrill.content.plain import from_plain, to_plain
from stormdrill.errors import InputError

PROFILES = Path(__file__).parents[3] / "loadtests" / "profiles"


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        profile.load(path)
    return [str(problem).removeprefix(str(tmp_path) + "/") for problem in caught.value.problems]


def test_every_problem_is_told_with_its_line(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """schema: stormdrill.profile/1
name: Weekday Peak
busines: {}
session:
  length: 64
  opening: []
  actions: {bills: 0}
app:
  timeout: 3s
  retry: {atempts: 3}
probes: {transfer: fast, login: 0/s}
customers: {across_cells: 133%}
shape:
  - {at: 10s, factor: 1}
  - {at: 5s, factor: 2}
users: 0
""",
    )
    joined = "\n".join(found)
    for line, part in [
        (2, "name"),
        (3, "unknown key 'busines' (did you mean 'business'?)"),
        (5, "needs a unit"),
        (6, "at least one step"),
        (7, "weight above 0"),
        (10, "unknown key 'atempts' (did you mean 'attempts'?)"),
        (11, "probes.transfer: not a rate"),
        (11, "probes.login: must be above 0"),
        (12, "customers.across_cells: "),
        (15, "times must not go back"),
        (16, "users: must be from 1 to"),
    ]:
        assert any(text.startswith(f"p.yaml:{line}:") and part in text for text in found), (
            line,
            part,
            joined,
        )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("users: 5", "needs either 'business' and 'session', or 'arrivals'"),
        ("arrivals: 5/s\nprobes: {a: 1/s}", "'probes' and 'pulses' need phones"),
    ],
)
def test_a_profile_is_of_one_kind(tmp_path: Path, body: str, message: str) -> None:
    assert message in "\n".join(problems(tmp_path, f"schema: stormdrill.profile/1\nname: p\n{body}\n"))


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_profiles_load_and_survive_the_plan(path: Path) -> None:
    loaded = profile.load(path)
    assert loaded.name == path.stem
    assert from_plain(profile.Profile, to_plain(loaded)) == loaded


def test_weekday_peak_is_the_banks_peak_scaled_to_the_lab() -> None:
    loaded = profile.load(PROFILES / "weekday-peak.yaml")
    demand = demand_of.demand(loaded)
    # The table of the domain notes: 95 sessions/s, 1,900 requests/s, 6,100 sessions at once.
    assert demand.real_sessions_per_s == pytest.approx(95, abs=0.5)
    assert demand.real_requests_per_s == pytest.approx(1_900, abs=10)
    assert demand.concurrent_sessions / loaded.scale == pytest.approx(6_100, rel=0.01)
    assert demand.session_requests_per_s == pytest.approx(40, abs=1)
    assert demand.probe_requests_per_s == 74
    assert demand.requests_per_s == pytest.approx(114, abs=1)
    assert sum(demand.by_operation.values()) == pytest.approx(demand.requests_per_s)
    # Both ways to the money: calls by the mix, movements by the yearly value.
    calls = demand_of.real_money_calls_per_s(loaded, ["transfer", "payment"])
    assert calls == pytest.approx(demand.money_by_value_per_s, rel=0.1)
    assert loaded.probes["transfer"] >= 50


@pytest.mark.parametrize("name", ["weekday-peak", "surge"])
def test_the_mix_is_that_of_the_domain_notes(name: str) -> None:
    loaded = profile.load(PROFILES / f"{name}.yaml")
    assert loaded.business is not None
    calls = {
        each: n / loaded.business.calls_per_use for each, n in demand_of.calls_in_session(loaded).items()
    }
    groups = [
        (("login",), 0.12),
        (("balance",), 0.50),
        (("bills",), 0.18),
        (("transfer",), 0.015),
        (("payment",), 0.015),
        (("products", "advice"), 0.12),
        (("invest",), 0.005),
        (("checkin", "voice", "offers"), 0.045),
    ]
    for names, share in groups:
        assert sum(calls[each] for each in names) == pytest.approx(share, abs=0.0005), names
    assert sum(calls.values()) == pytest.approx(1)


def test_probes_are_for_each_cell() -> None:
    loaded = profile.load(PROFILES / "weekday-peak.yaml")
    assert demand_of.demand(loaded, 3).probe_requests_per_s == 222


def test_a_plain_profile_is_its_arrivals(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("schema: stormdrill.profile/1\nname: p\narrivals: 60/s\n")
    loaded = profile.load(path)
    assert demand_of.demand(loaded).requests_per_s == 60
    assert loaded.operations == frozenset()
    assert loaded.app.timeout_of("anything") == 3
