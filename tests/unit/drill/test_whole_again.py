"""What counts as whole after a fault, and when a look at a database counts as before it."""

import time
from types import SimpleNamespace

import pytest

from stormdrill.drill.samplers import DatabaseSampler
from stormdrill.faults.primary import trouble_of


class Director:
    """A cluster that is as told, after `delay_s`."""

    def __init__(self, leader, delay_s=0.0):
        self._leader, self._delay_s = leader, delay_s

    def cluster(self):
        time.sleep(self._delay_s)
        return SimpleNamespace(
            leader=self._leader, timeline=1, sync_standbys=("b",), members=(), to_json=dict
        )


@pytest.mark.parametrize(
    ("following", "said"),
    [
        pytest.param({}, "", id="no standby site, or none that followed before"),
        pytest.param({"cell0": lambda: ""}, "", id="it follows"),
        pytest.param(
            {"cell0": lambda: "it is on timeline 1, not 3"}, "it is on timeline 1, not 3", id="it does not"
        ),
    ],
)
def test_a_standby_site_that_followed_before_is_part_of_the_whole(following, said):
    estate = SimpleNamespace(directors={"cell0": Director("a")}, following=following)
    assert trouble_of(estate, "cell0", 1) == said


@pytest.mark.parametrize("leader", ["a", None])
def test_silence_is_news_of_the_answer_and_a_leader_of_the_question(leader):
    told = []
    sampler = DatabaseSampler(
        "cell0", Director(leader, 0.05), lambda kind, *_, **data: told.append(data["mono_ns"])
    )
    asked_ns = time.monotonic_ns()
    sampler.sample()
    assert len(told) == 2  # db.leader and db.sync
    late = [at_ns - asked_ns >= 50_000_000 for at_ns in told]
    assert late == [leader is None] * 2
