"""The STATUS that kubectl shows of a pod that is being prepared."""

import datetime as dt

import pytest

from stormlab.api.web.podcells import status

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
DONE = {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}


@pytest.mark.parametrize(
    ("first", "shown"),
    [
        ([{"state": {"running": {}}}, {"state": {"waiting": {"reason": "PodInitializing"}}}], "Init:0/2"),
        ([DONE, {"state": {"running": {}}}], "Init:1/2"),
        ([{"state": {"terminated": {"exitCode": 3, "reason": "Error"}}}], "Init:Error"),
        ([{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}], "Init:CrashLoopBackOff"),
        ([DONE], "ContainerCreating"),
    ],
)
def test_how_far_it_is(first, shown):
    waiting = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    found = {"phase": "Pending", "initContainerStatuses": first, "containerStatuses": [waiting]}
    assert status({"metadata": {}, "status": found}, NOW) == shown
