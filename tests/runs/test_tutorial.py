"""The tutorial replayed: what docs/tutorial.md says to type does what the tutorial's own flags did."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from avatar_exp.config.again import flat
from avatar_exp.config.decide import chosen_precision
from avatar_exp.config.flag_tables import FLAGS, NOT_HERE
from avatar_exp.config.overrides import readable
from avatar_exp.config.schema import TrainConfig
from avatar_exp.config.start import SCHEMAS, conf_dir, register
from avatar_exp.run_folder import read_lines
from runs.command import ROOT, SHORT, Commands, Result, typed_again

TEXT = (ROOT / "docs" / "tutorial.md").read_text()
PROSE = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
(LISTED,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
TYPED, *_ = re.findall(r"^python -m avatar_exp\.train .*concepts_list=.*$", TEXT, re.MULTILINE)

USED = re.findall(
    r"\w+",
    """
    pretrained_model_name_or_path pretrained_vae_name_or_path output_dir revision with_prior_preservation
    prior_loss_weight seed resolution train_batch_size train_text_encoder mixed_precision use_8bit_adam
    gradient_accumulation_steps learning_rate lr_scheduler lr_warmup_steps num_class_images sample_batch_size
    max_train_steps save_interval save_sample_prompt concepts_list
    """,
)
OTHERS = re.findall(
    r"\w+",
    """
    tokenizer_name instance_data_dir class_data_dir instance_prompt class_prompt save_sample_negative_prompt
    n_save_sample save_guidance_scale save_infer_steps pad_tokens center_crop num_train_epochs gradient_checkpointing
    scale_lr adam_beta1 adam_beta2 adam_weight_decay adam_epsilon max_grad_norm push_to_hub hub_token hub_model_id
    logging_dir log_interval save_min_steps not_cache_latents hflip read_prompts_from_txts
    """,
)
LEFT_TO_THE_USER = {"output_dir", "revision", "resolution", "sample_batch_size", "save_sample_prompt"}
CHOSEN = ("model=tiny", "optimizer=adamw8bit", "lr_scheduler=constant", "logger=wandb")  # where none is typed


@pytest.fixture(scope="module")
def replayed(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The documented command in a folder as the document wants it, shortened."""
    home = tmp_path_factory.mktemp("home")
    (home / "concepts_list.json").write_text(LISTED)
    shutil.copytree(ROOT / "data" / "hoanganh", home / "data" / "hoanganh")
    ended = commands("train", *typed_again(TYPED), *SHORT, "logger=none", cwd=home)
    assert ended.code == 0, ended.out + ended.err
    return ended


@pytest.fixture
def conf() -> Iterator[None]:
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


def composed(*overrides: str) -> dict[str, Any]:
    """Every key of ``train`` and its value, but for what names the subject: that is in concepts_list.json."""
    values = flat(compose("train", ["concept=listed", *map(readable, overrides)]))
    return {key: value for key, value in values.items() if not key.startswith("concept.")}


def table() -> list[list[str]]:
    """The three cells of every row on a flag."""
    return [[cell.strip() for cell in line.split("|")[1:4]] for line in PROSE.splitlines() if line.startswith("| `--")]


def flag_rows() -> dict[str, str]:
    """What the tables say of each flag: the cell beside it."""
    return {flag: cell for flags, cell, _ in table() for flag in re.findall(r"--(\w+)", flags)}


def named_keys() -> set[tuple[str, str]]:
    """Every ``key=`` in the prose, with the command that it is a key of."""
    found = set()
    for code in re.findall(r"`([^`\n]+)`", PROSE):
        if code.startswith("-") or "=" not in code or code.startswith("pip "):
            continue
        words = shlex.split(code.removeprefix("python -m avatar_exp."))
        command = words.pop(0) if words[0] in SCHEMAS else "export" if code == "names=true" else "train"
        found |= {(command, word.partition("=")[0]) for word in words}
    return found


def test_the_list_is_the_tutorials_but_for_its_folders() -> None:
    (row,) = json.loads(LISTED)
    folders = {key: f"/content/{folder}" for key, folder in row.items() if key.endswith("_dir")}
    words = {"instance_prompt": "hoanganh", "class_prompt": "person"}
    there = {"instance_data_dir": "/content/data/hoanganh", "class_data_dir": "/content/data/person"}
    assert row | folders == words | there


