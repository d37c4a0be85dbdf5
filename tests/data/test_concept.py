"""The subject: its words, its photos, and everything that can be wrong with it."""

import os
import shlex
from pathlib import Path

import pytest
from PIL import Image

from avatar_exp.data.concept import Concept, fill, placeholder_faults


def photos(folder, count=12, suffix="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        Image.new("RGB", (8, 8), (n, n, n)).save(folder / f"{n:02d}.{suffix}")
    return str(folder)


def concept(tmp_path, **values):
    return Concept(**{"identifier": "minh", "instance_data_dir": photos(tmp_path / "photos"), **values})


@pytest.mark.parametrize(
    ("prompt", "filled"),
    [
        ("photo of {subject}", "photo of minh person"),
        ("a {class} beside {identifier}", "a person beside minh"),
        ("{other} {{subject}} {", "{other} {minh person} {"),
        ("no placeholder", "no placeholder"),
    ],
)
def test_prompts_are_filled(tmp_path, prompt, filled):
    assert concept(tmp_path).fill(prompt) == filled
    assert fill(prompt, "minh person", "person") == filled


def test_a_subject_without_a_class_is_its_identifier(tmp_path):
    assert concept(tmp_path, class_noun="").subject == "minh"


def test_a_photo_may_have_its_own_caption(tmp_path):
    mine = concept(tmp_path)
    first, second, third = mine.photos()[:3]
    first.with_suffix(".txt").write_text("  {subject} ở biển\n")
    second.with_suffix(".txt").write_text("\n")
    assert [mine.caption(photo) for photo in (first, second, third)] == [
        "minh person ở biển", "photo of minh person", "photo of minh person",
    ]  # fmt: skip
    without = Concept("minh", mine.instance_data_dir, captions=False)
    assert without.caption(first) == "photo of minh person"


def test_a_sound_concept_has_no_faults(tmp_path):
    assert concept(tmp_path, class_data_dir=photos(tmp_path / "class")).faults() == []


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"identifier": " ", "instance_prompt": "a {subject}"}, "concept.identifier is empty"),
        ({"instance_prompt": "photo of a person"}, "does not name the subject"),
        ({"instance_data_dir": "/no/such"}, "concept.instance_data_dir=/no/such: no such folder"),
        ({"class_data_dir": "/no/such"}, "concept.class_data_dir=/no/such: no folder with pictures"),
    ],
)
def test_each_fault_is_named(tmp_path, values, says):
    (found,) = concept(tmp_path, **values).faults()
    assert says in found


def test_every_broken_picture_of_the_class_that_is_going_to_be_used_is_named(tmp_path):
    mine = concept(tmp_path, class_data_dir=photos(tmp_path / "class", 4))
    whole = (tmp_path / "class" / "00.png").read_bytes()
    for name in ("01.png", "03.png"):
        (tmp_path / "class" / name).write_bytes(whole[:-30])
    named = [fault.split(":")[0] for fault in mine.faults()]
    assert named == [f"{tmp_path}/class/{name}" for name in ("01.png", "03.png")]
    assert mine.faults(class_pictures=3) == mine.faults()[:1]
    assert mine.faults(class_pictures=0) == []


def test_what_is_only_named_like_a_photo_is_a_fault(tmp_path):
    mine = concept(tmp_path)
    (tmp_path / "photos" / "x.jpg").symlink_to("gone.jpg")
    os.mkfifo(tmp_path / "photos" / "y.jpg")
    assert mine.faults() == [
        f"{tmp_path}/photos/x.jpg: cannot be read: it is a link to gone.jpg, which is not there",
        f"{tmp_path}/photos/y.jpg: cannot be read: it is a pipe\n"
        "to do: mend or remove what cannot be read, or let prepare leave it out: "
        f"python -m avatar_exp.prepare concept=minh source={tmp_path}/photos",
    ]


