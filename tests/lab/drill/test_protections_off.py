"""The surge experiment with one protection taken away: one line of the bank's configuration, and the drill fails."""

import pytest
from tests.lab.drill.estate import SHORT, Bank, drill
from tests.lab.drill.surges import sooner

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def bank(small_lab):
    """As it was in the beginning, for the tests after this module too."""
    bank = Bank(small_lab)
    yield bank
    bank.runs_with()


@pytest.mark.parametrize(
    ("off", "harmed"),
    [
        # Who is to be served first is given up like the rest.
        ("order", {"hurt.A"}),
        # As many are let in as ever, and all of them wait.
        pytest.param("adaptive,queue,deadline", {"hurt.A"}, marks=pytest.mark.long),
        # What the campus is asked for fills the room that transfers need.
        pytest.param("bulkhead", {"hurt.A"}, marks=pytest.mark.long),
    ],
)
def test_without_it_a_surge_reaches_those_who_are_to_notice_nothing(small_lab, bank, tmp_path, off, harmed):
    bank.runs_with(BANK_FLOW_OFF=off)
    ended = drill(small_lab, tmp_path, str(sooner(tmp_path)), "--times", SHORT)
    failed = {one["id"] for one in ended.verdict["checks"] if one["verdict"] == "fail"}
    assert harmed <= failed, ended.output
    assert (ended.code, ended.verdict["verdict"]) == (1, "fail"), ended.output
