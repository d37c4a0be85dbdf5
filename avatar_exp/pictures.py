"""Pictures as files and as sheets: PNG metadata, a grid of steps and prompts, a sheet of photos with their captions."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

ROW_TITLE = 12  # times the height of a letter: how wide the title of a row may be
INK, PAPER, FAINT = (30, 30, 34), (255, 255, 255), (110, 110, 118)
BAD, DOUBTFUL, GOOD = (186, 30, 40), (166, 92, 0), (24, 132, 84)
VEIL = 0.55  # of white over what is left out of a photo

Colour = tuple[int, int, int]
Shares = tuple[float, float, float, float]  # left, top, right, bottom in [0, 1] of a picture


def parameters(record: Mapping[str, Any]) -> str:
    """The settings of a sample as one text, in the form that other Stable Diffusion tools read from a PNG."""
    negative = f"\nNegative prompt: {record['negative_prompt']}" if record.get("negative_prompt") else ""
    return (
        f"{record['prompt']}{negative}\nSteps: {record['num_inference_steps']}, Sampler: {record['scheduler']}, "
        f"CFG scale: {record['guidance_scale']}, Seed: {record['seed']}, Size: {record['width']}x{record['height']}"
    )


def save_picture(image: Image.Image, path: Path, record: Mapping[str, Any]) -> None:
    """Write a PNG that carries what made it: ``parameters`` for other tools, ``avatar_exp`` as JSON."""
    info = PngInfo()
    info.add_itxt("parameters", parameters(record))
    info.add_itxt("avatar_exp", json.dumps(dict(record), ensure_ascii=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, pnginfo=info)


def open_picture(path: Path) -> Image.Image:
    """The pixels of a picture that was drawn here, as RGB."""
    with Image.open(path) as image:
        return image.convert("RGB")


def read_record(path: Path) -> dict[str, Any]:
    """What ``save_picture`` wrote beside the pixels; empty if the PNG has none."""
    with Image.open(path) as image:
        text = image.info.get("avatar_exp")
    record: dict[str, Any] = json.loads(text) if text else {}
    return record


def grid(
    rows: Sequence[Sequence[Image.Image]],
    row_titles: Sequence[str],
    column_titles: Sequence[str],
    cell: int = 160,
    gap: int = 6,
) -> Image.Image:
    """Rows of pictures with titles at the left and above; a short row leaves its last cells empty.

    Args:
        cell: pixels of one picture; 512-pixel samples are shown smaller, 128-pixel ones larger.
    """
    font = font_of(max(12, cell // 11))
    lines = [wrapped(title, font, cell) for title in column_titles]
    line_height = round(font.size * 1.3)
    top = gap * 2 + line_height * max((len(one) for one in lines), default=0)
    names = [wrapped(title, font, round(ROW_TITLE * font.size)) for title in row_titles]
    left = gap * 2 + round(max((font.getlength(line) for name in names for line in name), default=0))
    columns = max((len(row) for row in rows), default=0)
    sheet = Image.new("RGB", (left + columns * (cell + gap), top + len(rows) * (cell + gap)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, title in enumerate(lines):
        for number, line in enumerate(title):
            y = top - gap - line_height * (len(title) - number)
            pen.text((left + column * (cell + gap), y), line, INK, font)
    for number, (row, name) in enumerate(zip(rows, names, strict=True)):
        y = top + number * (cell + gap)
        for part, line in enumerate(name):
            pen.text((gap, y + cell // 2 + line_height * part - line_height * len(name) // 2), line, FAINT, font)
        for column, image in enumerate(row):
            shown = image if image.size == (cell, cell) else image.resize((cell, cell), Image.Resampling.LANCZOS)
            sheet.paste(shown, (left + column * (cell + gap), y))
    return sheet


@dataclass(frozen=True)
class Cell:
    """A photo of a contact sheet."""

    title: str
    lines: Sequence[tuple[str, Colour]]  # the caption below the title
    picture: Image.Image | None  # None: there is none to be shown
    square: Shares | None = None  # what is used of it; the rest is shown paler
    marks: Sequence[Shares] = ()  # further frames
    grey: bool = False  # without colours, and pale: it is not used


def contact_sheet(
    cells: Sequence[Cell], title: str, lines: Sequence[tuple[str, Colour]] = (), columns: int = 5, side: int = 240
) -> Image.Image:
    """Photos row by row, each with its caption below.

    Args:
        lines: below the title of the sheet.
        side: pixels of a cell; a photo is made to fit.
    """
    gap, large, font = side // 12, font_of(side // 10), font_of(side // 17)
    captions = [_caption(cell, font, side) for cell in cells]
    rows = [range(start, min(start + columns, len(cells))) for start in range(0, len(cells), columns)]
    step = side // 12  # from a line of text to the next
    heights = [side + step * (max(len(captions[n]) for n in row) + 1) + gap for row in rows]
    top = gap + 2 * step + (len(lines) + 1) * step
    sheet = Image.new("RGB", (gap + columns * (side + gap), top + sum(heights)), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((gap, gap), title, INK, large)
    for number, (line, colour) in enumerate(lines):
        pen.text((gap, gap + (number + 1.8) * step), line, colour, font)
    for row, height in zip(rows, heights, strict=True):
        for column, n in enumerate(row):
            left = gap + column * (side + gap)
            sheet.paste(_framed(cells[n], side), (left, top))
            for number, (line, colour) in enumerate(captions[n]):
                pen.text((left, top + side + step * (number + 0.4)), line, colour, font)
        top += height
    return sheet


def _caption(cell: Cell, font: ImageFont.FreeTypeFont, width: int) -> list[tuple[str, Colour]]:
    """Title and lines, wrapped to a width in pixels."""
    return [(line, colour) for text, colour in ((cell.title, INK), *cell.lines) for line in wrapped(text, font, width)]


def wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """The lines of a text, none wider than ``width`` pixels; a word that is too long is cut."""
    lines, line = [], ""
    for word in unicodedata.normalize("NFC", text).split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width:
            lines.append(line)
            longer = word
        while len(longer) > 3 and font.getlength(longer) > width:
            longer = longer[:-3] + ".."
        line = longer
    return [*lines, line]


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """A font that has Vietnamese letters, which Pillow's own has not, ``size`` pixels high."""
    return ImageFont.truetype(Path(__file__).parent / "font" / "DejaVuSansCondensed-subset.ttf", size)


