"""The loss of a database primary, by a crash of its process or of its pod, against fakes at the wire."""

import time
from dataclasses import replace

import pytest

from stormdrill import topology
from stormdrill.drill.samplers import DatabaseSampler
from stormdrill.errors import ActionError
from stormdrill.faults.primary_crash import PrimaryCrash
from stormdrill.faults.primary_kill import PrimaryKill


@pytest.mark.parametrize("how", ["failover", "restart"])
def test_a_crash_is_proven_by_the_members_own_word_and_over_when_the_pair_is_whole(fake, estate, how):
    fake.behave(crash=how)
    fault = PrimaryCrash()
    before = time.monotonic_ns()
    injection = fault.inject(estate, "crash-1")
    assert before <= injection.t0_ns
    assert injection.targets[0]["member"] == "db-0"
    assert injection.targets[0]["database"] == "main"
    assert [kind for kind, _ in estate.record] == ["fault.intended"]
    proof = fault.verify(estate, injection)
    assert proof.ok, proof.why
    assert proof.evidence["started_before"] == "start-1"
    assert proof.evidence["started_now"] in (None, "start-2")
    restored = fault.revert(estate, injection, 10)
    assert restored.ok, restored.why
    assert estate.directors["main"].cluster().leader == ("db-1" if how == "failover" else "db-0")


@pytest.mark.parametrize("fault", [PrimaryCrash(), PrimaryKill("main")])
def test_a_rehearsal_finds_the_primary_and_leaves_it_alone(fake, estate, fault):
    fault.rehearse(estate)
    assert fake.calls() == []
    with pytest.raises(ActionError, match="no database of cell other"):
        replace(fault, cell="other").rehearse(estate)


def test_a_crash_that_changes_nothing_is_not_proven(fake, estate, monkeypatch):
    monkeypatch.setattr("stormdrill.faults.primary_crash._PROOF_S", 0.5)
    fake.behave(crash="nothing")
    fault = PrimaryCrash("main")
    proof = fault.verify(estate, fault.inject(estate, "crash-1"))
    assert not proof.ok
    assert "still runs the database process started at start-1" in proof.why


def test_a_member_that_only_does_not_answer_is_no_proof(fake, estate, monkeypatch):
    monkeypatch.setattr("stormdrill.faults.primary_crash._PROOF_S", 0.5)
    fake.behave(crash="nothing")
    fault = PrimaryCrash()
    injection = fault.inject(estate, "crash-1")
    fake.behave(rest="silent")
    assert not fault.verify(estate, injection).ok


def test_a_crash_command_that_fails_is_an_error(fake, estate):
    fake.behave(crash="fails")
    with pytest.raises(ActionError, match="ended with 1: no such file"):
        PrimaryCrash().inject(estate, "crash-1")


def test_without_the_right_to_exec_nothing_is_hurt(fake, estate):
    fake.behave(exec="refused")
    with pytest.raises(ActionError, match="could not be run in db-0"):
        PrimaryCrash().inject(estate, "crash-1")


def test_the_primarys_pod_dies_and_comes_back(fake, estate):
    fault = PrimaryKill()
    injection = fault.inject(estate, "kill-1")
    assert fake.calls() == ["DELETE db-0 grace=0"]
    assert fault.verify(estate, injection).ok
    restored = fault.revert(estate, injection, 10)
    assert restored.ok, restored.why
    assert estate.directors["main"].cluster().leader == "db-1"


def test_a_primary_that_stays_away_leaves_the_estate_not_whole(fake, estate):
    fake.behave(replace_s=None)
    fault = PrimaryKill()
    injection = fault.inject(estate, "kill-1")
    restored = fault.revert(estate, injection, 0.5)
    assert not restored.ok
    assert "no ready replacement of db-0" in restored.why


def test_a_cell_without_a_database_is_an_error(fake, estate):
    with pytest.raises(ActionError, match=r"no database of cell other; there are: main"):
        PrimaryCrash("other").inject(estate, "crash-1")
    assert fake.calls() == []


def test_no_database_at_all(fake, estate, tmp_path):
    text = (tmp_path / "topology.yaml").read_text()
    head, rest = text.split("databases:\n")
    (tmp_path / "topology.yaml").write_text(head + rest[rest.index("idempotency:") :])
    with pytest.raises(ActionError, match="there are: none"):
        PrimaryKill().inject(replace(estate, topology=topology.load(tmp_path / "topology.yaml")), "kill-1")


def test_the_sampler_records_changes_of_the_leader_and_the_state_each_second(fake, estate):
    sampler = DatabaseSampler("main", estate.directors["main"], estate.record)
    sampler.sample()
    sampler.sample()
    assert [data["member"] for data in estate.record.of("db.leader")] == ["db-0"]
    (sync,) = estate.record.of("db.sync")
    assert sync["leader"] == "db-0"
    assert list(sync["sync_standbys"]) == ["db-1"]
    assert {member["name"] for member in sync["members"]} == {"db-0", "db-1"}
    PrimaryCrash().inject(estate, "crash-1")
    sampler.sample()
    deadline = time.monotonic() + 5
    while len(estate.record.of("db.leader")) < 3 and time.monotonic() < deadline:
        sampler.sample()
    assert [data["member"] for data in estate.record.of("db.leader")] == ["db-0", None, "db-1"]
