import json
from pathlib import Path

import pytest
import torch

from avatar_exp.data.photos import crop_square, open_photo
from avatar_exp.pictures import open_picture
from avatar_exp.run_folder import read_lines
from avatar_exp.scoring.embedders import Embedder
from avatar_exp.scoring.functional import similarity
from runs.command import ROOT, Commands, Result

pytestmark = pytest.mark.slow  # the commands of the README run it too
FEW = ("num_inference_steps=2", "num_images_per_prompt=1")


def folder(result: Result) -> Path:
    assert result.code == 0, result.err
    (made,) = result.outputs.glob("evaluations/*")
    return made


@pytest.fixture(scope="module")
def evaluated(commands: Commands, finished: Result) -> Result:
    return commands("evaluate", f"run={finished.run.path}", *FEW)


def test_a_run_is_scored_by_the_papers_protocol(evaluated: Result) -> None:
    made = folder(evaluated)
    scores = json.loads((made / "scores.json").read_text())
    assert (scores["prompts"], scores["pictures"]) == (25, 25)
    found = {row["score"]: row for row in scores["scores"]}
    wanted = {"identity", "identity_clip", "prompt", "memorisation", "likeness", "obedience", "drift", "choice"}
    assert set(found) == wanted  # with one picture a prompt there is no diversity
    for name in ("identity", "prompt", "likeness", "drift"):
        assert found[name]["low"] < found[name]["value"] < found[name]["high"]
        assert f"{found[name]['value']:.3f}" in evaluated.out
    assert len(scores["by_prompt"]) == 25
    assert len(list(made.glob("??_0.png"))) == 25
    assert (made / "sheet.png").is_file()


def test_a_score_is_what_its_pictures_give(evaluated: Result) -> None:
    made = folder(evaluated)
    embed = Embedder("tiny/identity", torch.device("cpu"))
    pictures = [open_picture(made / row["file"]) for row in read_lines(made / "scores.jsonl")]
    photos = [crop_square(open_photo(file), 128) for file in sorted((ROOT / "data" / "hoanganh").glob("*.png"))]
    own = similarity(embed(pictures), embed(photos))
    assert {row["prompt"].split()[0] for row in read_lines(made / "scores.jsonl")} == {"photo", "pencil", "pop"}
    assert [row["score/identity"] for row in read_lines(made / "scores.jsonl")] == pytest.approx(own.tolist(), abs=1e-4)


@pytest.mark.slow
def test_the_base_has_neither_drifted_nor_come_nearer(commands: Commands, finished: Result) -> None:
    made = folder(
        commands("evaluate", f"run={finished.run.path}", "step=0", "num_inference_steps=2", "num_images_per_prompt=2")
    )
    found = {row["score"]: row["value"] for row in json.loads((made / "scores.json").read_text())["scores"]}
    # Drawn in other batches than the stored ones, so that a pixel may differ by one level of 255 (4e-6 was seen).
    assert found["drift"] == pytest.approx(0, abs=1e-5)
    assert found["obedience"] != 1  # its own pictures are of the subject's name


@pytest.mark.slow
def test_a_diffusers_folder_needs_its_base_and_its_subject(commands: Commands, finished: Result) -> None:
    run = f"run={finished.run.pipeline}"
    nothing = commands("evaluate", run, *FEW)
    assert nothing.code == 2
    assert "base=tiny" in nothing.err
    subject = ("identifier=hoanganh", "photos=data/hoanganh")
    half = commands("evaluate", run, "base=tiny", *FEW)
    assert half.code == 2
    assert "identifier=hoanganh photos=DIR" in half.err
    whole = folder(commands("evaluate", run, "base=tiny", *subject, *FEW))
    same = folder(commands("evaluate", f"run={finished.run.path}", "step=last", *FEW))
    one, other = (json.loads((made / "scores.json").read_text()) for made in (whole, same))
    assert one["scores"] == other["scores"]


def test_a_protocol_that_does_not_exist_is_named(commands: Commands, finished: Result) -> None:
    ended = commands("evaluate", f"run={finished.run.path}", "protocol=portrait", "batch_size=0")
    assert ended.code == 2
    assert "protocol=portrait: expected one of animal, drawn, object, person" in ended.err
    assert "batch_size=0" in ended.err


@pytest.mark.parametrize("name", ["animal", "drawn", "object", "person"])
def test_every_protocol_has_25_prompts_of_the_subject(name: str) -> None:
    from omegaconf import OmegaConf

    prompts = list(OmegaConf.load(ROOT / "conf" / "protocols" / f"{name}.yaml").prompts)
    assert len(set(prompts)) == 25
    assert all("{subject}" in prompt for prompt in prompts)
