import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image

from avatar_exp.models.load import load
from avatar_exp.pictures import read_record
from avatar_exp.sample import about_subjects, whose
from runs.command import ROOT, Commands, Result, changed

FEW = ("num_inference_steps=2", "num_images_per_prompt=1")


def files(result: Result) -> list[Path]:
    assert result.code == 0, result.err
    return sorted(file for file in result.pictures.glob("*.png") if file.name != "sheet.png")


def test_a_run_is_sampled_in_its_subjects_words(commands: Commands, finished: Result) -> None:
    prompt = ("prompt={subject} on the beach", "num_images_per_prompt=3", "num_inference_steps=2", "seed=7")
    ended = commands("sample", f"run={finished.run.path}", *prompt)
    pictures = files(ended)
    assert [file.name for file in pictures] == [f"00_hoanganh-person-on-the-beach_{seed}.png" for seed in (7, 8, 9)]
    record, info = read_record(pictures[1]), finished.run.info
    best = finished.run.pipeline if info["best_step"] == 4 else finished.run.kept_step(info["best_step"])
    assert f"weights   step {info['best_step']} (best score)" in ended.out
    assert (record["prompt"], record["seed"], record["model"]) == (
        "hoanganh person on the beach",
        8,
        load(str(best)).fingerprint[:16],
    )
    assert str(finished.run.path).encode() not in pictures[1].read_bytes()
    with Image.open(pictures[1]) as image:
        assert image.size == (128, 128)
        assert (
            "Steps: 2, Sampler: EulerAncestralDiscrete, CFG scale: 4.0, Seed: 8, Size: 128x128"
            in image.info["parameters"]
        )
    with Image.open(ended.pictures / "sheet.png") as sheet:
        assert sheet.width > 3 * 128
        assert sheet.height > 128
    assert str(ended.pictures / "sheet.png") in ended.out


def test_the_same_seed_draws_the_same_picture(commands: Commands, finished: Result) -> None:
    same = (f"run={finished.run.path}", "prompt={subject}", *FEW)
    first, again, other = (files(commands("sample", *same, f"seed={seed}"))[0] for seed in (3, 3, 4))
    assert first.read_bytes() == again.read_bytes()
    assert Image.open(first).tobytes() != Image.open(other).tobytes()


@pytest.mark.parametrize(
    ("step", "drawn_at", "why"),
    [("last", 4, "the last step"), ("2", 2, "kept by keep_steps"), ("0", 0, "the base")],
)
def test_the_runs_own_samples_can_be_drawn_again(
    commands: Commands, finished: Result, step: str, drawn_at: int, why: str
) -> None:
    prompt = ("prompt=photo of {subject}", "seed=1337", "batch_size=1", f"step={step}")
    ended = commands("sample", f"run={finished.run.path}", *prompt, *FEW)
    (picture,) = files(ended)
    assert f"weights   step {drawn_at} ({why})" in ended.out
    assert "1 picture in " in ended.out
    own = finished.run.step_samples(drawn_at) / "00_0.png"
    pairs = zip(Image.open(picture).tobytes(), Image.open(own).tobytes(), strict=True)
    assert max(abs(a - b) for a, b in pairs) <= 1


def test_without_a_prompt_the_eight_good_ones_are_drawn(commands: Commands, finished: Result) -> None:
    pictures = files(commands("sample", f"run={finished.run.path}", *FEW))
    assert len(pictures) == 8
    assert all("{" not in read_record(file)["prompt"] for file in pictures)


def test_several_prompts_and_a_file_of_them(commands: Commands, finished: Result, tmp_path: Path) -> None:
    lines = tmp_path / "prompts.txt"
    lines.write_text("{class} in the snow\n\nảnh của {subject}\n")
    prompts = ("prompts=['{subject}, pop art','{identifier}']", f"prompts_file={lines}")
    pictures = files(commands("sample", f"run={finished.run.path}", *prompts, *FEW))
    drawn = [read_record(file)["prompt"] for file in pictures]
    assert drawn == ["hoanganh person, pop art", "hoanganh", "person in the snow", "ảnh của hoanganh person"]


@pytest.mark.parametrize("step", ["best", "4"])
def test_the_steps_that_were_kept(commands: Commands, finished: Result, step: str) -> None:
    assert len(files(commands("sample", f"run={finished.run.path}", f"step={step}", "prompt={subject}", *FEW))) == 1


def test_any_diffusers_folder(commands: Commands, finished: Result, tmp_path: Path) -> None:
    folder = tmp_path / "pipeline"
    shutil.copytree(finished.run.pipeline, folder)
    named = commands("sample", f"run={folder}", "prompt={subject}, a {class}", "subject=minh woman", *FEW)
    assert read_record(files(named)[0])["prompt"] == "minh woman, a woman"
    unnamed = commands("sample", f"run={folder}", "prompt={subject}", *FEW)
    assert unnamed.code == 2
    assert "subject='hoanganh person'" in unnamed.err
    within = commands("sample", f"run={finished.run.pipeline}", "prompt={subject}", *FEW)
    assert read_record(files(within)[0])["prompt"] == "hoanganh person"


