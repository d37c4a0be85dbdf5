import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning.strategies import Strategy

from avatar_exp.data.concept import Concept
from avatar_exp.pictures import read_record
from avatar_exp.run_folder import RunFolder, read_lines
from avatar_exp.sampling import Request
from avatar_exp.training.callbacks.pictures import Pictures
from avatar_exp.training.module import DreamBooth
from avatar_exp.training.record import learnt_from_key, photos_key
from runs.command import BARE, KEPT, RAISE, SHORT, Commands, Result, unlike, weights

PROMPTS = 8  # of conf/scoring/default.yaml
OF_CLASS = 8
SCORES = {  # with one seed there are no pairs for diversity
    f"score/{name}"
    for name in ("identity", "identity_clip", "likeness", "drift", "prompt", "obedience", "memorisation", "choice")
}
PIPELINE = {
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer.json",
    "tokenizer/tokenizer_config.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
}


def samples(run: RunFolder, step: int) -> list[Path]:
    return sorted(run.step_samples(step).iterdir())


def pixels(picture: Path | Image.Image) -> np.ndarray:
    image = Image.open(picture) if isinstance(picture, Path) else picture
    return np.asarray(image.convert("RGB"), dtype=int)


def test_a_run_leaves_the_files_that_the_contract_names_and_no_other(finished: Result) -> None:
    run = finished.run
    there = {str(file.relative_to(run.path)) for file in run.path.rglob("*") if file.is_file()}
    own = {"run.json", "metrics.jsonl", "report.html", "train.log", "samples/grid.png"}
    own |= {f"samples/{name}.jsonl" for name in ("records", "class_records", "scores")}
    hydra = {f".hydra/{name}.yaml" for name in ("config", "hydra", "overrides", "resolved")}
    pictures = {f"samples/step_{step:05d}/{n:02d}_0.png" for step in (0, 2, 4) for n in range(PROMPTS)}
    pictures |= {f"samples/step_{step:05d}/class_{n:02d}.png" for step in (0, 2, 4) for n in range(OF_CLASS)}
    pipelines = {f"{folder}/{name}" for folder in ("pipeline", "pipeline_step_00002") for name in PIPELINE}
    assert {file for file in there if not file.startswith("wandb/")} == own | hydra | pictures | pipelines
    assert finished.run.path.parent == finished.outputs / "train" / "hoanganh"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", run.path.name)


def test_run_json_says_what_was_run_and_how_it_ended(finished: Result) -> None:
    info = finished.run.info
    assert info["schema_version"] == 1
    assert (info["status"], info["error"]) == ("finished", None)
    assert (info["concept"], info["class_noun"], info["seed"]) == (["hoanganh"], ["person"], 1337)
    assert (info["steps_done"], info["chosen_step"]) == (4, 4)
    assert info["base"]["fingerprint"]
    assert info["photos"]
    assert info["wandb_id"]
    assert {"torch", "diffusers", "avatar_exp", "python"} <= set(info["versions"])
    assert set(info["scores"]) == {"0", "2", "4"}
    assert set(info["scores"]["4"]) == SCORES
    assert set(info["embedders"]) == {"score/identity", "score/identity_clip"}
    assert set(info["errors"]["4"]) == SCORES - {"score/memorisation"}
    assert info["best_reason"].startswith(("choice ", "the class drifted"))
    assert set(info["front"]) <= {2, 4}
    assert info["best_step"] in (2, 4)
    assert {"loading the base", "prior pictures", "latents", "training", "base pictures", "pictures", "scores"} <= set(
        info["phase_seconds"]
    )
    assert "model=tiny" in info["decided"]
    assert info["command"].startswith("python -m avatar_exp.train concept=hoanganh lr=1e-6 ")
    assert info["git_commit"] is None or re.match(r"[0-9a-f]{40}", info["git_commit"])


def test_metrics_hold_every_figure_at_its_steps(finished: Result) -> None:
    rows = list(read_lines(finished.run.metrics))
    losses = {"train/loss", "train/loss_instance", "train/loss_prior", "train/grad_norm", "train/images_per_s"}
    train = {"step", "train/lr", "train/lr_text_encoder", *losses}
    score = {"step", *SCORES}
    assert [(row["step"], set(row)) for row in rows] == [(0, score), (2, train), (2, score), (4, train), (4, score)]
    assert rows[1]["train/lr"] == pytest.approx(2.5e-4)
    assert rows[1]["train/lr_text_encoder"] == pytest.approx(1.25e-4)
    parts = rows[1]["train/loss_instance"] + rows[1]["train/loss_prior"]
    assert rows[1]["train/loss"] == pytest.approx(parts, rel=1e-4)


def test_every_sample_has_its_record_in_the_run_and_in_its_png(finished: Result) -> None:
    run = finished.run
    records = list(read_lines(run.records))
    assert [record["step"] for record in records] == [step for step in (0, 2, 4) for _ in range(PROMPTS)]
    assert {record["seed"] for record in records} == {1337}
    assert records[1]["prompt"] == "photo of hoanganh person on the beach"
    for record in records:
        row = {key: value for key, value in record.items() if key != "file"}
        assert read_record(run.path / record["file"]).items() >= {**row, "num_inference_steps": 2}.items()