def test_the_replay_leaves_grid_pictures_and_pipeline(replayed: Result) -> None:
    run = replayed.run
    assert run.path.parent.name == "hoanganh"
    assert (run.info["status"], run.info["concept"], run.info["class_noun"]) == ("finished", ["hoanganh"], ["person"])
    records = list(read_lines(run.records))
    assert {record["step"] for record in records} == {0, 4}
    assert {record["prompt"] for record in records} >= {"photo of hoanganh person", "pencil sketch of hoanganh person"}
    for picture in (run.grid, *(run.path / record["file"] for record in records)):
        with Image.open(picture) as image:
            image.load()
    assert Image.open(run.grid).width > 8 * 160  # a column for each of the eight prompts
    assert (run.pipeline / "model_index.json").is_file()
    assert "concept.class_data_dir" not in replayed.out  # data/person is not there: no folder that is passed over


def test_the_replay_has_the_tutorials_values(replayed: Result) -> None:
    shortened = {one.partition("=")[0] for one in SHORT}
    config = OmegaConf.load(replayed.run.resolved)
    values = {
        "lr": 1e-6, "text_encoder_lr": None, "seed": 1337, "batch_size": 1, "accumulate_grad_batches": 1,
        "lr_warmup_steps": 0, "lr_scheduler.name": "constant", "prior.weight": 1.0, "method.unet": True,
        "method.text_encoder": True, "precision": "32-true", "trainer.gradient_clip_val": 1.0,
    }  # fmt: skip
    assert {key: OmegaConf.select(config, key) for key in values} == values
    assert config.optimizer._target_.endswith(".adamw8bit")
    assert not shortened & {*values} - {"batch_size"}
    assert "trained: unet" in replayed.out
    assert "text_encoder" in replayed.out


@pytest.mark.usefixtures("conf")
def test_the_values_as_typed() -> None:
    values = composed(*typed_again(TYPED))
    assert (values["model.path"], values["max_steps"], values["prior.count"]) == ("tiny", 800, 50)
    assert (values["batch_size"], values["precision"]) == (1, "16-mixed")
    assert [chosen_precision(values["precision"], gpu) for gpu in ((7, 5), (9, 0), None)] == [
        "16-mixed", "16-mixed", "32-true",
    ]  # fmt: skip


@pytest.mark.usefixtures("conf")
def test_flag_by_flag_is_the_recipe() -> None:
    cells = {flag: re.findall(r"`([^`]+)`", cell)[0] for flag, cell in flag_rows().items() if flag in USED}
    typed = [word for flag, code in cells.items() if flag not in LEFT_TO_THE_USER for word in shlex.split(code)]
    assert composed(*typed) == composed("experiment=viblo", "concepts_list=concepts_list.json")


@pytest.mark.usefixtures("conf")
def test_every_replacement_is_accepted() -> None:
    batches: list[dict[str, str]] = [{}]  # what can be typed together
    for code in (code for cell in flag_rows().values() for code in re.findall(r"`([^`]+)`", cell)):
        typed = {word.partition("=")[0]: word for word in shlex.split(code)}
        if typed.keys() & batches[-1].keys():
            batches.append({})
        batches[-1] |= typed
    for batch in batches:
        groups = [one for one in CHOSEN if one.partition("=")[0] not in batch]
        assert composed(*groups, *batch.values())  # an unknown key, option or type is an error


def test_every_flag_has_its_row() -> None:
    rows = flag_rows()
    assert set(rows) == {*USED, *OTHERS}
    assert all("`" in cell or cell == "none" for cell in rows.values())
    yours = " ".join(flags for flags, _, note in table() if note.startswith("yours"))
    assert {*re.findall(r"--(\w+)", yours)} == LEFT_TO_THE_USER
    assert [flag for flag in rows if flag in USED] == USED  # in the tutorial's order


def test_the_flags_that_are_told_at_the_command_line_are_those_of_the_table() -> None:
    assert {*FLAGS, *NOT_HERE} == {*flag_rows()}
    for flags, cell, note in table():
        for flag in re.findall(r"--(\w+)", flags):
            if cell == "none":
                assert NOT_HERE[flag] == note.replace("`", "")
                continue
            typed = [word for code in re.findall(r"`([^`]+)`", cell + note) for word in shlex.split(code)]
            value = {"adam_beta1": "0.9", "adam_beta2": "0.999"}.get(flag, "")
            for word in shlex.split(FLAGS[flag].replace("{}", value)):  # a key alone takes the flag's value
                assert word in typed or f"{word}=" in " ".join(typed).replace("=", "= "), flag


@pytest.mark.usefixtures("conf")
def test_every_key_that_is_named_exists() -> None:
    trained = {*composed(*CHOSEN), *TrainConfig.__dataclass_fields__}
    trained |= {f"concept.{key}" for key in TrainConfig().concept.__dataclass_fields__}
    trained |= {folder.name for folder in conf_dir().iterdir() if folder.is_dir()}
    for command, key in named_keys():
        known = trained if command == "train" else {*SCHEMAS[command].__dataclass_fields__, "concept"}
        assert key in known, f"{command}: {key}"
