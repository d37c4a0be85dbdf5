"""``prepare`` on a folder as a phone leaves it, and ``train`` on what it wrote."""

import builtins
import io
import json
import math
import os
import shlex
import shutil
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from avatar_exp.data.boxes import read_boxes
from avatar_exp.data.faces import cascade
from avatar_exp.data.photos import photo_files
from avatar_exp.tiny import world
from runs.command import SHORT, Commands, Result
from runs.phone import PERSON, PLAIN, REFUSED, SAID, SCENES, portrait, write_phone_folder

FILM = "IMG_0018.mov"
SHORTEST = (*SHORT, "model=tiny", "max_steps=1", "sample_every=0", "logger=none")
# The photos with nothing wrong: which portrait each is, and how near in decibels its format can come to it.
WANTED = {
    "IMG_0001.jpg": (0, 30), "IMG_0002.jpg": (1, 30), "IMG_0003.HEIC": (2, 30), "IMG_0004.jpg": (3, 30),
    "IMG_0006.tif": (5, 50), "IMG_0007.png": (6, 30), "Ảnh của Minh (1).webp": (7, 30),
}  # fmt: skip


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.iterdir()}


def rows_of(home: Path, name: str = "minh") -> dict[str, dict[str, Any]]:
    return {row["file"]: row for row in json.loads((home / "data" / name / "intake.json").read_text())["photos"]}


def near(one: Image.Image, other: Image.Image) -> float:
    """PSNR in decibels."""
    error = np.mean((np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)) ** 2)
    return 10 * math.log10(255**2 / max(float(error), 1e-3))


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with photos in it. They must not be changed."""
    home = tmp_path_factory.mktemp("home")
    write_phone_folder(home / "photos" / "minh")
    return home


@pytest.fixture(scope="module")
def done(commands: Commands, phone: Path) -> Iterator[Result]:
    """``prepare``, as the README shows it; the source is what it was."""
    before = state(phone / "photos" / "minh")
    ended = commands("prepare", "concept=minh", "source=photos/minh", cwd=phone)
    assert ended.code == 0, ended.out + ended.err
    yield ended
    assert state(phone / "photos" / "minh") == before


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A home folder with three good photos."""
    (tmp_path / "few").mkdir()
    for number in (0, 4, 7):
        portrait(number).save(tmp_path / "few" / f"{number}.jpg", quality=92)
    return tmp_path


def test_every_file_is_taken_or_refused_for_its_reason(phone: Path, done: Result) -> None:
    rows = rows_of(phone)
    assert set(rows) == {*REFUSED, *SAID, *PLAIN}
    assert len(rows) == 19
    for name, reason in REFUSED.items():
        assert rows[name]["refused"].startswith(reason), rows[name]["refused"]
        assert (rows[name]["photo"], rows[name]["warnings"]) == (None, [])
    for name in (*SAID, *PLAIN):
        assert rows[name]["refused"] is None, name
        assert rows[name]["warnings"] == ([SAID[name]] if name in SAID else []), name


def test_the_report_on_the_console_says_the_same(phone: Path, done: Result) -> None:
    lines = {line.split("  ")[0]: line for line in done.out.splitlines()}
    for name, reason in REFUSED.items():
        assert f"refused: {reason}" in lines[name]
    for name, warning in SAID.items():
        assert lines[name].endswith(warning)
    assert f"1 file left out, being no photos: {FILM}" in done.out
    assert json.loads((phone / "data" / "minh" / "intake.json").read_text())["left_out"] == [FILM]
    assert lines["IMG_0002.jpg"].split()[1:4] == ["600x800", "600", "1"]
    assert lines["IMG_0008.jpg"].split()[3] == "2"
    assert "12 of 19 photos are taken" in done.out
    assert "recommended" not in done.out  # twelve are
    assert "python -m avatar_exp.train concept=minh" in done.out


