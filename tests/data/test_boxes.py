"""Where the face is, in the square that is trained on."""

import logging
import sys
import unicodedata
from pathlib import Path

import pytest
import torch
from PIL import Image

from avatar_exp.data.boxes import NO_FACE, BoxError, box_faults, face_box, in_picture, mirrored_box, read_boxes
from avatar_exp.data.faces import cascade
from avatar_exp.errors import UserError
from avatar_exp.tiny import world

FOUND = 91  # a drawn person whose face the detector is sure of; of most drawn ones it is not
HEADER = "photo,left,top,right,bottom\n"


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Two photos, a wide one and a tall one, without anybody in them."""
    for name, size in (("wide.png", (200, 100)), ("tall.png", (100, 200))):
        Image.new("RGB", size, "grey").save(tmp_path / name)
    return sorted(tmp_path.glob("*.png"))


def test_without_a_file_nothing_is_known(tmp_path):
    assert read_boxes(tmp_path) == {}


def test_boxes_are_pixels_of_the_photo_and_become_shares_of_its_square(photos):
    """The tall one's square is 35 pixels below its top (PORTRAIT_BIAS), the wide one's 50 from its left."""
    (photos[0].parent / "boxes.csv").write_text(HEADER + "tall.png,20,60,70,110\nwide.png,60,10,130.4,80\n")
    tall, wide = (face_box(photo) for photo in photos)
    assert tall.tolist() == pytest.approx([0.2, 0.25, 0.7, 0.75])
    assert wide.tolist() == pytest.approx([0.1, 0.1, 0.8, 0.8])


def test_a_face_is_cut_where_the_square_ends_and_beyond_it_there_is_none(photos):
    file = photos[0].parent / "boxes.csv"
    file.write_text(HEADER + "tall.png,20,10,70,60\nwide.png,0,10,50,80\n")
    assert face_box(photos[0]).tolist() == pytest.approx([0.2, 0.0, 0.7, 0.25])
    assert face_box(photos[1]) is NO_FACE
    file.write_text(HEADER + "tall.png,0,0,0,0\n")
    assert face_box(photos[0]) is NO_FACE


def test_the_file_of_the_demo_subject_names_every_photo():
    folder = Path("data/hoanganh")
    assert set(read_boxes(folder)) == {photo.name for photo in folder.glob("*.png")}
    assert box_faults(sorted(folder.glob("*.png"))) == []


@pytest.mark.parametrize("text", ["tall.png,1,2,3,4\n", HEADER + "tall.png,1,2\n", HEADER + "tall.png,a,b,c,d\n"])
def test_another_file_is_refused(photos, text):
    (photos[0].parent / "boxes.csv").write_text(text)
    with pytest.raises(UserError, match=r"(?s)boxes.csv: .*expected a line photo,left,top,right,bottom"):
        read_boxes(photos[0].parent)
    (fault,) = box_faults(photos)
    assert fault.startswith("objective.face_weight: ")


@pytest.mark.parametrize("edge", ["inf", "-inf", "nan", "1e400", "1e300", "9" * 400, "", "12px"])
def test_what_is_no_number_of_pixels_is_named(photos, edge):
    (photos[0].parent / "boxes.csv").write_text(HEADER + f"tall.png,1,2,3,4\nwide.png,1,{edge},3,4\n")
    (fault,) = box_faults(photos)
    shown = edge if len(edge) < 60 else "9" * 57 + "..."
    assert fault.endswith(f"\n  - line 3: '{shown}' is no number of pixels")


def test_every_line_that_is_wrong_is_named(photos):
    lines = ["tall.png,1,2,3,4", "wide.png,1,2", "", "tall.png,5,6,7,8", "wide.png,1,2,3,4,5"]
    (photos[0].parent / "boxes.csv").write_text(HEADER + "\n".join(lines))
    with pytest.raises(UserError) as error:
        read_boxes(photos[0].parent)
    assert str(error.value).splitlines()[1:] == [
        "  - line 3: 3 columns, expected 5",
        "  - line 5: tall.png is in line 2 too; a photo has one face, leave one of them",
        "  - line 6: wide.png is in line 3 too; a photo has one face, leave one of them",
        "  - line 6: 6 columns, expected 5",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (HEADER.encode() + b"x" * 140_000 + b",1,2,3,4\n", r"line 2: field larger than field limit"),
        ((HEADER + "Hoàng.jpg,1,2,3,4").encode("cp1258"), r"save it as UTF-8 \(Excel: 'CSV UTF-8 \(Comma delimited\)'"),
        (b"photo|left|top|right|bottom\n", r"its first line is photo\|left"),
    ],
)
def test_what_is_no_table_is_a_short_message(tmp_path, content, says):
    (tmp_path / "boxes.csv").write_bytes(content)
    with pytest.raises(UserError, match=rf"boxes.csv: .*{says}.*\nexpected a line photo"):
        read_boxes(tmp_path)


@pytest.mark.parametrize("separator", [";", "\t", ", ", " ; "])
def test_a_table_is_read_as_spreadsheets_write_it(tmp_path, separator):
    lines = ["photo,left,top,right,bottom", "tall.png,20,60,70,110", ",,,,", "wide.png,0,0,0,0", ""]
    text = "\r\n".join(lines).replace(",", separator)
    (tmp_path / "boxes.csv").write_text(text, encoding="utf-8-sig", newline="")
    names = ("tall.png", "wide.png")
    assert read_boxes(tmp_path) == dict(zip(names, ((20, 60, 70, 110), (0, 0, 0, 0)), strict=True))


def test_a_table_is_read_as_excel_writes_unicode_text(tmp_path):
    (tmp_path / "boxes.csv").write_text((HEADER + "Hoàng.jpg,1,2,3,4\n").replace(",", "\t"), encoding="utf-16")
    assert read_boxes(tmp_path) == {"Hoàng.jpg": (1, 2, 3, 4)}


def test_a_name_is_the_photos_however_its_accents_are_written(tmp_path):
    forms = [unicodedata.normalize(form, "Hoàng.png") for form in ("NFC", "NFD")]
    for photo in forms:
        Image.new("RGB", (100, 100), "grey").save(tmp_path / photo)
        for said in forms:
            (tmp_path / "boxes.csv").write_text(HEADER + f"{said},10,20,30,40\n")
            assert face_box(tmp_path / photo).tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    (tmp_path / "boxes.csv").write_text(HEADER + "".join(f"{said},10,20,30,40\n" for said in forms))
    with pytest.raises(UserError, match=r"line 3: Hoàng\.png is in line 2 too"):
        read_boxes(tmp_path)


@pytest.mark.parametrize(
    ("box", "inside"),
    [((-5, -5, 20, 20), (0, 0, 20, 20)), ((10, 10, 210, 157), (10, 10, 200, 150)), ((0, 0, 1, 1), (0, 0, 1, 1))],
)
def test_a_box_that_reaches_a_little_over_an_edge_is_cut_there(box, inside):
    assert in_picture(box, (200, 150)) == inside


@pytest.mark.parametrize(
    "box",
    [(50, 50, 40, 60), (10, 10, 10, 20), (200, 0, 210, 10), (0, -9, 5, 0), (-11, 0, 20, 20), (0, -8, 20, 20),
     (10, 10, 211, 20), (10, 10, 20, 158), (100, 200, 4000, 5000)],
)  # fmt: skip
def test_a_box_that_is_not_in_the_picture_is_refused(box):
    with pytest.raises(BoxError) as error:
        in_picture(box, (200, 150))
    assert str(error.value) == (
        f"{','.join(map(str, box))} is no box in a picture of 200x150; "
        "expected left,top,right,bottom in pixels of the upright photo as it is stored"
    )


def test_every_box_that_is_not_in_its_photo_keeps_a_run_from_starting(photos):
    (photos[0].parent / "boxes.csv").write_text(HEADER + "tall.png,20,60,700,1100\nwide.png,60,10,40,80\n")
    tall, wide = box_faults(photos)
    start = f"objective.face_weight: {photos[0].parent}/boxes.csv: "
    assert tall.startswith(f"{start}tall.png: 20,60,700,1100 is no box in a picture of 100x200")
    assert wide.startswith(f"{start}wide.png: 60,10,40,80 is no box in a picture of 200x100")


def test_the_largest_face_is_taken_of_those_that_the_square_shows(tmp_path):
    """Two people, and a third, larger one beside the square."""
    person, place = world.identity(FOUND), world.scene(FOUND)
    photo = Image.new("RGB", (1800, 600), (90, 120, 90))
    for size, where in ((240, (620, 340)), (320, (860, 20)), (500, (60, 50))):
        photo.paste(world.portrait(person, place, size), where)
    photo.save(tmp_path / "a.png")
    left, top, right, bottom = (edge * 320 / 600 for edge in world.face_box(person, place))
    truth = [left + 260 / 600, top + 20 / 600, right + 260 / 600, bottom + 20 / 600]
    assert face_box(tmp_path / "a.png").tolist() == pytest.approx(truth, abs=0.06)


def test_photos_without_a_face_are_named(photos, caplog):
    (photos[0].parent / "boxes.csv").write_text(HEADER + "tall.png,20,60,70,110\nwide.png,0,0,0,0\n")
    with caplog.at_level(logging.WARNING, "avatar_exp"):
        assert box_faults(photos) == []
    assert "no face is found in 1 of 2 photos, whose pixels all count alike: wide.png" in caplog.text


def test_photos_without_any_face_are_a_fault(photos):
    (photos[0].parent / "boxes.csv").write_text(HEADER + "tall.png,0,0,0,0\nwide.png,0,0,0,0\n")
    (fault,) = box_faults(photos)
    assert f"no face is found in any of the 2 photos in {photos[0].parent}" in fault
    assert "boxes.csv" in fault


def test_a_missing_detector_is_a_fault_where_boxes_do_not_say_all(photos, monkeypatch):
    cascade.cache_clear()
    monkeypatch.setitem(sys.modules, "cv2", None)
    (fault,) = box_faults(photos)
    assert fault.startswith("objective.face_weight: finding faces needs OpenCV 4")
    (photos[0].parent / "boxes.csv").write_text(HEADER + "tall.png,20,60,70,110\nwide.png,60,10,130,80\n")
    assert box_faults(photos) == []


def test_a_mirrored_box():
    assert mirrored_box(torch.tensor([0.1, 0.2, 0.4, 0.8])).tolist() == pytest.approx([0.6, 0.2, 0.9, 0.8])
    left, top, right, bottom = mirrored_box(NO_FACE)
    assert left == right
    assert top == bottom
