"""``method=lora`` from the command to the files that it leaves."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from avatar_exp.formats.lora import LORA_FILE, read_lora
from avatar_exp.models.locate import tiny_folder
from runs.command import BARE, KEPT, RAISE, Commands, Result, pictures, rows, unlike, weights
from runs.test_resume import EIGHT, state
from runs.test_train import PIPELINE

LORA = (*BARE, "method=lora", "method.rank=4", "method.alpha=2")
WAYS = {
    "with dropout, accumulate 2": (
        *("method.dropout=0.3", "optimizer=adamw", "accumulate_grad_batches=2", "sample_every=4", "score_every=0"),
    ),
    "of the unet, 8 bit, average": (
        *("method.text_encoder=false", "method.rank=32", "optimizer=adamw8bit", "model.ema=0.9"),
    ),
}


@pytest.fixture(scope="module")
def learnt(commands: Commands) -> Result:
    """A run that was scored as its step says: the best is the first."""
    scored = ("callbacks.scores._target_=runs.callbacks.Scored", "optimized_metric=score/identity", "sample_every=4")
    result = commands("train", *LORA, *KEPT, *scored, "choose=best", "keep_steps=[1,4]")
    assert result.code == 0, result.err
    return result


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_it_leaves_a_pipeline_as_every_run_does_and_the_lora_by_itself(learnt: Result) -> None:
    for folder in (learnt.run.pipeline, learnt.run.kept_step(1), learnt.run.kept_step(4)):
        assert files(folder) == {*PIPELINE, LORA_FILE}
        found = read_lora(folder / LORA_FILE)
        assert {config["r"] for config in found.configs.values()} == {4}
        assert {config["lora_alpha"] for config in found.configs.values()} == {2}


def test_the_pipeline_is_the_base_and_the_lora(learnt: Result) -> None:
    for folder in (learnt.run.pipeline, learnt.run.kept_step(4)):
        lora, base, found = read_lora(folder / LORA_FILE).tensors, weights(tiny_folder()), weights(folder)
        changed = {key.removesuffix(".lora_A.weight") for key in lora if key.endswith(".lora_A.weight")}
        for key, value in base.items():
            file, name = key.split("/", 1)
            layer = f"{file}.{'text_model.' if file == 'text_encoder' else ''}{name.removesuffix('.weight')}"
            if file not in ("unet", "text_encoder", "vae"):
                continue
            wanted = value.double()
            if layer in changed and name.endswith(".weight"):
                wanted += 2 / 4 * lora[f"{layer}.lora_B.weight"].double() @ lora[f"{layer}.lora_A.weight"].double()
                assert not torch.equal(found[key].double(), value.double()), key
            assert (found[key].double() - wanted).abs().max() < 1e-6, key


def test_the_best_step_is_chosen_and_the_others_are_kept(learnt: Result) -> None:
    assert (learnt.run.info["best_step"], learnt.run.info["chosen_step"]) == (1, 1)
    assert unlike(weights(learnt.run.pipeline), weights(learnt.run.kept_step(1))) == []
    lora = [load_file(folder / LORA_FILE) for folder in (learnt.run.pipeline, learnt.run.kept_step(4))]
    assert unlike(*lora) != []


def test_the_states_hold_the_matrices_alone(learnt: Result) -> None:
    state = torch.load(learnt.run.checkpoint, weights_only=True)["state_dict"]
    (incumbent,) = learnt.run.incumbents.values()
    stored = load_file(incumbent)
    assert {key.removeprefix("trained.") for key in state} == {*stored}
    assert all(".lora_A." in key or ".lora_B." in key for key in stored)
    assert {key.split(".")[0] for key in stored} == {"unet", "text_encoder"}
    assert incumbent.stat().st_size < 1_000_000


def test_what_is_trained_and_how_fast_is_said_at_the_start(learnt: Result) -> None:
    assert "lr 0.0001 x 25 (tiny) = 0.0025; with method=lora about 100 times" in learnt.out
    (line,) = [line for line in learnt.out.splitlines() if line.startswith("trained: ")]
    assert "unet 0.0609 M, text_encoder 0.0123 M parameters" in line
    assert "in it lora.safetensors 0.293 MB" in line


def test_it_is_sampled_and_evaluated_as_every_run_is(commands: Commands, learnt: Result) -> None:
    few = ("num_inference_steps=2", "num_images_per_prompt=1")
    drawn = commands("sample", f"run={learnt.run.path}", "prompt={subject}", *few)
    assert drawn.code == 0, drawn.err
    other = commands("sample", f"run={learnt.run.path}", "prompt={subject}", "step=4", *few)
    assert drawn.pictures.joinpath("sheet.png").read_bytes() != other.pictures.joinpath("sheet.png").read_bytes()


@pytest.mark.parametrize("way", [pytest.param(way, marks=[pytest.mark.slow] * ("dropout" in way)) for way in WAYS])
def test_a_resumed_run_is_the_straight_one_bit_for_bit(commands: Commands, way: str) -> None:
    straight = commands("train", *LORA, *EIGHT, *WAYS[way])
    assert straight.code == 0, straight.err
    stopped = commands("train", *LORA, *EIGHT, *WAYS[way], RAISE, "+callbacks.stop.step=6")
    assert stopped.code == 1
    resumed = commands("train", f"resume={stopped.run.path}")
    assert resumed.code == 0, resumed.err
    assert unlike(state(straight), state(stopped)) == []
    assert unlike(weights(straight.run.pipeline), weights(stopped.run.pipeline)) == []
    assert unlike(*(load_file(one.run.pipeline / LORA_FILE) for one in (straight, stopped))) == []
    assert rows(straight.run) == rows(stopped.run)
    assert pictures(straight.run) == pictures(stopped.run)


@pytest.mark.slow
def test_of_a_sweep_the_best_is_kept_with_its_lora(commands: Commands) -> None:
    scored = ("callbacks.scores._target_=runs.callbacks.Scored", "optimized_metric=score/identity", "sample_every=4")
    ended = commands("train", "-m", *LORA, *scored, "scoring.prompts=[a]", "max_steps=2,1", "lr=1e-4")
    assert ended.code == 0, ended.err
    assert [(job.pipeline / LORA_FILE).is_file() for job in ended.jobs] == [False, True]


def test_a_learning_rate_for_full_fine_tuning_is_warned_of(commands: Commands) -> None:
    ended = commands("train", *LORA, "lr=1e-6", "max_steps=0")
    assert "lr=1e-06 is one for full fine-tuning: with method=lora little is learnt by it; lr=1e-4" in ended.out


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("method.rank=0", "method.rank=0: must be at least 1"),
        ("method.alpha=0", "method.alpha=0.0: must be above 0"),
        ("method.dropout=1", "method.dropout=1.0: expected a share"),
        ("method.unet_targets=[to_x]", "method.unet_targets=['to_x']"),
        ("method.rank=many", "method.rank"),
    ],
)
def test_what_cannot_be_trained_is_said_shortly(commands: Commands, override: str, said: str) -> None:
    ended = commands("train", *LORA, override)
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err
