import shutil
from pathlib import Path

import pytest
import torch

from avatar_exp.run_folder import read_lines
from runs.command import BARE, KEPT, RAISE, Commands, Result, pictures, rows, unlike, weights

EIGHT = (*KEPT, "max_steps=8", "lr=1e-5")
WAYS = {
    "adamw": ("optimizer=adamw", "lr_scheduler=cosine", "lr_warmup_steps=2", "sample_every=4"),
    "adamw, batch 2, accumulate 2, average, every option": (
        *("optimizer=adamw", "batch_size=2", "accumulate_grad_batches=2", "model.ema=0.9", "data.flip=true"),
        *("objective.min_snr_gamma=5", "objective.offset_noise=0.1", "objective.face_weight=4"),
        *("data.caption_dropout=0.5", "text_encoder_stop=5"),  # it stops after the checkpoint
    ),
    "8 bit, batch 2": ("optimizer=adamw8bit", "batch_size=2", "trainer.log_every_n_steps=3"),
    "8 bit, accumulate 2, average": (
        *("optimizer=adamw8bit", "accumulate_grad_batches=2", "model.ema=0.9"),
        "text_encoder_stop=3",  # it has stopped before the checkpoint
    ),
}
SLOW = ("adamw", "8 bit, batch 2")  # what it shows, the others show together
STATE = ("global_step", "state_dict", "optimizer_states", "lr_schedulers", "average")


def state(result: Result) -> dict[str, object]:
    """What training goes on from."""
    whole = torch.load(result.run.checkpoint, weights_only=True)
    return {key: whole.get(key) for key in STATE}


@pytest.mark.parametrize("way", [pytest.param(way, marks=[pytest.mark.slow] * (way in SLOW)) for way in WAYS])
def test_a_resumed_run_is_the_straight_one_bit_for_bit(commands: Commands, way: str) -> None:
    straight = commands("train", *BARE, *EIGHT, *WAYS[way])
    assert straight.code == 0, straight.err
    stopped = commands("train", *BARE, *EIGHT, *WAYS[way], RAISE, "+callbacks.stop.step=6")
    assert stopped.code == 1
    assert torch.load(stopped.run.checkpoint, weights_only=True)["global_step"] == 4
    resumed = commands("train", f"resume={stopped.run.path}")
    assert resumed.code == 0, resumed.err
    assert "resuming at step 4" in resumed.out
    assert unlike(state(straight), state(stopped)) == []
    assert unlike(weights(straight.run.pipeline), weights(stopped.run.pipeline)) == []
    assert rows(straight.run) == rows(stopped.run)
    assert pictures(straight.run) == pictures(stopped.run)
    assert bool(pictures(straight.run)) == any("sample_every" in one for one in WAYS[way])
    assert list(read_lines(straight.run.records)) == list(read_lines(stopped.run.records))
    info = stopped.run.info
    assert (info["status"], info["error"], info["steps_done"]) == ("finished", None, 8)
    assert info["wandb_id"]
    assert info.get("scores", {}) == straight.run.info.get("scores", {})


def test_ctrl_c_leaves_a_run_that_can_go_on(commands: Commands) -> None:
    ctrl_c = (RAISE, "+callbacks.stop.step=3", "+callbacks.stop.error=KeyboardInterrupt", "checkpoint_every=2")
    stopped = commands("train", *BARE, *ctrl_c)
    assert stopped.code == 130
    assert f"interrupted; to go on: python -m avatar_exp.train resume={stopped.run.path}" in stopped.out
    assert stopped.run.info["status"] == "interrupted"
    resumed = commands("train", f"resume={stopped.run.path}")
    assert resumed.code == 0, resumed.err
    assert (stopped.run.info["status"], stopped.run.info["steps_done"]) == ("finished", 4)
    assert not stopped.run.checkpoint.exists()


@pytest.mark.slow
def test_a_finished_run_goes_on_to_more_steps_as_if_they_had_been_asked_for(commands: Commands) -> None:
    finished = commands("train", *BARE, *KEPT, "max_steps=4", "seed=7")
    longer = commands("train", f"resume={finished.run.path}", "max_steps=6")
    assert longer.code == 0, longer.err
    straight = commands("train", *BARE, *KEPT, "max_steps=6", "seed=7")
    assert finished.run.info["steps_done"] == 6
    assert unlike(state(straight), state(finished)) == []


def test_a_finished_run_without_checkpoint_says_how_to_go_on(commands: Commands, finished: Result) -> None:
    copy = commands.fresh_outputs()
    shutil.copytree(finished.run.path, copy)
    ended = commands("train", f"resume={copy}")
    assert ended.code == 2
    assert "no checkpoint is there" in ended.err
    assert f"repeat={copy}" in ended.err


def test_what_would_make_it_another_run_is_refused(commands: Commands, finished: Result) -> None:
    before = finished.run.run_json.read_bytes()
    ended = commands("train", f"resume={finished.run.path}", "lr=2e-6")
    assert ended.code == 2
    assert "lr cannot change" in ended.err
    assert f"repeat={finished.run.path} lr=2e-6" in ended.err
    assert "Traceback" not in ended.err
    assert finished.run.run_json.read_bytes() == before


def test_a_folder_without_a_run_is_refused(commands: Commands, tmp_path: Path) -> None:
    ended = commands("train", f"resume={tmp_path}")
    assert ended.code == 2
    assert f"resume={tmp_path}: no run is there" in ended.err


def test_other_photos_make_it_another_run(commands: Commands, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree("data/hoanganh", photos)
    concept = (*BARE, *KEPT, f"concept.instance_data_dir={photos}", "max_steps=1", "objective.face_weight=4")
    run = commands("train", *concept).run
    boxes = (photos / "boxes.csv").read_text()
    (photos / "boxes.csv").write_text(boxes.replace("00.png,114", "00.png,120"))
    ended = [commands("train", f"resume={run.path}", "max_steps=2")]
    (photos / "boxes.csv").write_text(boxes)
    (photos / "00.png").unlink()
    ended.append(commands("train", f"resume={run.path}", "max_steps=2"))
    assert [one.code for one in ended] == [2, 2]
    assert all("photos, captions or boxes are not those it began with" in one.err for one in ended)


def test_a_run_goes_on_beside_concept_files_of_ones_own(commands: Commands, tmp_path: Path) -> None:
    concept = tmp_path / "data" / "conf" / "concept" / "minh.yaml"
    concept.parent.mkdir(parents=True)
    concept.write_text(f"identifier: minh\ninstance_data_dir: {Path('data/hoanganh').resolve()}\n")
    mine = (*BARE, *KEPT, "concept=minh", "max_steps=1")
    run = commands("train", *mine, cwd=tmp_path).run
    ended = commands("train", f"resume={run.path}", "max_steps=2", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert run.info["steps_done"] == 2
