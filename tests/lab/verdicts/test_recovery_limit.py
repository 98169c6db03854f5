"""A database that replaces a lost primary only after a minute misses its minute, and the drill says by how much."""

import pytest
from tests.lab.drill.estate import drill, event
from tests.lab.verdicts.changed import TIMES, configured, experiment, without_the_writer
from tests.lab.verdicts.writing import outage_s, writer

pytestmark = [pytest.mark.lab, pytest.mark.long]
WINDOW_S = 6
"""As in TIMES."""
APART_S = 0.2


def test_a_ttl_of_60_fails_on_recovery_time_as_an_independent_writer_sees_it(lab, tmp_path, say):
    zone_partition = experiment(tmp_path, "zone-partition", ("duration: 45s", "duration: 72s"))
    options = without_the_writer(lab, tmp_path)
    with configured(lab, {"ttl": 20}, ttl=60), writer(lab, tmp_path) as writing:

        def during(run):
            event(run, "fault.applied")
            writing.begin()

        ended = drill(lab, tmp_path / "runs", zone_partition, *options, "--times", TIMES, during=during)
        written = writing.end()
    t0_ns = event(ended.path, "fault.applied")["data"]["t0_ns"]
    theirs_s = outage_s(written, t0_ns, WINDOW_S)
    ours = {
        one["operation"]: one
        for one in ended.measurements["recoveries"]
        if one["operation"] in ("transfer", "payment")
    }
    check = ended.check("recovery.transfer")
    say(
        f"exit {ended.code}, {ended.verdict['verdict']}; recovery.transfer {check['verdict']}: {check['why']}"
    )
    say(
        f"the drill: transfer {ours['transfer']['value_s']} ± {ours['transfer']['resolution_s']} s, payment "
        f"{ours['payment']['value_s']} s; the writer: {theirs_s} s, {len(written)} transfers, "
        f"{sum(not one.good for one in written)} not good"
    )
    assert (ended.code, ended.verdict["verdict"]) == (1, "fail"), ended.output
    assert check["verdict"] == "fail"
    failed = {one["id"] for one in ended.verdict["checks"] if one["verdict"] == "fail"}
    assert all(one.startswith("recovery.") for one in failed), failed
    assert ours["transfer"]["value_s"] == pytest.approx(theirs_s, abs=APART_S)
