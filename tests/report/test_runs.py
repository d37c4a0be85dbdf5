"""Finding runs, reading them in any state, and what tells them apart."""

import pytest

from avatar_exp.errors import UserError
from avatar_exp.report.find import find_runs
from avatar_exp.report.runs import Run, best_of, named, read_run
from avatar_exp.report.settings import Setting, differing, shortened
from avatar_exp.report.tables import duration, runs_table, steps_table
from avatar_exp.run_folder import RunFolder, append_line, write_atomically


@pytest.fixture
def outputs(tmp_path):
    """Two runs and a sweep of three, one of which died before it wrote anything; a store and a folder of samples."""
    for path in ("train/minh/1", "train/minh/2", "sweeps/x/000", "sweeps/x/001"):
        RunFolder(tmp_path / path).update(status="finished")
    write_atomically(tmp_path / "sweeps/x/002/.hydra/config.yaml", "")
    write_atomically(tmp_path / "sweeps/x/002/train.log", "")
    write_atomically(tmp_path / "sweeps/x/sweep.json", "{}")
    write_atomically(tmp_path / "store/a/run.json", "{}")
    write_atomically(tmp_path / "samples/1/.hydra/config.yaml", "")
    write_atomically(tmp_path / "compare/1/compare.html", "")
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["train/minh/1"], ["train/minh/1"]),
        (["train/minh"], ["train/minh/1", "train/minh/2"]),
        (["sweeps/x"], ["sweeps/x/000", "sweeps/x/001", "sweeps/x/002"]),
        (["sweeps/*/00[01]"], ["sweeps/x/000", "sweeps/x/001"]),
        (["."], ["sweeps/x/000", "sweeps/x/001", "sweeps/x/002", "train/minh/1", "train/minh/2"]),
        (["train/minh/2", "train"], ["train/minh/2", "train/minh/1"]),
        (["**/minh"], ["train/minh/1", "train/minh/2"]),
    ],
)
def test_runs_are_found_below_what_was_named(outputs, wanted, found):
    paths, empty = find_runs([str(outputs / one) for one in wanted])
    assert [str(path.relative_to(outputs)) for path in paths] == found
    assert empty == []


def test_a_name_with_no_run_is_told_and_none_at_all_is_an_error(outputs):
    _, empty = find_runs([str(outputs / "train"), str(outputs / "compare"), "nowhere"])
    assert empty == [str(outputs / "compare"), "nowhere"]
    with pytest.raises(UserError, match=r"runs=nowhere, gone/\*: no run is there"):
        find_runs(["nowhere", "gone/*"])


def test_links_in_circles_end(outputs):
    (outputs / "train" / "again").symlink_to(outputs / "train")
    paths, _ = find_runs([str(outputs / "train")])
    assert len(paths) == 2


def test_runs_are_named_by_what_they_do_not_share(outputs):
    paths, _ = find_runs([str(outputs)])
    assert [run.name for run in named(paths)][::3] == ["sweeps/x/000", "train/minh/1"]
    assert [run.name for run in named(paths[:3])] == ["000", "001", "002"]
    assert [run.name for run in named(paths[:1])] == ["000"]


def test_a_run_is_read(tmp_path, made):
    run = read_run(made(tmp_path / "a").path, "a")
    assert (run.status, run.best_step, run.told_step, run.steps_done, run.seconds) == ("finished", 20, 20, 20, 125.0)
    assert list(run.scores) == [0, 10, 20]
    assert run.interval(20, "score/prompt") == (0.1111, 0.2222)
    assert run.interval(20, "score/drift") is None
    assert run.error(20, "score/choice") == 0.0321
    assert run.max_drift == 0.5
    assert [len(pictures) for pictures in run.pictures.values()] == [6, 6, 6]
    assert run.candidate is not None
    assert run.candidate.value == run.told["score/choice"]


def test_scores_come_from_the_metrics_where_run_json_is_broken(tmp_path, made):
    folder = made(tmp_path / "a")
    before = read_run(folder.path, "a").scores
    folder.run_json.write_text("{")
    run = read_run(folder.path, "a")
    assert run.scores == before
    assert (run.status, run.best_step, run.told_step) == ("unknown", None, 20)


def test_a_picture_that_was_drawn_again_counts_once(tmp_path, made):
    folder = made(tmp_path / "a")
    again = {"step": 20, "file": "samples/step_00020/00_0.png", "prompt": "photo of hoanganh person", "seed": 1337}
    append_line(folder.records, again)
    assert len(read_run(folder.path, "a").pictures[20]) == 6


def run_with(name: str, tmp_path, overrides: list[str], resolved: str = "", **fields) -> Run:
    folder = RunFolder(tmp_path / name)
    folder.update(overrides=overrides, **fields)
    write_atomically(folder.resolved, resolved)
    return read_run(folder.path, name)


def test_only_settings_that_differ_are_columns(tmp_path):
    runs = [
        run_with("a", tmp_path, ["concept=minh", "lr=1e-6", "prior.weight=0.3", "seed=1", "outputs=/a"]),
        run_with("b", tmp_path, ["concept=minh", "lr=0.000001", "prior.weight=1", "seed=1", "outputs=/b"]),
    ]
    keys, cells = differing(runs)
    assert keys == ["prior.weight"]
    assert cells == [[Setting("0.3", True)], [Setting("1", True)]]


