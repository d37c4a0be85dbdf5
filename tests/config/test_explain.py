"""Errors of composing in words, as Hydra really raises them."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from avatar_exp.config.conf import conf_dir
from avatar_exp.config.explain import explain, keys_of_command
from avatar_exp.config.overrides import readable
from avatar_exp.config.schema import TrainConfig
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
    what = (
        "a list of whole numbers, in brackets" if override == "keep_steps=5" else "a list, in brackets, texts in quotes"
    )
    assert said(command, *base, override) == f"{override}: expected {what}: {form}"
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
        ("center_crop=true", "unknown key 'center_crop', and none is needed here: the largest square"),
        ("save_interval=10000", "unknown key 'save_interval', here keep_steps='[]'\n"),
        ("lrr=1", "unknown key 'lrr'; did you mean lr?"),
    ],
)
def test_another_trainers_key_is_told_in_ours(override, says):
    assert said("train", "concept=hoanganh", "model=tiny", override).startswith(says)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("max_steps=ten", "a whole number"),
        ("max_steps=null", "a whole number"),
        ("method.text_encoder=perhaps", "true or false"),
        ("lr=fast", "a number"),
        ("model.ema=x", "a number or null"),
        ("sample_every=1.5", "a whole number or null"),
        ("trainer.max_steps=[5]", "a whole number"),
        ("prior.sampler.scheduler=[a]", "text"),
        ("keep_steps=[1,two]", "a list of whole numbers, in brackets: keep_steps='[100,200]'"),
        ("keep_steps={a:1}", "a list of whole numbers, in brackets: keep_steps='[100,200]'"),
    ],
)
def test_a_value_of_another_type_is_told_what_is_expected(override, expected):
    assert said("train", "concept=hoanganh", "model=tiny", override) == f"{override}: expected {expected}"


def test_a_value_of_another_type_where_keys_are_expected():
    told = said("train", "concept=hoanganh", "model=tiny", "prior.sampler=3")
    assert told.startswith("prior.sampler=3: it has keys of its own: prior.sampler.num_inference_steps, prior.sampler.")


def test_a_value_of_another_type_that_was_not_typed():
    config = OmegaConf.structured(TrainConfig)
    with pytest.raises(OmegaConfBaseException) as error:  # as resume does it
        OmegaConf.update(config, "max_steps", "ten")
    assert explain(error.value, "train") == "max_steps=ten: expected a whole number"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("conccept=hoanganh", "concept=hoanganh"),
        ("+concpt=an", "concept=an"),
        ("cocnept.identifier=x", "concept.identifier=x"),
    ],
)
def test_a_concept_that_was_spelt_otherwise_is_not_a_missing_one(typed, meant):
    with pytest.raises(HydraException) as error:
        compose("train", ["model=tiny"])
    told = explain(error.value, "train", ["model=tiny", typed])
    assert told.startswith(f"unknown key {typed.partition('=')[0]!r}; did you mean {meant}? ")
    assert explain(error.value, "train", ["model=tiny", "concept.identifier=x"]).startswith("name a concept: concept=")


def test_an_options_name_may_be_a_number():
    assert said("train", "model=tiny", "concept=2024").startswith("no concept is called '2024'; known: ")
    assert said("train", "concept=hoanganh", "model=tiny", "prior=true").startswith(
        "prior=true: there is no such option"
    )


def test_keys_of_one_option_are_keys_of_the_command():
    assert keys_of_command("train")["method.rank"] is int
    assert "method.rank" not in keys_of_command("sample")
