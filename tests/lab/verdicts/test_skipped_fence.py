"""A failover whose fence was skipped on purpose fails: both sites took writes, and they are counted."""

import json

import pytest
from tests.lab.drill.estate import LIGHT, drill
from tests.lab.kills import traces
from tests.lab.verdicts.changed import TIMES
from tests.lab.verdicts.harness import recover

pytestmark = [pytest.mark.lab, pytest.mark.long]


def test_a_skipped_fence_fails_and_its_dual_writes_are_counted(lab, tmp_path, say):
    options = (*LIGHT, "--topology", str(lab.topology), "--times", TIMES)
    ended = drill(lab, tmp_path / "runs", "tests/lab/failover/skipped.yaml", *options)
    dual, fence = ended.check("dual_writes"), ended.check("fence")
    fork = json.loads((ended.path / "fork-cell0.json").read_text())
    listed = {one["key"] for one in fork["lost"]}
    missing = {one["key"] for one in ended.measurements["loss"]["movements"]["lost"]}
    say(f"exit {ended.code}, {ended.verdict['verdict']}; dual_writes {dual['verdict']}: {dual['why']}")
    say(f"fence {fence['verdict']}: {fence['why']}; {len(missing)} lost, the fork lists {len(listed)}")
    assert (ended.code, ended.verdict["verdict"]) == (1, "fail"), ended.output
    assert dual["verdict"] == "fail"
    assert dual["measured"]["value"] > 0
    assert fence["verdict"] == "fail"
    assert missing, "nothing was lost: both sites did not write"
    assert missing <= listed, "what is gone is in the file that is kept"
    after = recover(lab, tmp_path)
    assert (after.returncode, "nothing was left behind" in after.stdout) == (0, True), (
        after.stdout + after.stderr
    )
    assert traces.tables(lab) + traces.objects(lab) == []
