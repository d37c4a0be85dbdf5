"""What is typed by those who know another trainer, and what they are told."""

import re
import shlex

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from avatar_exp.config.again import flat
from avatar_exp.config.conf import conf_dir
from avatar_exp.config.explain import keys_of_command
from avatar_exp.config.flag_tables import FLAGS, OTHERS, TUTORIAL
from avatar_exp.config.flags import MOST, UNKNOWN, check_form, every, instead, misread
from avatar_exp.config.overrides import groups, readable
from avatar_exp.config.start import register
from avatar_exp.errors import UserError

KEYS = {command: [*keys_of_command(command), "seeds"] for command in ("train", "sample")}


@pytest.mark.parametrize(
    ("arguments", "came", "wanted"),
    [
        ("--learning_rate 1e-6", "--learning_rate 1e-6", "lr=1e-6"),
        ("--learning_rate=1e-6", "--learning_rate=1e-6", "lr=1e-6"),
        ("--learning-rate 1e-6", "--learning-rate 1e-6", "lr=1e-6"),
        ("--use_8bit_adam concept=hoanganh", "--use_8bit_adam", "optimizer=adamw8bit"),
        (
            "--class_data_dir data/person",
            "--class_data_dir data/person",
            "prior=folder concept.class_data_dir=data/person",
        ),
        ("--network_dim 8", "--network_dim 8", "method=lora method.rank=8"),
        ("--num_train_epochs 3", "--num_train_epochs 3", "none is needed here: max_steps=800"),
        ("--pretrained_model_name_or_path=runwayml/stable-diffusion-v1-5",) * 2 + ("model=sd15",),
        ("--pretrained_model_name_or_path=a/b", "--pretrained_model_name_or_path=a/b", "model.path=a/b"),
        ("--save_interval=10000", "--save_interval=10000", "keep_steps='[]'"),
        ("--save_interval=800", "--save_interval=800", "keep_steps='[]'"),
        ("--save_interval 200", "--save_interval 200", "keep_steps='[200,400,600]'"),
        ("--save_interval 0", "--save_interval 0", "keep_steps='[]'"),
        ("max_steps=500 --save_interval=200", "--save_interval=200", "keep_steps='[200,400]'"),
        ("--save_interval", "--save_interval", "keep_steps='[200,400]'"),
        ("--mixed_precision fp16", "--mixed_precision fp16", "precision=16-mixed"),
        ("--mixed_precision=bf16", "--mixed_precision=bf16", "precision=bf16-mixed"),
        ("--mixed_precision=no", "--mixed_precision=no", "precision=32"),
        ("--lr_scheduler cosine", "--lr_scheduler cosine", "lr_scheduler=cosine"),
        (
            "--lr_scheduler=constant_with_warmup",
            "--lr_scheduler=constant_with_warmup",
            "lr_scheduler.name=constant_with_warmup",
        ),
        ("--adam_beta1=0.8", "--adam_beta1=0.8", "optimizer.betas='[0.8,0.999]'"),
        ("--adam_beta2", "--adam_beta2", "optimizer.betas='[0.9,...]'"),
        ("--concept=hoanganh", "--concept=hoanganh", "concept=hoanganh"),
        ("--privacy", "--privacy", "privacy=true"),
        ("-lr 1e-6", "-lr 1e-6", "lr=1e-6"),
        ("--output_dir", "--output_dir", "outputs=..."),
        ("--magic", "--magic", UNKNOWN),
        ("--report_to=wandb", "--report_to=wandb", UNKNOWN),
        ("--experiment=viblo", "--experiment=viblo", "experiment=viblo"),
        ("--optimizer.eps 1e-7", "--optimizer.eps 1e-7", "optimizer.eps=1e-7"),
        ("lr = 1e-6", "lr = 1e-6", "lr=1e-6"),
        ("concept=hoanganh lr = 1e-6 max_steps=5", "lr = 1e-6", "lr=1e-6"),
        ("lr =1e-6", "lr =1e-6", "lr=1e-6"),
        ("lr= 1e-6", "lr= 1e-6", "lr=1e-6"),
        ("train_batch_size = 2", "train_batch_size = 2", "batch_size=2"),
        ("hoanganh", "hoanganh", UNKNOWN),
    ],
)
def test_what_is_typed_in_another_form_is_told_in_ours(arguments, came, wanted):
    assert misread(arguments.split(" "), KEYS["train"]) == [(came, wanted)]