def test_of_several_the_others_are_told_and_drawn(commands: Commands, finished: Result, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.run.path, run)
    changed(run / "run.json", concept=["an", "binh"], class_noun=["woman", "man"])
    prompt = "prompt={subject}, a {class}: {identifier}"
    first = commands("sample", f"run={run}", prompt, *FEW)
    told = "subject   {subject} is an woman; this run also knows: binh man (subject='binh man')\n"
    assert told in first.out
    assert read_record(files(first)[0])["prompt"] == "an woman, a woman: an"
    other = commands("sample", f"run={run}", prompt, *shlex.split(told.partition("(")[2].rstrip(")\n")), *FEW)
    assert "also knows" not in other.out
    assert read_record(files(other)[0])["prompt"] == "binh man, a man: binh"
    assert "also knows" not in commands("sample", f"run={run}", "prompt=a hat", *FEW).out
    within = commands("sample", f"run={run / 'pipeline'}", "prompt={subject}", *FEW)
    assert told in within.out


def test_whose_words_a_subject_has() -> None:
    known = [("thao", "woman"), ("thao vy", "girl")]
    assert whose(None, known) == ("thao", "woman")
    assert [whose(one, known)[0] for one in ("thao", "thao vy girl", "thao woman")] == ["thao", "thao vy", "thao"]
    assert whose("thaonguyen", known) == ("", "woman")
    assert whose(None, []) == whose("x", []) == ("", "")


def test_who_is_not_known_is_told() -> None:
    known = [("hoanganh", "person"), ("zwx", "dog")]
    assert about_subjects("zwx puppy", known) is None
    assert about_subjects("bob", known) == "bob was not learnt; this run knows: hoanganh person, zwx dog"
    assert about_subjects("bob", []) is None  # of a folder of weights nothing is known


def test_one_subject_needs_no_telling(commands: Commands, finished: Result) -> None:
    assert "also knows" not in commands("sample", f"run={finished.run.path}", "prompt={subject}", *FEW).out


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["DPMSolverMultistep", "EulerAncestralDiscrete", "PNDMScheduler", "DDPM"])
def test_other_schedulers_by_name(commands: Commands, finished: Result, scheduler: str) -> None:
    settings = (f"scheduler={scheduler}", "num_inference_steps=4", "num_images_per_prompt=1", "prompt={subject}")
    (picture,) = files(commands("sample", f"run={finished.run.path}", *settings))
    assert read_record(picture)["scheduler"] == scheduler
    assert len(set(Image.open(picture).convert("L").tobytes())) > 8  # something was drawn


def test_size_guidance_and_negative_prompt(commands: Commands, finished: Result) -> None:
    settings = ("height=64", "width=192", "guidance_scale=1", "negative_prompt=hat, (red)", "prompt={subject}")
    (picture,) = files(commands("sample", f"run={finished.run.path}", *settings, *FEW))
    record = read_record(picture)
    assert (record["guidance_scale"], record["negative_prompt"]) == (1, "hat, (red)")
    assert Image.open(picture).size == (192, 64)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("scheduler=Magic", "scheduler=Magic: diffusers has none of that name"),
        ("step=3", "Steps kept: 4 (chosen), 2"),
        ("run=nowhere", f"run=nowhere: no such folder (from {ROOT})"),
        ("run=docs", "run=docs: neither a run nor a diffusers folder"),
        ("step=viel", "step=viel: expected best, last, 0 (the base) or one of: 4 (chosen), 2"),
        ("prompts_file=nowhere.txt", f"prompts_file=nowhere.txt: no such file (from {ROOT})"),
        ("prompt=a {subjekt}", "{subjekt} stands for nothing; known: {subject}, {identifier}, {class}"),
        ("prompts=['{a}']", "{a} stands for nothing"),
        ("precision=8", "precision=8; expected one of"),
        ("stepp=3", "did you mean step?"),
    ],
)
def test_what_cannot_be_drawn_is_said_shortly(commands: Commands, finished: Result, override: str, said: str) -> None:
    ended = commands("sample", f"run={finished.run.path}", "prompt={subject}", *FEW, override)
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert not ended.outputs.exists()


def test_without_a_run_the_newest_are_named(commands: Commands, finished: Result) -> None:
    for command in ("sample", "export", "evaluate"):
        ended = commands(command, f"outputs={finished.outputs}")
        assert ended.code == 2
        assert "name a run: run=outputs/train/hoanganh/DATE\nnewest in" in ended.err
        assert ended.err.endswith(f"\n  run={finished.run.path}\n")
    above = commands("sample", f"run={finished.run.path.parent}")
    assert "neither a run nor a diffusers folder\nnewest in" in above.err
    assert f"run={finished.run.path}\n" in above.err


def test_what_the_run_says_to_type_next_works(commands: Commands, finished: Result) -> None:
    (line,) = [line for line in finished.out.splitlines() if line.startswith("next ")]
    command = shlex.split(line)[1:]
    assert command[:3] == ["python", "-m", "avatar_exp.sample"]
    assert len(files(commands("sample", *command[3:], *FEW))) == 1


def test_numbers_that_cannot_be_drawn_are_named_together(commands: Commands, finished: Result) -> None:
    ended = commands("sample", f"run={finished.run.path}", "height=100", "num_inference_steps=0", "precision=64")
    assert ended.code == 2
    assert "precision=64; expected one of" in ended.err
    assert "height=100: must be a multiple of 8" in ended.err
    assert "num_inference_steps=0: must be at least 1" in ended.err
