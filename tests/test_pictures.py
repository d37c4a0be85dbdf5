"""PNGs that say what made them, and grids whose cells are where they belong."""

import json
import unicodedata

import pytest
from PIL import Image

from avatar_exp.pictures import (
    GOOD,
    INK,
    Cell,
    contact_sheet,
    font_of,
    grid,
    parameters,
    read_record,
    save_picture,
    wrapped,
)

RECORD = {
    "prompt": "ảnh của hoanganh person, 'áo dài'\nline two", "negative_prompt": "", "num_inference_steps": 24,
    "scheduler": "DDIM", "guidance_scale": 7.5, "seed": 1337, "width": 64, "height": 48,
}  # fmt: skip
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def test_a_picture_carries_its_record(tmp_path):
    image = Image.effect_noise((64, 48), 60).convert("RGB")
    save_picture(image, tmp_path / "new" / "a.png", RECORD)
    assert read_record(tmp_path / "new" / "a.png") == RECORD
    with Image.open(tmp_path / "new" / "a.png") as again:
        assert again.tobytes() == image.tobytes()
        assert json.loads(again.info["avatar_exp"])["seed"] == 1337
        assert again.info["parameters"] == parameters(RECORD)


def test_a_picture_of_somebody_else_has_no_record(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert read_record(tmp_path / "a.png") == {}


def test_parameters_are_in_the_common_form():
    settings = "Steps: 24, Sampler: DDIM, CFG scale: 7.5, Seed: 1337, Size: 64x48"
    assert parameters(RECORD) == f"{RECORD['prompt']}\n{settings}"
    with_negative = parameters({**RECORD, "negative_prompt": "blurry"})
    assert with_negative == f"{RECORD['prompt']}\nNegative prompt: blurry\n{settings}"


def squares(*colours, size=32):
    return [Image.new("RGB", (size, size), colour) for colour in colours]


@pytest.mark.parametrize("size", [16, 40, 64])
def test_cells_are_in_their_row_and_column(size):
    sheet = grid(
        [squares(RED, GREEN, size=size), squares(BLUE, size=size)], ["base", "step 200"], ["a", "b"], cell=40, gap=6
    )
    left, top = sheet.width - 2 * 46, sheet.height - 2 * 46
    centres = {(x, y): sheet.getpixel((left + 46 * x + 20, top + 46 * y + 20)) for x in range(2) for y in range(2)}
    assert centres == {(0, 0): RED, (1, 0): GREEN, (0, 1): BLUE, (1, 1): WHITE}


def test_titles_are_written_outside_the_cells():
    plain, titled = (grid([squares(RED)], [row], [column], cell=40) for row, column in [("", ""), ("step 1", "snow")])
    assert titled.width > plain.width
    ink = [titled.crop(box) for box in [(0, titled.height - 46, titled.width - 46, titled.height),
                                        (titled.width - 46, 0, titled.width, titled.height - 46)]]  # fmt: skip
    assert all(part.convert("L").getextrema()[0] < 160 for part in ink)


def test_a_long_prompt_is_wrapped_above_its_column():
    short, long = (grid([squares(RED)], ["r"], [text], cell=160) for text in ("snow", "pencil sketch of a person " * 4))
    assert long.height > short.height
    assert long.width == short.width


def test_rows_need_a_title_each():
    with pytest.raises(ValueError):
        grid([squares(RED)], [], ["a"])


def test_an_empty_grid_is_a_picture():
    assert grid([], [], []).width > 0


def cells_of(count, **more):
    colours = [RED, GREEN, BLUE]
    return [Cell(f"{n}.jpg", [("fine", INK)], Image.new("RGB", (60, 60), colours[n % 3]), **more) for n in range(count)]


def seen_in(sheet, side, columns, number, top):
    """The picture of a cell, where rows are as high as their first."""
    gap = side // 12
    left = gap + (number % columns) * (side + gap)
    return sheet.crop((left, top, left + side, top + side))


def test_a_contact_sheet_has_a_cell_for_each_photo():
    sheet = contact_sheet(cells_of(5), "minh", [("5 photos", INK)], columns=2, side=60)
    top, step = 25, 60 + 5 * 3 + 5  # a title, a line, and room for another; the gap
    assert sheet.width == 5 + 2 * 65
    for number, colour in enumerate((RED, GREEN, BLUE, RED, GREEN)):
        cell = seen_in(sheet, 60, 2, number, top + step * (number // 2))
        assert cell.getpixel((30, 30)) == colour
    assert seen_in(sheet, 60, 2, 5, top + step * 2).getcolors() == [(3600, WHITE)]


def test_more_lines_make_a_row_higher_and_a_heading_the_sheet():
    plain = contact_sheet(cells_of(4), "minh", columns=2, side=120)
    longer = cells_of(4)
    longer[3] = Cell("x", [("fine words " * 9, INK)], Image.new("RGB", (60, 60)))
    assert contact_sheet(longer, "minh", columns=2, side=120).height > plain.height
    assert contact_sheet(cells_of(4), "minh", [("a", INK), ("b", INK)], columns=2, side=120).height == plain.height + 20


def halves(size=(120, 60)):
    """Red at the left, blue at the right."""
    image = Image.new("RGB", size, BLUE)
    image.paste(RED, (0, 0, size[0] // 2, size[1]))
    return image


def framed(**more):
    sheet = contact_sheet([Cell("a", [], halves(), **more)], "x", columns=1, side=240)
    return sheet.crop((20, 80, 260, 320))  # gap 20; the heading takes 60


def test_what_is_taken_is_framed_and_the_rest_is_pale():
    plain, shown = framed(), framed(square=(0.5, 0.0, 1.0, 1.0))
    assert (plain.getpixel((50, 120)), plain.getpixel((200, 120))) == (RED, BLUE)  # 240x120, in the middle of its cell
    assert plain.getpixel((120, 20)) == WHITE
    assert shown.getpixel((200, 120)) == BLUE
    assert shown.getpixel((50, 120)) == pytest.approx((255, 140, 140), abs=2)  # 0.55 of white over it
    assert shown.getpixel((121, 120)) == shown.getpixel((238, 120)) == shown.getpixel((180, 61)) == GOOD


def test_faces_are_marked_with_thinner_frames():
    shown = framed(square=(0.0, 0.0, 1.0, 1.0), marks=[(0.25, 0.25, 0.75, 0.75)])
    row = [shown.getpixel((x, 120)) == GOOD for x in range(240)]
    assert [x for x, is_frame in enumerate(row) if is_frame] == [0, 1, 2, 60, 61, 178, 179, 237, 238, 239]


def test_what_is_refused_is_grey_and_what_cannot_be_shown_is_empty():
    shown = framed(square=(0.5, 0.0, 1.0, 1.0), grey=True)
    for spot in ((50, 120), (200, 120), (121, 120)):
        red, green, blue = shown.getpixel(spot)
        assert max(red, green, blue) - min(red, green, blue) <= 8
    empty = contact_sheet([Cell("a", [], None)], "x", columns=1, side=240).crop((20, 80, 260, 320))
    assert len(empty.getcolors()) == 1


def test_captions_keep_to_their_cell():
    name = "Ảnh_của_Đức_" * 12 + "写真.jpg"
    sheet = contact_sheet([Cell(name, [(name + " " + name, INK)], halves())], name, columns=2, side=120)
    beside = sheet.crop((10 + 120 + 1, 60, sheet.width, sheet.height))
    assert beside.getcolors() == [(beside.width * beside.height, WHITE)]


def test_every_vietnamese_letter_has_a_shape_of_its_own():
    letters = "ăâđêôơưĂÂĐÊÔƠƯáàảãạấầẩẫậắằẳẵặéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ"
    shapes = {letter: bytes(font_of(24).getmask(letter)) for letter in letters + "\ufffe"}
    assert len(set(shapes.values())) == len(letters) + 1  # the last one is the box of a letter that is missing
    assert wrapped(unicodedata.normalize("NFD", "Đức"), font_of(12), 100) == ["Đức"]