@pytest.mark.parametrize("flag", ["save_sample_prompt", "validation_prompt"])
def test_a_prompt_is_the_one_that_was_typed(flag):
    typed = f"--{flag}=photo of zwx man, Minh's"
    ((_, wanted),) = misread([typed], KEYS["train"])
    (word,) = shlex.split(wanted)
    assert OmegaConf.from_dotlist([word]).scoring.prompts == ["photo of zwx man, Minh's"]
    assert instead(flag, "hoanganh person") == instead(flag) == """scoring.prompts='["{subject}"]'"""


@pytest.mark.parametrize("betas", ["--adam_beta1=0.8 --adam_beta2=0.99", "--adam_beta2 0.99 --adam-beta1 0.8"])
def test_both_betas_are_one_key(betas):
    typed = [*betas.split(" "), "--seed=7"]
    assert misread(typed, KEYS["train"]) == [("--seed=7", "seed=7"), (betas, "optimizer.betas='[0.8,0.99]'")]


@pytest.mark.parametrize(
    ("command", "key"), [("prepare", "source"), ("export", "run"), ("sample", "run"), ("compare", "runs")]
)
def test_a_folder_without_its_key(command, key, tmp_path):
    known = keys_of_command(command)
    assert misread([str(tmp_path)], known) == [(str(tmp_path), f"{key}={tmp_path}")]
    (tmp_path / "a b").mkdir()
    assert misread([f"{tmp_path}/a", "b"], known) == [(f"{tmp_path}/a b", f"{key}='{tmp_path}/a b'")]
    assert misread([f"{tmp_path}/c"], known) == [(f"{tmp_path}/c", UNKNOWN)]


def test_a_text_with_blanks_is_to_be_quoted():
    typed = ["run=x", "prompt=photo", "of", "{subject}", "seed=7", "--negative_prompt", "hat,", "red"]
    assert misread(typed, KEYS["sample"]) == [
        ("prompt=photo of {subject}", "prompt='photo of {subject}'"),
        ("--negative_prompt hat, red", "negative_prompt='hat, red'"),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["concept=hoanganh", "lr=1e-6", "-m"],
        ["--cfg", "job", "--resolve"],
        ["--cfg=job", "-p", "prior", "concept=hoanganh"],
        ["--help"],
        ["--info", "defaults", "lr=1"],
        ["--config-dir", "DIR", "~callbacks.scores", "+trainer.x=1", "++lr=2"],
        ["prompt=a photo of {subject} = x", "name="],
        [],
    ],
)
def test_ours_and_hydras_own_form_is_left_alone(arguments):
    assert misread(arguments, KEYS["train"]) == []
    check_form(arguments, KEYS["train"])


def test_all_that_is_odd_is_told_at_once():
    with pytest.raises(UserError) as error:
        check_form(["--learning_rate", "1e-6", "--max_train_steps=800", "concept=hoanganh"], KEYS["train"])
    title, *lines = str(error.value).splitlines()
    assert title.startswith("settings are typed as key=value: without dashes")
    assert lines == ["  - --learning_rate 1e-6   type  lr=1e-6", "  - --max_train_steps=800  type  max_steps=800"]


@pytest.mark.parametrize("shows", ["--cfg", "-c", "--info", "-i", "--cfg=job"])
def test_one_run_is_shown_and_no_sweep(shows):
    with pytest.raises(UserError, match="Leave out -m"):
        check_form(["-m", "lr=1,2", shows, "job"], KEYS["train"])