def test_what_was_not_typed_is_shown_as_it_was_in_force(tmp_path):
    resolved = "lr: 1.0e-06\nprior:\n  weight: 1.0\n"
    runs = [
        run_with("a", tmp_path, ["lr=2e-6", "prior.weight=1.0"], resolved),
        run_with("b", tmp_path, [], resolved, decided=["model=tiny"]),
        run_with("c", tmp_path, ["model=sd15", "~callbacks.guard", "+trainer.profiler=simple"], resolved),
    ]
    keys, cells = differing(runs)
    assert keys == ["lr", "model", "callbacks.guard", "trainer.profiler"]  # prior.weight is 1 in all of them
    assert [cell.text for cell in cells[1]] == ["1e-06", "tiny", "", ""]
    assert [cell.typed for cell in cells[0]] == [True, False, False, False]
    assert [cell.text for cell in cells[2]] == ["1e-06", "sd15", "(removed)", "simple"]


@pytest.mark.parametrize(
    ("values", "short"),
    [
        (["/a/b/910001", "/a/b/910004"], ["910001", "910004"]),
        (["/a/one/photos", "'/b/two/photos'", "c d"], ["one/photos", "two/photos", ""]),
        (["stable-diffusion-v1-5/stable-diffusion-v1-5", "/models/mine"], ["", "mine"]),
        (["1e-6", "2e-6"], ["", ""]),
    ],
)
def test_a_path_is_shortened_to_what_tells_it_from_the_others(values, short):
    assert [one.short for one in shortened([Setting(value, True) for value in values])] == short


def test_copies_are_counted(tmp_path):
    folder = RunFolder(tmp_path)
    folder.update(scores={"20": {"score/memorisation": 0.5}, "30": {"score/memorisation": 0.5}})
    for seed in range(4):
        append_line(folder.picture_scores, {"step": 20, "prompt": "p", "seed": seed, "score/memorisation": seed % 2})
    run = read_run(tmp_path, "x")
    assert (run.copied(20), run.copied(30)) == ((2, 4), None)
    assert [row[1].text for row in steps_table(run).rows] == ["2 of 4", "0.50"]


def test_overrides_of_a_run_that_died_early_come_from_hydra(tmp_path):
    dead = RunFolder(tmp_path / "dead")
    write_atomically(dead.overrides, "- lr=4e-6\n- seed=2\n")
    runs = [run_with("a", tmp_path, ["lr=1e-6", "seed=2"]), read_run(dead.path, "dead")]
    assert differing(runs) == (["lr"], [[Setting("1e-6", True)], [Setting("4e-6", True)]])


def test_the_best_run_has_the_highest_choice_among_those_whose_class_held(tmp_path, made):
    def one(name, choice, drift):
        scores = {"20": {"score/choice": choice, "score/drift": drift}}
        return read_run(made(tmp_path / name, scores=scores, best_step=20).path, name)

    held, drifted, low = one("a", 0.6, 0.1), one("b", 0.9, 0.7), one("c", 0.3, 0.0)
    assert best_of([low, drifted, held]) == 2
    assert best_of([drifted, drifted]) == 0
    assert best_of([drifted, one("d", 0.2, 0.6)]) == 1  # the least drift, where every class has drifted
    assert best_of([]) is None
    assert best_of([Run(held.folder, "unscored", {}, [])]) is None


def test_the_table_of_runs(tmp_path, made):
    runs = named([made(tmp_path / lr, lr=lr).path for lr in ("1e-6", "2e-6")])
    table = runs_table(runs)
    titles = [name for name, _ in table.titles]
    assert titles == ["lr", "status", "step", "likeness", "prompt", "choice", "drift", "memorisation", "diversity",
                      "total", "prior", "steps"]  # fmt: skip
    row = dict(zip(titles, table.rows[1], strict=True))
    assert (row["lr"].text, row["lr"].sort) == ("2e-6", 2e-6)
    assert (row["prompt"].note, row["choice"].note, row["drift"].note) == ("0.111 … 0.222", "± 0.03", "")
    assert row["prompt"].sort == runs[1].scores[20]["score/prompt"]
    assert (row["total"].text, row["prior"].sort, row["steps"].text) == ("2 min 05 s", 12.5, "20")


def test_the_table_of_steps(tmp_path, made):
    table = steps_table(read_run(made(tmp_path / "a").path, "a"))
    assert [row[0].text for row in table.rows] == ["base", "10", "20"]
    assert [row[0].kind for row in table.rows] == ["", "", "best"]


def test_scores_on_fresh_seeds_stand_beside_those_that_chose(tmp_path, made):
    fresh = {"chosen_scores": {"score/choice": 0.4}, "chosen_errors": {"score/choice": 0.05}}
    runs = named(
        [made(tmp_path / "a", chosen_step=20, **fresh).path, made(tmp_path / "b", chosen_step=15, **fresh).path]
    )
    table = runs_table(runs)
    column = table.titles.index(("choice", "fresh seeds"))
    assert [(row[column].text, row[column].note) for row in table.rows] == [("0.40", "± 0.05"), ("–", "")]
    assert ("choice", "fresh seeds") not in runs_table(runs[1:]).titles


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (7265, "2 h 01 min"), (None, "0.0 s")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_numbers_that_are_none_are_left_out(tmp_path):
    folder = RunFolder(tmp_path)
    write_atomically(folder.metrics, '{"step": 1, "score/likeness": NaN, "score/prompt": 0.5}\n')
    assert read_run(tmp_path, "x").scores == {1: {"score/prompt": 0.5}}
