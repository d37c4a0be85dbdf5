"""Photos and prior pictures with their words, and which photos are held out."""

from pathlib import Path

import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from avatar_exp.data.concept import Concept
from avatar_exp.data.latents import moments, text_embedding
from avatar_exp.data.photos import photo_files, to_image
from avatar_exp.data.training_set import split, training_set
from avatar_exp.errors import UserError
from avatar_exp.store import Store
from avatar_exp.tiny import world

PHOTOS = [Path(f"{n:02d}.png") for n in range(12)]


@pytest.mark.parametrize("holdout", [0, 1, 3, 12])
def test_every_photo_is_on_one_side(holdout):
    training, held = split(PHOTOS, holdout, 1337)
    assert sorted([*training, *held]) == PHOTOS
    assert len(held) == holdout
    assert (training, held) == (sorted(training), sorted(held))


def test_the_split_depends_on_names_and_seed_only():
    _, held = split(PHOTOS, 3, 1337)
    assert {photo.name for photo in split([Path("elsewhere") / p for p in reversed(PHOTOS)], 3, 1337)[1]} == {
        photo.name for photo in held
    }
    assert len({tuple(split(PHOTOS, 3, seed)[1]) for seed in range(10)}) > 5


def test_a_larger_holdout_contains_the_smaller():
    assert set(split(PHOTOS, 2, 5)[1]) < set(split(PHOTOS, 4, 5)[1])


@pytest.fixture
def portraits(tmp_path):
    """Eight pictures of a person, no two nearly the same."""
    folder = tmp_path / "portraits"
    folder.mkdir()
    for number, (picture, _, _) in enumerate(world.album(91, 8, 256)):
        picture.save(folder / f"{number}.png")
    return photo_files(folder)


def test_without_copies_the_pictures_do_not_change_which_are_held_out(portraits):
    elsewhere = [Path(photo.name) for photo in portraits]
    for seed in range(5):
        names = [photo.name for photo in split(portraits, 3, seed)[1]]
        assert names == [photo.name for photo in split(elsewhere, 3, seed)[1]]


def test_no_photo_is_held_out_whose_copy_is_trained_on(portraits):
    """Four photos with copies, brighter and saved again; four of the thirteen files are alone."""
    for number, brightness in ((0, 1.1), (1, 0.9), (1, 1.2), (2, 1.0), (3, 1.0)):
        with Image.open(portraits[number]) as image:
            copy = ImageEnhance.Brightness(image).enhance(brightness)
        copy.save(portraits[number].with_name(f"copy-{number}-{brightness}.jpg"), quality=70)
    photos = photo_files(portraits[0].parent)
    for seed in range(8):
        _, held = split(photos, 4, seed)
        assert {photo.name for photo in held} == {f"{n}.png" for n in (4, 5, 6, 7)}
        assert set(split(photos, 2, seed)[1]) < set(held)
        family = [photo.name.removeprefix("copy-")[0] for photo in split(photos, 9, seed)[1]]
        cut = [one for one in family if one in "0123" and family.count(one) == 1]
        assert len(cut) <= 1  # 5 of 9 files with copies were to be held out
        assert split(photos[::-1], 5, seed)[1] == split(photos, 5, seed)[1][::-1]


@pytest.fixture
def concept(tmp_path):
    for n in range(5):
        pixels = torch.rand(3, 80, 100, generator=torch.Generator().manual_seed(n)) * 2 - 1
        (tmp_path / "photos").mkdir(exist_ok=True)
        to_image(pixels).save(tmp_path / "photos" / f"{n}.png")
    (tmp_path / "photos" / "1.txt").write_text("{subject} with a hat")
    return Concept("minh", str(tmp_path / "photos"))


def make(concept, components, tmp_path, **options):
    files = concept.photos()
    chosen = {"resolution": 64, "flip": False, "text_is_trained": True, **options}
    return training_set(concept, files[:3], files[3:], components, Store(tmp_path / "store"), **chosen)