def test_what_to_do_about_broken_photos_is_a_command_for_this_subject(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = photos(Path("my photos"))
    (tmp_path / "my photos" / "x.jpg").write_text("broken")
    (found,) = concept(tmp_path, identifier="Cún 'Mực'", class_noun="dog", instance_data_dir=folder).faults()
    command = shlex.split(found.rpartition(": ")[2])[3:]
    assert command == ["concept=Cun-Muc", "source=my photos", "identifier=Cún 'Mực'", "class_noun=dog"]


def test_where_prepare_would_write_photos_are_only_removed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = photos(Path("data/minh"))
    (tmp_path / "data" / "minh" / "x.jpg").write_text("broken")
    (found,) = concept(tmp_path, instance_data_dir=folder).faults()
    assert found.endswith("is lost\nto do: mend or remove what cannot be read")


def test_folders_that_may_not_be_looked_into_are_faults(tmp_path, monkeypatch):
    """As somebody else's; root may look into every folder, so listing is forbidden here."""
    mine = concept(tmp_path, class_data_dir=photos(tmp_path / "class"))

    def forbidden(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbidden)
    assert mine.faults() == [
        f"concept.instance_data_dir={tmp_path}/photos: this folder cannot be looked into: Permission denied",
        f"concept.class_data_dir={tmp_path}/class: this folder cannot be looked into: Permission denied",
    ]


def test_an_instance_prompt_may_spell_the_identifier(tmp_path):
    assert concept(tmp_path, instance_prompt="photo of minh").faults() == []


def test_an_empty_folder_and_every_broken_photo_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no picture in it" in concept(tmp_path, instance_data_dir=str(tmp_path / "empty")).faults()[0]
    mine = concept(tmp_path)
    for name in ("x.png", "y.jpg"):
        (tmp_path / "photos" / name).write_text("broken")
    assert [name in fault for name, fault in zip(("x.png", "y.jpg"), mine.faults(), strict=True)] == [True, True]


@pytest.mark.parametrize(("count", "advises"), [(3, True), (10, False), (20, False), (21, True)])
def test_advice_on_the_number_of_photos(tmp_path, count, advises):
    mine = Concept("minh", photos(tmp_path / "photos", count))
    assert bool(mine.advice()) == advises
    assert not advises or f"{count} photos" in mine.advice()


def test_a_caption_may_be_called_as_the_tutorials_trainer_does(tmp_path):
    mine = concept(tmp_path)
    first, second = mine.photos()[:2]
    for photo in (first, second):
        photo.with_name(f"{photo.name}.txt").write_text("{subject} at home")
    second.with_suffix(".txt").write_text("{subject} outside")
    assert [mine.caption(one) for one in (first, second)] == ["minh person at home", "minh person outside"]


@pytest.mark.parametrize("key", ["instance_prompt", "class_prompt", "sample_prompts"])
def test_a_placeholder_that_stands_for_nothing_is_refused(tmp_path, key):
    prompt = "{identifier}, {Subject} and {}"
    (found,) = concept(tmp_path, **{key: (prompt,) if key == "sample_prompts" else prompt}).faults()
    known = "known: {subject}, {identifier}, {class}"
    assert found == f"concept.{key}={prompt!r}: {{Subject}}, {{}} stands for nothing; {known}"


def test_so_it_is_in_a_caption_but_not_where_captions_are_not_read(tmp_path):
    mine = concept(tmp_path)
    file = mine.photos()[0].with_suffix(".txt")
    file.write_text("{subjekt} at home")
    (found,) = mine.faults()
    assert found.startswith(f"{file}='{{subjekt}} at home': {{subjekt}} stands for nothing")
    assert Concept("minh", mine.instance_data_dir, captions=False).faults() == []


@pytest.mark.parametrize("prompt", ["{subject} {identifier} {class}", "{{subject}}", "a } and a {", "(a:1.2) [b]", ""])
def test_other_prompts_have_no_such_fault(prompt):
    assert placeholder_faults("prompt", [prompt]) == []


def test_what_cannot_be_read_is_named_and_not_passed_over(tmp_path):
    one = concept(tmp_path)
    (tmp_path / "photos" / "13.HEIC").write_bytes(b"a phone's own format")
    (tmp_path / "photos" / "14.nef").write_bytes(b"a camera's own format")
    (tmp_path / "photos" / "00.txt").write_bytes("cà phê".encode("cp1252"))
    (tmp_path / "photos" / "notes.md").write_text("no photo, and none was expected")
    found = "\n".join(one.faults())
    assert "13.HEIC: cannot be read: it is no picture" in found
    assert "14.nef: cannot be read: raw; export it as JPEG or PNG" in found
    assert "00.txt: cannot be read: it is no UTF-8 text; save it as UTF-8" in found
    assert "notes.md" not in found


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_a_caption(tmp_path, encoding):
    one = concept(tmp_path)
    (tmp_path / "photos" / "00.txt").write_text("{subject} at home", encoding=encoding)
    assert one.caption(one.photos()[0]) == "minh person at home"


@pytest.mark.parametrize(
    ("prompt", "general"),
    [
        ("photo of {subject} on the beach", "photo of person on the beach"),
        ("{identifier} {class} at night", "person at night"),
        ("{identifier}", "person"),
        ("photo of hoanganh person", "photo of person"),
        ("a hat", "a hat"),
    ],
)
def test_a_prompt_for_anyone_of_the_class(prompt, general):
    assert Concept("hoanganh", "x").of_class(prompt) == general
