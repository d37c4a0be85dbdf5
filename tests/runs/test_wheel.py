"""What a user gets who installs the wheel and stands in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from avatar_exp.tiny.world import album

REPOSITORY = Path(__file__).parents[2]
SHORT = ["max_steps=2", "prior.count=2", "prior.sampler.num_inference_steps=2", "scoring.sampler.num_inference_steps=2"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, REPOSITORY], check=True)
    wheel = next(folder.glob("avatar_exp-*.whl"))
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "site", wheel], check=True)
    return folder / "site"


@pytest.fixture
def python(site, tmp_path):
    def run(*arguments):
        # PYTHONPATH stands before the source tree that the tests are installed from.
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
        )

    return run


@pytest.mark.slow
def test_the_wheel_trains_and_samples_in_an_empty_folder(python, site, tmp_path):
    assert str(site) in python("-c", "import avatar_exp; print(avatar_exp.__file__)").stdout
    assert "Config groups" in python("-m", "avatar_exp.train", "--help").stdout
    (tmp_path / "photos").mkdir()
    for number, (picture, _, _) in enumerate(album(5, 3, 256)):
        picture.save(tmp_path / "photos" / f"{number}.png")

    prepared = python("-m", "avatar_exp.prepare", "concept=minh", "source=photos")
    assert prepared.returncode == 0, prepared.stderr
    trained = python("-m", "avatar_exp.train", "concept=minh", "model=tiny", *SHORT)
    assert trained.returncode == 0, trained.stderr
    run = next((tmp_path / "outputs" / "train" / "minh").iterdir())
    assert (run / "report.html").is_file()

    drawn = python("-m", "avatar_exp.sample", f"run={run}", "prompt={subject}", "num_inference_steps=2")
    assert drawn.returncode == 0, drawn.stderr
    assert len(list((tmp_path / "outputs" / "samples").glob("*/*.png"))) == 4 + 1  # and the sheet
