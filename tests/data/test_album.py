"""A folder as it came: what is seen in a photo, which square is taken, and what becomes of every file."""

import os
import random
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from avatar_exp.data.album import (
    NO_FACE,
    THUMBNAIL,
    album,
    apart,
    faces_in,
    files_of,
    folders_in,
    left_out,
    look,
    thumbnail,
    within,
)
from avatar_exp.data.boxes import BoxError
from avatar_exp.data.intake import measure
from avatar_exp.errors import UserError
from avatar_exp.tiny import world

PERSON = world.identity(91)  # whose face OpenCV's cascade is sure of in this scene
SCENE = world.scene(6, hat="none", style="photo")


def portrait(size):
    return world.portrait(PERSON, SCENE, size)


def in_a_field(size, at, portrait_size):
    image = Image.new("RGB", size, (90, 110, 120))
    image.paste(portrait(portrait_size), at)
    return image


def coordinates(size):
    """A picture whose red and green are the column and the row of each pixel."""
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    return Image.fromarray(np.stack([columns, rows, rows * 0], axis=-1).astype(np.uint8))


def test_every_file_is_there_but_what_belongs_to_photos_and_what_is_hidden(tmp_path):
    for name in ("b.jpg", "a.png", "film.mov", "letter.docx", "no_suffix", "a.txt", "boxes.csv", "notes.md", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    assert [file.name for file in files_of(tmp_path)] == ["a.png", "b.jpg"]
    assert [file.name for file in left_out(tmp_path)] == ["film.mov", "letter.docx", "no_suffix"]


def test_a_picture_that_is_not_called_one_is_told_from_what_is_none(tmp_path):
    portrait(100).save(tmp_path / "IMG_0001", "JPEG")
    portrait(100).save(tmp_path / "a.bak", "PNG")
    (tmp_path / "IMG_0001.AAE").write_text("<plist/>")
    (tmp_path / "IMG_0001.MOV").write_bytes(b"\0\0\0\x14ftypqt  a film")
    (tmp_path / "raw.DNG").write_bytes(b"raw")
    assert [file.name for file in left_out(tmp_path)] == ["IMG_0001.AAE", "IMG_0001.MOV"]
    assert {name: reason for name, (reason, _) in said(album(files_of(tmp_path), 64, {})).items()} == {
        "IMG_0001": "cannot be read: it is a picture (JPEG) and not called one; name it IMG_0001.jpeg",
        "a.bak": "cannot be read: it is a picture (PNG) and not called one; name it a.png",
        "raw.DNG": "cannot be read: raw; export it as JPEG or PNG",
    }


def test_the_square_is_around_the_face():
    seen = look(in_a_field((1600, 1200), (900, 500), 600), 256, find=True)
    assert seen.size == (1600, 1200)
    truth = np.array(world.face_box(PERSON, SCENE)) * 600 + (900, 500, 900, 500)
    (face,) = seen.faces
    left, top, right, bottom = seen.square
    assert right - left == bottom - top == round((face[2] - face[0]) / 0.4)
    assert left < truth[0] < truth[2] < right
    assert top < truth[1] < truth[3] < bottom
    assert abs((truth[0] + truth[2]) / 2 - (left + right) / 2) < 0.06 * (right - left)
    assert seen.crop.size == (256, 256)


def test_a_square_near_the_edge_stays_inside():
    seen = look(in_a_field((1200, 700), (600, 100), 600), 512, find=True)
    assert seen.square[2] <= 1200
    assert seen.square[3] <= 700
    assert seen.square[2] - seen.square[0] == seen.square[3] - seen.square[1] == 700  # 2.5 faces are not there


def test_a_small_face_does_not_make_a_small_square():
    image = in_a_field((1600, 1200), (900, 500), 300)
    wide, narrow = look(image, 800, find=True), look(image, 64, find=True)
    assert wide.square[2] - wide.square[0] == 800
    assert narrow.square[2] - narrow.square[0] == round((narrow.faces[0][2] - narrow.faces[0][0]) / 0.4) < 800
    assert wide.crop.size == (800, 800)


def test_what_is_larger_is_made_smaller_by_lanczos_and_what_is_smaller_stays():
    image = portrait(500)
    small, large = look(image, 128, find=False), look(image, 800, find=False)
    assert small.crop.tobytes() == image.resize((128, 128), Image.Resampling.LANCZOS).tobytes()
    assert large.crop.tobytes() == image.tobytes()
    assert (small.measures.side, large.measures.side) == (500, 500)


def test_without_a_face_the_square_is_upper_centre():
    assert look(coordinates((90, 30)), 16, find=True).square == (30, 0, 60, 30)
    assert look(coordinates((30, 90)), 16, find=True).square == (0, 21, 30, 51)
    assert look(coordinates((30, 90)), 16, find=True).faces == ()
    assert look(coordinates((30, 90)), 16, find=False).faces is None


def test_a_box_that_is_given_is_the_face():
    image = coordinates((200, 150))
    seen = look(image, 100, find=True, known=(100, 60, 140, 100))
    assert (seen.faces, seen.square) == (((100, 60, 140, 100),), (70, 35, 170, 135))  # 40 / 0.4; 80 - 0.45 * 100
    assert seen.crop.getpixel((0, 0))[:2] == (70, 35)
    assert seen.face == (30, 25, 70, 65)
    assert look(portrait(256), 64, find=True, known=NO_FACE).faces == ()


def test_a_box_that_is_given_is_cut_at_the_edges_and_refused_far_beyond_them():
    assert faces_in(coordinates((200, 150)), (-5, -5, 20, 20), find=False) == ((0, 0, 20, 20),)
    with pytest.raises(BoxError, match=r"10,10,400,300 is no box in a picture of 200x150"):
        faces_in(coordinates((200, 150)), (10, 10, 400, 300), find=False)


def test_another_face_is_left_out_of_the_square_or_it_is_said(tmp_path):
    beside = Image.new("RGB", (1100, 800), (90, 110, 120))
    beside.paste(portrait(375), (0, 200))
    beside.paste(portrait(725), (375, 40))
    (entry,) = album(folder_of(tmp_path, a=beside), 512, {})
    first, other = entry.seen.faces
    assert first[0] > 375 > other[2] - 5
    assert entry.seen.square[0] >= other[2]
    assert entry.verdict.warnings == ("2 faces: the square is around the largest",)
    (entry,) = album(files_of(tmp_path), 800, {})  # so large a square is wanted that the other is in it
    assert entry.seen.square[0] < other[2]
    assert entry.verdict.warnings == (
        "2 faces: the square is around the largest, and another face is inside it: leave the photo out (drop=a.png), "
        "or say in boxes.csv where the subject's is",
    )


def test_a_nose_is_no_second_face():
    faces = [(100, 100, 300, 300), (180, 190, 220, 230), (310, 100, 400, 190)]
    assert apart(faces) == [faces[0], faces[2]]


def test_boxes_in_pixels_of_the_square():
    assert within((10, 20, 30, 40), (10, 20, 50, 60), 40) == (0, 0, 20, 20)
    assert within((10, 20, 30, 40), (10, 20, 50, 60), 20) == (0, 0, 10, 10)
    assert within((0, 0, 100, 100), (10, 20, 50, 60), 20) == (0, 0, 20, 20)
    dice = random.Random(0)
    for _ in range(100):
        x, y, side, shown = dice.randint(0, 50), dice.randint(0, 50), dice.randint(40, 500), dice.randint(30, 600)
        box = (x + 5, y + 9, x + 25, y + 39)
        wanted = [(edge - origin) * shown / side for edge, origin in zip(box, (x, y, x, y), strict=True)]
        assert within(box, (x, y, x + side, y + side), shown) == pytest.approx(wanted, abs=0.51)


@pytest.mark.parametrize(("size", "wanted"), [((1600, 400), (320, 80)), ((30, 60), (30, 60)), ((5000, 2), (320, 1))])
def test_thumbnails_keep_their_shape(size, wanted):
    assert max(wanted) <= THUMBNAIL
    assert thumbnail(Image.new("RGB", size)).size == wanted


def folder_of(tmp_path, **pictures):
    for name, picture in pictures.items():
        picture.save(tmp_path / f"{name}.png")
    return files_of(tmp_path)


def said(entries):
    return {entry.file.name: (entry.verdict.refused, entry.verdict.warnings) for entry in entries}


def test_what_is_said_of_faces(tmp_path):
    two = Image.new("RGB", (1100, 700), (90, 110, 120))
    two.paste(portrait(400), (20, 100))
    two.paste(portrait(600), (450, 50))
    nobody = portrait(600).rotate(180)
    files = folder_of(tmp_path, one=portrait(600), two=two, nobody=nobody)
    assert said(album(files, 256, {})) == {
        "nobody.png": (None, ("no face found: the square is upper-centre",)),
        "one.png": (None, ()),
        "two.png": (None, ("2 faces: the square is around the largest",)),
    }
    known = {"two.png": (60, 150, 300, 390), "nobody.png": NO_FACE}
    assert {warnings for _, warnings in said(album(files, 256, known)).values()} == {()}
    assert {warnings for _, warnings in said(album(files, 256, {}, find=False)).values()} == {()}


def test_where_no_photo_has_a_face_it_is_not_said_of_each(tmp_path):
    files = folder_of(tmp_path, a=portrait(400).rotate(180), b=world.portrait(PERSON, SCENE, 400).rotate(90))
    assert {warnings for _, warnings in said(album(files, 256, {})).values()} == {()}


def test_files_that_cannot_be_read_have_their_reason(tmp_path):
    files = folder_of(tmp_path, a=portrait(400))
    for name, content in {"b.jpg": b"text", "e.nef": b"raw"}.items():
        (tmp_path / name).write_bytes(content)
    entries = album(files_of(tmp_path), 256, {})
    assert [entry.seen is None for entry in entries] == [False, True, True]
    assert [reason for reason, _ in said(entries).values()] == [
        None,
        "cannot be read: it is no picture, or its beginning is lost",
        "cannot be read: raw; export it as JPEG or PNG",
    ]
    assert files == [tmp_path / "a.png"]


def test_what_is_only_named_like_a_photo_is_refused_with_its_reason(tmp_path):
    folder_of(tmp_path, a=portrait(400))
    for name in ("b.jpg", "c.nef", "folder"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "d.png")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "e.jpg").symlink_to("gone.jpg")
    (tmp_path / "e.txt").symlink_to("gone.txt")
    (tmp_path / "f.jpg").symlink_to("f.jpg")
    for name in ("Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"x")
    found = said(album(files_of(tmp_path), 256, {}))
    assert {name: reason for name, (reason, _) in found.items()} == {
        "a.png": None, "b.jpg": "cannot be read: it is a folder", "c.nef": "cannot be read: it is a folder",
        "d.png": "cannot be read: it is a pipe",
        "e.jpg": "cannot be read: it is a link to gone.jpg, which is not there",
        "f.jpg": "cannot be read: it is a link that leads back to itself",
    }  # fmt: skip


def test_what_is_kept_is_taken_without_a_word_if_it_can_be_read(tmp_path):
    folder_of(tmp_path, a=portrait(400), small=portrait(100))
    (tmp_path / "b.jpg").write_bytes(b"text")
    files = files_of(tmp_path)
    assert said(album(files, 512, {}))["small.png"][0].startswith("too small")
    kept = said(album(files, 512, {}, keep=["small.png", "a.png", "b.jpg"]))
    assert kept["small.png"] == kept["a.png"] == (None, ())
    unread = "cannot be read: it is no picture, or its beginning is lost"
    assert kept["b.jpg"][0] == f"{unread}; keep cannot change that"
    assert said(album(files, 512, {}, keep=["a.png"]))["b.jpg"][0] == unread


def test_names_are_met_however_their_accents_are_written(tmp_path):
    """As macOS writes them, and as they are typed."""
    typed = unicodedata.normalize("NFC", "Ảnh đẹp.png")
    portrait(100).save(tmp_path / unicodedata.normalize("NFD", typed))
    files = files_of(tmp_path)
    assert files[0].name != typed
    (kept,) = album(files, 512, {typed: (10, 10, 50, 50)}, find=False, keep=[typed])
    assert (kept.verdict.refused, kept.seen.faces) == (None, ((10, 10, 50, 50),))


def test_folders_within_are_those_that_are_not_named_like_a_photo(tmp_path):
    for name in ("100APPLE", "a.jpg", ".hidden", "__MACOSX", "b.txt"):
        (tmp_path / name).mkdir()
    (tmp_path / "c.mov").write_bytes(b"x")
    (tmp_path / "link").symlink_to("100APPLE")
    assert [folder.name for folder in folders_in(tmp_path)] == ["100APPLE", "b.txt", "link"]


def test_the_head_is_measured_where_a_face_is_known(tmp_path):
    image = in_a_field((1200, 900), (500, 200), 500)
    (entry,) = album(folder_of(tmp_path, a=image), 256, {})
    one = entry.seen
    assert one.measures == measure(one.crop, one.measures.side, one.face, image, 1200 * 900)
    assert entry.seen.measures.light != measure(entry.seen.crop, 1).light


def test_progress_is_told_and_every_wrong_box_is_named(tmp_path):
    files, told = folder_of(tmp_path, a=portrait(100), b=portrait(100)), []
    album(files, 64, {}, find=False, tick=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    with pytest.raises(UserError, match=r"(?s)a\.png: 5,5,2,2 is no box.*b\.png: 200,0,300,9 is no box"):
        album(files, 64, {"a.png": (5, 5, 2, 2), "b.png": (200, 0, 300, 9)}, find=False)


def test_a_file_that_is_not_there_is_refused():
    (entry,) = album([Path("nowhere.png")], 64, {})
    assert entry.verdict.refused == "cannot be read: there is no such file"


def test_of_a_photo_and_what_a_messenger_made_of_it_the_photo_stays(tmp_path):
    """The blocks of a JPEG make the copy the sharper of the two."""
    image = portrait(600)
    image.save(tmp_path / "IMG_0001.jpg", quality=92)
    image.save(tmp_path / "IMG_0001 (1).jpg", quality=70)
    found = said(album(files_of(tmp_path), 512, {}, find=False))
    assert {name: reason for name, (reason, _) in found.items()} == {
        "IMG_0001.jpg": None,
        "IMG_0001 (1).jpg": "nearly the same as IMG_0001.jpg, which has more bytes for each pixel",
    }


@pytest.mark.parametrize("find", [True, False])
def test_a_frame_of_a_burst_and_a_mirrored_selfie_are_copies(tmp_path, find):
    image = portrait(800).crop((100, 0, 700, 800))
    image.save(tmp_path / "a.jpg", quality=92)
    image.crop((36, 48, 564, 752)).save(tmp_path / "burst.jpg", quality=92)
    ImageOps.mirror(image).resize((540, 720)).save(tmp_path / "selfie.jpg", quality=92)
    found = said(album(files_of(tmp_path), 512, {}, find=find))
    assert {name: reason for name, (reason, _) in found.items()} == {
        "a.jpg": None,
        "burst.jpg": "nearly the same as a.jpg, which is larger",
        "selfie.jpg": "mirrored, nearly the same as a.jpg, which is larger",
    }


def test_in_one_place_two_small_people_are_two_photos(tmp_path):
    """What is around them is the same, and not what is trained on."""
    place = Image.effect_noise((40, 30), 90).resize((1600, 1200)).convert("RGB")
    for number, (picture, _, _) in enumerate(world.album(91, 2, 300)):
        photo = place.copy()
        photo.paste(picture, (700, 400))
        photo.save(tmp_path / f"{number}.png")
    boxes = {f"{number}.png": (800, 500, 900, 600) for number in range(2)}
    found = said(album(files_of(tmp_path), 128, boxes))
    assert {reason for reason, _ in found.values()} == {None}
