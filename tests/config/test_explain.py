"""Errors of composing in words, as Hydra really raises them."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from avatar_exp.config.conf import conf_dir
from avatar_exp.config.explain import explain, keys_of_command
from avatar_exp.config.overrides import readable
from avatar_exp.config.start import register


@pytest.fixture(autouse=True)
def _conf():
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


def said(command, *overrides):
    """What is said of overrides as they are typed."""
    with pytest.raises((HydraException, OmegaConfBaseException)) as error:
        compose(command, [readable(one) for one in overrides])
    return explain(error.value, command)


LISTS = [
    ("train", "keep_steps=5", "keep_steps='[100,200]'"),
    ("train", "tags=a", """tags='["...","..."]'"""),
    ("train", 'scoring.prompts=[photo of {subject}, "hat"]', """scoring.prompts='["photo of {subject}","..."]'"""),
    ("train", "concept.sample_prompts=a", """concept.sample_prompts='["photo of {subject}","..."]'"""),
    ("sample", "prompts=[photo of {subject}, hat]", """prompts='["photo of {subject}","..."]'"""),
]


@pytest.mark.parametrize(("command", "override", "form"), LISTS)
def test_a_list_is_shown_in_the_form_of_its_own_key(command, override, form):
    base = ["concept=hoanganh", "model=tiny"] if command == "train" else ["run=x"]
    assert said(command, *base, override) == f"{override}: expected a list, in brackets, texts in quotes: {form}"
    shown = readable(form.replace("='", "=").removesuffix("'"))
    compose(command, [*base, shown])  # can be typed


def test_several_values_without_m():
    lines = said("train", "concept=hoanganh", "lr=1e-6,2e-6").splitlines()
    assert lines[0].startswith("lr=1e-6,2e-6: one value is expected. Type -m before the settings to sweep over them")
    assert "seeds= needs no -m" in lines[0]
    assert lines[1:] == ["  python -m avatar_exp.train -m lr=1e-6,2e-6 ..."]
    assert said("train", "concept=hoanganh", "keep_steps=2,4").endswith("keep_steps='[2,4]'")


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("learning_rate=1e-6", "unknown key 'learning_rate', here lr=1e-6\n"),
        ("train_batch_size=2", "unknown key 'train_batch_size', here batch_size=2\n"),
        ("use_8bit_adam=true", "unknown key 'use_8bit_adam', here optimizer=adamw8bit\n"),
        ("center_crop=true", "unknown key 'center_crop', here (none here: the largest square"),
        ("lrr=1", "unknown key 'lrr'; did you mean lr?"),
    ],
)
def test_another_trainers_key_is_told_in_ours(override, says):
    assert said("train", "concept=hoanganh", "model=tiny", override).startswith(says)


def test_keys_of_one_option_are_keys_of_the_command():
    assert keys_of_command("train")["method.rank"] is int
    assert "method.rank" not in keys_of_command("sample")
