"""What Chaos Toolkit may ask of the supervisor, and when."""

import pytest

from stormdrill.drill.injector import Injector
from stormdrill.drill.method import Method
from stormdrill.drill.stop import Stop
from stormdrill.errors import ActionError
from stormdrill.store import Run

ONE_POD = {"fault": "kill_pods", "service": "web", "zone": "", "count": 1, "share": ""}


@pytest.fixture
def method(estate, tmp_path):
    stop = Stop()
    return Method(Run(tmp_path), stop, Injector(estate, stop), {}, estate.record)


def test_a_fault_belongs_between_the_start_and_the_end_of_the_method(fake, method):
    with pytest.raises(ActionError, match="belongs into the experiment's method"):
        method.answer("inject", ONE_POD)
    method.opened.set()
    assert method.answer("inject", ONE_POD)["name"] == "kill_pods-1"
    method.ended.set()
    with pytest.raises(ActionError, match="belongs into the experiment's method"):
        method.answer("inject", ONE_POD)
    assert len(fake.calls()) == 1