def test_the_prepared_photos_are_those_that_are_taken(phone: Path, done: Result) -> None:
    files = photo_files(phone / "data" / "minh")
    assert {file.name for file in files} == {row["photo"] for row in rows_of(phone).values() if row["photo"]}
    assert len(files) == 12
    for file in files:
        with Image.open(file) as image:
            assert (image.format, image.mode, image.info) == ("PNG", "RGB", {})
            assert image.size == ((400, 400) if file.name == "IMG_0010.png" else (512, 512))
        assert b"aPhone" not in file.read_bytes()
    assert (phone / "data" / "minh" / "IMG_0002.txt").read_text() == "photo of {subject} on a stage"
    assert "Anh-cua-Minh-1.png" in {file.name for file in files}


@pytest.mark.parametrize("name", WANTED)
def test_pixels_are_those_of_the_picture_that_was_stored(phone: Path, done: Result, name: str) -> None:
    number, decibels = WANTED[name]
    row = rows_of(phone)[name]
    wanted = portrait(number).crop(tuple(row["square"])).resize((512, 512), Image.Resampling.LANCZOS)
    with Image.open(phone / "data" / "minh" / row["photo"]) as made:
        assert near(made, wanted) > decibels


def test_sixteen_bits_of_grey_are_the_picture_in_grey(phone: Path, done: Result) -> None:
    row = rows_of(phone)["IMG_0005.png"]
    grey = portrait(4).convert("L").convert("RGB").crop(tuple(row["square"]))
    with Image.open(phone / "data" / "minh" / row["photo"]) as made:
        assert near(made, grey.resize((512, 512), Image.Resampling.LANCZOS)) > 55


@pytest.mark.parametrize("name", [*WANTED, "IMG_0005.png"])
def test_faces_are_where_they_were_drawn(phone: Path, done: Result, name: str) -> None:
    number = WANTED.get(name, (4, 0))[0]
    place = world.scene(SCENES[number], hat="none", style="photo")
    truth = np.multiply(world.face_box(PERSON, place), 800) - (100, 0, 100, 0)
    row = rows_of(phone)[name]
    (face,) = row["faces"]
    middle = np.add(face[:2], face[2:]) / 2
    assert np.abs(middle - (truth[:2] + truth[2:]) / 2).max() < 0.3 * (truth[2] - truth[0])
    left, top, right, bottom = row["square"]
    assert left <= max(truth[0], 0) + 5
    assert right >= min(truth[2], 600) - 5
    assert (top <= truth[1], truth[3] <= bottom) == (True, True)


def test_boxes_of_the_faces_are_left_for_training(phone: Path, done: Result) -> None:
    boxes, rows = read_boxes(phone / "data" / "minh"), rows_of(phone)
    assert set(boxes) == {row["photo"] for row in rows.values() if row["photo"]}
    assert boxes["IMG_0009.png"] == (0, 0, 0, 0)
    row = rows["IMG_0001.jpg"]
    left, top, right, _ = row["square"]
    wanted = [
        (edge - origin) * 512 / (right - left) for edge, origin in zip(row["faces"][0], (left, top) * 2, strict=True)
    ]
    assert boxes["IMG_0001.png"] == pytest.approx(wanted, abs=0.51)


def test_the_contact_sheet_shows_every_file(phone: Path, done: Result) -> None:
    with Image.open(phone / "data" / "minh" / "intake" / "contact_sheet.png") as sheet:
        assert sheet.width == 20 + 5 * 260
        assert sheet.height > 4 * 260
        assert len(sheet.convert("P").getcolors()) > 50


