"""A folder of photos as a phone leaves it: a drawn person, sideways, in every format, and all that goes wrong."""

from pathlib import Path

import cv2
import numpy as np
import pillow_heif
from PIL import ExifTags, Image, ImageEnhance, ImageFilter

from avatar_exp.tiny import world

PERSON = world.identity(91)  # whose face OpenCV's cascade is sure of in the scenes below
SCENES = (3, 6, 10, 18, 25, 28, 41, 46, 62, 70, 86, 95, 114, 124)
HEIGHT, WIDTH = 800, 600
SIDEWAYS = 6  # EXIF: the camera was held upright and stored what it saw lying

# What is refused, and what is said of those that are taken; everything else must be taken without a word.
REFUSED = {
    "IMG_0011.jpg": "almost black: its bright parts have level",
    "IMG_0012.jpg": "blurred: sharpness",
    "IMG_0013.jpg": "nearly the same as IMG_0001.jpg",
    "IMG_0014.jpg": "too small: 180 pixels a side, 512 are wanted and at least 256 needed",
    "IMG_0015.jpg": "cannot be read: it is no picture, or its beginning is lost",
    "IMG_0016.jpg": "cannot be read: it is empty",
    "IMG_0017.jpg": "cannot be read: it is damaged: ",
}
SAID = {
    "IMG_0008.jpg": "2 faces: the square is around the largest",
    "IMG_0009.jpg": "no face found: the square is upper-centre",
    "IMG_0010.jpg": "400 pixels a side, less than 512",
}
PLAIN = (
    "IMG_0001.jpg", "IMG_0002.jpg", "IMG_0003.HEIC", "IMG_0004.jpg", "IMG_0005.png", "IMG_0006.tif", "IMG_0007.png",
    "Ảnh của Minh (1).webp", "wide.avif",
)  # fmt: skip


def portrait(number: int) -> Image.Image:
    """The person in one of SCENES, 600x800 pixels."""
    place = world.scene(SCENES[number], hat="none", style="photo")
    margin = (HEIGHT - WIDTH) // 2
    return world.portrait(PERSON, place, HEIGHT).crop((margin, 0, HEIGHT - margin, HEIGHT))


def exif(orientation: int = 1) -> Image.Exif:
    """What a phone writes: how it was held, what it is, and where it was."""
    made = Image.Exif()
    made[ExifTags.Base.Orientation] = orientation
    made[ExifTags.Base.Model] = "aPhone"
    made.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (21.0, 1.0, 42.0), 3: "E", 4: (105.0, 51.0, 12.0)})
    return made


def write_phone_folder(folder: Path) -> None:
    """Write the twenty files."""
    folder.mkdir(parents=True)
    write_formats(folder)
    write_what_goes_wrong(folder)
    (folder / "IMG_0002.txt").write_text("photo of {subject} on a stage")
    (folder / ".DS_Store").write_bytes(b"x")


def write_formats(folder: Path) -> None:
    """Photos with nothing wrong, each stored in another way."""
    portrait(0).save(folder / "IMG_0001.jpg", quality=92, exif=exif())
    portrait(1).transpose(Image.Transpose.ROTATE_90).save(folder / "IMG_0002.jpg", quality=92, exif=exif(SIDEWAYS))
    lying = pillow_heif.from_pillow(portrait(2).transpose(Image.Transpose.ROTATE_90))
    lying.info["exif"] = exif(SIDEWAYS).tobytes()
    lying.save(folder / "IMG_0003.HEIC", quality=90)
    portrait(3).convert("CMYK").save(folder / "IMG_0004.jpg", quality=92)
    grey = np.asarray(portrait(4).convert("L"), dtype=np.uint16) * 257
    cv2.imwrite(str(folder / "IMG_0005.png"), grey)
    cv2.imwrite(str(folder / "IMG_0006.tif"), np.asarray(portrait(5), dtype=np.uint16)[:, :, ::-1] * 257)
    indexed = portrait(6).quantize(255)
    indexed.save(folder / "IMG_0007.png", transparency=255)
    portrait(7).save(folder / "Ảnh của Minh (1).webp", quality=90, exif=exif())
    wide = Image.new("RGB", (1200, 900), (90, 110, 120))
    wide.paste(portrait(8).resize((300, 400), Image.Resampling.LANCZOS), (820, 380))
    wide.save(folder / "wide.avif", quality=85, exif=exif())


def write_what_goes_wrong(folder: Path) -> None:
    """Two people, nobody, small, dark, blurred, a copy, and files that are no photos."""
    two = Image.new("RGB", (1100, 800), (90, 110, 120))
    two.paste(portrait(9).resize((375, 500), Image.Resampling.LANCZOS), (50, 200))
    two.paste(portrait(10).resize((525, 700), Image.Resampling.LANCZOS), (500, 50))
    two.save(folder / "IMG_0008.jpg", quality=92)
    portrait(11).rotate(180).save(folder / "IMG_0009.jpg", quality=92)
    portrait(12).resize((400, 533), Image.Resampling.LANCZOS).save(folder / "IMG_0010.jpg", quality=92)
    ImageEnhance.Brightness(portrait(5)).enhance(0.12).save(folder / "IMG_0011.jpg", quality=92)
    portrait(13).filter(ImageFilter.GaussianBlur(8)).save(folder / "IMG_0012.jpg", quality=92)
    copy = ImageEnhance.Brightness(portrait(0)).enhance(0.9).resize((570, 760), Image.Resampling.LANCZOS)
    copy.save(folder / "IMG_0013.jpg", quality=60)
    portrait(5).resize((180, 240), Image.Resampling.LANCZOS).save(folder / "IMG_0014.jpg")
    (folder / "IMG_0015.jpg").write_text("this is a text")
    (folder / "IMG_0016.jpg").write_bytes(b"")
    (folder / "IMG_0017.jpg").write_bytes((folder / "IMG_0001.jpg").read_bytes()[:20000])
    (folder / "IMG_0018.mov").write_bytes(b"\0\0\0\x14ftypqt  a film")
