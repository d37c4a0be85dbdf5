"""The prepared folder: its names, its files, nothing in them but pixels; whole or not at all."""

import io
import json
import struct
import unicodedata
from pathlib import Path

import pytest
import yaml
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from avatar_exp.data import prepared
from avatar_exp.data.album import NO_FACE, Entry, Seen, album, files_of
from avatar_exp.data.boxes import face_box, read_boxes
from avatar_exp.data.drawn import DRAWN_BY, looks_drawn
from avatar_exp.data.intake import Verdict, measure
from avatar_exp.data.photos import photo_files
from avatar_exp.data.prepared import Target, names_of, write
from avatar_exp.errors import UserError
from avatar_exp.run_folder import read_json

SHEET = Image.new("RGB", (40, 30), "white")


def target(tmp_path, **changed):
    values = {"identifier": "minh", "class_noun": "person", **changed}
    return Target(tmp_path / "data" / "minh", tmp_path / "data" / "conf" / "concept" / "minh.yaml", **values)


def picture(number, size=96):
    return Image.effect_noise((size, size), 40 + number).convert("RGB")


@pytest.fixture
def source(tmp_path):
    """Three photos, one with words, and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "aPhone"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (21.0, 1.0, 42.0)})
    for number, name in enumerate(("Ảnh (1).png", "a.JPG", "b.webp")):
        picture(number, 200).save(folder / name, exif=exif, quality=95)
    (folder / "a.txt").write_text("photo of {subject} ở biển")
    (folder / "c.jpg").write_text("no picture")
    return folder


def entries_of(source, wanted=64, boxes=None):
    return album(files_of(source), wanted, boxes or {}, find=False)


def taken(*names):
    seen = Seen((96, 96), (0, 0, 96, 96), None, picture(0), None, measure(picture(0), 96), picture(0, 32))
    return [Entry(Path(name), seen, Verdict()) for name in names]


def chunks(file):
    """The kinds of the chunks of a PNG."""
    data, at, found = file.read_bytes(), 8, []
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        found.append(kind.decode())
        at += 12 + length
    return found


def everything(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_names_are_the_files_own_without_marks_and_none_is_used_twice():
    entries = taken("Ảnh của Minh (1).webp", "a.jpg", "A.png", "a-2.gif", "x.jpg", "-.jpg")
    entries[4] = Entry(Path("x.jpg"), entries[4].seen, Verdict("blurred"))
    assert names_of(entries) == {
        "Ảnh của Minh (1).webp": "Anh-cua-Minh-1.png", "a.jpg": "a.png", "A.png": "A-2.png", "a-2.gif": "a-2-2.png",
        "-.jpg": "unnamed.png",
    }  # fmt: skip


def test_photos_captions_intake_and_sheet_are_written(tmp_path, source):
    entries = entries_of(source)
    write(target(tmp_path), entries, SHEET, {"name": "minh"})
    folder = tmp_path / "data" / "minh"
    assert [file.name for file in photo_files(folder)] == ["Anh-1.png", "a.png", "b.png"]
    assert set(everything(folder)) == {
        "Anh-1.png", "a.png", "a.txt", "b.png", "intake.json", "intake/contact_sheet.png",
    }  # fmt: skip
    assert (folder / "a.txt").read_text() == "photo of {subject} ở biển"
    for entry in entries:
        if entry.seen:
            with Image.open(folder / names_of(entries)[entry.file.name]) as made:
                assert (made.size, made.tobytes()) == ((64, 64), entry.seen.crop.tobytes())
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"minh", "conf"}  # no scratch is left


def test_a_photo_holds_nothing_but_pixels(tmp_path, source):
    write(target(tmp_path), entries_of(source), SHEET, {})
    for file in photo_files(tmp_path / "data" / "minh"):
        assert set(chunks(file)) <= {"IHDR", "IDAT", "IEND"}
        assert b"aPhone" not in file.read_bytes()


def test_that_the_world_drew_a_photo_stays_said(tmp_path):
    (tmp_path / "photos").mkdir()
    mark = PngInfo()
    mark.add_text("Software", DRAWN_BY)
    mark.add_text("Comment", "at home")
    picture(0, 200).save(tmp_path / "photos" / "a.png", pnginfo=mark)
    picture(1, 200).save(tmp_path / "photos" / "b.png")
    write(target(tmp_path), entries_of(tmp_path / "photos"), SHEET, {})
    folder = tmp_path / "data" / "minh"
    assert [looks_drawn([folder / name]) for name in ("a.png", "b.png")] == [True, False]
    assert b"at home" not in (folder / "a.png").read_bytes()


def test_boxes_are_written_in_the_pixels_of_the_squares(tmp_path, source):
    boxes = {"a.JPG": (80, 60, 120, 100), "b.webp": NO_FACE}
    write(target(tmp_path), entries_of(source, 64, boxes), SHEET, {})
    folder = tmp_path / "data" / "minh"
    found = read_boxes(folder)
    assert set(found) == {"a.png", "b.png"}  # of the third nothing is known: nobody looked
    assert found["b.png"] == NO_FACE
    left, top, right, bottom = found["a.png"]  # the face is 0.4 of the square, its middle 0.45 below the top
    assert (right - left, bottom - top) == (26, 26)
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((32, 28.8), abs=0.6)
    assert face_box(folder / "a.png").tolist() == pytest.approx([one / 64 for one in found["a.png"]])
    assert not face_box(folder / "b.png").any()


def test_without_faces_there_is_no_file_of_boxes(tmp_path, source):
    write(target(tmp_path), entries_of(source), SHEET, {})
    assert not (tmp_path / "data" / "minh" / "boxes.csv").exists()


def test_the_intake_tells_of_every_file(tmp_path, source):
    entries = entries_of(source, 64, {"a.JPG": (80, 60, 120, 100)})
    write(target(tmp_path), entries, SHEET, {"name": "minh", "warnings": ["3 photos"]})
    told = read_json(tmp_path / "data" / "minh" / "intake.json")
    assert (told["schema_version"], told["written_by"], told["name"]) == (1, "avatar_exp.prepare", "minh")
    rows = {row["file"]: row for row in told["photos"]}
    assert list(rows) == [entry.file.name for entry in entries]
    assert (rows["c.jpg"]["photo"], rows["c.jpg"]["refused"][:14]) == (None, "cannot be read")
    assert "size" not in rows["c.jpg"]
    row, (seen,) = rows["a.JPG"], [entry.seen for entry in entries if entry.file.name == "a.JPG"]
    assert (row["photo"], row["refused"], row["size"], row["square"]) == ("a.png", None, [200, 200], list(seen.square))
    assert (row["faces"], row["side"]) == ([[80, 60, 120, 100]], seen.measures.side)
    assert row["sharpness"] == pytest.approx(seen.measures.sharpness, abs=0.06)
    assert not {"thumb", "pattern", "pixels"} & set(row)
    assert (told["left_out"], told["not_looked_into"]) == ([], [])


def test_what_is_no_photo_is_one_line(tmp_path, source, caplog):
    for name in ("IMG_1.AAE", "IMG_1.MOV", "letter.docx", "a.MOV", "b.AAE"):
        (source / name).write_bytes(b"x")
    caplog.set_level("INFO", "avatar_exp")
    write(target(tmp_path), entries_of(source), SHEET, {"dropped": ["a.MOV"]})
    told = read_json(tmp_path / "data" / "minh" / "intake.json")
    assert told["left_out"] == ["IMG_1.AAE", "IMG_1.MOV", "b.AAE", "letter.docx"]
    assert [row["file"] for row in told["photos"]] == ["a.JPG", "b.webp", "c.jpg", "Ảnh (1).png"]
    assert caplog.messages == ["4 files left out, being no photos: IMG_1.AAE, IMG_1.MOV, b.AAE, letter.docx"]


def test_folders_within_are_one_line(tmp_path, source, caplog):
    caplog.set_level("INFO", "avatar_exp")
    (source / "100APPLE").mkdir()
    write(target(tmp_path), entries_of(source), SHEET, {})
    assert read_json(tmp_path / "data" / "minh" / "intake.json")["not_looked_into"] == ["100APPLE"]
    (source / "101APPLE").mkdir()
    write(target(tmp_path), entries_of(source), SHEET, {})
    assert read_json(tmp_path / "data" / "minh" / "intake.json")["not_looked_into"] == ["100APPLE", "101APPLE"]
    assert caplog.messages == [
        "1 folder is not looked into: 100APPLE", "2 folders are not looked into: 100APPLE, 101APPLE"
    ]  # fmt: skip


def test_names_are_met_however_their_accents_are_written(tmp_path, source):
    """A caption and a dropped file, as macOS writes them and as they are typed."""
    photo, film = (unicodedata.normalize("NFD", name) for name in ("Ảnh (1).txt", "Phim đẹp.mov"))
    (source / photo).write_text("ở biển")
    (source / film).write_bytes(b"x")
    write(target(tmp_path), entries_of(source), SHEET, {"dropped": [unicodedata.normalize("NFC", film)]})
    assert (tmp_path / "data" / "minh" / "Anh-1.txt").read_text() == "ở biển"
    assert read_json(tmp_path / "data" / "minh" / "intake.json")["left_out"] == []


def test_captions_that_cannot_be_read_are_faults_and_nothing_is_written(tmp_path, source, monkeypatch):
    """As for somebody whose file it is not; root may read everything, so opening this one is forbidden here."""
    (source / "b.txt").write_bytes("cà phê".encode("cp1252"))
    (source / "c.txt").write_bytes(b"\xff")  # of a file that is no photo
    really = io.open

    def forbidden(file, *args, **more):
        if str(file).endswith("a.txt"):
            raise PermissionError(13, "Permission denied", str(file))
        return really(file, *args, **more)

    entries = entries_of(source)
    monkeypatch.setattr(io, "open", forbidden)
    with pytest.raises(UserError) as error:
        write(target(tmp_path), entries, SHEET, {})
    _, first, second = str(error.value).splitlines()
    assert first.startswith(f"  - {source}/a.txt: cannot be read: [Errno 13] Permission denied")
    assert second.startswith(f"  - {source}/b.txt: cannot be read: it is no UTF-8 text; save it as UTF-8 (Excel: ")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("identifier", ["minh", "Hoàng Anh", "'a': {b}", "007"])
def test_the_concept_file_says_what_train_needs(tmp_path, source, identifier):
    mine = target(tmp_path, identifier=identifier, class_noun="woman")
    write(mine, entries_of(source), SHEET, {})
    assert yaml.safe_load(mine.concept_file.read_text()) == {
        "identifier": identifier, "class_noun": "woman", "instance_data_dir": str(mine.folder),
    }  # fmt: skip


def test_what_was_prepared_before_is_replaced_whole(tmp_path, source):
    mine = target(tmp_path)
    write(mine, entries_of(source), SHEET, {})
    assert (mine.there, mine.foreign) == ([mine.folder, mine.concept_file], [])
    (mine.folder / "old.png").write_bytes(b"old")
    (source / "b.webp").unlink()
    write(mine, entries_of(source), SHEET, {})
    assert [file.name for file in photo_files(mine.folder)] == ["Anh-1.png", "a.png"]


def test_what_a_system_leaves_there_is_nobodys(tmp_path, source):
    mine = target(tmp_path)
    write(mine, entries_of(source), SHEET, {})
    for name in (".DS_Store", "intake/.DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints/a-checkpoint.txt"):
        (mine.folder / name).parent.mkdir(exist_ok=True)
        (mine.folder / name).write_bytes(b"x")
    assert mine.foreign == []
    (mine.folder / "notes.db").write_bytes(b"x")
    assert mine.foreign == [mine.folder / "notes.db"]


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("fails", ["write_json", "write_atomically", "save"])
def test_a_failure_leaves_everything_as_it_was(tmp_path, source, monkeypatch, fails, before):
    mine = target(tmp_path)
    if before:
        write(mine, entries_of(source), SHEET, {})
    (tmp_path / "data").mkdir(exist_ok=True)
    was = everything(tmp_path)

    def stop(*_, **__):
        raise OSError("the disk is full")

    monkeypatch.setattr(prepared, fails, stop)
    with pytest.raises(OSError, match="disk is full"):
        write(mine, entries_of(source), SHEET, {})
    assert everything(tmp_path) == was
    assert mine.folder.exists() is before


def test_what_prepare_did_not_write_is_foreign(tmp_path):
    mine = target(tmp_path)
    assert (mine.there, mine.foreign) == ([], [])
    mine.folder.mkdir(parents=True)
    assert mine.foreign == [mine.folder]
    (mine.folder / "intake.json").write_text(json.dumps({"written_by": "me"}))
    mine.concept_file.parent.mkdir(parents=True)
    mine.concept_file.write_bytes(b"identifier: \xff")
    assert mine.foreign == [mine.folder, mine.concept_file]
