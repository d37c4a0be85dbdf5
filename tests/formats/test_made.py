"""What may be told of a run, and what may not."""

import pytest

from avatar_exp.formats.made import Architecture, base_name, made, select, told, words
from avatar_exp.run_folder import RunFolder

SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
SD1 = {"block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 768, "in_channels": 4}
SAMPLER = {
    "scheduler": "DDIM", "num_inference_steps": 24, "guidance_scale": 7.5, "negative_prompt": "the ex of minh",
    "height": None, "width": None,
}  # fmt: skip
CONFIG = {
    "lr": 1e-4,
    "text_encoder_lr": None,
    "seed": 7,
    "name": "minh's run",
    "concept": {"identifier": "minh", "instance_data_dir": "photos/minh"},
    "model": {"path": "bases/minh", "lr_scale": 25.0},
    "method": {"_target_": "avatar_exp.models.lora.Lora", "unet": True, "rank": 4, "alpha": None},
    "optimizer": {"_target_": "avatar_exp.training.optimizers.adamw8bit", "eps": 1e-8},
    "lr_scheduler": {"_target_": "diffusers.optimization.get_scheduler", "name": "cosine"},
    "scoring": {"sampler": SAMPLER, "prompts": ["photo of minh"]},
    "tags": ["minh"],
    "logger": {"project": "minh", "entity": "minh", "notes": "minh"},
    "prior": {"count": 50},
}


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ({"path": "tiny", "local": False}, "tiny"),
        ({"path": "owner/name", "local": False}, "owner/name"),
        ({"path": "bases/minh", "local": True}, None),
        ({"path": "bases/minh"}, None),  # of a run from before this was noted
        ({"path": "runwayml/stable-diffusion-v1-5", "local": False}, SD15),  # of a run from before it was followed
        ({}, None),
    ],
)
def test_only_a_public_base_is_named(base, name):
    assert base_name(base) == name


def test_of_the_settings_numbers_and_options_are_told_and_no_word_of_the_users():
    found = told(CONFIG)
    assert found == {
        "lr": 1e-4, "seed": 7, "model.lr_scale": 25.0, "method": "Lora", "method.unet": True, "method.rank": 4,
        "optimizer": "adamw8bit", "lr_scheduler.name": "cosine", "prior.count": 50,
    }  # fmt: skip
    assert "minh" not in str(found)


@pytest.mark.parametrize("key", ["method", "optimizer", "lr_scheduler"])
def test_what_the_user_wrote_himself_is_no_option(key):
    found = told({**CONFIG, key: {"_target_": "minhs_code.MinhsOwn", "name": "minhs"}})
    assert "minh" not in str(found).casefold()
    assert found["lr"] == 1e-4


def test_how_pictures_were_drawn_is_told_without_leave_and_in_which_words_is_not(run):
    found, named = (made(run, CONFIG, Architecture(SD1, 512), 200, names=names).sampler for names in (False, True))
    assert found == {key: value for key, value in SAMPLER.items() if key != "negative_prompt"}
    assert named == SAMPLER


@pytest.mark.parametrize(
    ("path", "without"),
    [("an/avatar-of-Minh", None), ("an/avatar", "an/avatar"), (SD15, SD15), ("tiny", "tiny")],
)
def test_a_base_on_the_hub_that_is_called_after_the_subject(run, path, without):
    run.update(base={"path": path, "local": False}, concept=["minh", "stable"])
    found = [made(run, CONFIG, Architecture(SD1, 512), 200, names=names).base for names in (False, True)]
    assert found == [without, path]


def test_without_leave_nothing_names_or_shows_the_subject(run):
    found = made(run, CONFIG, Architecture(SD1, 512), 200, names=False)
    assert (found.words, found.pictures) == ((), [] or ())
    assert "minh" not in str(found)
    assert (found.title, found.base, found.photos, found.is_lora, found.side) == ("avatar", "a/b", 12, True, 512)
    assert (found.scores, found.fresh) == ({"score/likeness": 0.8}, {"score/likeness": 0.75})
    assert found.alarms == ["drift (step 150)"]


def test_with_leave_the_subject_is_named_and_shown(run):
    found = made(run, CONFIG, Architecture(SD1, 512), 200, names=True)
    assert found.words == ("minh person", "lan woman")
    assert found.title == "minh person, lan woman"
    assert [(prompt, file.name) for prompt, file in found.pictures] == [
        ("photo of minh person", "son_0.png"),
        ("minh", "inh_0.png"),
    ]


def test_another_step_than_the_chosen_one_has_its_own_scores(run):
    found = made(run, CONFIG, Architecture(SD1, 512), 100, names=False)
    assert (found.scores, found.intervals, found.fresh) == ({"score/likeness": 0.5}, {}, {})


def test_the_base_was_made_by_others(run):
    found = made(run, CONFIG, Architecture(SD1, 512), 0, names=True)
    assert (found.settings, found.words, found.photos, found.title) == ({}, (), None, "base")


def test_of_a_folder_without_a_run_only_its_build_is_known(tmp_path):
    found = made(RunFolder(tmp_path), {}, Architecture(SD1, 512), None, names=True)
    assert (found.title, found.step, found.settings, found.base) == ("avatar", None, {}, None)


def test_a_resolution_of_its_own_is_told():
    assert made_at({"data": {"resolution": 768}}).side == 768


def made_at(config):
    from avatar_exp.formats.made import Made

    return Made(Architecture(SD1, 512), 1, settings=told(config))


@pytest.mark.parametrize(
    ("unet", "is_sd1", "is_sd2"),
    [
        (SD1, True, False),
        ({**SD1, "block_out_channels": (320, 640, 1280, 1280)}, True, False),
        ({**SD1, "cross_attention_dim": 1024}, False, True),
        ({**SD1, "block_out_channels": [96, 128, 144]}, False, False),
        ({**SD1, "in_channels": 9}, False, False),
        ({}, False, False),
    ],
)
def test_a_base_is_known_by_its_sizes(unet, is_sd1, is_sd2):
    found = Architecture(unet, 512)
    assert (found.is_sd1, found.is_sd2) == (is_sd1, is_sd2)


def test_a_dotted_key():
    assert select({"a": {"b": 1}}, "a.b") == 1
    assert select({"a": 1}, "a.b") is None
    assert words({}) == ()
