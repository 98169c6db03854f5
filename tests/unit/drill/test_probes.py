"""What a hypothesis is told: yes, no, or that nobody knows; against fakes at the wire."""

from types import SimpleNamespace

import pytest

from stormdrill.drill.probes import probes_of
from stormdrill.drill.stop import Stop
from stormdrill.errors import ActionError, TargetError
from stormdrill.prometheus import Prometheus

from .seconds import second


class Told(list):
    """Seconds of load as they are told: one more each time somebody looks at the last of them."""

    def __init__(self, *seconds):
        super().__init__(seconds[:1])
        self._later = list(seconds[1:])

    def __getitem__(self, index):
        if isinstance(index, slice) and self._later:
            self.append(self._later.pop(0))
        return super().__getitem__(index)


def probes(estate, *seconds, well_since_ns=0, told=lambda *seconds: list(seconds)):
    """The probes of a session of which only what they look at is there."""
    source = estate.topology.prometheus
    targets = SimpleNamespace(
        directors=estate.directors, prometheus=Prometheus(source.url, source.timeout_s, None)
    )
    load = SimpleNamespace(seconds=told(*seconds))
    return probes_of(
        SimpleNamespace(
            load=load, plan=SimpleNamespace(topology=estate.topology), targets=targets, estate=estate,
            well_since_ns=well_since_ns, stop=Stop(),
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "healthy"),
    [
        ({"good": 99, "failed": 1}, True),
        ({"good": 98, "failed": 2}, False),
        ({"good": 98, "unknown": 2}, False),
        ({"good": 98, "shed": 2}, False),
        ({"good": 99, "failed": 1, "dropped": 50}, True),
        ({"good": 99, "failed": 1, "blocked": 50}, True),
    ],
)
def test_health_is_of_what_was_sent_not_of_what_the_generator_dropped(estate, counts, healthy):
    asked = probes(estate, second(11, **counts), second(12, **counts))
    assert asked["load_healthy"]("99%", "2s") is healthy


@pytest.mark.parametrize(
    ("counts", "healthy"),
    [
        # The wave of those who had waited is shed in part; then all is well.
        ([{"good": 458, "shed": 45}, *[{"good": 160}] * 4], True),
        # Well within the second window.
        (
            [
                {"good": 100, "shed": 45},
                {"good": 100, "shed": 20},
                {"good": 160},
                {"good": 160},
                {"good": 160},
            ],
            True,
        ),
        # Not well after two windows.
        ([{"good": 100, "shed": 45}] * 5, False),
        # It was well, and is not any more: nobody waits for what comes after two windows.
        ([*[{"good": 100, "shed": 45}] * 4, {"good": 160}, {"good": 160}, {"good": 160}], False),
    ],
)
def test_a_no_right_after_the_recovery_is_asked_for_again(estate, counts, healthy):
    seconds = [second(number, **count) for number, count in enumerate(counts, 1)]
    asked = probes(estate, *seconds, well_since_ns=500_000_000, told=Told)
    assert asked["load_healthy"]("98%", "2s") is healthy


@pytest.mark.parametrize(
    "seconds",
    [
        (),
        (second(20, good=0, blocked=40),),
        (second(20, good=0, dropped=40),),
        (second(0.5), second(20, good=0)),
    ],
)
def test_without_an_answer_health_is_not_known(estate, seconds):
    asked = probes(estate, *seconds, well_since_ns=600_000_000)
    with pytest.raises(ActionError, match="no request ended in the last 5s"):
        asked["load_healthy"]("99%", "5s")


def test_replication_is_in_sync_out_of_sync_or_not_known(fake, estate):
    asked = probes(estate)["replication_in_sync"]
    assert asked("") is asked("main") is True
    fake.behave(standby="async")
    assert asked("") is False
    fake.behave(rest="leader")
    with pytest.raises(
        TargetError, match="nobody says that it leads database main, and db-0 does not answer"
    ):
        asked("")
    fake.behave(rest="gone")
    with pytest.raises(TargetError, match="no Patroni member answers"):
        asked("")


def test_samples_are_fresh_stale_or_not_known(fake, estate):
    asked = probes(estate)["prometheus_fresh"]
    assert asked() is True
    fake.behave(age_s=6)
    assert asked() is False
    fake.behave(prometheus="silent")
    with pytest.raises(TargetError):
        asked()
