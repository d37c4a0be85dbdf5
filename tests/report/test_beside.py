"""Photos and the base's pictures beside samples: which, where, and never where they may not be."""

import base64
import io
import re

import pytest
from PIL import Image

from avatar_exp.report.beside import CELL, MOST_PHOTOS, base_picture, evidence, strip
from avatar_exp.report.page import write_comparison, write_report
from avatar_exp.report.runs import read_run
from avatar_exp.run_folder import append_line, write_atomically

COLOURS = ((200, 0, 0), (0, 200, 0), (0, 0, 200))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for place, colour in enumerate(COLOURS):
        Image.new("RGB", (300, 200), colour).save(folder / f"{place}.jpg")
    (folder / "0.txt").write_text("a caption")
    (folder / ".hidden.jpg").write_bytes((folder / "0.jpg").read_bytes())
    return folder


@pytest.fixture
def run(tmp_path, made, photos):
    alarms = [
        {"step": 20, "kind": "copies", "text": "c", "picture": "samples/step_00020/00_0.png", "photo": "1.jpg"},
        {"step": 20, "kind": "drift", "text": "d", "picture": "samples/step_00020/class_01.png"},
    ]
    folder = made(tmp_path / "run", alarms=alarms)
    for step in (0, 20):
        for number in range(2):
            file = f"samples/step_{step:05d}/class_{number:02d}.png"
            Image.new("RGB", (64, 64), (100 * number, step, 0)).save(folder.path / file)
            append_line(folder.class_records, {"step": step, "file": file, "prompt": "person", "seed": number})
    configure(folder, photos)
    return folder


def configure(folder, photos, more=""):
    write_atomically(folder.resolved, f"concept:\n  instance_data_dir: {photos}\n{more}")


def colour(data: str) -> tuple[int, ...]:
    picture = Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2])))
    assert picture.size == (CELL, CELL)
    return picture.convert("RGB").getpixel((CELL // 2, CELL // 2))


def test_the_photos_are_a_strip_in_their_order(run):
    found = strip(read_run(run.path, "run"))
    assert [one.caption for one in found] == ["0.jpg", "1.jpg", "2.jpg"]
    for one, expected in zip(found, COLOURS, strict=True):
        assert colour(one.data) == pytest.approx(expected, abs=8)


def test_a_photo_is_upright(run, photos):
    picture = Image.new("RGB", (200, 300), (0, 0, 0))
    picture.paste((255, 255, 255), (0, 0, 200, 150))  # the upper half is white
    exif = Image.Exif()
    exif[274] = 3  # upside down
    picture.rotate(180).save(photos / "0.jpg", exif=exif)
    shown = Image.open(io.BytesIO(base64.b64decode(strip(read_run(run.path, "run"))[0].data.partition(",")[2])))
    assert shown.convert("L").getpixel((CELL // 2, 4)) > 200 > 50 > shown.convert("L").getpixel((CELL // 2, CELL - 4))


def test_of_many_photos_the_first_are_shown(run, photos):
    for number in range(40):
        Image.new("RGB", (8, 8)).save(photos / f"x{number:02d}.png")
    assert len(strip(read_run(run.path, "run"))) == MOST_PHOTOS


@pytest.mark.parametrize("more", ["privacy: true\n", "concepts: [a, b]\n", "concepts_list: x.json\n"])
def test_photos_that_may_not_be_shown_are_not(run, photos, more):
    configure(run, photos, more)
    assert strip(read_run(run.path, "run")) == []
    html = write_report(run.path).read_text()
    assert "1.jpg" not in re.sub(r"<pre>.*?</pre>", "", html, flags=re.DOTALL)


def test_a_folder_that_is_gone_is_passed_over(run, tmp_path):
    configure(run, tmp_path / "gone")
    assert strip(read_run(run.path, "run")) == []
    assert "1.jpg" not in write_report(run.path).read_text()


def test_an_alarm_has_beside_it_what_it_is_about(run):
    copied, drifted = read_run(run.path, "run").alarms
    found = evidence(read_run(run.path, "run"), copied, own_page=True)
    assert [one.caption for one in found] == ["step 20", "1.jpg"]
    assert colour(found[1].data) == pytest.approx(COLOURS[1], abs=8)
    found = evidence(read_run(run.path, "run"), drifted, own_page=True)
    assert [one.caption for one in found] == ["base", "step 20"]
    assert colour(found[0].data) == pytest.approx((100, 0, 0), abs=8)  # the second of the class, as it was
    assert base_picture(read_run(run.path, "run"), "samples/gone.png") is None


def test_a_comparison_shows_no_photo(run, made, tmp_path):
    file = tmp_path / "compare.html"
    write_comparison([run.path, made(tmp_path / "other").path], file)
    html = file.read_text()
    assert "<small>base</small>" in html
    assert "1.jpg" not in html
    assert 'class="photos"' not in html
    own = write_report(run.path).read_text()
    assert own.count("<small>1.jpg</small>") == 2  # in the strip, and beside its copy