def test_the_grid_has_a_row_for_each_step_and_a_column_for_each_prompt(finished: Result) -> None:
    with Image.open(finished.run.grid) as grid:
        assert grid.width > PROMPTS * 160
        assert 3 * 160 < grid.height < 4 * 160


def test_the_pipeline_draws_in_plain_diffusers_what_the_run_drew_with_it(finished: Result) -> None:
    from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(finished.run.pipeline)
    pipeline.scheduler = EulerAncestralDiscreteScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    record = next(row for row in read_lines(finished.run.records) if row["step"] == 4)
    own = finished.run.path / record["file"]
    keys = ("prompt", "negative_prompt", "num_inference_steps", "guidance_scale", "height", "width")
    generator = torch.Generator().manual_seed(record["seed"])
    (image,) = pipeline(**{key: record[key] for key in keys}, generator=generator).images
    assert np.abs(pixels(image) - pixels(own)).max() <= 2


def test_the_pictures_change_with_training(finished: Result) -> None:
    first, last = (pixels(samples(finished.run, step)[0]) for step in (0, 4))
    assert (first != last).any()


def test_the_report_is_one_file_that_asks_for_nothing(finished: Result) -> None:
    page = finished.run.report.read_text()
    assert set(re.findall(r'src="(.{5})', page)) <= {"data:"}
    assert not re.search(r"https?://|<link|@import|<script src", page)
    assert "hoanganh" in page
    assert finished.run.info["command"].split()[-1] in page
    assert ">finished<" in page


def test_the_first_lines_say_base_device_and_learning_rate(finished: Result) -> None:
    lines = finished.out.splitlines()
    assert lines[0] == "base: tiny (no CUDA device is visible here)"
    assert lines[1] == "device: cpu, precision 32-true"
    assert "lr 1e-06 x 250 (tiny) = 0.00025" in lines
    assert any(line.startswith("wandb: offline, nothing is sent.") for line in lines)


def test_the_last_lines_say_what_came_out_and_what_to_type_next(finished: Result) -> None:
    run, lines = finished.run, finished.out.strip().splitlines()
    told = dict(line.split(maxsplit=1) for line in lines[-8:])
    assert list(told) == ["scores", "chosen", "time", "pictures", "report", "next", "repeat", "upload"]
    assert "base ->" in told["scores"]
    assert "last (step 4)" in told["scores"]
    assert told["chosen"] == "step 4: the last step (choose=last)"
    assert re.match(r"training \d+ s; pictures and scores on the way \d+ s, \d+% of it; ", told["time"])
    assert told["pictures"] == str(run.grid)
    assert told["report"] == f"{run.report}  weights {run.pipeline}"
    assert told["next"].startswith(f"python -m avatar_exp.sample run={run.path} prompt=")
    assert told["repeat"] == run.info["command"]
    assert told["upload"].startswith("wandb sync ")


def test_without_a_step_the_store_is_filled_and_the_base_is_pictured(commands: Commands, tmp_path: Path) -> None:
    short = (*SHORT, "model=tiny", "concept=hoanganh", "logger=none", "batch_size=1", f"store={tmp_path}/store")
    cold = commands("train", *short, "max_steps=0", "sample_every=1")
    assert cold.code == 0, cold.err
    assert cold.run.info["store_made"] == {"pictures": 2, "moments": 14}
    assert len(samples(cold.run, 0)) == PROMPTS + OF_CLASS
    assert not cold.run.pipeline.exists()
    assert "nothing was trained" in cold.out
    warm = commands("train", *short, "max_steps=1")
    assert warm.run.info["store_made"] == {}


def test_the_best_step_is_chosen_not_the_last(commands: Commands) -> None:
    scored = ("callbacks.scores._target_=runs.callbacks.Scored", "optimized_metric=score/identity", "sample_every=4")
    ended = commands("train", *BARE, *scored, "choose=best", "keep_steps=[1,4]")
    run = ended.run
    assert (run.info["best_step"], run.info["chosen_step"]) == (1, 1), ended.err
    assert "chosen    step 1: identity 0.500; no later step scores higher (choose=best)" in ended.out
    chosen, first, last = (weights(folder) for folder in (run.pipeline, run.kept_step(1), run.kept_step(4)))
    assert unlike(chosen, first) == []
    assert unlike(chosen, last) != []


def test_the_chosen_step_is_scored_again_on_seeds_that_had_no_part_in_the_choice(commands: Commands) -> None:
    short = (*SHORT, "model=tiny", "concept=hoanganh", "logger=none", "batch_size=1", "max_steps=2", "sample_every=1")
    run = commands("train", *short, "choose=best").run
    chosen, again = run.info["scores"][str(run.info["chosen_step"])], run.info["chosen_scores"]
    assert set(again) == set(chosen) - {"score/drift"}
    assert again["score/prompt"] != chosen["score/prompt"]
    drawn = [read_record(file) for file in sorted(run.fresh_samples.iterdir())]
    chosen_by = {row["seed"] for row in read_lines(run.records)}
    assert len(drawn) == PROMPTS
    assert not {one["seed"] for one in drawn} & chosen_by


