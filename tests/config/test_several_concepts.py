"""What of ``concept.*`` holds for each of several concepts, and what is refused."""

import json

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from avatar_exp.config.concepts import concepts
from avatar_exp.config.conf import conf_dir
from avatar_exp.config.overrides import readable
from avatar_exp.config.schema import ConceptConfig
from avatar_exp.config.several import IN_THE_LIST, OWN, SHARED, check_several
from avatar_exp.config.start import register
from avatar_exp.errors import UserError


@pytest.fixture(autouse=True)
def _two(tmp_path, monkeypatch):
    """Concept files of two people, one with a prompt of her own, and the tutorial's list of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "data" / "conf" / "concept").mkdir(parents=True)
    for name, more in (("lan", "class_noun: woman\ninstance_prompt: '{identifier}!'\n"), ("minh", "captions: false\n")):
        text = f"identifier: {name}\ninstance_data_dir: ~/photos/{name}\n{more}"
        (tmp_path / "data" / "conf" / "concept" / f"{name}.yaml").write_text(text)
    words = {"instance_prompt": "lan woman", "class_prompt": "woman", "instance_data_dir": "lan"}
    (tmp_path / "list.json").write_text(json.dumps([words, {**words, "instance_prompt": "hoa woman"}]))


def named(*overrides):
    register()
    several = ["concepts=[lan,minh]"] if not any(one.startswith("concepts_list=") for one in overrides) else []
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        typed = ["concept=listed", "model=tiny", *several, *overrides]
        return concepts(compose("train", [readable(one) for one in typed]))


def test_every_key_of_a_concept_is_shared_or_its_own():
    assert {*SHARED, *OWN} == {*ConceptConfig.__dataclass_fields__}
    assert {*IN_THE_LIST} < {*SHARED}


def test_each_has_what_its_file_says(tmp_path):
    lan, minh = named()
    assert (lan.instance_prompt, minh.instance_prompt) == ("{identifier}!", "photo of {subject}")
    assert (lan.subject, minh.subject) == ("lan woman", "minh person")
    assert (lan.captions, minh.captions) == (True, False)
    assert lan.instance_data_dir == f"{tmp_path}/home/photos/lan"


def test_a_recipes_prompts_hold_for_each():
    for one in named("experiment=viblo", "model=tiny"):
        assert (one.instance_prompt, one.class_prompt) == ("{identifier}", "{class}")
    assert [one.class_noun for one in named("experiment=viblo")] == ["woman", "person"]


def test_what_is_typed_holds_for_each_above_recipe_and_file():
    typed = ("concept.instance_prompt=a sketch of {subject}", "concept.sample_prompts=['{subject}']")
    for one in named("experiment=viblo", *typed, "concept.captions=false"):
        assert (one.instance_prompt, one.class_prompt) == ("a sketch of {subject}", "{class}")
        assert (one.sample_prompts, one.captions) == (("{subject}",), False)


def test_what_no_file_need_say_is_not_passed_over_in_silence():
    typed = ("concept.instance_prompt=photo of {subject}", "concept.captions=true", "concept.sample_prompts=null")
    with pytest.raises(UserError) as error:
        check_several([readable(one) for one in ("concepts=[lan,minh]", *typed)])
    lines = str(error.value).splitlines()[1:]
    assert [line.removeprefix("  - ").partition(": ")[0] for line in lines] == [*typed]
    check_several([readable(one) for one in ("concepts_list=x", *typed[1:])])  # no object of a list says otherwise
    check_several([readable(one) for one in ("concept=lan", *typed)])


@pytest.mark.parametrize("line", ["class_noun: [a]", "lr: 3"])
def test_a_file_with_a_fault_is_named(line, tmp_path):
    with (tmp_path / "data" / "conf" / "concept" / "minh.yaml").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(UserError, match=r"^concept/minh: (lr|class_noun): "):
        named()


def test_a_list_of_concepts_has_prompts_of_its_own():
    for one in named("experiment=viblo", "concepts_list=list.json"):
        assert one.instance_prompt in ("lan woman", "hoa woman")
        assert (one.class_prompt, one.captions, one.sample_prompts) == ("woman", True, None)
    for one in named("concepts_list=list.json", "concept.captions=false", "concept.sample_prompts=[hat]"):
        assert (one.captions, one.sample_prompts) == (False, ("hat",))


def test_a_stored_config_from_before_a_key_was_there():
    stored = OmegaConf.create({"concepts": ["lan"], "concepts_list": None, "concept": {"identifier": "several"}})
    assert concepts(stored)[0].captions is True


@pytest.mark.parametrize("several", ["concepts=[lan,minh]", 'concepts_list="list.json"'])
@pytest.mark.parametrize("key", OWN)
def test_what_is_one_concepts_own_is_refused_by_its_name(several, key):
    with pytest.raises(UserError) as error:
        check_several([several, "concept=listed", f"+concept.{key}=x", "lr=1"])
    name = several.partition("=")[0]
    (line,) = str(error.value).splitlines()[1:]
    assert line.startswith(f"  - concept.{key}: with {name} each subject has its own; ")


def test_a_lists_prompts_are_not_typed():
    with pytest.raises(UserError, match=r"(?s)concept.instance_prompt.*the JSON says it.*concept.class_prompt"):
        check_several(["concepts_list=x", "concept.instance_prompt=a", "concept.class_prompt=b"])


def test_one_way_of_naming_subjects_at_a_time():
    with pytest.raises(UserError, match=r"(?s)are both given.*concept=an: concepts names the subjects"):
        check_several(["concepts=[a]", "concepts_list=x", "concept=an"])


@pytest.mark.parametrize(
    "typed",
    [
        ["concept=an", "concept.identifier=x", "concept.instance_prompt=y"],
        ["concepts=null", "concept=an", "concept.identifier=x"],
        ["concepts=[a,b]", "concept=listed", "concept.instance_prompt=x", "concept.captions=false"],
        ["concepts_list=x", "concept=listed", "concept.sample_prompts=[a]"],
        ["-m", "--multirun"],
    ],
)
def test_what_can_hold_is_taken(typed):
    check_several(typed)
