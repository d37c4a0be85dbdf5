"""``scoring.face_crop``: a whole run, and its evaluation, whose identity embedder sees faces."""

import json

import pytest
from PIL import Image

from avatar_exp.run_folder import read_lines
from avatar_exp.tiny import world
from runs.command import SHORT, Commands, Result

SHORTER = (*SHORT, "max_steps=1", "sample_every=1", "scoring.prompts=['photo of {subject}']", "logger=none")


@pytest.fixture(scope="module")
def cropped(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Result:
    photos = tmp_path_factory.mktemp("photos")
    for n in range(3):
        world.portrait(world.identity(91), world.scene(91 + n, hat="none", style="photo"), 128).save(
            photos / f"{n}.png"
        )
    Image.effect_noise((128, 128), 80).convert("RGB").save(photos / "wall.png")
    mine = ("concept=person", "concept.identifier=minh", f"concept.instance_data_dir={photos}", "model=tiny")
    return commands("train", *mine, *SHORTER, "scoring.face_crop=true")


def test_a_run_says_and_records_that_it_looks_for_faces(cropped: Result) -> None:
    assert cropped.code == 0, cropped.err
    assert "scores: face_crop is on: " in cropped.out
    info = cropped.run.info
    assert "wall.png" in info["photos_without_face"]["minh"]
    assert info["embedders"]["score/identity"].endswith(" of faces")
    assert not info["embedders"]["score/identity_clip"].endswith(" of faces")
    rows = [row for row in read_lines(cropped.run.metrics) if "score/identity" in row]
    assert [row["step"] for row in rows] == [0, 1]
    assert all(0 <= row["score/faces_found"] <= 1 for row in rows)
    assert {row["score/faces_found"] for row in read_lines(cropped.run.picture_scores)} <= {0.0, 1.0}


@pytest.mark.slow
def test_evaluate_looks_for_faces_as_the_run_did_unless_told(commands: Commands, cropped: Result) -> None:
    few = ("num_inference_steps=2", "num_images_per_prompt=1")
    for more, wanted in (((), True), (("face_crop=false",), False)):
        ended = commands("evaluate", f"run={cropped.run.path}", *few, *more)
        assert ended.code == 0, ended.err
        (file,) = ended.outputs.glob("evaluations/*/scores.json")
        scores = json.loads(file.read_text())
        assert ("faces_found" in {row["score"] for row in scores["scores"]}) is wanted
        assert scores["embedders"]["score/identity"].endswith(" of faces") is wanted
        assert ("face_crop is on" in ended.out) is wanted