def test_photos_and_prior_pictures_stay_apart(concept, components, tmp_path):
    made = make(concept, components, tmp_path)
    assert (len(made.instance), len(made.prior)) == (3, 2)
    assert {example.moments.mean.shape for example in [*made.instance, *made.prior]} == {(4, 8, 8)}
    for k, file in enumerate(concept.photos()):
        square = Image.open(file).crop((10, 0, 90, 80)).resize((64, 64), Image.Resampling.LANCZOS)
        wanted = moments(components, Store(tmp_path / "other"), [square])[0]
        assert torch.equal([*made.instance, *made.prior][k].moments.mean, wanted.mean)


def test_a_picture_that_is_damaged_by_now_is_named(concept, components, tmp_path):
    (tmp_path / "photos" / "4.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"photos/4\.png: cannot be read: it is empty"):
        make(concept, components, tmp_path)


def test_each_picture_has_its_own_words(concept, components, tmp_path):
    prompts = ["photo of minh person", "minh person with a hat", "photo of minh person"] + ["photo of a person"] * 2
    trained = make(concept, components, tmp_path)
    ids = components.token_ids(prompts)
    assert torch.equal(torch.stack([one.text for one in [*trained.instance, *trained.prior]]), ids)
    frozen = make(concept, components, tmp_path, text_is_trained=False)
    states = [text_embedding(components, Store(tmp_path / "other"), prompt) for prompt in prompts]
    assert torch.equal(torch.stack([one.text for one in [*frozen.instance, *frozen.prior]]), torch.stack(states))


def test_mirrored_moments_are_of_the_mirrored_picture(concept, components, tmp_path):
    plain, flipped = make(concept, components, tmp_path), make(concept, components, tmp_path, flip=True)
    assert plain.instance[0].mirrored is None
    square = ImageOps.mirror(
        Image.open(concept.photos()[0]).crop((10, 0, 90, 80)).resize((64, 64), Image.Resampling.LANCZOS)
    )
    wanted = moments(components, Store(tmp_path / "other"), [square])[0]
    assert torch.equal(flipped.instance[0].mirrored.mean, wanted.mean)
    assert torch.equal(flipped.instance[0].moments.mean, plain.instance[0].moments.mean)


def test_latents_of_mirrored_pictures_are_kept_like_the_others(concept, components, tmp_path):
    store = Store(tmp_path / "store")
    files = concept.photos()
    settings = {"resolution": 64, "text_is_trained": True}
    training_set(concept, files[:3], files[3:], components, store, flip=False, **settings)
    assert store.made == {"moments": 5}
    first = training_set(concept, files[:3], files[3:], components, store, flip=True, **settings)
    assert store.made == {"moments": 10}
    again = training_set(concept, files[:3], files[3:], components, store, flip=True, **settings)
    assert store.made == {"moments": 10}
    assert torch.equal(first.prior[1].mirrored.mean, again.prior[1].mirrored.mean)


def test_the_empty_prompts_words_are_the_samplers(concept, components, tmp_path):
    assert make(concept, components, tmp_path).empty is None
    trained = make(concept, components, tmp_path, empty_prompt=True)
    assert torch.equal(trained.empty, components.token_ids([""])[0])
    frozen = make(concept, components, tmp_path, empty_prompt=True, text_is_trained=False)
    assert torch.equal(frozen.empty, components.text_states(components.token_ids([""]))[0].detach())


def test_faces_are_looked_for_in_photos_only_and_only_if_asked_for(concept, components, tmp_path):
    (tmp_path / "photos" / "boxes.csv").write_text(
        "photo,left,top,right,bottom\n" + "".join(f"{n}.png,30,20,70,60\n" for n in range(5))
    )
    plain = make(concept, components, tmp_path)
    assert not torch.stack([one.face for one in [*plain.instance, *plain.prior]]).any()
    weighted = make(concept, components, tmp_path, faces=True)
    assert [one.face.tolist() for one in weighted.instance] == [[0.25, 0.25, 0.75, 0.75]] * 3  # of the middle 80 pixels
    assert not torch.stack([one.face for one in weighted.prior]).any()
