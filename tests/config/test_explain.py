"""Errors of composing in words, as Hydra really raises them."""

import shlex

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from avatar_exp.config.conf import conf_dir
from avatar_exp.config.explain import config_groups, explain, keys_of_command, options_of
from avatar_exp.config.flag_tables import NOT_HERE
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
    return explain(error.value, command, overrides)


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
    assert "seeds" not in said("sample", "run=x", "seed=1,2")


@pytest.mark.parametrize(
    ("values", "form", "meant"),
    [
        ("A.jpg,B.jpg", "'[A.jpg,B.jpg]'", ["A.jpg", "B.jpg"]),
        ("A.jpg, B.jpg", "'[A.jpg,B.jpg]'", ["A.jpg", "B.jpg"]),
        ("tilt, comma.jpg", """'["tilt, comma.jpg"]'""", ["tilt, comma.jpg"]),
        ("tilt, comma.jpg,B.jpg", """'["tilt, comma.jpg","B.jpg"]'""", ["tilt, comma.jpg", "B.jpg"]),
        ("my cat.jpg,B.jpg", """'["my cat.jpg","B.jpg"]'""", ["my cat.jpg", "B.jpg"]),
        ("A,B", """'["A,B"]'""", ["A,B"]),
    ],
)
@pytest.mark.parametrize("key", ["drop", "keep"])
def test_file_names_are_a_list_and_no_sweep(key, values, form, meant):
    told = said("prepare", "name=lan", "source=DIR", f"{key}={values}")
    assert told == f"{key}={values}: expected a list, in brackets: {key}={form}"
    (shown,) = shlex.split(form)
    assert compose("prepare", [readable(f"{key}={shown}")])[key] == meant


def test_runs_to_compare_are_a_list():
    assert said("compare", "runs=a,b") == "runs=a,b: expected a list, in brackets: runs='[a,b]'"


@pytest.mark.parametrize(
    ("command", "override"), [("prepare", "size=256,512"), ("compare", "out=a,b"), ("compare", "outputs=a,b")]
)
def test_no_sweep_is_advised_where_each_job_would_write_into_the_same_folder(command, override):
    with pytest.raises(HydraException) as error:
        compose(command, [override])
    told = explain(error.value, command, [override])
    assert told == f"{override}: one value is expected; {command} is typed once for each"


def test_two_concepts_to_prepare_are_told_as_they_were_typed():
    with pytest.raises(HydraException) as error:
        compose("prepare", ["name=lan,an"])
    told = explain(error.value, "prepare", ["concept=lan,an", "source=DIR"])
    assert told == "concept=lan,an: one value is expected; prepare is typed once for each"


def test_several_experiments_are_one_run_or_a_run_of_each():
    first, then = said("train", "concept=hoanganh", "experiment=viblo,low_vram").splitlines()
    assert first.startswith("experiment=viblo,low_vram: one value is expected. ")
    assert "experiment='[viblo,low_vram]'" in first
    assert then == "  python -m avatar_exp.train -m experiment=viblo,low_vram ..."
    compose("train", ["concept=hoanganh", "experiment=[viblo,low_vram]"])


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("learning_rate=1e-6", "type  lr=1e-6"),
        ("train_batch_size=2", "type  batch_size=2"),
        ("use_8bit_adam=true", "type  optimizer=adamw8bit"),
        ("save_interval=10000", "type  keep_steps='[]'"),
        ("save_sample_prompt=zwx man, red hat", """type  scoring.prompts='["zwx man, red hat"]'"""),
    ],
)
def test_another_trainers_key_is_told_in_ours(override, wanted):
    title, line, table = said("train", "concept=hoanganh", "model=tiny", override).splitlines()
    assert (title, line) == ("unknown keys, of another trainer:", f"  - {override}  {wanted}")
    assert table.endswith("docs/tutorial.md")


def test_all_of_another_trainers_keys_are_told_at_once():
    typed = ["learning_rate=1e-6", "seed=1", "center_crop=true", "adam_beta2=0.99", "adam_beta1=0.8"]
    for concept in (["concept=hoanganh"], []):  # Hydra asks for the concept first
        assert said("train", *typed, *concept).splitlines()[1:-1] == [
            "  - learning_rate=1e-6              type  lr=1e-6",
            f"  - center_crop=true                none is needed here: {NOT_HERE['center_crop']}",
            "  - adam_beta2=0.99 adam_beta1=0.8  type  optimizer.betas='[0.8,0.99]'",
        ]


def test_the_tutorials_whole_command_without_dashes_is_its_recipe():
    typed = ["learning_rate=2e-6", "train_batch_size=1", "mixed_precision=fp16", "num_class_images=9", "seed=7"]
    *_, title, line, _ = said("train", *typed, "max_train_steps=800", "concept=hoanganh").splitlines()
    assert title == "in one line, on the tutorial's recipe:"
    assert line.endswith(".train experiment=viblo seed=7 concept=hoanganh lr=2e-6 prior.count=9")


def test_a_key_that_nobody_has():
    assert said("train", "concept=hoanganh", "lrr=1").startswith("unknown key 'lrr'; did you mean lr?")
    assert said("sample", "run=x", "learning_rate=1").startswith("unknown key 'learning_rate'; ")  # train's


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


def test_options_are_those_of_the_package_and_of_the_folder_where_one_types(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert options_of("concept") == ["animal", "hoanganh", "object", "person"]
    (tmp_path / "data/conf/concept").mkdir(parents=True)
    (tmp_path / "data/conf/concept/minh.yaml").touch()
    assert options_of("concept") == ["animal", "hoanganh", "minh", "object", "person"]
    shown = config_groups().splitlines()
    assert {"concept: animal, hoanganh, minh, object, person", "method: full, lora, text_encoder, unet"} <= {*shown}
    assert not [line for line in shown if line.startswith("protocols")]  # evaluate's


def test_keys_of_one_option_are_keys_of_the_command():
    assert keys_of_command("train")["method.rank"] is int
    assert "method.rank" not in keys_of_command("sample")
