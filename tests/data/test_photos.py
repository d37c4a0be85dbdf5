"""From whatever a camera or a phone wrote to an upright RGB square."""

import contextlib
import os
import random
import warnings
from importlib.util import find_spec

import cv2
import numpy as np
import pillow_heif
import pytest
import torch
from PIL import ExifTags, Image

from avatar_exp.data import photos
from avatar_exp.data.photos import (
    FORMATS,
    SUFFIXES,
    UnreadableError,
    crop_square,
    formats,
    open_photo,
    passed_over,
    photo_files,
    square_of,
    to_image,
    to_tensor,
)

CORNERS = {(0, 0): (250, 10, 10), (1, 0): (10, 250, 10), (0, 1): (10, 10, 250), (1, 1): (240, 240, 20)}
# How a camera held like this stores an upright picture: the inverse of what the viewer has to do (EXIF 2.32, table 6).
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def upright(size=(96, 64)):
    """A wide picture with a colour in each corner."""
    image = Image.new("RGB", size, (128, 128, 128))
    for (x, y), colour in CORNERS.items():
        left, top = x * (size[0] - 24), y * (size[1] - 24)
        image.paste(colour, (left, top, left + 24, top + 24))
    return image


def corners(image):
    return {(x, y): image.getpixel((12 + x * (image.width - 24), 12 + y * (image.height - 24))) for x, y in CORNERS}


def assert_close(image, wanted, tolerance):
    assert image.mode == "RGB"
    for corner, colour in corners(image).items():
        assert np.abs(np.subtract(colour, wanted[corner])).max() <= tolerance


@pytest.mark.parametrize(
    ("orientation", "suffix"),
    [*((n, "jpg") for n in STORED), *((n, s) for n in (6, 7) for s in ("png", "webp", "tiff", "avif"))],
)
def test_exif_orientation_is_honoured(tmp_path, orientation, suffix):
    image, turn = upright(), STORED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"exif": exif} if suffix == "tiff" else {"exif": exif, "quality": 95}
    (image.transpose(turn) if turn is not None else image).save(tmp_path / f"a.{suffix}", **options)
    opened = open_photo(tmp_path / f"a.{suffix}")
    assert opened.size == (96, 64)
    assert_close(opened, CORNERS, 12)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("RGB", "png"),
        ("RGBA", "png"),
        ("P", "png"),
        ("P", "gif"),
        ("CMYK", "tiff"),
        ("CMYK", "jpg"),
        ("RGB", "bmp"),
        ("RGB", "avif"),
        ("RGB", "jp2"),
    ],
)
def test_modes_become_rgb(tmp_path, mode, suffix):
    file = tmp_path / f"a.{suffix}"
    upright().convert(mode, palette=Image.Palette.ADAPTIVE).save(
        file, **({"quality": 95} if suffix in ("jpg", "avif") else {})
    )
    assert_close(open_photo(file), CORNERS, 30 if suffix in ("jpg", "gif", "avif") or mode == "P" else 1)


def grey_corners():
    return {corner: (round(0.299 * r + 0.587 * g + 0.114 * b),) * 3 for corner, (r, g, b) in CORNERS.items()}


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_becomes_rgb(tmp_path, mode):
    upright().convert(mode).save(tmp_path / "a.png")
    assert_close(open_photo(tmp_path / "a.png"), grey_corners(), 1)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("brightness", [1.0, 0.25])
def test_sixteen_bits_become_eight_without_changing_the_light(tmp_path, suffix, brightness):
    levels = (np.asarray(upright().convert("L"), dtype=np.float64) * 257 * brightness).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / f"a.{suffix}")
    wanted = {corner: tuple(brightness * level for level in colour) for corner, colour in grey_corners().items()}
    assert_close(open_photo(tmp_path / f"a.{suffix}"), wanted, 2)


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_transparency_is_laid_on_white(tmp_path, alpha):
    Image.new("RGBA", (8, 8), (0, 100, 200, alpha)).save(tmp_path / "a.png")
    over = tuple(round(255 + (level - 255) * alpha / 255) for level in (0, 100, 200))
    assert open_photo(tmp_path / "a.png").getpixel((4, 4)) == pytest.approx(over, abs=1)


def test_a_transparent_palette_colour_is_white(tmp_path):
    image = Image.new("P", (8, 8), 0)
    image.putpalette([0, 0, 0, 200, 0, 0])
    image.putpixel((1, 1), 1)
    image.save(tmp_path / "a.png", transparency=0)
    opened = open_photo(tmp_path / "a.png")
    assert (opened.getpixel((0, 0)), opened.getpixel((1, 1))) == ((255, 255, 255), (200, 0, 0))


