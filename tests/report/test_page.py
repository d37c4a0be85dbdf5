"""One page that needs nothing but itself, of a run in any state."""

import base64
import io
import re

import pytest
from PIL import Image

from avatar_exp.report.page import embedded, plot, write_report
from avatar_exp.run_folder import RunFolder, append_line, write_atomically


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "2026-11-22_17-05-09")
    folder.step_samples(10).mkdir(parents=True)
    for step in (0, 5, 10):
        append_line(
            folder.metrics, {"step": step, "train/loss_instance": 1.0 / (1 + step), "score/identity": step / 10}
        )
    for k, colour in enumerate(("red", "blue")):
        Image.new("RGB", (32, 32), colour).save(folder.step_samples(10) / f"{k}.png")
        row = {"step": 10, "file": f"samples/step_00010/{k}.png", "prompt": f"<b>ảnh {k}</b>", "seed": k}
        append_line(folder.records, row)
    Image.new("RGB", (3000, 40), "green").save(folder.grid)
    write_atomically(folder.resolved, "lr: 1.0e-06\n")
    folder.update(
        status="finished", concept=["hoàng <i>"], base={"path": "tiny"}, steps_done=10, best_step=10,
        scores={"0": {"score/identity": 0.41234}, "10": {"score/identity": 0.78}}, phase_seconds={"training": 12.5},
        command="python -m avatar_exp.train lr=1e-6", versions={"torch": "2.13.0"},
        embedders={"score/identity": "tiny/identity"},
    )  # fmt: skip
    return folder


def page(folder):
    return write_report(folder.path).read_text()


def test_the_page_shows_what_the_run_holds(run):
    html = page(run)
    for text in ("0.412", "0.780", "12.5 s", "lr: 1.0e-06", "python -m avatar_exp.train lr=1e-6", "finished", "tiny"):
        assert text in html
    assert html.count("data:image/jpeg;base64,") == 3
    assert html.count("<svg") == 2
    assert not list(run.path.glob(".report*"))


def test_the_page_is_self_contained(run):
    html = page(run)
    assert not re.search(r"""(?i)(src|href|srcset|action)\s*=\s*["']?\s*(https?:)?//""", html)
    assert not re.search(r"(?i)@import|url\(|<script|<link", html)
    assert all(source.startswith("data:") for source in re.findall(r'src="([^"]*)"', html))


def test_what_a_user_wrote_is_text_and_not_markup(run):
    html = page(run)
    assert "<i>" not in html
    assert "<b>ảnh" not in html
    assert "hoàng &lt;i&gt;" in html


def test_pictures_are_shrunk_to_fit(run):
    data = embedded(run.grid, 1500).partition(",")[2]
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert (image.size, image.format) == ((1500, 20), "JPEG")
        assert image.getpixel((700, 10)) == pytest.approx((0, 128, 0), abs=4)


def test_an_empty_folder_has_a_page(tmp_path):
    assert "unknown" in page(RunFolder(tmp_path))


BROKEN = {
    "run.json": b'{"status": "runn',
    "metrics.jsonl": b'{"train/loss_instance": 1}\n{"step": 1, "train/loss_instance": 2}\n{"step": 2, "tr',
    "samples/grid.png": b"\x89PNG half",
    "samples/records.jsonl": b'{"prompt": "x"}\n{"step": 3, "file": "gone.png"}\n{"ste',
    "samples/step_00010/0.png": b"",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_costs_no_more_than_itself(run, name):
    (run.path / name).write_bytes(BROKEN[name])
    html = page(run)
    assert ("12.5 s" in html) == (name != "run.json")
    assert ("lr: 1.0e-06" in html) is True


def test_a_failed_run_says_why(run):
    run.update(status="failed", error="ValueError: <x>")
    assert "ValueError: &lt;x&gt;" in page(run)


def test_a_plot_keeps_all_points_inside():
    rows = [{"step": 10, "a": 1.0}, {"step": 20, "a": 3.0, "b": 5.0}, {"step": 40, "a": 2.0}]
    drawn = plot("title", ["a", "b", "c"], rows)
    (line,) = drawn.lines  # b has one point, c none
    points = [tuple(map(float, point.split(","))) for point in line.path[1:].split(" L")]
    assert points == [(0.0, 170.0), (pytest.approx(520 / 3, abs=0.1), 0.0), (520.0, 85.0)]
    assert (drawn.low, drawn.high, drawn.steps, line.last) == (1.0, 3.0, (10, 40), 2.0)


@pytest.mark.parametrize("rows", [[], [{"step": 1, "a": 1.0}], [{"step": 1}, {"step": 2}]])
def test_too_little_is_no_plot(rows):
    assert plot("title", ["a"], rows) is None


def test_a_flat_curve_is_drawn():
    assert (
        plot("title", ["a"], [{"step": 1, "a": 2.0}, {"step": 2, "a": 2.0}]).lines[0].path == "M0.0,170.0 L520.0,170.0"
    )