def test_train_takes_it_from_there(commands: Commands, phone: Path, done: Result) -> None:
    concept = yaml.safe_load((phone / "data" / "conf" / "concept" / "minh.yaml").read_text())
    assert concept == {"identifier": "minh", "class_noun": "person", "instance_data_dir": "data/minh"}
    own = f"store={phone}/store"  # in the shared one another test may have had the prior pictures
    ended = commands("train", "concept=minh", *SHORTEST, "objective.face_weight=4", own, cwd=phone)
    assert ended.code == 0, ended.out + ended.err
    info = ended.run.info
    assert (info["status"], info["concept"], info["photo_count"]) == ("finished", ["minh"], 12)
    assert info["store_made"]["moments"] == 12 + 2  # and two prior pictures
    notes = {row["file"]: row["note"] for row in info["intake"]}  # nobody settled them; as large as is trained on
    assert notes == {f"{Path(name).stem}.png": note for name, note in SAID.items() if name != "IMG_0010.jpg"}


def test_train_is_silent_on_what_was_settled(commands: Commands, phone: Path, done: Result) -> None:
    kept = f"keep=[{','.join(SAID)}]"
    ended = commands("prepare", "concept=kim", "source=photos/minh", kept, cwd=phone)
    assert ended.code == 0, ended.err
    ended = commands("train", "concept=kim", *SHORTEST, cwd=phone)
    assert ended.run.info["intake"] == []
    assert "look at these photos again" not in ended.out


def test_train_reads_whatever_prepare_reads_and_says_the_cheap_half(commands: Commands, phone: Path) -> None:
    photos = phone / "some"
    photos.mkdir()
    for name in (*PLAIN, "IMG_0011.jpg", "IMG_0012.jpg", "IMG_0013.jpg"):
        shutil.copy(phone / "photos" / "minh" / name, photos)
    mine = ("concept=person", "concept.identifier=minh", f"concept.instance_data_dir={photos}", "data.resolution=128")
    ended = commands("train", *mine, *SHORTEST, cwd=phone)
    assert ended.code == 0, ended.out + ended.err
    notes = {row["file"]: row["note"] for row in ended.run.info["intake"]}
    assert set(notes) == {"IMG_0011.jpg", "IMG_0012.jpg", "IMG_0013.jpg"}
    for name, note in notes.items():
        assert note.startswith(REFUSED[name])
        assert ended.out.count(f"{name}: {note}") == 1
        assert note.split(":")[0] in ended.run.report.read_text()


