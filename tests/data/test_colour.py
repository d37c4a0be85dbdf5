"""Colours against the arithmetic of their standards: profiles written here byte by byte, 16 bits, transparency."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from avatar_exp.data.colour import to_srgb

D50 = np.array([0.9642, 1.0, 0.8249])
D65 = np.array([0.95047, 1.0, 1.08883])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
PRIMARIES = {  # x and y of red, green and blue
    "sRGB": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    "Adobe RGB (1998)": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
    "Display P3": ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
}
GAMMA = 563 / 256  # 2.2 in a profile's eight bits of fraction


def to_xyz(space):
    """[3, 3]: linear colours of the space to XYZ under D50, as profiles have it (Lindbloom; Bradford's adaptation)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in PRIMARIES[space]]).T
    matrix = columns * np.linalg.solve(columns, D65)
    scale = np.diag((BRADFORD @ D50) / (BRADFORD @ D65))
    return np.linalg.inv(BRADFORD) @ scale @ BRADFORD @ matrix


def fixed(number):
    """An s15Fixed16Number (ICC.1:2010, 4.6)."""
    return struct.pack(">i", round(number * 65536))


def profile(space, kind=b"RGB ", name=None):
    """A version 2 display profile: matrix and gamma, or gamma alone for grey."""
    title = (name or space).encode() + b"\0"
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(GAMMA * 256))
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(title)) + title + bytes(78),
        b"wtpt": b"XYZ " + bytes(4) + b"".join(map(fixed, D50)),
        b"cprt": b"text" + bytes(4) + b"none\0",
    }
    if kind == b"RGB ":
        for letter, column in zip((b"r", b"g", b"b"), to_xyz(space).T, strict=True):
            tags |= {letter + b"XYZ": b"XYZ " + bytes(4) + b"".join(map(fixed, column)), letter + b"TRC": curve}
    else:
        tags[b"kTRC"] = curve
    table, data, at = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for tag, content in tags.items():
        content += bytes(-len(content) % 4)
        table += tag + struct.pack(">II", at + len(data), len(content))
        data += content
    header = bytearray(128)
    header[8:12] = b"\x02\x20\0\0"
    header[12:24] = b"mntr" + kind + b"XYZ "
    header[36:40] = b"acsp"
    header[68:80] = b"".join(map(fixed, D50))
    whole = bytes(header) + table + data
    return struct.pack(">I", len(whole)) + whole[4:]


def srgb_of(levels, space):
    """What these 8-bit levels of the space are in sRGB (IEC 61966-2-1), clipped."""
    linear = np.linalg.inv(to_xyz("sRGB")) @ to_xyz(space) @ (levels.reshape(-1, 3).T / 255) ** GAMMA
    linear = linear.clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (encoded.T * 255).reshape(levels.shape)


def saved(tmp_path, image, suffix="png", **options):
    image.save(tmp_path / f"a.{suffix}", **options)
    opened = Image.open(tmp_path / f"a.{suffix}")
    opened.load()
    return opened


def muted(seed=0, size=(16, 24)):
    """Colours that every space has, so that nothing is clipped."""
    return np.random.default_rng(seed).integers(70, 180, (*size, 3)).astype(np.uint8)


@pytest.mark.parametrize("space", ["Adobe RGB (1998)", "Display P3"])
def test_a_profiles_colours_are_what_the_standards_say(tmp_path, space):
    levels = muted()
    converted = to_srgb(saved(tmp_path, Image.fromarray(levels), icc_profile=profile(space)))
    wanted = srgb_of(levels.astype(np.float64), space)
    assert np.abs(np.asarray(converted) - wanted).max() < 1.6  # littleCMS reckons with 16 bits and rounds
    assert np.abs(levels - wanted).max() > 8  # and it is not nothing


