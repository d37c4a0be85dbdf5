"""What people have in their paths and prompts: Vietnamese letters, blanks, brackets, commas, ``=``, apostrophes."""

import shutil
from pathlib import Path

import pytest

from avatar_exp.pictures import read_record
from avatar_exp.run_folder import RunFolder
from runs.command import BARE, KEPT, ROOT, Commands, Result, rows, typed_again

HARD = "Ảnh của bà, [Huế] (2) a=b 'thật' {x} 50% $HOME"
NOBODY = tuple(one for one in BARE if not one.startswith("concept="))
WORDS = HARD.replace("{x}", "x")  # in a prompt braces stand for something
FEW = ("num_inference_steps=2", "num_images_per_prompt=1")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / HARD / "photos"
    shutil.copytree(ROOT / "data" / "hoanganh", folder)
    return folder


def test_paths_mean_themselves_in_every_command(commands: Commands, photos: Path, tmp_path: Path) -> None:
    outputs = tmp_path / HARD / "outputs"
    mine = (*NOBODY, "concept=person", "concept.identifier=minh", f"concept.instance_data_dir={photos}")
    first = commands("train", *mine, *KEPT, "max_steps=1", f"outputs={outputs}", outputs=outputs)
    assert first.code == 0, first.err
    run = first.run.path

    resumed = commands("train", f"resume={run}", "max_steps=2")
    assert resumed.code == 0, resumed.err
    assert RunFolder(run).info["steps_done"] == 2

    elsewhere = commands.fresh_outputs()
    repeated = commands("train", f"repeat={run}", f"outputs={elsewhere}", "max_steps=1", outputs=elsewhere)
    assert repeated.code == 0, repeated.err
    assert rows(repeated.run) == rows(RunFolder(run))[:1]

    drawn = commands("sample", f"run={run}", f"prompt={WORDS} {{subject}}", f"outputs={outputs}", *FEW)
    assert drawn.code == 0, drawn.err
    (picture,) = outputs.glob("samples/*/00_*.png")
    assert read_record(picture)["prompt"] == f"{WORDS} minh person"
    assert picture.name.isascii()


def test_the_command_that_repeats_a_run_can_be_pasted(commands: Commands, photos: Path) -> None:
    prompt = f"concept.instance_prompt=photo of {{subject}}, {WORDS}"
    mine = (*NOBODY, "concept=person", "concept.identifier=minh", prompt, f"concept.instance_data_dir={photos}")
    first = commands("train", *mine, "max_steps=1")
    assert first.code == 0, first.err
    again = commands("train", *typed_again(first.run.info["command"]), outputs=first.outputs)
    assert again.code == 0, again.err
    one, other = (RunFolder(path) for path in sorted(first.outputs.glob("train/minh/*")))
    assert rows(one) == rows(other)
    assert one.info["command"] == other.info["command"]


@pytest.mark.slow
def test_a_process_of_its_own_reads_them_the_same(commands: Commands, photos: Path) -> None:
    mine = (*NOBODY, "concept=person", "concept.identifier=Thảo Vy", f"concept.instance_data_dir={photos}")
    ended = commands.in_process_of_its_own("train", *mine, "max_steps=0")
    assert ended.code == 0, ended.err
    assert ended.run.info["concept"] == ["Thảo Vy"]
    assert ended.run.path.parent.name == "Thao-Vy"


@pytest.mark.parametrize(
    "prompt", ["a, b", "[a]", "a=b", "it's {subject}", "bà ngoại", "(a:1.2)", "'quoted'", 'say "hi"', "null", "50%, $x"]
)
def test_a_prompt_is_drawn_as_it_was_typed(commands: Commands, finished: Result, prompt: str) -> None:
    run = finished.run.path
    ended = commands("sample", f"run={run}", f"prompt={prompt}", "num_inference_steps=1", "num_images_per_prompt=1")
    assert ended.code == 0, ended.err
    drawn = [read_record(file)["prompt"] for file in ended.pictures.glob("0*.png")]
    if prompt == "null":  # no prompt: the eight good ones
        assert len(drawn) == 8
    else:
        assert drawn == [prompt.replace("{subject}", "hoanganh person").strip("'" if prompt[0] == "'" else "")]


def test_folders_of_a_sweep_with_such_values(commands: Commands, photos: Path) -> None:
    swept = "concept.class_prompt='photo of a {class}, [a=b]','ảnh của một người'"
    ended = commands("train", "-m", *BARE, f"concept.instance_data_dir={photos}", swept, "max_steps=0")
    assert ended.code == 0, ended.err
    assert len(ended.jobs) == 2
    assert all(job.path.name.isascii() and " " not in job.path.name for job in ended.jobs)


def test_the_home_folder_in_every_path(photos: Path, tmp_path: Path) -> None:
    """``~`` behind a key is no shell's business; that of these commands is a folder of this test."""
    commands = Commands(tmp_path)
    home = commands.home / "mine"
    shutil.copytree(photos, home / "photos")
    mine = (*NOBODY, "concept=person", "concept.identifier=minh", "concept.instance_data_dir=~/mine/photos")
    first = commands("train", *mine, "max_steps=1", "outputs=~/mine/runs", "store=~/mine/store", outputs=home / "runs")
    assert first.code == 0, first.err
    assert (home / "store").is_dir()
    run = f"~/mine/{first.run.path.relative_to(home)}"
    (home / "prompts.txt").write_text("{subject}")
    ended = commands("sample", f"run={run}", "prompts_file=~/mine/prompts.txt", *FEW)
    assert ended.code == 0, ended.err
    again = commands("train", f"repeat={run}", "outputs=~/mine/again", outputs=home / "again")
    assert again.code == 0, again.err
    assert rows(again.run) == rows(first.run)
    prepared = commands("prepare", "concept=lan", "source=~/mine/photos", "out=~/mine/lan", "faces=false", cwd=tmp_path)
    assert prepared.code == 0, prepared.err
    assert list((home / "lan").glob("*.png"))
