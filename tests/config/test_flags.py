"""What is typed by those who know another trainer, and what they are told."""

import pytest

from avatar_exp.config.explain import keys_of_command
from avatar_exp.config.flags import FLAGS, OTHERS, check_form, instead, misread
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
        ("--num_train_epochs 3", "--num_train_epochs 3", "(none here: max_steps=800)"),
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
        ("--magic", "--magic", "(not known; all keys: --cfg job)"),
        ("lr = 1e-6", "lr = 1e-6", "lr=1e-6"),
        ("concept=hoanganh lr = 1e-6 max_steps=5", "lr = 1e-6", "lr=1e-6"),
        ("lr =1e-6", "lr =1e-6", "lr=1e-6"),
        ("lr= 1e-6", "lr= 1e-6", "lr=1e-6"),
        ("train_batch_size = 2", "train_batch_size = 2", "batch_size=2"),
        ("hoanganh", "hoanganh", "(not known; all keys: --cfg job)"),
    ],
)
def test_what_is_typed_in_another_form_is_told_in_ours(arguments, came, wanted):
    assert misread(arguments.split(" "), KEYS["train"]) == [(came, wanted)]


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


def test_every_flag_is_told_with_keys_that_there_are():
    known = {*KEYS["train"], "optimizer.betas", "optimizer.weight_decay", "optimizer.eps"}
    for flag in FLAGS | OTHERS:
        for word in instead(flag, "1").split():
            assert word.partition("=")[0] in known, flag
