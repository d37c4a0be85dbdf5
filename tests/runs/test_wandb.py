import json
import shutil
from pathlib import Path
from statistics import fmean

import pytest
from PIL import Image

from avatar_exp.run_folder import read_lines
from avatar_exp.training.summary import summary_metrics
from runs.command import BARE, RAISE, SHORT, Commands, Result
from runs.wandb_file import Logged

TRAIN = ("loss", "loss_instance", "loss_prior", "lr", "lr_text_encoder", "grad_norm", "images_per_s")
SCORES = ("identity_clip", "identity")
LOGGED = (*BARE, "logger=wandb", "max_steps=2", "sample_every=2", "scoring.prompts=['photo of {subject}']")


@pytest.fixture(scope="session")
def logged(finished: Result) -> Logged:
    return Logged(finished.run.path)


def everything_in(folder: Path) -> bytes:
    """Names and bytes of all files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return b"\n".join(str(file.relative_to(folder)).encode() + b"\n" + file.read_bytes() for file in files)


def test_every_figure_is_logged_over_the_axis_step(logged: Logged) -> None:
    wanted = {f"train/{name}" for name in TRAIN} | {f"score/{name}" for name in SCORES} | {"samples/grid"}
    assert wanted | {"samples/photo of hoanganh person", "step"} <= logged.keys
    assert logged.step_metrics == {"", "step"}
    train = [row for row in logged.history if "train/loss" in row]
    assert [row["step"] for row in train] == [2, 4]
    assert [row["step"] for row in logged.history if "score/identity" in row] == [0, 2, 4]


def test_the_best_and_the_last_scores_are_in_the_summary(logged: Logged, finished: Result) -> None:
    info = finished.run.info
    for which, step in (("best", info["best_step"]), ("last", 4)):
        for name in SCORES:
            assert logged.summary[f"{which}/{name}"] == info["scores"][str(step)][f"score/{name}"]


def test_every_sample_is_a_row_of_the_table(logged: Logged, finished: Result) -> None:
    (files,) = logged.artifacts["run_table"]
    table = json.loads(Path(files["samples/table.table.json"]).read_text())
    records = list(read_lines(finished.run.records))
    assert table["columns"][:3] == ["step", "prompt", "seed"]
    assert {"score/identity", "score/prompt", "picture"} <= set(table["columns"])
    assert [line[:3] for line in table["data"]] == [[one["step"], one["prompt"], one["seed"]] for one in records]
    identity = table["columns"].index("score/identity")
    last = [line[identity] for line in table["data"] if line[0] == 4]
    assert fmean(last) == pytest.approx(finished.run.info["scores"]["4"]["score/identity"], abs=1e-4)
    for line in table["data"]:
        with Image.open(files[line[-1]["path"]]) as image:
            assert image.size == (128, 128)


def test_the_summary_says_of_which_steps_it_is_and_what_went_wrong(logged: Logged, finished: Result) -> None:
    info = finished.run.info
    assert (logged.summary["best/step"], logged.summary["last/step"]) == (info["best_step"], 4)
    assert logged.summary["alarms"] == summary_metrics(info)["alarms"]


@pytest.mark.slow
def test_the_model_goes_there_only_when_asked(commands: Commands, logged: Logged) -> None:
    assert set(logged.artifacts) == {"run_table"}
    asked = Logged(commands("train", *LOGGED, "logger.model=true").run.path)
    (files,) = asked.artifacts["model"]
    assert "unet/diffusion_pytorch_model.safetensors" in files


def test_pictures_have_captions_and_stable_keys(logged: Logged) -> None:
    pictures = [row["samples/photo of hoanganh person on the beach"] for row in logged.history if "samples/grid" in row]
    assert len(pictures) == 3
    assert pictures[1]["captions"] == ["photo of hoanganh person on the beach, step 2"]
    for file in pictures[1]["filenames"]:
        with Image.open(logged.folder / "files" / file) as image:
            assert image.size == (128, 128)


def test_the_config_is_resolved_and_flat(logged: Logged, finished: Result) -> None:
    ours = {key: value for key, value in logged.config.items() if key != "_wandb"}
    assert (ours["lr"], ours["trainer.max_steps"], ours["model.lr_scale"]) == (1e-6, 4, 250)
    assert ours["concept.identifier"] == "hoanganh"
    assert (ours["base.fingerprint"], ours["photos"]) == (
        finished.run.info["base"]["fingerprint"],
        finished.run.info["photos"],
    )
    assert not any(isinstance(value, dict) or "${" in str(value) for value in ours.values())


def test_the_run_has_the_id_of_run_json_and_is_closed(logged: Logged, finished: Result) -> None:
    assert logged.run.run_id == finished.run.info["wandb_id"]
    assert logged.run.project == "avatar_exp"
    assert logged.run.display_name == f"hoanganh/{finished.run.path.name}"
    assert logged.exit_code == 0


def test_nothing_else_leaves_the_machine(logged: Logged, finished: Result, commands: Commands) -> None:
    names = {file.name for file in logged.folder.rglob("*") if file.is_file()}
    assert not names & {"requirements.txt", "wandb-metadata.json", "output.log", "diff.patch", "conda-environment.yaml"}
    assert not any(name.endswith(".py") for name in names)
    sent = everything_in(logged.folder)
    assert b"import pytorch_lightning" not in sent
    for photo in Path("data/hoanganh").glob("*.png"):
        assert photo.read_bytes()[1000:3000] not in sent
    assert list(commands.home.iterdir()) == []


@pytest.mark.slow
def test_pictures_stay_here_when_told(commands: Commands) -> None:
    ended = commands("train", *LOGGED, "logger.images=false")
    assert "numbers go to" in ended.out
    assert "pictures of hoanganh stay here" in ended.out
    logged = Logged(ended.run.path)
    assert list(logged.folder.rglob("*.png")) == []
    assert not any(key.startswith("samples/") for key in logged.keys)
    assert "train/loss" in logged.keys
    assert len(list(ended.run.samples.rglob("*_0.png"))) == 2


def test_privacy_keeps_the_subject_out_of_every_byte(commands: Commands, tmp_path: Path) -> None:
    photos = tmp_path / "private-album"
    shutil.copytree("data/hoanganh", photos)
    concept = ("concept=person", "concept.identifier=Quynhanhxyz", f"concept.instance_data_dir={photos}")
    words = ("scoring.prompts=['photo of Quynhanhxyz in an azalea garden']", "tags=[first,of-quynhanhxyz]")
    ended = commands("train", "-m", *LOGGED, *concept, "privacy=true", *words, "name=Quynhanhxyz", "seed=1,2")
    assert ended.code == 0, ended.err
    for job in ended.jobs:
        logged = Logged(job.path)
        sent = (logged.file.read_bytes() + everything_in(logged.folder / "files")).lower()  # logs/ is not sent
        for secret in (b"quynhanhxyz", b"private-album", b"azalea", b"\x89png"):
            assert secret not in sent, secret
        assert "train/loss" in logged.keys
        assert list(logged.run.tags) == ["first"]


@pytest.mark.slow
def test_a_resumed_run_goes_on_under_its_id(commands: Commands) -> None:
    stopped = commands("train", *LOGGED, "checkpoint_every=1", RAISE, "+callbacks.stop.step=2", "max_steps=3")
    first = Logged(stopped.run.path)
    assert first.exit_code == 1
    shutil.rmtree(stopped.run.path / "wandb")
    assert commands("train", f"resume={stopped.run.path}").code == 0
    second = Logged(stopped.run.path)
    assert second.run.run_id == first.run.run_id == stopped.run.info["wandb_id"]
    assert second.exit_code == 0


@pytest.mark.parametrize(
    ("logger", "file"), [("csv", "**/metrics.csv"), ("tensorboard", "**/events.out.tfevents.*"), ("none", None)]
)
def test_other_loggers(commands: Commands, logger: str, file: str | None) -> None:
    ended = commands("train", *LOGGED, f"logger={logger}")
    assert ended.code == 0, ended.err
    run = ended.run
    assert not (run.path / "wandb").exists()
    assert "wandb:" not in ended.out
    assert run.metrics.is_file()
    assert run.info["status"] == "finished"
    if file:
        assert len(list(run.path.glob(file))) == 1


@pytest.mark.slow
def test_the_jobs_of_a_sweep_are_one_group(commands: Commands) -> None:
    ended = commands("train", "-m", *LOGGED, "lr=1e-6,2e-6")
    groups = {Logged(job.path).run.run_group for job in ended.jobs}
    assert groups == {ended.jobs[0].path.parent.name}
    assert len({Logged(job.path).run.run_id for job in ended.jobs}) == 2


def test_numbers_are_json(finished: Result) -> None:
    text = finished.run.metrics.read_text()
    assert [json.loads(line)["step"] for line in text.splitlines()] == [0, 2, 2, 4, 4]
    assert not any(word in text for word in ("NaN", "Infinity"))


def test_the_short_run_is_the_default_logger(finished: Result) -> None:
    assert not any(one.startswith("logger") for one in SHORT)
