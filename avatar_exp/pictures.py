"""Pictures as files and as sheets: PNG metadata, a grid of steps and prompts, a sheet of samples."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

ROW_TITLE = 22  # letters on a line
INK, PAPER, FAINT = (30, 30, 34), (255, 255, 255), (110, 110, 118)


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
    font = ImageFont.load_default(size=max(12, cell // 11))
    lines = [textwrap.wrap(title, max(8, cell // (max(12, cell // 11) // 2 + 1))) or [""] for title in column_titles]
    line_height = round(font.size * 1.3) if isinstance(font, ImageFont.FreeTypeFont) else 14
    top = gap * 2 + line_height * max((len(one) for one in lines), default=0)
    names = [textwrap.wrap(title, ROW_TITLE) or [""] for title in row_titles]
    left = gap * 2 + round(max((font.getlength(line) for name in names for line in name), default=0))
    columns = max((len(row) for row in rows), default=0)
    sheet = Image.new("RGB", (left + columns * (cell + gap), top + len(rows) * (cell + gap)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, wrapped in enumerate(lines):
        for number, line in enumerate(wrapped):
            y = top - gap - line_height * (len(wrapped) - number)
            pen.text((left + column * (cell + gap), y), line, INK, font)
    for number, (row, name) in enumerate(zip(rows, names, strict=True)):
        y = top + number * (cell + gap)
        for part, line in enumerate(name):
            pen.text((gap, y + cell // 2 + line_height * part - line_height * len(name) // 2), line, FAINT, font)
        for column, image in enumerate(row):
            shown = image if image.size == (cell, cell) else image.resize((cell, cell), Image.Resampling.LANCZOS)
            sheet.paste(shown, (left + column * (cell + gap), y))
    return sheet
