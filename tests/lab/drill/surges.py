"""The surge experiment in less time."""

from pathlib import Path

from tests.lab.drill.estate import ROOT


def sooner(directory: Path) -> Path:
    """Write it below `directory`, its surge from 10 s to 20 s after the start of the load."""
    profile = (ROOT / "loadtests/profiles/surge.yaml").read_text()
    experiment = (ROOT / "experiments/surge-shedding.yaml").read_text()
    assert profile.count("from: 25s, for: 30s") == 2
    assert experiment.count("duration: 35s") == 1
    (directory / "surge.yaml").write_text(profile.replace("from: 25s, for: 30s", "from: 10s, for: 10s"))
    experiment = experiment.replace("../loadtests/profiles/surge.yaml", str(directory / "surge.yaml"))
    written = directory / "surge-shedding.yaml"
    written.write_text(experiment.replace("../", f"{ROOT}/").replace("duration: 35s", "duration: 12s"))
    return written