@pytest.mark.parametrize("suffix", ["jpg", "tiff", "webp"])
def test_profiles_of_every_format_count(tmp_path, suffix):
    image = Image.new("RGB", (16, 16), (90, 170, 100))
    converted = to_srgb(saved(tmp_path, image, suffix, icc_profile=profile("Adobe RGB (1998)"), quality=95))
    wanted = srgb_of(np.array([[[90.0, 170.0, 100.0]]]), "Adobe RGB (1998)")
    assert np.abs(np.subtract(converted.getpixel((8, 8)), wanted)).max() < 5


def test_a_profile_of_srgb_changes_nothing(tmp_path):
    levels = muted()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(np.asarray(to_srgb(saved(tmp_path, Image.fromarray(levels), icc_profile=srgb))), levels)


def test_a_grey_profile_is_of_grey_pictures(tmp_path):
    grey = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    converted = np.asarray(to_srgb(saved(tmp_path, grey, icc_profile=profile("sRGB", b"GRAY", "Gray"))))
    wanted = srgb_of(np.arange(256.0).reshape(16, 16, 1).repeat(3, axis=2), "sRGB")
    assert np.abs(converted - wanted).max() < 2


@pytest.mark.parametrize("mode", ["P", "L"])
def test_a_colour_profile_counts_for_palettes_and_grey(tmp_path, mode):
    image = Image.fromarray(muted()).convert(mode)
    converted = np.asarray(to_srgb(saved(tmp_path, image, icc_profile=profile("Display P3"))))
    wanted = srgb_of(np.asarray(image.convert("RGB"), dtype=np.float64), "Display P3")
    assert np.abs(converted - wanted).max() < 2


@pytest.mark.parametrize(
    ("mode", "icc"),
    [
        ("RGB", b"no profile"),
        ("RGB", profile("Display P3")[:200]),
        ("RGB", bytes(600)),
        ("RGB", profile("sRGB", b"GRAY", "Gray")),
        ("CMYK", profile("Display P3")),
        ("RGB", b""),
    ],
)
def test_a_broken_or_foreign_profile_is_passed_over(mode, icc):
    image = Image.fromarray(muted()).convert(mode)
    image.info["icc_profile"] = icc
    assert np.array_equal(np.asarray(to_srgb(image)), np.asarray(image.convert("RGB")))


def test_transparency_is_on_white_after_the_profile(tmp_path):
    levels, alpha = muted(), np.random.default_rng(1).integers(0, 256, (16, 24), dtype=np.uint8)
    image = Image.fromarray(levels)
    image.putalpha(Image.fromarray(alpha))
    converted = np.asarray(to_srgb(saved(tmp_path, image, icc_profile=profile("Display P3"))))
    share = alpha[:, :, None] / 255
    wanted = share * srgb_of(levels.astype(np.float64), "Display P3") + (1 - share) * 255
    assert np.abs(converted - wanted).max() < 2.5


def test_a_palette_with_many_degrees_of_transparency_is_on_white(tmp_path):
    image = Image.new("P", (3, 1))
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    image.putdata([0, 1, 2])
    opened = saved(tmp_path, image, transparency=bytes([0, 128, 255]))
    assert [to_srgb(opened).getpixel((x, 0)) for x in range(3)] == [(255, 255, 255), (127, 227, 127), (0, 0, 200)]


def test_grey_with_transparency_is_on_white():
    image = Image.merge("LA", [Image.new("L", (2, 2), 100), Image.new("L", (2, 2), 51)])
    assert to_srgb(image).getpixel((0, 0)) == (224, 224, 224)  # 255 - 155 / 5


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_many_bits_become_eight(mode):
    values = np.linspace(0, 65535, 64).reshape(8, 8)
    image = Image.fromarray({"I;16": values.astype(np.uint16), "I": values.astype(np.int32)}.get(mode, values / 7))
    if mode == "F":
        image = Image.fromarray((values / 7).astype(np.float32))
    assert np.abs(np.asarray(to_srgb(image))[:, :, 0] - values / 257).max() <= 1


def test_lab_becomes_rgb():
    image = Image.fromarray(muted())
    assert np.abs(np.asarray(to_srgb(image.convert("LAB")), dtype=int) - muted()).max() < 8
