"""What may be told of a run, and what may not."""

import pytest

from avatar_exp.formats.made import Architecture, base_name, made, select, told, words
from avatar_exp.run_folder import RunFolder, append_line

SD1 = {"block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 768, "in_channels": 4}
CONFIG = {
    "lr": 1e-4,
    "text_encoder_lr": None,
    "seed": 7,
    "name": "minh's run",
    "concept": {"identifier": "minh", "instance_data_dir": "photos/minh"},
    "model": {"path": "bases/minh", "lr_scale": 25.0},
    "method": {"_target_": "avatar_exp.models.lora.Lora", "unet": True, "rank": 4, "alpha": None},
    "optimizer": {"_target_": "avatar_exp.training.optimizers.adamw8bit", "eps": 1e-8},
    "scoring": {"sampler": {"scheduler": "DDIM", "num_inference_steps": 24}, "prompts": ["photo of minh"]},
    "prior": {"count": 50},
}


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "minh")
    folder.update(
        concept=["minh", "lan"], class_noun=["person", "woman"], photo_count=12,
        base={"path": "a/b", "fingerprint": "f", "local": False},
        chosen_step=200, scores={"100": {"score/likeness": 0.5}, "200": {"score/likeness": 0.8}},
        intervals={"200": {"score/likeness": [0.7, 0.9]}}, chosen_scores={"score/likeness": 0.75},
        alarms=[{"kind": "drift", "step": 150, "text": "x"}, {"kind": "copies", "step": 250, "text": "photo of minh"}],
    )  # fmt: skip
    for step, prompt, number in ((200, "photo of minh person", 0), (200, "photo of minh person", 1), (200, "minh", 0)):
        file = f"samples/step_{step:05d}/{prompt[-3:]}_{number}.png"
        (folder.path / file).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / file).touch()
        append_line(folder.records, {"step": step, "prompt": prompt, "file": file})
    append_line(folder.records, {"step": 200, "prompt": "gone", "file": "samples/gone.png"})
    append_line(folder.records, {"step": 100, "prompt": "earlier", "file": file})
    return folder


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ({"path": "tiny", "local": False}, "tiny"),
        ({"path": "owner/name", "local": False}, "owner/name"),
        ({"path": "bases/minh", "local": True}, None),
        ({"path": "bases/minh"}, None),  # of a run from before this was noted
        ({}, None),
    ],
)
def test_only_a_public_base_is_named(base, name):
    assert base_name(base) == name


def test_of_the_settings_numbers_and_options_are_told_and_no_word_of_the_users():
    found = told(CONFIG)
    assert found == {
        "lr": 1e-4, "seed": 7, "model.lr_scale": 25.0, "method": "Lora", "method.unet": True, "method.rank": 4,
        "optimizer": "adamw8bit", "prior.count": 50,
    }  # fmt: skip
    assert "minh" not in str(found)


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
