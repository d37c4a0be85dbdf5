"""The tutorial's list of concepts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from avatar_exp.data.concepts_list import read_concepts_list
from avatar_exp.errors import UserError
from avatar_exp.training.record import learnt_from_key


def photos(folder):
    """A folder with a picture in it."""
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (8, 8)).save(folder / "0.png")
    return str(folder)


def test_the_tutorials_list_is_read(tmp_path):
    """Its instance prompt is the identifier, its class prompt the class noun, and class_data_dir is still empty."""
    (tmp_path / "class").mkdir()
    row = {"instance_prompt": "hoanganh", "class_prompt": "person", "instance_data_dir": photos(tmp_path / "p")}
    rows = [
        {**row, "class_data_dir": str(tmp_path / "class")},
        {**row, "instance_prompt": "photo of hoanganh person", "class_prompt": "person"},
        {**row, "class_data_dir": photos(tmp_path / "filled")},
    ]
    (tmp_path / "list.json").write_text(json.dumps(rows))
    first, second, third = read_concepts_list(tmp_path / "list.json")
    assert (first.identifier, first.class_noun, first.class_prompt) == ("hoanganh", "person", "person")
    assert (first.class_data_dir, third.class_data_dir) == (None, str(tmp_path / "filled"))
    assert first.caption(first.photos()[0]) == "hoanganh"
    assert (second.subject, second.instance_prompt) == ("hoanganh person", "photo of hoanganh person")
    assert [one.faults() for one in (first, second, third)] == [[], [], []]


@pytest.mark.parametrize(
    ("instance_prompt", "class_prompt", "identifier", "class_noun"),
    [
        ("hoanganh", "person", "hoanganh", "person"),
        ("hoanganh person", "person", "hoanganh", "person"),
        ("an person", "a person", "an", "person"),
        ("photo of zwx dog", "photo of a dog", "zwx", "dog"),
        ("a photo of the ohwx man", "man", "ohwx", "man"),
    ],
)
def test_the_words_of_a_listed_subject(tmp_path, instance_prompt, class_prompt, identifier, class_noun):
    row = {"instance_prompt": instance_prompt, "class_prompt": class_prompt, "instance_data_dir": photos(tmp_path)}
    (tmp_path / "list.json").write_text(json.dumps([row]), encoding="utf-8-sig")
    (one,) = read_concepts_list(tmp_path / "list.json")
    assert (one.identifier, one.class_noun) == (identifier, class_noun)
    assert (one.fill(one.instance_prompt), one.class_prompt) == (instance_prompt, class_prompt)
    assert one.faults() == []


def test_a_key_that_is_not_read_is_not_passed_over(tmp_path):
    row = {"instance_prompt": "a", "class_prompt": "b", "instance_data_dir": "c", "num_class_images": 100}
    (tmp_path / "list.json").write_text(json.dumps([row]))
    with pytest.raises(UserError, match=r"unknown key 'num_class_images' .*prior\.count"):
        read_concepts_list(tmp_path / "list.json")


@pytest.mark.parametrize("content", ["{", "{}x", "[" * 100_000, "[]", "null", "[1]", '{"a": 1}'])
def test_another_file_is_refused_with_what_was_expected(tmp_path, content):
    file = tmp_path / "list.json"
    file.write_text(content)
    with pytest.raises(UserError, match=r"(?s)concepts_list=.*expected a list of objects"):
        read_concepts_list(file)


def test_every_entry_that_is_wrong_is_named_with_its_key(tmp_path):
    good = {"instance_prompt": "minh", "class_prompt": "person", "instance_data_dir": "data/minh"}
    rows = [
        good, {**good, "instance_data_dir": None}, {**good, "instance_data_dir": ["a", "b"], "class_data_dir": 5},
        {"instance_prompt": " ", "class_prompt": "", "instance_data_dir": "", "class_data_dir": None}, "data/minh",
        {**good, "class_prompt": {"a": "b" * 80}, "instance_dir": "x"}, {"class_prompt": "person"},
    ]  # fmt: skip
    (tmp_path / "list.json").write_text(json.dumps(rows))
    with pytest.raises(UserError) as error:
        read_concepts_list(tmp_path / "list.json")
    title, *lines = str(error.value).splitlines()
    assert title.startswith(f"concepts_list={tmp_path}/list.json: expected a list of objects with instance_prompt")
    assert lines == [
        "  - entry 2: instance_data_dir is null, expected text",
        '  - entry 3: instance_data_dir is ["a", "b"], expected text',
        "  - entry 3: class_data_dir is 5, expected text",
        "  - entry 4: instance_prompt is empty",
        "  - entry 4: instance_data_dir is empty",
        '  - entry 5: "data/minh" is no object',
        "  - entry 6: unknown key 'instance_dir'",
        '  - entry 6: class_prompt is {"a": "' + "b" * 50 + "..., expected text",
        "  - entry 7: instance_prompt is missing",
        "  - entry 7: instance_data_dir is missing",
    ]


def test_a_list_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        read_concepts_list(Path("nix.json"))
    assert str(error.value) == f"concepts_list=nix.json: no such file (from {tmp_path})"


def test_faults_of_a_listed_subject_name_its_entry(tmp_path, monkeypatch):
    """Every key that an entry has, and only those: the others are said of all entries."""
    monkeypatch.chdir(tmp_path)
    row = {"instance_prompt": "zwx dog", "class_prompt": "dog", "instance_data_dir": photos(tmp_path / "p")}
    rows = [row, {**row, "instance_data_dir": "gone", "class_prompt": "{dog}"}, {**row, "instance_prompt": "dog"}]
    (tmp_path / "two.json").write_text(json.dumps(rows))
    first, second, third = read_concepts_list(Path("two.json"))
    known = "stands for nothing; known: {subject}, {identifier}, {class}"
    assert replace(first, sample_prompts=("{a}",)).faults() == [f"concept.sample_prompts='{{a}}': {{a}} {known}"]
    assert second.faults() == [
        f"concepts_list=two.json, entry 2: class_prompt='{{dog}}': {{dog}} {known}",
        f"concepts_list=two.json, entry 2: instance_data_dir=gone: no such folder (from {tmp_path})",
    ]
    assert third.faults() == [
        "concepts_list=two.json, entry 3: the identifier in instance_prompt is empty: choose a word for the subject, "
        "such as hoanganh"
    ]


def test_where_a_subject_was_listed_changes_no_key(tmp_path):
    row = {"instance_prompt": "zwx dog", "class_prompt": "dog", "instance_data_dir": photos(tmp_path / "p")}
    (tmp_path / "two.json").write_text(json.dumps([row, row]))
    first, second = read_concepts_list(tmp_path / "two.json")
    assert first.entry != second.entry
    assert learnt_from_key([first], boxes=True) == learnt_from_key([second], boxes=True)
