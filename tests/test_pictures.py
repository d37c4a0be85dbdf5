"""PNGs that say what made them, and grids whose cells are where they belong."""

import json

import pytest
from PIL import Image

from avatar_exp.pictures import grid, parameters, read_record, save_picture

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