def test_checkpoints_are_kept_when_asked_for(commands: Commands) -> None:
    run = commands("train", *BARE, *KEPT).run
    assert [file.name for file in run.checkpoint.parent.iterdir()] == ["last.ckpt"]
    state = torch.load(run.checkpoint, weights_only=True)
    assert {name.split(".")[1] for name in state["state_dict"]} == {"unet", "text_encoder"}  # nothing frozen


def test_lightnings_own_keys_mean_ours(commands: Commands) -> None:
    run = commands("train", *BARE, "trainer.max_steps=2", "trainer.accumulate_grad_batches=2").run
    assert run.info["steps_done"] == 2
    resolved = run.resolved.read_text()
    assert resolved.count("max_steps: 2") == 2
    assert resolved.count("accumulate_grad_batches: 2") == 2


def test_a_run_that_fails_says_so_and_ends_with_1(commands: Commands) -> None:
    ended = commands.in_process_of_its_own("train", *BARE, RAISE, "+callbacks.stop.step=1")
    assert ended.code == 1
    assert ended.run.info["status"] == "failed"
    assert ended.run.info["error"] == "RuntimeError: stopped on purpose after step 1"
    assert "stopped on purpose after step 1" in ended.err


def test_a_loss_that_is_no_number_stops_the_run_before_the_update(commands: Commands) -> None:
    poison = ("+callbacks.poison._target_=runs.callbacks.Poison", "checkpoint_every=1", "trainer.log_every_n_steps=1")
    ended = commands("train", *BARE, *poison)
    assert ended.code == 2  # a lower lr usually cures it: something the user can mend
    assert "Traceback" not in ended.err
    assert ended.run.info["error"].startswith("NonFiniteLossError: the loss is nan in step 2.")
    assert [row["step"] for row in read_lines(ended.run.metrics)] == [1]
    assert torch.load(ended.run.checkpoint, weights_only=True)["global_step"] == 1


def test_two_runs_of_the_same_second_have_folders_of_their_own(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avatar_exp.config.start.timestamp", lambda: "2026-11-22_17-05-09")
    for _ in range(2):
        assert commands("train", *BARE, "max_steps=0", outputs=tmp_path).code == 0
    folders = sorted(file.parent.name for file in tmp_path.glob("train/hoanganh/*/run.json"))
    assert folders == ["2026-11-22_17-05-09", "2026-11-22_17-05-09-2"]


def test_samples_are_drawn_by_requests_that_carry_the_concepts_words(finished: Result) -> None:
    record = json.loads(finished.run.records.read_text().splitlines()[0])
    names = {"prompt", "seed", "negative_prompt", "num_inference_steps", "guidance_scale", "scheduler"}
    assert names <= set(Request.__dataclass_fields__) & set(record)
    assert "{" not in record["prompt"]


@pytest.mark.parametrize("fails", [False, True])
def test_gradients_and_moments_are_gone_when_they_have_done_their_work(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """Beside pictures and files they would fill a GPU, and Lightning would take them into the host's memory."""
    gradients: list[int] = []
    ended: list[int] = []
    draw, step, teardown = Pictures.at_step, DreamBooth.training_step, Strategy.teardown

    def drawn(self: Any, trainer: Any, module: Any, number: int) -> None:
        gradients.append(sum(p.grad is not None for p in module.parameters()))
        draw(self, trainer, module, number)

    def stepped(self: Any, batch: Any, batch_idx: int) -> Any:
        if fails and self.global_step:
            raise RuntimeError("the machine is on fire")
        return step(self, batch, batch_idx)

    def torn(self: Any) -> None:
        ended.append(len(self.optimizers) + len(self.lr_scheduler_configs))
        before = next(self.lightning_module.parameters())
        teardown(self)
        assert next(self.lightning_module.parameters()) is before

    monkeypatch.setattr(Pictures, "at_step", drawn)
    monkeypatch.setattr(DreamBooth, "training_step", stepped)
    monkeypatch.setattr(Strategy, "teardown", torn)
    done = commands("train", *BARE, "sample_every=1", "score_every=0", "max_steps=2", "save=none")
    assert (done.code == 0) is not fails, done.err
    assert gradients == [0] * (1 if fails else 2)
    assert ended == [0]


def test_what_is_trained_stays_where_it_is() -> None:
    module = DreamBooth.__new__(DreamBooth)
    assert DreamBooth.cpu(module) is module


def test_what_is_learnt_from_is_more_than_the_photos(tmp_path: Path) -> None:
    one, other = (
        Concept(identifier="minh", instance_data_dir="data/hoanganh", instance_prompt=prompt)
        for prompt in ("photo of {subject}", "{subject}")
    )
    assert photos_key([one]) == photos_key([other])
    keys = {
        learnt_from_key([one], boxes=False),
        learnt_from_key([other], boxes=False),
        learnt_from_key([one], boxes=True),
    }
    assert len(keys) == 3