def _framed(cell: Cell, side: int) -> Image.Image:
    """The picture in the middle of a square, with its frames; an empty one where there is none."""
    paper = Image.new("RGB", (side, side), PAPER if cell.picture else (236, 236, 238))
    if cell.picture is None:
        return paper
    zoom = side / max(cell.picture.size)
    size = max(1, round(cell.picture.width * zoom)), max(1, round(cell.picture.height * zoom))
    picture = cell.picture.resize(size, Image.Resampling.LANCZOS)
    pale = Image.blend(picture, Image.new("RGB", size, PAPER), VEIL)
    if cell.grey:
        picture = pale = pale.convert("L").convert("RGB")
    if cell.square:
        used = _pixels(cell.square, size)
        pale.paste(picture.crop(used), used[:2])
        picture = pale
    pen, ink = ImageDraw.Draw(picture), FAINT if cell.grey else GOOD
    for shares, width in [*((mark, 2) for mark in cell.marks), *([(cell.square, 3)] if cell.square else [])]:
        left, top, right, bottom = _pixels(shares, size)
        pen.rectangle((left, top, right - 1, bottom - 1), outline=ink, width=width)
    paper.paste(picture, ((side - size[0]) // 2, (side - size[1]) // 2))
    return paper


def _pixels(shares: Shares, size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(share * size[edge % 2]) for edge, share in enumerate(shares))
    return left, top, right, bottom
