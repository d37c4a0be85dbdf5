"""One page that needs nothing but itself, of one run or of several, in any state."""

import json
import re

import pytest

from avatar_exp.report.page import COMPARISON_BUDGET, REPORT_BUDGET, page, write_comparison, write_report
from avatar_exp.run_folder import RunFolder, write_atomically

ODD = "</script><b>ảnh</b> \"'&"


def report(folder: RunFolder) -> str:
    return write_report(folder.path).read_text()


def comparison(parent) -> str:
    write_comparison(sorted(path for path in parent.iterdir() if path.is_dir()), parent / "compare.html")
    return (parent / "compare.html").read_text()


def data(html: str, name: str):
    return json.loads(re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', html, re.DOTALL)[1])


@pytest.fixture
def run(tmp_path, made):
    return made(tmp_path / "2026-11-22_17-05-09")


@pytest.fixture
def sweep(tmp_path, made):
    for number, lr in enumerate(("1e-6", "2e-6", "4e-6")):
        made(tmp_path / "sweep" / f"{number:03d}_lr-{lr}", lr=lr)
    return tmp_path / "sweep"


def test_a_report_shows_what_the_run_holds(run):
    run.update(
        intake=[{"file": "07.jpg", "note": "face too small"}], notice="only drawn faces",
        chosen_step=20, chosen_scores={"score/choice": 0.4567}, chosen_errors={"score/choice": 0.05},
        alarms=[{"step": 20, "text": "samples copy photo 07", "picture": "samples/step_00020/00_0.png"}],
    )  # fmt: skip
    html = report(run)
    for text in (
        ">finished<", "Least bad step 20", "choice 0.5", "python -m avatar_exp.train lr=1e-6", "2 min 05 s", "12.5 s",
        "max_drift: 0.5", "torch 2.13.0", "07.jpg", "face too small", "only drawn faces", "samples copy photo 07",
        "On fresh seeds: choice 0.46 ± 0.05",
        "0.111 … 0.222", "± 0.03",
    ):  # fmt: skip
        assert text in html, text
    assert 'src="data:image/jpeg;base64,' in html  # the alarm's picture
    assert data(html, "gallery")["steps"] == [0, 10, 20]
    assert not list(run.path.glob(".report*"))


def test_the_header_says_what_the_run_was_given(run):
    write_atomically(
        run.resolved,
        "lr: 4.0e-06\nmodel:\n  lr_scale: 250.0\n  lora_lr_scale: 25.0\nbatch_size: 4\naccumulate_grad_batches: 1\n",
    )
    run.update(photo_count=12, git_commit="0123456789abcdef")
    head, _, rest = report(run).partition("</header>")
    for fact in ("tiny", "lr 4e-6 (× 250 = 0.001)", "20 steps", "12 photos", "batch 4", "2 min 05 s"):
        assert f"<span>{fact}</span>" in head, fact
    assert "0123456789" not in head
    assert "commit 0123456789" in rest
    write_atomically(
        run.resolved, "lr: 1.0e-04\nmodel:\n  lr_scale: 250.0\n  lora_lr_scale: 25.0\nmethod:\n  rank: 8\n"
    )
    assert "lr 0.0001 (× 25 = 0.0025)" in report(run)


def test_a_report_answers_in_words(run):
    head = report(run).partition("</header>")[0]
    assert head.count('<tr class="') == 3  # no obedience in these runs
    for word in ("Is it the subject?", "Did others stay themselves?", "Did it only copy?", "at most 0.5"):
        assert word in head, word
    assert re.search(r"<b>(✓ good|\? doubtful|✗ bad)</b>", head)


def test_what_a_step_is_chosen_by_comes_first_and_the_rest_is_folded(run):
    html = report(run)
    shown, _, folded = html.partition('<details id="more-curves"')
    for title in ("likeness", "drift", "choice"):
        assert f"<b>{title}</b>" in shown, title
    for title in ("prompt", "memorisation", "loss instance"):
        assert f"<b>{title}</b> <small>" in folded, title
    assert 'aria-label="likeness against prompt of every scored step"' in shown


def test_a_report_has_no_table_of_runs_and_no_pairs(run):
    html = report(run)
    assert "Two runs" not in html
    assert "Each run" not in html
    assert data(html, "pairs-data") == {}


def test_a_comparison_shows_every_run(sweep):
    html = comparison(sweep)
    for number, lr in enumerate(("1e-6", "2e-6", "4e-6")):
        assert html.count(f"00{number}_lr-{lr}") > 3
        assert f"python -m avatar_exp.train lr={lr}" in html
    assert "3 finished" in html
    assert len(data(html, "gallery")["runs"]) == 3
    assert set(data(html, "pairs-data")["pairs"]) == {"0,1", "0,2", "1,2"}
    assert html.count('class="series') == 3 * (6 + 2 + 1)  # scores, losses, front


def test_the_best_run_is_compared_with_the_first_and_the_slider_begins_at_its_step(sweep):
    second = RunFolder(sweep / "001_lr-2e-6")
    scores = {**second.info["scores"], "10": {**second.info["scores"]["10"], "score/choice": 5.0}}
    second.update(best_step=10, scores=scores)
    html = comparison(sweep)
    assert "<b>Highest choice</b>" in html
    assert "001_lr-2e-6, step 10: 5.00" in html
    assert {key: data(html, "pairs-data")[key] for key in ("first", "second")} == {"first": 1, "second": 0}
    assert data(html, "gallery")["start"] == 10


def test_of_runs_that_all_drifted_it_is_said_that_one_drifted_least(sweep):
    for number, drift in enumerate((0.81, 0.72, 0.93)):
        (job,) = (RunFolder(path) for path in sweep.glob(f"{number:03d}*"))
        scores = {step: {**values, "score/drift": drift} for step, values in job.info["scores"].items()}
        job.update(scores=scores)
    html = comparison(sweep)
    assert "Highest choice" not in html
    lead = html.partition('class="lead"')[2].partition("</p>")[0]
    assert "Least drift, of runs whose class has all drifted" in lead
    assert "001_lr-2e-6" in lead
    assert "drift 0.72" in lead


@pytest.mark.parametrize("kind", ["report", "comparison"])
def test_a_page_is_self_contained(run, sweep, kind):
    html = report(run) if kind == "report" else comparison(sweep)
    assert not re.search(r"(?i)https?:|@import|<link|<iframe|<script[^>]*src", html)
    assert not re.search(r"""(?i)(src|srcset|action)\s*=\s*["']?\s*//""", html)
    assert all(source.startswith("data:") for source in re.findall(r'src="([^"]*)"', html))
    assert "default-src 'none'" in html  # the browser holds it to that


def test_full_pictures_are_named_relative_to_the_page(sweep, tmp_path):
    shown = data(comparison(sweep), "gallery")["runs"][1]
    assert (sweep / shown["from"] / shown["sheets"][0]["cells"][0][3]).is_file()
    elsewhere = tmp_path / "a" / "b" / "page.html"
    write_comparison([sweep / "001_lr-2e-6"], elsewhere)
    shown = data(elsewhere.read_text(), "gallery")["runs"][0]
    assert (elsewhere.parent / shown["from"] / shown["sheets"][0]["cells"][0][3]).is_file()


@pytest.mark.parametrize("several", [False, True])
def test_what_a_user_wrote_is_text_and_not_markup(tmp_path, made, several):
    for name in ["a", "b"][: 1 + several]:
        made(
            tmp_path / name, prompts=(ODD,), concept=[ODD], class_noun=[ODD], error=ODD, status=ODD, command=ODD,
            best_reason=ODD, notice=ODD, alarms=[{"step": 1, "text": ODD}], versions={ODD: ODD}, base={"path": ODD},
            intake=[{"file": ODD, "note": ODD}], overrides=[f"{ODD}{name}={ODD}{name}"], phase_seconds={ODD: 5},
            embedders={"score/identity": ODD},
        )  # fmt: skip
    html = comparison(tmp_path) if several else report(RunFolder(tmp_path / "a"))
    assert "<b>ảnh" not in html
    assert html.count("</script>") == html.count("<script")
    assert "&lt;/script&gt;&lt;b&gt;ảnh&lt;/b&gt;" in html
    assert ODD in data(html, "gallery")["columns"]


def test_an_empty_folder_has_a_page(tmp_path):
    assert "unknown" in report(RunFolder(tmp_path))


BROKEN = {
    "run.json": b'{"status": "runn',
    "metrics.jsonl": b'{"train/loss_instance": 1}\n{"step": "x", "train/loss_prior": 2}\n{"step": 2, "tr',
    "samples/records.jsonl": b'{"prompt": "x"}\n{"step": 3, "file": "gone.png"}\n{"step": null}\n{"ste',
    "samples/scores.jsonl": b'{"step": 20, "prompt": 1}\nnothing',
    "samples/step_00010/00_0.png": b"",
    "samples/step_00020/00_0.png": b"\x89PNG half",
    ".hydra/resolved.yaml": b"a: [1\n\xff",
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("several", [False, True])
def test_a_broken_file_costs_no_more_than_itself(sweep, name, several):
    run = RunFolder(sweep / "001_lr-2e-6")
    (run.path / name).write_bytes(BROKEN[name])
    html = comparison(sweep) if several else report(run)
    assert ("python -m avatar_exp.train lr=2e-6" in html) == (name != "run.json")
    assert ("data-run" in html) if several else ("max_drift: 0.5" in html) == (name != ".hydra/resolved.yaml")


WRONG = {
    "scores": [1, {"x": {}, "10": 3, "20": {"score/likeness": "much", "score/choice": None, "score/prompt": True}}],
    "best_step": ["x", 99, -1], "intervals": [3, {"20": {"score/prompt": [None, 1]}}, {"20": {"score/prompt": 5}}],
    "errors": [[], {"20": 4}], "phase_seconds": [7, {"training": "long"}], "alarms": ["fire", [1, {}]],
    "chosen_scores": [[], {"score/choice": "x"}],
    "concept": [3, None, "hoanganh"], "overrides": ["lr", [1, {"a": 2}]], "versions": [[]], "base": ["tiny"],
    "intake": [{}, ["a"]], "seconds": ["long"], "steps_done": ["all"], "embedders": [[]], "class_noun": ["person"],
}  # fmt: skip


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_a_field_that_is_not_what_it_should_be_is_left_out(sweep, key, value):
    run = RunFolder(sweep / "000_lr-1e-6")
    run.update(**{key: value})
    assert ">finished<" in report(run)
    assert "3 finished" in comparison(sweep)


def test_runs_that_never_began_failed_or_are_still_at_it_are_shown(sweep, made):
    made(sweep / "003_failed", status="failed", error="ValueError: <x>", scores={}, best_step=None)
    made(sweep / "004_running", status="running", best_step=None)
    RunFolder(sweep / "005_begun").update(status="interrupted")
    write_atomically(sweep / "006_dead" / "train.log", "")
    html = comparison(sweep)
    for text in ("ValueError: &lt;x&gt;", ">failed<", ">running<", ">interrupted<", ">unknown<"):
        assert text in html, text
    assert len(data(html, "pairs-data")["names"]) == 7


def test_runs_without_anything_to_compare_still_have_a_page(tmp_path):
    for name in "ab":
        RunFolder(tmp_path / name).update(status="failed")
    html = comparison(tmp_path)
    assert "2 failed" in html
    assert '<svg class="plot' not in html


def test_of_no_run_there_is_no_page(tmp_path, caplog):
    file = tmp_path / "compare.html"
    with caplog.at_level("WARNING", "avatar_exp"):
        assert write_comparison([], file) is None
    assert not file.exists()
    assert f"no {file}" in caplog.text
    assert "0 runs" in page([], tmp_path, COMPARISON_BUDGET)


def test_paths_are_short_in_the_table_and_whole_in_their_title(tmp_path, made):
    for name in "ab":
        made(tmp_path / name, overrides=[f"concept.instance_data_dir=/a/long/way/{name}/photos"])
    html = comparison(tmp_path)
    assert ' title="/a/long/way/b/photos">b/photos</td>' in html
    assert "concept.<wbr>instance_<wbr>data_<wbr>dir" in html


def test_subjects_that_differ_share_columns(tmp_path, made):
    made(tmp_path / "a")
    prompts = ("photo of minh person", "photo of minh person on the beach", "pencil sketch of minh person")
    made(tmp_path / "b", prompts=prompts, concept=["minh"])
    expected = ["photo of {subject}", "photo of {subject} on the beach", "pencil sketch of {subject}"]
    assert data(comparison(tmp_path), "gallery")["columns"] == expected


def test_budgets_are_what_was_promised():
    assert REPORT_BUDGET < 3e6 * 0.85
    assert COMPARISON_BUDGET < 20e6 * 0.9
