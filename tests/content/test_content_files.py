"""The content that ships: every file is right, and the continuity figures are those of the proposal."""

import subprocess
import sys
from pathlib import Path

import pytest

from stormdrill import continuity, plan, topology
from stormdrill.check import check
from stormdrill.estate import OperationKind

ROOT = Path(__file__).parents[2]
MINUTE, HOUR = 60, 3600
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))


def test_every_content_file_is_right():
    report = check(ROOT)
    assert [str(problem) for problem in report.problems] == []
    assert {file.name for file in report.files} >= {"small.yaml", "continuity.yaml", "pod-kill.yaml"}


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_chaos_toolkit_accepts_every_experiment(path, tmp_path):
    chaos = Path(sys.executable).with_name("chaos")
    argv = [chaos, "--no-version-check", "--no-log-file", "validate", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_operation_of_an_experiment_has_a_target(path):
    loaded = plan.load(path)
    breaks_nothing = loaded.experiment.fault_class == "surge"
    for name, target in loaded.targets.items():
        if breaks_nothing:
            assert target.hurt is not None or not target.tier.startswith("A"), name
            continue
        assert target.recovery_time_s is not None, name
        writes = loaded.topology.operations[name].kind is OperationKind.WRITE
        assert target.data_loss_s is not None or not writes, name
        assert target.basis["recovery_time"], name


# (recovery time, data loss) in seconds, by fault class and tier; None where the proposal says nothing.
FIGURES = {
    "stateless-pod-loss": {"A": (5, 0), "B": (10, 0), "C": (60, None)},
    "db-primary-loss": {"A": (45, 0), "B": (60, 0), "C": (5 * MINUTE, None)},
    "same-city-site-loss": {"A": (60, 0), "B": (5 * MINUTE, 0), "C": (30 * MINUTE, None)},
    "cell-loss": {"A": (60, None), "B": (5 * MINUTE, None), "C": (30 * MINUTE, None)},
    "city-loss": {"A": (30 * MINUTE, 60), "B": (2 * HOUR, 5 * MINUTE), "C": (4 * HOUR, None)},
    "planned-switch": {"A": (60, 0), "B": (5 * MINUTE, 0), "C": (30 * MINUTE, None)},
    "surge": {"A": (None, None)},
}


def test_continuity_figures_and_their_marks():
    loaded = continuity.load(ROOT / "topology" / "continuity.yaml")
    found = {
        name: {
            tier: (value(objective.recovery_time), value(objective.data_loss))
            for tier, objective in fault_class.tiers.items()
        }
        for name, fault_class in loaded.fault_classes.items()
    }
    assert found == FIGURES
    assert value(loaded.objective("stateless-pod-loss", "A2").hurt) == 0.005
    marks = {
        name: str((fault_class.tiers["A"].recovery_time or fault_class.tiers["A"].hurt).basis)
        for name, fault_class in loaded.fault_classes.items()
    }
    assert marks == {
        "stateless-pod-loss": "U",
        "db-primary-loss": "S",
        "same-city-site-loss": "S",
        "cell-loss": "U",
        "city-loss": "S",
        "planned-switch": "U",
        "surge": "U",
    }


def test_ceilings_are_never_tighter_than_targets():
    loaded = continuity.load(ROOT / "topology" / "continuity.yaml")
    assert (value(loaded.ceiling("A1").recovery_time), value(loaded.ceiling("A1").data_loss)) == (
        4 * HOUR,
        15 * MINUTE,
    )
    assert (value(loaded.ceiling("B").recovery_time), value(loaded.ceiling("B").data_loss)) == (
        4 * HOUR,
        30 * MINUTE,
    )
    assert loaded.ceiling("C") is None
    for fault_class in loaded.fault_classes.values():
        for tier, objective in fault_class.tiers.items():
            ceiling = loaded.ceiling(tier)
            if ceiling:
                assert (value(objective.recovery_time) or 0) <= ceiling.recovery_time.value, (
                    fault_class.name,
                    tier,
                )
                assert (value(objective.data_loss) or 0) <= ceiling.data_loss.value, (fault_class.name, tier)


def test_preset_small_says_it_is_a_lab():
    small = topology.load(ROOT / "topology" / "small.yaml")
    assert (small.environment, small.has_lab) == ("lab", True)


def value(figure):
    return None if figure is None else figure.value
