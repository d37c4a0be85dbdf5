import json
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from avatar_exp.run_folder import read_lines
from runs.command import BARE, ROOT, Commands, rows, unlike, weights

DEMO = ROOT / "data" / "hoanganh"
NOBODY = tuple(one for one in BARE if not one.startswith("concept="))
PICTURED = ("sample_every=4", "scoring.prompts=['photo of {subject}']")


def photos(folder: Path, count: int, first: int = 0) -> Path:
    folder.mkdir(parents=True)
    for file in sorted(DEMO.glob("*.png"))[first : first + count]:
        shutil.copy(file, folder)
    return folder


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A folder to work in, with the concept files of two people and their photos."""
    files = tmp_path / "data" / "conf" / "concept"
    files.mkdir(parents=True)
    for number, name in enumerate(("an", "binh")):
        photos(tmp_path / "data" / name, 4, 4 * number)
        (files / f"{name}.yaml").write_text(f"identifier: {name}\nclass_noun: person\ninstance_data_dir: data/{name}\n")
    return tmp_path


def test_a_concept_file_of_ones_own_is_found(commands: Commands, two: Path) -> None:
    ended = commands("train", *NOBODY, "concept=an", "max_steps=1", cwd=two)
    assert ended.code == 0, ended.err
    assert ended.run.info["concept"] == ["an"]
    assert "an: 4 photos; 10-20 are recommended" in ended.out


def test_an_unknown_concept_lists_the_known_ones(commands: Commands, two: Path) -> None:
    ended = commands("train", *NOBODY, "concept=cuong", cwd=two)
    assert ended.code == 2
    assert "no concept is called 'cuong'; known: an, animal, binh, hoanganh, object, person." in ended.err


def test_two_concepts_are_learnt_in_one_run(commands: Commands, two: Path) -> None:
    ended = commands("train", *NOBODY, *PICTURED, "concepts=[an,binh]", cwd=two)
    assert ended.code == 0, ended.err
    info = ended.run.info
    assert info["concept"] == ["an", "binh"]
    prompts = [row["prompt"] for row in read_lines(ended.run.records) if row["step"] == 4]
    assert prompts == ["photo of an person", "photo of binh person"]
    named = {"score/identity", "score/identity_clip", "score/prompt", "score/memorisation"}
    assert named <= set(info["scores"]["4"])
    assert "score/choice" not in info["scores"]["4"]  # with one prompt, obedience cannot be measured


def test_the_tutorials_concepts_list(commands: Commands, two: Path) -> None:
    words = {"instance_prompt": "an person", "class_prompt": "person"}
    entry = {**words, "instance_data_dir": "data/an", "class_data_dir": "data/regularization"}
    (two / "concepts_list.json").write_text(json.dumps([entry]))
    ended = commands("train", *NOBODY, *PICTURED, "concepts_list=concepts_list.json", "max_steps=4", cwd=two)
    assert ended.code == 0, ended.err
    assert ended.run.info["concept"] == ["an"]
    assert [row["prompt"] for row in read_lines(ended.run.records)] == ["photo of an person"] * 2


def test_a_recipe_and_what_is_typed_hold_for_each_of_two(commands: Commands, two: Path) -> None:
    mine = (*NOBODY, "concepts=[an,binh]", "prior=none", "max_steps=1")
    plain, viblo, typed = (
        commands("train", *mine, *more, cwd=two)
        for more in ((), ["experiment=viblo"], ["experiment=viblo", "concept.instance_prompt=a sketch of {subject}"])
    )
    assert [one.code for one in (plain, viblo, typed)] == [0] * 3, typed.err
    assert len({one.run.info["learnt_from"] for one in (plain, viblo, typed)}) == 3  # it holds every photo's caption
    again = two / "again"
    repeated = commands("train", f"repeat={typed.run.path}", f"outputs={again}", cwd=two, outputs=again)
    assert repeated.run.info["learnt_from"] == typed.run.info["learnt_from"]


@pytest.mark.parametrize(
    ("typed", "key"),
    [("concept.identifier=x", "identifier"), ("concept.class_noun=woman", "class_noun"), ("concept=an", "concept=an")],
)
def test_what_is_one_persons_own_is_refused_for_two(commands: Commands, two: Path, typed: str, key: str) -> None:
    ended = commands("train", *NOBODY, "concepts=[an,binh]", typed, cwd=two)
    assert ended.code == 2
    assert key in ended.err
    assert not ended.outputs.exists()


@pytest.mark.slow
def test_captions_beside_photos_are_learnt_unless_switched_off(commands: Commands, two: Path) -> None:
    plain = commands("train", *NOBODY, "concept=an", cwd=two)
    for photo in (two / "data" / "an").glob("*.png"):
        photo.with_suffix(".txt").write_text("photo of {subject} in a red hat\n")
    captioned = commands("train", *NOBODY, "concept=an", cwd=two)
    ignored = commands("train", *NOBODY, "concept=an", "concept.captions=false", cwd=two)
    assert rows(captioned.run) != rows(plain.run)
    assert rows(ignored.run) == rows(plain.run)


def test_photos_held_out_are_what_identity_is_measured_against(commands: Commands, two: Path) -> None:
    scored = (*NOBODY, *PICTURED, "concept=an", "max_steps=0", "sample_every=1")
    every, some = (commands("train", *scored, f"data.holdout={count}", cwd=two).run for count in (0, 2))
    assert every.info["scores"]["0"] != some.info["scores"]["0"]
    none = commands("train", *scored, "data.holdout=4", cwd=two)
    assert none.code == 2
    assert "data.holdout=4 leaves none of 4 photos" in none.err


def test_flips_are_learnt_from_too(commands: Commands, two: Path, tmp_path: Path) -> None:
    store = f"store={tmp_path}/store"
    ended = commands("train", *NOBODY, "concept=an", "data.flip=true", "prior=none", store, cwd=two)
    assert ended.run.info["store_made"] == {"moments": 8}


def test_without_prior_the_same_photos_are_seen(commands: Commands, two: Path) -> None:
    one = ("concept=an", "trainer.log_every_n_steps=1", "max_steps=1")
    without, with_prior = (
        commands("train", *NOBODY, *one, prior, cwd=two) for prior in ("prior=none", "prior.count=2")
    )
    first, second = rows(without.run)[0], rows(with_prior.run)[0]
    assert "train/loss_prior" not in first
    assert first["train/loss_instance"] == pytest.approx(second["train/loss_instance"], rel=1e-4)
    assert without.run.info["store_made"].keys() <= {"moments"}


def test_class_pictures_of_ones_own(commands: Commands, two: Path) -> None:
    mine = (*NOBODY, "concept=an", "prior=folder")
    ended = commands("train", *mine, f"concept.class_data_dir={two}/data/binh", cwd=two)
    assert ended.code == 0, ended.err
    assert "pictures" not in ended.run.info["store_made"]
    assert "train/loss_prior" in rows(ended.run)[0]
    unnamed = commands("train", *mine, cwd=two)
    assert unnamed.code == 2
    assert "prior=folder needs concept.class_data_dir=DIR" in unnamed.err


def test_more_prior_pictures_extend_those_that_are_there(commands: Commands, tmp_path: Path) -> None:
    few, more = (
        commands("train", *BARE, "max_steps=0", f"prior.count={count}", f"store={tmp_path}") for count in (2, 3)
    )
    assert (few.run.info["store_made"]["pictures"], more.run.info["store_made"]["pictures"]) == (2, 1)


def test_photos_as_phones_write_them(commands: Commands, tmp_path: Path) -> None:
    upright, turned = photos(tmp_path / "upright", 2), tmp_path / "turned"
    turned.mkdir()
    for file in upright.iterdir():
        with Image.open(file) as image:
            picture = image.convert("RGB").resize((300, 400))
        picture.save(file)  # a tall PNG
        exif = Image.Exif()
        exif[0x0112] = 6  # rotate by 90 degrees to show
        picture.transpose(Image.Transpose.ROTATE_90).save(turned / file.name, exif=exif)
        assert ImageOps.exif_transpose(Image.open(turned / file.name)).size == (300, 400)
    one, other = (
        commands("train", *BARE, "max_steps=1", f"concept.instance_data_dir={folder}") for folder in (upright, turned)
    )
    assert unlike(weights(one.run.pipeline), weights(other.run.pipeline)) == []


def test_all_that_is_wrong_is_said_at_once(commands: Commands, two: Path) -> None:
    (two / "data" / "an" / "broken.jpg").write_bytes(b"no picture")
    (two / "data" / "an" / "half.png").write_bytes((DEMO / "00.png").read_bytes()[:5000])
    wrong = ("concept=an", "max_steps=-1", "precision=fp64", "choose=first", "optimizer._target_=torch.optim.Nothing")
    ended = commands("train", *NOBODY, *wrong, cwd=two)
    assert ended.code == 2
    assert "6 things to mend before this run can start:" in ended.err
    for said in ("broken.jpg", "half.png", "max_steps=-1", "precision=fp64", "choose=first", "torch.optim.Nothing"):
        assert said in ended.err
    assert not ended.outputs.exists()  # what was refused leaves no run that has failed
