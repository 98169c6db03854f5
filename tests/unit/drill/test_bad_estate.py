"""An estate that cannot be drilled on: all reasons in one message; exit 2, nothing injected, nothing left behind."""

import time

import pytest

from .conftest import post
from .refusals import edit, untouched
from .test_whole_drill import until_phase

GUARD = """\
    guard:
      - {id: queue, query: max(queue, limit: "<= 5", grace: 1s}
    assertions:
      - id: left-out
        query: sum($shed_by_tier)
        phases: [steady]
        aggregate: max
        limit: "<= 0"
        min_samples: 1
      - id: errors
        query: >-
          sum(errors
        phases: [steady]
        aggregate: max
        limit: "<= 0"
        min_samples: 1
controls:
"""


def test_everything_that_does_not_answer_is_named_together(whole, run):
    whole.fake.behave(prometheus="silent")
    edit(whole.root / "topology.yaml", "edges: {e1:", 'edges: {e0: "http://127.0.0.1:9", e1:')
    edit(whole.root / "topology.yaml", "zones: [z1, z2, z3]", "zones: [z1, z2, z9]")
    code, said = run()
    assert code == 2
    assert "Prometheus at" in said
    assert "edge e0 at http://127.0.0.1:9 cannot be reached" in said
    assert "wrong cluster? no node has topology.kubernetes.io/zone z9 (its nodes have: z1, z2, z3)" in said
    assert untouched(whole)


def test_a_cluster_with_another_identity_is_refused(whole, run):
    edit(whole.root / "topology.yaml", "{context: east,", "{context: east, cluster_id: cluster-2,")
    code, said = run()
    assert code == 2
    assert "wrong cluster: its id is cluster-1, the topology says cluster-2" in said
    assert untouched(whole)


def test_old_samples_are_no_observation(whole, run):
    whole.fake.behave(age_s=60)
    code, said = run()
    assert code == 2
    assert "its newest sample is 60 s old, allowed is 5 s" in said
    assert untouched(whole)


def test_queries_are_tried_before_the_start(whole, run):
    edit(whole.experiment, "controls:\n", GUARD)
    places = [
        edit(whole.root / "topology.yaml", "continuity:", "metrics: {good_by_operation: sum(x}\ncontinuity:"),
        edit(whole.experiment, "- {id: queue", "- {id: queue "),
        edit(whole.experiment, "query: >-", "query: >- "),
    ]
    code, said = run()
    assert code == 2
    for place, what in zip(
        places, ("metric good_by_operation", "guard queue", "assertion errors"), strict=True
    ):
        assert f"{place} {what}: Prometheus at" in said, (place, said)
    assert said.count("refuses the query: parse error: unclosed left parenthesis") == 3
    assert untouched(whole)


def test_a_query_that_cannot_be_answered_is_named_too(whole, run):
    edit(whole.root / "topology.yaml", "continuity:", "metrics: {good_by_operation: doubled}\ncontinuity:")
    whole.fake.behave(failing="doubled")
    code, said = run()
    assert code == 2
    assert "metric good_by_operation: Prometheus at" in said
    assert "answered 422: found duplicate series" in said


@pytest.mark.parametrize(
    ("audit", "why"),
    [
        (
            "kind: http, url: ESTATE/api/v1/namespaces/{key}, amount_field: amount",
            "the answer has no field 'amount'",
        ),
        ("kind: http, url: ESTATE/api/v1/nowhere/{key}, missing: 410", "status 404"),
        (
            (
                "kind: sql, dsn: host=127.0.0.1 port=1 dbname=shop, high_water: SELECT 1, deadline: 1s, "
                "movements: SELECT 1 WHERE 1 > %(since)s"
            ),
            "audit database: a writable primary for the audit: not within 1 s",
        ),
    ],
)
def test_the_books_are_opened_before_the_start(whole, run, audit, why):
    audit = audit.replace("ESTATE", whole.fake.url).replace("url: ", 'url: "').replace("{key}", '{key}"')
    edit(whole.root / "topology.yaml", "kind: none, why: a fake has no books", audit)
    code, said = run()
    assert code == 2
    assert why in said
    assert untouched(whole)


@pytest.mark.parametrize("text", [None, "", "full avg10=0.00 total=1\n"])
def test_a_machine_whose_pressure_is_not_known_is_said_at_once(whole, run, monkeypatch, text):
    file = whole.root / "pressure"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr("stormdrill.drill.pressure.PRESSURE", file)
    code, said = run()
    assert code == 2
    assert f"{file}: " in said
    assert "every run would be inconclusive" in said
    assert untouched(whole)


def test_a_service_without_pods_is_not_waited_for(whole, run):
    edit(whole.root / "topology.yaml", "app: web", "app: wbe")
    began = time.monotonic()
    code, said = run()
    assert code == 2
    assert "service web: no pod app=wbe in namespace shop of east" in said
    assert time.monotonic() - began < 20
    assert untouched(whole)


def test_a_fault_that_would_not_find_its_targets_is_not_waited_for(whole, run):
    place = edit(whole.experiment, "- name: second", "- name: too-many")
    edit(whole.experiment, "zone: z2, count: 1", "zone: z2, count: 3")
    began = time.monotonic()
    code, said = run()
    assert code == 2
    assert f"{place} too-many: service web (app=web) in zone z2 has 2 ready pods, 3 wanted" in said
    assert time.monotonic() - began < 20
    assert untouched(whole)


def test_a_load_that_cannot_start_leaves_nothing(whole, run, bank):
    post(f"http://127.0.0.1:{bank}/_behave", {"mode": "locked"})
    code, said = run()
    assert code == 2, said
    assert "the load cannot start" in said
    assert not list(whole.runs.glob("*"))
    assert whole.fake.calls() == ["CREATE lease drill", "DELETE lease drill"]


def test_two_drills_at_once_are_one_too_many(whole, run):
    first = whole.start()
    try:
        until_phase(whole, first, "prepare")
        code, said = run()
        assert code == 2
        assert "another drill is running on this estate" in said
        assert not [call for call in whole.fake.calls() if "lease" not in call]
    finally:
        first.kill()
        first.wait()