def test_an_interval_looks_at_the_length_that_is_typed():
    told = dict(misread(["--save_interval=500", "--max_train_steps", "2000"], KEYS["train"]))
    assert told["--save_interval=500"] == "keep_steps='[500,1000,1500]'"


def test_a_short_interval_fills_no_disk():
    assert every(50, 800) == "keep_steps='[100,200,300,400,500,600,700]'"
    for interval in (1, 3, 10, 99, 100, 799, 800):
        steps = [int(one) for one in re.findall(r"\d+", every(interval, 800))]
        assert len(steps) <= MOST
        assert all(step % interval == 0 and step < 800 for step in steps)
        assert bool(steps) == (interval < 800)


def test_what_is_not_needed_is_no_setting_to_type():
    with pytest.raises(UserError) as error:
        check_form(["--pad_tokens", "--seed=7"], KEYS["train"])
    assert str(error.value).splitlines()[1:] == [
        "  - --pad_tokens  none is needed here: always on",
        "  - --seed=7      type  seed=7",
    ]


def last_line(*arguments):
    """What is told at the end of what is told of arguments."""
    with pytest.raises(UserError) as error:
        check_form(arguments, KEYS["train"])
    return str(error.value).splitlines()[-1]


def tutorials(**others):
    """Its own flags, with other values of some."""
    return [f"--{flag}={value}" if value else f"--{flag}" for flag, value in (TUTORIAL | others).items()]


def test_the_tutorials_whole_command_is_its_recipe():
    flags = ["--learning-rate=1e-6", "--seed=1337", "--use_8bit_adam", "--train_batch_size=1", "--hflip", "--rank=4"]
    assert "experiment=viblo" not in last_line(*flags)
    assert last_line(
        *flags, "--concepts_list", "my list.json", "--output_dir=$OUT", "~callbacks.scores", "model=tiny"
    ) == (
        "  python -m avatar_exp.train experiment=viblo '~callbacks.scores' model=tiny data.flip=true method=lora "
        "method.rank=4 concepts_list='my list.json' outputs='$OUT'"
    )
    assert "-m" not in last_line(*flags, "--resolution=512", "experiment=low_vram")  # one is chosen


def test_the_recipe_is_told_with_all_that_it_does_not_say():
    yours = {"output_dir": "/x", "save_sample_prompt": "zwx man in snow", "sample_batch_size": "4"}
    own = {"learning_rate": "2e-6", "num_class_images": "200", "max_train_steps": "1000", "save_interval": "500"}
    line = last_line(*tutorials(**yours, **own), "--pad_tokens", "--magic=3", "--logging_dir")
    assert shlex.split(line)[3:] == [
        "experiment=viblo", "outputs=/x", "model.variant=fp16", "data.resolution=512", "lr=2e-6", "prior.count=200",
        "scoring.batch_size=4", "max_steps=1000", "keep_steps=[500]", 'scoring.prompts=["zwx man in snow"]',
        "concepts_list=concepts_list.json", "logger=tensorboard",
    ]  # fmt: skip


def test_a_value_that_was_not_given_is_not_in_the_line():
    line = last_line(*tutorials(learning_rate=""))  # such as of a shell's variable that is not set
    assert "..." not in line
    assert "outputs=" not in line
    assert "lr=" not in line


def test_the_line_composes_to_what_the_tutorial_types():
    typed = shlex.split(last_line(*tutorials(output_dir="/x")))[3:]
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        values = flat(compose("train", [*map(readable, typed), "concept=listed"]))
    wanted = [word for flag, value in TUTORIAL.items() for word in shlex.split(instead(flag, value)) if value]
    for key, _, value in (word.partition("=") for word in wanted):
        if key not in groups():
            assert values[key] == OmegaConf.from_dotlist([f"x={value}"]).x, key


def test_every_flag_is_told_with_keys_that_there_are():
    known = {*KEYS["train"], "optimizer.betas", "optimizer.weight_decay", "optimizer.eps"}
    for flag in FLAGS | OTHERS:
        for word in instead(flag, "1").split():
            assert word.partition("=")[0] in known, flag
