"""Callbacks, driven as Lightning drives them: when they act, what they keep, what they log."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch import nn

from avatar_exp.config.weights import is_pipeline
from avatar_exp.data.concept import Concept
from avatar_exp.errors import UserError
from avatar_exp.models.load import load
from avatar_exp.models.trainable import Average
from avatar_exp.pictures import read_record, save_picture
from avatar_exp.progress import Phases
from avatar_exp.run_folder import RunFolder, append_line, read_lines
from avatar_exp.scoring.step import Scored
from avatar_exp.store import Store
from avatar_exp.training.callbacks.checkpoint import Checkpoint
from avatar_exp.training.callbacks.every import EverySteps, is_due
from avatar_exp.training.callbacks.guard import Guard
from avatar_exp.training.callbacks.keep import Keep
from avatar_exp.training.callbacks.metrics import Metrics, log_metrics
from avatar_exp.training.callbacks.pictures import Pictures, grid_of
from avatar_exp.training.callbacks.scores import Scores, as_metrics
from avatar_exp.training.run import Run, Sample


class Logger:
    """Remembers; takes pictures too."""

    def __init__(self):
        self.rows, self.pictures = [], []

    def log_metrics(self, metrics, step):
        self.rows.append((step, metrics))

    def log_pictures(self, step, pictures):
        self.pictures.append((step, {key: len(images) for key, images in pictures.items()}))


def trainer(**values):
    usual = {
        "global_step": 0, "max_steps": 100, "accumulate_grad_batches": 1, "is_global_zero": True, "world_size": 1,
        "precision": "32-true", "loggers": [], "strategy": SimpleNamespace(barrier=lambda: None),
    }  # fmt: skip
    return SimpleNamespace(**{**usual, **values})


def steps(callback, module, until, make=None, outputs=None, batch=None, **values):
    """Lightning's calls for ``until`` optimizer steps; the global step counts up before the callbacks are asked."""
    accumulate = values.get("accumulate_grad_batches", 1)
    for batch_idx in range(until * accumulate):
        one = trainer(**{**values, "global_step": (batch_idx + 1) // accumulate})
        if make:
            make(one)
        callback.on_train_batch_end(one, module, outputs, batch, batch_idx)


@pytest.fixture
def run(components, tmp_path):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (64, 64), "red").save(photo)
    concepts = [Concept("minh", str(tmp_path))]
    folder = RunFolder(tmp_path / "run")
    return Run(
        folder=folder, components=components, trained={}, concepts=concepts, store=Store(tmp_path / "store"),
        phases=Phases(), seed=1337, resolution=64, trained_on=[[photo]], held_out=[[]],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("every", "last", "due"), [(4, 10, [4, 8, 10]), (5, 10, [5, 10]), (100, 3, [3]), (1, 3, [1, 2, 3]), (0, 10, [])]
)
def test_every_n_steps_and_after_the_last(every, last, due):
    assert [step for step in range(1, last + 1) if is_due(step, every, last)] == due


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_step_is_asked_about_once_however_many_micro_batches_it_has(accumulate):
    seen = []

    class Remember(EverySteps):
        def at_step(self, trainer, module, step):
            seen.append(step)

    steps(Remember(2), None, 5, max_steps=5, accumulate_grad_batches=accumulate)
    assert seen == [2, 4, 5]


def norms(values):
    return iter([SimpleNamespace(gradient_norm=torch.tensor(value)) for value in values])


def feed(guard, values, **options):
    for n, module in enumerate(norms(values)):
        guard.on_train_batch_end(trainer(**{"precision": "16-mixed", **options}), module, None, None, n)


def test_ten_skipped_updates_in_a_row_stop_a_run():
    with pytest.raises(UserError, match="10 updates in a row"):
        feed(Guard(), [float("inf")] * 10)


@pytest.mark.parametrize("values", [[float("inf")] * 9 + [1.0] + [float("nan")] * 9, [1.0] * 30])
def test_some_skipped_updates_are_expected(values):
    guard = Guard()
    feed(guard, values)
    assert guard.skipped == (0 if values[-1] == 1.0 else 9)


def test_other_precisions_have_no_loss_scaler():
    guard = Guard()
    feed(guard, [float("inf")] * 30, precision="bf16-mixed")
    assert guard.skipped == 0


def test_micro_batches_within_a_step_do_not_count():
    feed(Guard(), [float("inf")] * 19, accumulate_grad_batches=2)
    with pytest.raises(UserError):
        feed(Guard(), [float("inf")] * 20, accumulate_grad_batches=2)


def test_numbers_that_are_not_finite_are_left_out(run):
    logger = Logger()
    log_metrics(trainer(loggers=[logger]), run, 3, {"a": 1.5, "b": float("nan"), "c": float("inf")})
    assert list(read_lines(run.folder.metrics)) == [{"step": 3, "a": 1.5}]
    assert logger.rows == [(3, {"a": 1.5})]


def test_what_is_logged_is_the_mean_since_the_last_line(run):
    logger, callback = Logger(), Metrics(run, every=2)
    rates = {"unet": 1e-4, "text_encoder": 2e-5}
    groups = [{"name": name, "lr": lr, "params": []} for name, lr in rates.items()]
    groups.append({"name": "stopped", "lr": 2e-5, "params": []})
    losses = iter(range(1, 13))
    for n in range(12):
        module = SimpleNamespace(gradient_norm=torch.tensor(float(n)), learning={"unet", "text_encoder"})
        one = trainer(global_step=(n + 1) // 2, accumulate_grad_batches=2, max_steps=5, loggers=[logger],
                      optimizers=[SimpleNamespace(param_groups=groups)])  # fmt: skip
        outputs = {"loss": torch.tensor(-1.0), "train/loss": torch.tensor(float(next(losses)))}
        callback.on_train_batch_start(one, module, None, n)
        callback.on_train_batch_end(one, module, outputs, {"is_prior": torch.tensor([False, True])}, n)
        if n == 9:
            break
    rows = list(read_lines(run.folder.metrics))
    assert [row["step"] for row in rows] == [2, 4, 5]
    assert [row["train/loss"] for row in rows] == [2.5, 6.5, 9.5]  # four micro-batches, four, two
    assert [row["train/grad_norm"] for row in rows] == [2.0, 6.0, 9.0]  # of steps, not of micro-batches
    assert (rows[0]["train/lr"], rows[0]["train/lr_text_encoder"], rows[0]["train/lr_stopped"]) == (1e-4, 2e-5, 0.0)
    assert rows[0]["train/images_per_s"] > 0
    assert [step for step, _ in logger.rows] == [2, 4, 5]


def networks(run, average=False):
    trained = nn.ModuleDict({"unet": run.components.unet})
    run.components.text_encoder.requires_grad_(False)
    return SimpleNamespace(trained=trained, average=Average(trained, 0.5) if average else None)


def scored(run, module, callback, values, accumulate=1):
    """One step for each value: the weights say which step it is, the score is the value."""
    for step, value in enumerate(values, 1):
        run.components.unet.conv_in.bias.data.fill_(float(step))
        run.scores[step] = {"score/identity": value}
        one = trainer(global_step=step, max_steps=len(values))
        callback.on_train_batch_end(one, module, None, None, step - 1)
    callback.load_chosen(module, len(values))
    return run.components.unet.conv_in.bias[0].item()


@pytest.mark.parametrize(("choose", "step"), [("best", 2), ("last", 4)])
def test_the_chosen_weights_are_in_the_networks_at_the_end(run, choose, step):
    module, callback = networks(run), Keep(run, [], choose, "score/identity", 0.2)
    assert scored(run, module, callback, [0.3, 0.8, 0.8, 0.5]) == step  # a tie stays with the earlier
    assert (run.folder.info["best_step"], run.folder.info["chosen_step"]) == (2, step)


def test_a_run_that_goes_on_knows_the_best_step(run):
    run.folder.update(scores={"1": {"score/identity": 0.9}}, best_step=1)
    run.recall()
    module, callback = networks(run), Keep(run, [], "last", "score/identity", 0.2)
    assert run.folder.info["best_step"] == 1
    scored(run, module, callback, [0.2, 0.4])
    assert run.folder.info["best_step"] == 1


def test_a_run_that_goes_back_finds_the_weights_that_were_the_best_there(run):
    module, callback = networks(run), Keep(run, [], "best", "score/identity", 0.2)
    scored(run, module, callback, [0.3, 0.5, 0.1])
    assert set(run.folder.incumbents) == {1, 2}
    run.scores = {1: {"score/identity": 0.3}}  # back to a checkpoint of step 1
    again = Keep(run, [], "best", "score/identity", 0.2)
    again.load_chosen(module, 3)
    assert run.folder.info["chosen_step"] == 1
    assert run.components.unet.conv_in.bias[0].item() == 1.0


def test_a_checkpoint_leaves_the_best_weights_alone(run):
    module, callback = networks(run), Keep(run, [], "best", "score/identity", 0.2)
    scored(run, module, callback, [0.3, 0.5, 0.1])
    Checkpoint(run, 1)._forget()
    assert set(run.folder.incumbents) == {2}


def test_named_steps_are_kept_as_pipelines(run):
    module, callback = networks(run), Keep(run, [2], "last", "score/identity", 0.2)
    scored(run, module, callback, [0.1, 0.2, 0.3])
    assert [is_pipeline(run.folder.kept_step(step)) for step in (1, 2, 3)] == [False, True, False]
    assert load(str(run.folder.kept_step(2))).unet.conv_in.bias[0].item() == 2


def test_with_an_average_the_average_is_kept(run):
    module, callback = networks(run, average=True), Keep(run, [1], "last", "score/identity", 0.2)
    run.components.unet.conv_in.bias.data.fill_(0.0)
    module.average.step()  # takes the weights as they are
    run.components.unet.conv_in.bias.data.fill_(8.0)
    module.average.step()
    decay = 2 / 11
    callback.on_train_batch_end(trainer(global_step=1), module, None, None, 0)
    assert run.components.unet.conv_in.bias[0].item() == 8.0
    kept = load(str(run.folder.kept_step(1))).unet.conv_in.bias[0].item()
    assert kept == pytest.approx((1 - decay) * 8)
    callback.load_chosen(module, 1)
    assert run.components.unet.conv_in.bias[0].item() == pytest.approx(kept)


def test_a_checkpoint_is_written_whole_or_not_at_all(run):
    run.folder.checkpoint.parent.mkdir(parents=True)
    run.folder.checkpoint.write_text("old")
    callback = Checkpoint(run, every=2)

    def fail(path):
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        callback.at_step(trainer(save_checkpoint=fail), None, 2)
    assert run.folder.checkpoint.read_text() == "old"
    callback.at_step(trainer(save_checkpoint=lambda path: path.write_text("new")), None, 2)
    assert run.folder.checkpoint.read_text() == "new"
    assert run.folder.info["steps_done"] == 2
    assert [path.name for path in run.folder.checkpoint.parent.iterdir()] == ["last.ckpt"]


def pictures(run, **options):
    chosen = {"every": 5, "prompts": ["photo of {subject}", "a {class}"], "seeds": 2, "batch_size": 4}
    return Pictures(run, sampler={"num_inference_steps": 1}, **{**chosen, **options})


def test_prompts_and_seeds_are_fixed(run):
    made = [one.request for one in pictures(run).wanted()]
    assert [(r.prompt, r.seed) for r in made] == [
        ("photo of minh person", 1337), ("photo of minh person", 1338), ("a person", 1337), ("a person", 1338),
    ]  # fmt: skip
    assert {(r.height, r.width, r.num_inference_steps) for r in made} == {(64, 64, 1)}


def test_a_concept_may_bring_its_own_prompts(run):
    run.concepts = [Concept("minh", "x", sample_prompts=("{identifier} alone",)), Concept("lan", "y")]
    made = pictures(run, seeds=1).wanted()
    assert [(one.concept, one.prompt_number, one.request.prompt) for one in made] == [
        (0, 0, "minh alone"), (1, 0, "photo of lan person"), (1, 1, "a person"),
    ]  # fmt: skip


def test_the_class_is_drawn_with_the_prompts_in_turn_and_a_seed_for_each_picture(run):
    callback = pictures(run, prompts=["photo of {subject}", "{identifier} in the snow"], seeds=2, class_pictures=3)
    subjects, of_class = callback.wanted()[:4], callback.wanted()[4:]
    assert all(one.of_class for one in of_class)
    assert [(one.request.prompt, one.request.seed) for one in of_class] == [
        ("photo of person", 1337), ("person in the snow", 1338), ("photo of person", 1339),
    ]  # fmt: skip
    assert not any(one.of_class for one in subjects)


def test_pictures_of_the_class_are_kept_apart(run):
    logger, module, callback = Logger(), SimpleNamespace(average=None), pictures(run, class_pictures=1)
    callback.on_train_start(trainer(loggers=[logger]), module)
    assert len(list(read_lines(run.folder.records))) == 4
    (row,) = read_lines(run.folder.class_records)
    assert (row["step"], row["prompt"]) == (0, "photo of person")
    assert (run.folder.path / row["file"]).name == "class_00.png"
    assert [one.of_class for one in run.samples[0]] == [False] * 4 + [True]
    assert "samples/class/photo of person" in logger.pictures[0][1]


def test_the_bases_pictures_and_those_of_a_step(run):
    logger, module, callback = Logger(), SimpleNamespace(average=None), pictures(run)
    callback.on_train_start(trainer(loggers=[logger]), module)
    assert run.store.made == {"pictures": 4}
    run.components.unet.conv_out.bias.data.add_(0.5)
    steps(callback, module, 7, max_steps=7, loggers=[logger])
    records = list(read_lines(run.folder.records))
    assert [row["step"] for row in records] == [0] * 4 + [5] * 4 + [7] * 4
    assert all((run.folder.path / row["file"]).is_file() for row in records)
    assert read_record(run.folder.path / records[-1]["file"])["step"] == 7
    assert logger.pictures == [
        (step, {"samples/grid": 1, "samples/photo of minh person": 2, "samples/a person": 2}) for step in (0, 5, 7)
    ]
    assert (list(run.samples), len(run.samples[7])) == ([7], 4)
    before, after = (Image.open(run.folder.path / records[n]["file"]).tobytes() for n in (0, 4))
    assert before != after
    json.dumps(records)


def test_a_run_that_goes_on_does_not_draw_the_base_again(run):
    pictures(run).on_train_start(trainer(global_step=5), None)
    assert not run.folder.records.exists()


@pytest.mark.parametrize("every", [0])
def test_no_pictures_are_drawn_where_none_are_wanted(run, every):
    callback = pictures(run, every=every)
    callback.on_train_start(trainer(), None)
    steps(callback, None, 3)
    assert not run.folder.records.exists()


def test_the_grid_has_a_row_a_step_and_a_column_a_prompt(tmp_path):
    folder = RunFolder(tmp_path)
    colours = {(0, "a"): (200, 0, 0), (0, "b"): (0, 200, 0), (10, "a"): (0, 0, 200), (10, "b"): (90, 90, 0)}
    for (step, prompt), colour in colours.items():
        for seed in range(2):  # the first seed is shown
            file = f"samples/{step}_{prompt}_{seed}.png"
            record = {
                "prompt": prompt,
                "seed": seed,
                "num_inference_steps": 1,
                "scheduler": "DDIM",
                "guidance_scale": 1,
            }
            image = Image.new("RGB", (16, 16), colour if seed == 0 else "black")
            save_picture(image, folder.path / file, {**record, "width": 16, "height": 16})
            append_line(folder.records, {"step": step, "file": file, **record})
    sheet = grid_of(folder, cell=40)
    corner = (sheet.width - 2 * 46, sheet.height - 2 * 46)
    found = [sheet.getpixel((corner[0] + 46 * x + 20, corner[1] + 46 * y + 20)) for y in range(2) for x in range(2)]
    assert found == list(colours.values())


def test_of_one_prompt_the_columns_are_its_seeds(tmp_path):
    folder = RunFolder(tmp_path)
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    settings = {"num_inference_steps": 1, "scheduler": "DDIM", "guidance_scale": 1, "width": 16, "height": 16}
    for seed, colour in enumerate(colours):
        file, record = f"samples/{seed}.png", {"prompt": "a", "seed": seed, **settings}
        save_picture(Image.new("RGB", (16, 16), colour), folder.path / file, record)
        append_line(folder.records, {"step": 0, "file": file, **record})
    sheet = grid_of(folder, cell=40)
    left, top = sheet.width - 3 * 46, sheet.height - 46
    assert [sheet.getpixel((left + 46 * x + 20, top + 20)) for x in range(3)] == colours


class TestAlarms:
    """Said once, with the picture that shows it, and forgotten by a run that goes back."""

    @pytest.fixture
    def scores(self, run):
        run.trained_on = [[Path("00.png"), Path("01.png")]]
        found = Scores(run, 0, None, None, [], 1, {}, 1, max_drift=0.2)
        found.samples = [
            Sample(0, "p", n, Image.new("RGB", (8, 8)), n, of_class, f"{of_class}{n}.png")
            for of_class in (False, True)
            for n in range(4)
        ]
        return found

    def raised(self, scores, step, **values):
        scores.run.scores[step] = {"score/likeness": values.pop("likeness", step / 100)}
        scores.run.errors[step] = {"score/likeness": 0.01}
        scores._alarms(step, [Scored({}, **values)], scores.samples)
        return scores.run.folder.info.get("alarms", [])

    def test_each_is_said_once(self, scores):
        assert self.raised(scores, 1) == []
        (alarm,) = self.raised(scores, 2, copies=(None, 1, 1, None))
        assert (alarm["step"], alarm["kind"], alarm["picture"], alarm["concept"]) == (2, "copies", "False1.png", 0)
        assert "01.png" in alarm["text"]
        assert self.raised(scores, 3, copies=(0, 0, 0, 0)) == [alarm]

    def test_drift_shows_a_picture_of_the_class(self, scores):
        scores.run.scores[1] = {}
        found = Scored({"drift": 0.9}, errors={"drift": 0.1}, most_drifted=2)
        scores._alarms(1, [found], scores.samples)
        (alarm,) = scores.run.folder.info["alarms"]
        assert (alarm["kind"], alarm["picture"]) == ("drift", "True2.png")

    def test_standing_still_is_the_whole_runs(self, scores):
        for step in (1, 2, 4):
            found = self.raised(scores, step, likeness=0.5)
        assert [(one["step"], one["kind"], one["concept"]) for one in found] == [(4, "stopped", None)]


def test_the_error_of_a_mean_over_concepts_is_that_of_a_mean():
    scores, errors = as_metrics(
        [Scored({"drift": 0.2}, errors={"drift": 0.3}), Scored({"drift": 0.4}, errors={"drift": 0.4})]
    )
    assert scores == {"score/drift": pytest.approx(0.3)}
    assert errors == {"score/drift": pytest.approx(0.25)}  # the root of 0.09 + 0.16, halved