def test_a_photo_that_cannot_be_judged_does_not_end_a_run(
    commands: Commands, few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("avatar_exp.data.glance.judge", stop)
    mine = ("concept=person", "concept.identifier=minh", f"concept.instance_data_dir={few / 'few'}")
    ended = commands("train", *mine, *SHORTEST, cwd=few)
    assert ended.code == 0, ended.err
    assert "the photos of minh could not be looked at" in ended.out
    assert ended.run.info["intake"] == []


def test_few_photos_are_said_in_the_report_of_prepare_and_of_train(commands: Commands, few: Path) -> None:
    ended = commands("prepare", "name=minh", "source=few", cwd=few)
    assert ended.code == 0, ended.err
    assert "3 photos; 10-20 are recommended" in ended.out
    assert json.loads((few / "data" / "minh" / "intake.json").read_text())["warnings"] == [
        "3 photos; 10-20 are recommended"
    ]
    trained = commands("train", "concept=minh", *SHORTEST, cwd=few)
    assert trained.run.info["intake"] == [{"file": "", "note": "minh: 3 photos; 10-20 are recommended"}]


def test_strict_makes_a_fault_of_every_remark_and_writes_nothing(commands: Commands, phone: Path) -> None:
    ended = commands("prepare", "concept=lan", "source=photos/minh", "strict=true", cwd=phone)
    assert ended.code == 2
    for name, reason in {**REFUSED, **SAID}.items():
        assert f"- {name}: " in ended.err
        assert reason in ended.err
    assert not (phone / "data" / "lan").exists()
    assert not (phone / "data" / "conf" / "concept" / "lan.yaml").exists()
    settled = [f"drop=[{','.join(REFUSED)}]", f"keep=[{','.join(SAID)}]"]
    ended = commands("prepare", "concept=lan", "source=photos/minh", "strict=true", *settled, cwd=phone)
    assert ended.code == 0, ended.err
    assert len(photo_files(phone / "data" / "lan")) == 12


def test_strict_counts_photos(commands: Commands, few: Path) -> None:
    ended = commands("prepare", "concept=minh", "source=few", "strict=true", cwd=few)
    assert (ended.code, "3 photos; 10-20 are recommended" in ended.err) == (2, True)


def test_what_was_prepared_is_not_overwritten_unless_it_is_said(commands: Commands, few: Path) -> None:
    assert commands("prepare", "concept=minh", "source=few", cwd=few).code == 0
    again = commands("prepare", "concept=minh", "source=few", "drop=0.jpg", cwd=few)
    assert again.code == 2
    assert "data/minh and data/conf/concept/minh.yaml: prepared before; replace=true writes it anew" in again.err
    assert len(photo_files(few / "data" / "minh")) == 3
    again = commands("prepare", "concept=minh", "source=few", "drop=0.jpg", "replace=true", cwd=few)
    assert again.code == 0, again.err
    assert [file.name for file in photo_files(few / "data" / "minh")] == ["4.png", "7.png"]


def test_a_folder_of_somebody_else_is_never_replaced(commands: Commands, few: Path) -> None:
    (few / "data" / "minh").mkdir(parents=True)
    (few / "data" / "minh" / "letter.txt").write_text("mine")
    ended = commands("prepare", "concept=minh", "source=few", "replace=true", cwd=few)
    assert (ended.code, "data/minh: not as prepare wrote it, and would be lost" in ended.err) == (2, True)
    assert (few / "data" / "minh" / "letter.txt").read_text() == "mine"
    (few / "data" / "conf" / "concept").mkdir(parents=True)
    (few / "data" / "conf" / "concept" / "lan.yaml").write_text("identifier: lan")
    ended = commands("prepare", "concept=lan", "source=few", "replace=true", cwd=few)
    assert (ended.code, "concept/lan.yaml: not as prepare wrote it" in ended.err) == (2, True)
    ended = commands("prepare", "concept=minh", "source=few", "out=squares of minh", cwd=few)
    assert ended.code == 0, ended.err
    assert yaml.safe_load((few / "data/conf/concept/minh.yaml").read_text())["instance_data_dir"] == "squares of minh"


def test_what_the_user_added_survives_or_is_asked_about(commands: Commands, few: Path) -> None:
    def prepare() -> Result:
        return commands("prepare", "concept=minh", "source=few", "replace=true", cwd=few)

    assert prepare().code == 0
    file = few / "data" / "conf" / "concept" / "minh.yaml"
    text = file.read_text() + "# mine\ninstance_prompt: portrait of {subject}\n"
    file.write_text(text)
    assert prepare().code == 0
    assert file.read_text() == text
    caption, boxes = few / "data" / "minh" / "0.txt", few / "data" / "minh" / "boxes.csv"
    caption.write_text("{subject} laughs")
    boxes.write_text(boxes.read_text() + "\n" if boxes.is_file() else "photo,left,top,right,bottom\n")
    ended = prepare()
    assert ended.code == 2
    assert "data/minh/0.txt and data/minh/boxes.csv: not as prepare wrote it, and would be lost" in ended.err
    assert caption.read_text() == "{subject} laughs"


def test_what_a_system_leaves_in_the_folder_is_replaced_with_it(commands: Commands, few: Path) -> None:
    assert commands("prepare", "concept=minh", "source=few", cwd=few).code == 0
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints/0-checkpoint.txt"):
        (few / "data" / "minh" / name).parent.mkdir(exist_ok=True)
        (few / "data" / "minh" / name).write_bytes(b"x")
    ended = commands("prepare", "concept=minh", "source=few", "replace=true", cwd=few)
    assert ended.code == 0, ended.err
    assert not (few / "data" / "minh" / ".DS_Store").exists()


def test_what_is_only_named_like_a_photo_is_refused_and_the_rest_is_prepared(commands: Commands, few: Path) -> None:
    (few / "few" / "broken.jpg").symlink_to("/Volumes/gone/IMG_1.jpg")
    (few / "few" / "dir.jpg").mkdir()
    (few / "few" / "album").mkdir()
    os.mkfifo(few / "few" / "pipe.png")
    ended = commands("prepare", "concept=minh", "source=few", cwd=few)
    assert ended.code == 0, ended.err
    assert {name: row["refused"] for name, row in rows_of(few).items() if row["refused"]} == {
        "broken.jpg": "cannot be read: it is a link to /Volumes/gone/IMG_1.jpg, which is not there",
        "dir.jpg": "cannot be read: it is a folder",
        "pipe.png": "cannot be read: it is a pipe",
    }
    assert "3 of 6 photos are taken" in ended.out


def test_a_photo_that_may_not_be_read_is_refused(
    commands: Commands, few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for somebody whose file it is not; root may read everything, so opening this one is forbidden here."""
    really = builtins.open

    def forbidden(file: Any, *args: Any, **more: Any) -> Any:
        if str(file).endswith("4.jpg"):
            raise PermissionError(13, "Permission denied", str(file))
        return really(file, *args, **more)

    own = ("concept.identifier=minh", "concept.instance_data_dir=few")
    monkeypatch.setattr(builtins, "open", forbidden)
    monkeypatch.setattr(io, "open", forbidden)
    ended = commands("prepare", "concept=minh", "source=few", cwd=few)
    trained = commands("train", "concept=person", *own, *SHORTEST, cwd=few)
    monkeypatch.undo()
    assert ended.code == 0, ended.err
    assert rows_of(few)["4.jpg"]["refused"] == "cannot be read: it cannot be opened: Permission denied"
    assert trained.code == 2
    assert "4.jpg: cannot be read: it cannot be opened: Permission denied" in trained.err
    assert "Traceback" not in trained.err


def test_names_are_met_however_their_accents_are_written(commands: Commands, few: Path) -> None:
    """As macOS writes them in a folder, and as they are typed."""
    typed = [unicodedata.normalize("NFC", name) for name in ("Ảnh đẹp 0.jpg", "Ảnh đẹp 4.jpg", "Ảnh đẹp 7.jpg")]
    for name, photo in zip(typed, sorted((few / "few").iterdir()), strict=True):
        photo.rename(photo.with_name(unicodedata.normalize("NFD", name)))
    header = "photo,left,top,right,bottom"
    (few / "few" / "boxes.csv").write_text(f"{header}\n{typed[1]},100,500,180,580\n")
    picked = (f"drop={typed[0]}", f"keep={typed[2]}")
    ended = commands("prepare", "concept=minh", "source=few", "size=1024", *picked, cwd=few)
    assert ended.code == 0, ended.err
    known, kept = (rows_of(few)[unicodedata.normalize("NFD", name)] for name in typed[1:])
    assert len(rows_of(few)) == 2
    assert known["faces"] == [[100, 500, 180, 580]]
    assert known["warnings"] == ["600 pixels a side, less than 1024"]
    assert kept["warnings"] == []


def test_what_cannot_be_kept_is_said(commands: Commands, few: Path) -> None:
    (few / "few" / "doc.pdf").write_bytes(b"%PDF")
    (few / "few" / "broken.jpg").write_text("no picture")
    ended = commands("prepare", "concept=minh", "source=few", "keep=[broken.jpg,doc.pdf,0.jpg,0.txt]", cwd=few)
    assert ended.code == 2
    assert "keep: doc.pdf: it is no photo, and keep is for photos" in ended.err
    assert "keep: 0.txt: no such file in few" in ended.err
    ended = commands("prepare", "concept=minh", "source=few", "keep=broken.jpg", "drop=doc.pdf", cwd=few)
    assert ended.code == 0, ended.err
    refused = "cannot be read: it is no picture, or its beginning is lost; keep cannot change that"
    assert rows_of(few)["broken.jpg"]["refused"] == refused
    assert refused in ended.out


def test_several_names_are_a_list(commands: Commands, few: Path) -> None:
    shutil.copy(few / "few" / "0.jpg", few / "few" / "IMG (1).jpg")
    ended = commands("prepare", "concept=minh", "source=few", "drop=IMG (1).jpg,0.jpg", cwd=few)
    assert ended.code == 2
    typed = shlex.split(ended.err.partition("several are a list: ")[2])
    assert typed == ["drop=[IMG (1).jpg,0.jpg]"]
    assert commands("prepare", "concept=minh", "source=few", *typed, cwd=few).code == 0
    assert not {"IMG (1).jpg", "0.jpg"} & {*rows_of(few)}


def test_folders_among_the_photos_are_said_and_no_fault(commands: Commands, few: Path) -> None:
    for number in (1, 2, 3, 5, 6, 8, 9):
        portrait(number).save(few / "few" / f"{number}.jpg", quality=92)
    (few / "few" / "100APPLE").mkdir()
    ended = commands("prepare", "concept=minh", "source=few", "strict=true", cwd=few)
    assert ended.code == 0, ended.err
    assert "1 folder is not looked into: 100APPLE" in ended.out
    assert json.loads((few / "data" / "minh" / "intake.json").read_text())["not_looked_into"] == ["100APPLE"]


def test_what_train_cannot_read_prepare_leaves_out(commands: Commands, few: Path) -> None:
    """The command that is said once, whatever the number of files, is one that works."""
    for name in ("b.jpg", "c.jpg", "d.nef"):
        (few / "few" / name).write_text("no picture")
    mine = ("concept=person", "concept.identifier=minh", "concept.instance_data_dir=few")
    ended = commands("train", *mine, *SHORTEST, cwd=few)
    assert ended.code == 2
    assert "3 things to mend" in ended.err
    assert ended.err.count("python -m") == 1
    said = ended.err.rpartition("let prepare leave it out: python -m avatar_exp.prepare ")[2]
    ended = commands("prepare", *shlex.split(said.splitlines()[0]), cwd=few)
    assert ended.code == 0, ended.err
    assert "3 of 6 photos are taken" in ended.out


def test_all_faults_are_said_at_once_and_nothing_is_written(commands: Commands, few: Path) -> None:
    (few / "few" / "boxes.csv").write_text("photo,left,top,right,bottom\nnobody.jpg,1,2,3,4\n")
    ended = commands(
        "prepare", "concept=person", "source=few", "size=100", "identifier=' '", "keep=[IMG (1).jpg, 0.jpg]",
        "drop='0.jpg'", "out=few", cwd=few,
    )  # fmt: skip
    assert ended.code == 2
    for fault in (
        "concept=person: this name is taken", "size=100: must be a multiple of 8", "identifier is empty",
        "keep: IMG (1).jpg: no such file", "boxes.csv: nobody.jpg: no such file", "0.jpg: both in keep and in drop",
        "few holds the photos themselves",
    ):  # fmt: skip
        assert fault in ended.err
    assert "Traceback" not in ended.err
    assert not (few / "data").exists()


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ([], "missing: concept=minh source=DIR"),
        (["concept=minh", "source=nowhere"], "source=nowhere: no such folder"),
        (
            ["concept=minh", "source=few/0.jpg"],
            "source=few/0.jpg: it is a file, expected the folder that it is in: few",
        ),
        (["concept=Hoàng Anh", "source=few"], "concept=Hoang-Anh (identifier='Hoàng Anh' may be any word)"),
        (["concept=conf", "source=few"], "concept=conf: this name is taken"),
        (["concept=minh", "source=empty"], "source=empty: no photo is there"),
        (["concept=minh", "source=few", "sice=64"], "did you mean size"),
        (["concept=minh", "source=few", "size=many"], "many"),
        (["concept=minh", "source=few", "drop=[0.jpg,4.jpg,7.jpg]"], "none of these files can be used"),
    ],
)
def test_what_was_typed_wrong_is_a_short_message(commands: Commands, few: Path, typed: list[str], says: str) -> None:
    (few / "empty").mkdir()
    ended = commands("prepare", *typed, cwd=few)
    assert ended.code == 2, ended.out
    assert says in ended.err
    assert "Traceback" not in ended.err
    assert not (few / "data").exists()


def test_a_place_that_is_not_in_its_photo_is_a_fault(commands: Commands, few: Path) -> None:
    (few / "few" / "boxes.csv").write_text("photo,left,top,right,bottom\n0.jpg,900,2,950,40\n4.jpg,9,9,5,5\n")
    ended = commands("prepare", "concept=minh", "source=few", cwd=few)
    assert ended.code == 2
    assert "0.jpg: 900,2,950,40 is no box in a picture of 600x800" in ended.err
    assert "4.jpg: 9,9,5,5 is no box in a picture of 600x800" in ended.err


def test_boxes_say_where_the_face_is(commands: Commands, few: Path) -> None:
    (few / "few" / "boxes.csv").write_text("photo,left,top,right,bottom\n0.jpg,100,500,180,580\n4.jpg,0,0,0,0\n")
    ended = commands("prepare", "concept=minh", "source=few", "size=128", cwd=few)
    assert ended.code == 0, ended.err
    rows = rows_of(few)
    assert (rows["0.jpg"]["faces"], rows["0.jpg"]["square"]) == ([[100, 500, 180, 580]], [40, 450, 240, 650])
    assert (rows["4.jpg"]["faces"], rows["4.jpg"]["square"]) == ([], [0, 70, 600, 670])
    assert rows["4.jpg"]["warnings"] == []
    assert read_boxes(few / "data" / "minh")["0.png"] == pytest.approx((38, 32, 90, 83), abs=1)


def test_without_opencv_squares_are_upper_centre_and_it_is_said(
    commands: Commands, few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cascade.cache_clear()
    monkeypatch.setitem(sys.modules, "cv2", None)
    ended = commands("prepare", "concept=minh", "source=few", cwd=few)
    monkeypatch.undo()
    assert ended.code == 0, ended.err
    assert "no face is looked for, so squares are upper-centre: " in ended.out
    assert "extra [photos]" in ended.out
    assert {tuple(row["square"]) for row in rows_of(few).values()} == {(0, 70, 600, 670)}
    assert not (few / "data" / "minh" / "boxes.csv").exists()


def test_of_things_no_faces_are_looked_for(commands: Commands, few: Path) -> None:
    for number in (0, 4, 7):
        portrait(number).rotate(180).save(few / "few" / f"{number}.jpg")
    ended = commands("prepare", "concept=mug", "source=few", "class_noun=mug", cwd=few)
    assert "no face is found, so squares are upper-centre" in ended.out
    ended = commands("prepare", "concept=cup", "source=few", "class_noun=cup", "faces=false", cwd=few)
    assert "no face" not in ended.out
    assert yaml.safe_load((few / "data/conf/concept/cup.yaml").read_text())["class_noun"] == "cup"


def test_hard_names_of_folders_and_subjects(commands: Commands, few: Path) -> None:
    (few / "few").rename(few / "ảnh, [1] = x")
    ended = commands("prepare", "concept=minh", "source=ảnh, [1] = x", "identifier=Hoàng 'Anh'", cwd=few)
    assert ended.code == 0, ended.err
    trained = commands("train", "concept=minh", *SHORTEST, cwd=few)
    assert trained.code == 0, trained.err
    assert trained.run.info["concept"] == ["Hoàng 'Anh'"]


def test_help_is_quick_and_shows_the_two_keys(commands: Commands, few: Path) -> None:
    ended = commands.in_process_of_its_own("prepare", "--help", cwd=few, add_outputs=False)
    assert ended.code == 0
    assert "concept=minh source=photos/minh" in ended.out
    assert list(few.iterdir()) == [few / "few"]
