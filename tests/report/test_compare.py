"""``python -m avatar_exp.compare``: where its page lands, and what it says."""

import re

import pytest

from avatar_exp.compare import summary
from avatar_exp.report.runs import named
from avatar_exp.run_folder import RunFolder


@pytest.fixture
def sweep(tmp_path, made):
    scores = {"20": {"score/likeness": 0.61234, "score/prompt": 0.5, "score/choice": 0.7}}
    made(tmp_path / "sweep" / "000_lr-1e-6", scores=scores)
    RunFolder(tmp_path / "sweep" / "001_lr-2e-6").update(status="failed", error="ValueError: x")
    return tmp_path / "sweep"


def test_a_folder_of_runs_gets_its_page_and_every_run_a_line(commands, sweep, tmp_path):
    ended = commands("compare", f"runs={sweep}", cwd=tmp_path)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0].split() == ["run", "status", "step", "likeness", "prompt", "choice"]
    assert lines[1].split() == ["000_lr-1e-6", "finished", "20", "(best)", "0.612", "0.500", "0.700"]
    assert lines[2].split() == ["001_lr-2e-6", "failed", "-", "-", "-", "-"]
    assert lines[-1] == str(sweep / "compare.html")
    assert "ValueError: x" in (sweep / "compare.html").read_text()
    assert not ended.outputs.exists()  # a page, and nothing beside it
    assert [path.name for path in tmp_path.iterdir()] == ["sweep"]


@pytest.mark.parametrize(
    ("chosen", "best", "told", "likeness"),
    [(20, 20, "20 (best)", "0.600"), (20, 10, "20 (best: 10)", "0.600"), (10, None, "10", "0.300")],
)
def test_the_scores_are_those_of_the_step_that_is_named(tmp_path, made, chosen, best, told, likeness):
    scores = {"10": {"score/likeness": 0.3}, "20": {"score/likeness": 0.6}}
    run = made(tmp_path / "run", scores=scores, chosen_step=chosen, best_step=best)
    title, line = summary(named([run.path]))
    assert title.split() == ["run", "status", "step", "likeness", "prompt", "choice"]
    assert re.split(r"  +", line)[2:4] == [told, likeness]


@pytest.mark.parametrize("what", ["{0}/000_lr-1e-6", "{0}/0*", "[{0}/000_lr-1e-6,{0}/001_lr-2e-6]"])
def test_what_lies_in_no_one_folder_gets_a_new_one(commands, sweep, what):
    ended = commands("compare", f"runs={what.format(sweep)}")
    assert ended.code == 0, ended.err
    (page,) = ended.outputs.glob("compare/*/compare.html")
    assert ended.out.splitlines()[-1] == str(page)
    assert list(sweep.glob("*.html")) == []


@pytest.mark.parametrize(
    ("out", "file"), [("a/trang so sánh (1).html", "a/trang so sánh (1).html"), ("b", "b/compare.html")]
)
def test_out_says_where(commands, sweep, tmp_path, out, file):
    ended = commands("compare", f"runs={sweep}", f"out={tmp_path / out}")
    assert ended.code == 0, ended.err
    assert (tmp_path / file).is_file()


def test_a_place_without_runs_is_told(commands, sweep, tmp_path):
    ended = commands("compare", f"runs=[{sweep},{tmp_path}/gone]")
    assert ended.code == 0
    assert f"runs={tmp_path}/gone: no run is there" in ended.out
    ended = commands("compare", f"runs={tmp_path}/gone")
    assert ended.code == 2
    assert f"runs={tmp_path}/gone: no run is there, nor below" in ended.err
    assert "name the runs: runs=" in commands("compare").err