def test_files_are_sorted_and_what_is_no_photo_is_left_out(tmp_path):
    no_photos = [".hidden.png", "notes.txt", "a.txt", ".DS_Store", "intake.json", "c.mov", "d.pdf", "e.eps", "f.h5"]
    for name in ["b.png", "a.JPG", "c.webp", "c.HEIC", "d.avif", *no_photos]:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.d").mkdir()
    assert [file.name for file in photo_files(tmp_path)] == ["a.JPG", "b.png", "c.HEIC", "c.webp", "d.avif"]


def test_a_folder_named_like_a_picture_is_no_photo(tmp_path):
    (tmp_path / "old.png").mkdir()
    (tmp_path / "a.png").write_bytes(b"x")
    assert [file.name for file in photo_files(tmp_path)] == ["a.png"]


def sideways_heic(file, image):
    """As a phone writes it: stored lying, with the turn beside it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored = pillow_heif.from_pillow(image.transpose(STORED[6]))
    stored.info["exif"] = exif.tobytes()
    stored.save(file, quality=95)


@pytest.mark.parametrize("name", ["a.heic", "a.HEIF", "renamed.jpg"])
def test_heic_is_read_upright_also_under_another_name(tmp_path, name):
    sideways_heic(tmp_path / "a.heic", upright())
    (tmp_path / "a.heic").rename(tmp_path / name)
    opened = open_photo(tmp_path / name)
    assert opened.size == (96, 64)
    assert_close(opened, CORNERS, 25)


def test_an_animations_first_frame_is_read(tmp_path):
    for suffix in ("gif", "webp", "png", "avif"):
        file = tmp_path / f"a.{suffix}"
        upright().save(file, save_all=True, append_images=[Image.new("RGB", (96, 64))], duration=100)
        assert_close(open_photo(file), CORNERS, 40)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits_of_each_colour_become_eight(tmp_path, suffix):
    levels = np.random.default_rng(0).integers(0, 65536, (16, 24, 3), dtype=np.uint16)
    assert cv2.imwrite(str(tmp_path / f"a.{suffix}"), levels[:, :, ::-1])  # OpenCV has blue first
    opened = np.asarray(open_photo(tmp_path / f"a.{suffix}"), dtype=np.float64)
    assert np.abs(opened - levels / 257).max() <= 1


def test_nothing_but_pixels_comes_back(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "aPhone"
    upright().save(tmp_path / "a.jpg", exif=exif, icc_profile=b"x", comment="at home")
    assert open_photo(tmp_path / "a.jpg").info == {}
    assert not open_photo(tmp_path / "a.jpg").getexif()


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(tmp_path, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    upright().save(tmp_path / "a.png", exif=exif)
    assert_close(open_photo(tmp_path / "a.png"), CORNERS, 0)


def test_a_broken_exif_is_no_reason_to_refuse_a_photo(tmp_path):
    for broken in (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0rubbish"):
        upright().save(tmp_path / "a.jpg", exif=broken, quality=95)
        assert_close(open_photo(tmp_path / "a.jpg"), CORNERS, 12)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_photo_may_come_smaller_where_that_is_enough(tmp_path, suffix):
    upright((960, 640)).resize((1920, 1280)).save(tmp_path / f"a.{suffix}")
    small = open_photo(tmp_path / f"a.{suffix}", least=300)
    assert small.size == ((480, 320) if suffix == "jpg" else (1920, 1280))
    assert 1920 * small.height == 1280 * small.width


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jpg", None, "there is no such file"),
        ("a.jpg", b"", "it is empty"),
        ("a.jpg", b"this is a text", "it is no picture"),
        ("a.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is no picture"),  # Pillow would run it
        ("a.mov", b"\0\0\0\x14ftypqt  ", "it is no picture"),
        ("a.heic", b"\0\0\0\x18ftypheic" + bytes(40), "it is damaged"),
    ],
)
def test_it_is_said_why_a_file_cannot_be_read(tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableError, match=says):
        open_photo(tmp_path / name)


def test_a_photo_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    """As for somebody whose file it is not; root may read everything, so opening is forbidden here."""
    file = tmp_path / "a.png"
    upright().save(file)

    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr("builtins.open", forbidden)
    monkeypatch.setattr("io.open", forbidden)
    with pytest.raises(UnreadableError, match=r"^it cannot be opened: Permission denied$"):
        open_photo(file)


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file that can be opened and not read")
def test_a_photo_that_the_disk_does_not_give_is_refused(tmp_path):
    (tmp_path / "a.png").symlink_to("/proc/self/mem")
    with pytest.raises(UnreadableError, match=r"^it cannot be opened: Input/output error$"):
        open_photo(tmp_path / "a.png")


def test_what_is_no_file_is_not_even_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")  # opening it would wait for ever
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "film.nef").mkdir()
    (tmp_path / "broken.JPG").symlink_to("gone.jpg")
    (tmp_path / "loop.webp").symlink_to("loop.webp")
    (tmp_path / "folder").mkdir()
    upright().save(tmp_path / "real.png")
    (tmp_path / "link.png").symlink_to("real.png")
    assert [file.name for file in photo_files(tmp_path)] == ["link.png", "real.png"]
    assert {file.name: why for file, why in passed_over(tmp_path).items()} == {
        "pipe.jpg": "it is a pipe", "folder.png": "it is a folder", "film.nef": "it is a folder",
        "broken.JPG": "it is a link to gone.jpg, which is not there",
        "loop.webp": "it is a link that leads back to itself",
    }  # fmt: skip
    for file, why in passed_over(tmp_path).items():
        with pytest.raises(UnreadableError, match=rf"^{why}$"):
            open_photo(file)


def test_a_picture_that_is_far_too_large_is_refused(tmp_path, monkeypatch):
    upright().save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnreadableError, match="it is too large: Image size"):
        open_photo(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff", "gif", "avif", "heic"])
def test_a_broken_file_is_read_or_refused_and_nothing_else(tmp_path, suffix):
    dice = random.Random(suffix)
    (sideways_heic if suffix == "heic" else Image.Image.save)(
        *((tmp_path / "a.heic", upright()) if suffix == "heic" else (upright(), tmp_path / f"a.{suffix}"))
    )
    whole, file, read = (tmp_path / f"a.{suffix}").read_bytes(), tmp_path / f"b.{suffix}", 0
    for _ in range(60):
        broken = bytearray(whole)
        for _ in range(dice.choice((1, 3, 30))):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        file.write_bytes(broken[: dice.choice((None, dice.randrange(len(broken))))])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(UnreadableError):
                read += open_photo(file).mode == "RGB"
    assert read < 60


@pytest.fixture
def without_heif(monkeypatch):
    """As where pillow-heif is not installed."""
    formats()
    monkeypatch.setattr(photos, "SUFFIXES", SUFFIXES - {".heic", ".heif", ".hif"})
    monkeypatch.setattr(photos, "formats", lambda: tuple(kind for kind in FORMATS if kind != "HEIF"))


@pytest.mark.usefixtures("without_heif")
def test_without_pillow_heif_it_is_said_what_to_install(tmp_path):
    sideways_heic(tmp_path / "a.heic", upright())
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.heic").read_bytes())
    (tmp_path / "c.nef").write_bytes(b"x")
    (tmp_path / "d.avif").write_bytes(b"x")
    assert [file.name for file in photo_files(tmp_path)] == ["b.jpg", "d.avif"]
    cures = {file.name: cure for file, cure in passed_over(tmp_path).items()}
    assert set(cures) == {"a.heic", "c.nef"}
    assert "pip install 'pillow-heif>=1' (extra [photos])" in cures["a.heic"]
    assert "export it as JPEG" in cures["c.nef"]
    with pytest.raises(UnreadableError, match="pip install 'pillow-heif>=1'"):
        open_photo(tmp_path / "b.jpg")


def test_with_pillow_heif_nothing_is_passed_over_but_raw(tmp_path):
    assert find_spec("pillow_heif")
    for name in ("a.heic", "b.HEIF", "c.dng", "d.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [file.name for file in passed_over(tmp_path)] == ["c.dng"]


def test_the_largest_square_lies_in_the_picture():
    assert square_of((90, 30)) == (30, 0, 60, 30)
    assert square_of((30, 90)) == (0, 21, 30, 51)
    assert square_of((30, 90), bias=0.5) == (0, 30, 30, 60)


@pytest.mark.parametrize(("size", "box"), [((90, 30), (30, 0)), ((30, 90), (0, 21)), ((40, 40), (0, 0))])
def test_the_square_is_upper_centre(size, box):
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    image = Image.fromarray(np.stack([columns, rows, rows * 0], axis=-1).astype(np.uint8))
    square = crop_square(image, min(size))
    assert square.size == (min(size),) * 2
    assert square.getpixel((0, 0))[:2] == box


@pytest.mark.parametrize("size", [16, 64, 100])
def test_the_square_is_resized(size):
    square = crop_square(upright((128, 128)), size)
    assert square.size == (size, size)
    assert_close(square.resize((128, 128)), CORNERS, 12)


def test_pixels_and_pictures_are_each_others_inverse():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8))
    pixels = to_tensor(image)
    assert pixels.shape == (3, 5, 7)
    assert (pixels.min() >= -1, pixels.max() <= 1) == (True, True)
    assert pixels[:, 2, 3].tolist() == pytest.approx([level / 127.5 - 1 for level in image.getpixel((3, 2))], abs=1e-6)
    assert to_image(pixels).tobytes() == image.tobytes()


def test_values_outside_the_range_are_clipped():
    assert to_image(torch.tensor([-3.0, 0.0, 3.0]).reshape(3, 1, 1)).getpixel((0, 0)) == (0, 128, 255)
