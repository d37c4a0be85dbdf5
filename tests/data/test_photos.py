"""From whatever a camera or a phone wrote to an upright RGB square."""

import numpy as np
import pytest
import torch
from PIL import Image

from avatar_exp.data.photos import crop_square, faults, open_photo, photo_files, to_image, to_tensor

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
    [*((n, "jpg") for n in STORED), *((n, s) for n in (6, 7) for s in ("png", "webp", "tiff"))],
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
    for name in ["b.png", "a.JPG", "c.webp", ".hidden.png", "notes.txt", "a.txt", ".DS_Store", "intake.json", "c.heic"]:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.d").mkdir()
    assert [file.name for file in photo_files(tmp_path)] == ["a.JPG", "b.png", "c.webp"]


def test_a_folder_named_like_a_picture_is_no_photo(tmp_path):
    (tmp_path / "old.png").mkdir()
    (tmp_path / "a.png").write_bytes(b"x")
    assert [file.name for file in photo_files(tmp_path)] == ["a.png"]


def test_every_broken_file_is_named(tmp_path):
    upright().save(tmp_path / "good.jpg", quality=95)
    whole = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.webp").write_bytes(b"")
    upright().save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:-60])
    found = faults(photo_files(tmp_path))
    assert [fault.split(":")[0].rpartition("/")[2] for fault in found] == [
        "cut.png",
        "empty.webp",
        "half.jpg",
        "text.png",
    ]


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
