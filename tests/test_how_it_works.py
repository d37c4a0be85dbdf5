"""Every picture of docs/how-it-works.md is drawn by the command that stands under it."""

import importlib.util
import re
from pathlib import Path

import pytest
from PIL import Image

from avatar_exp.data.concept import Concept

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "how-it-works.md").read_text()


@pytest.fixture(scope="module")
def pictures():
    spec = importlib.util.spec_from_file_location("docs_pictures", DOCS / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_picture_is_drawn(pictures, tiny_random, tmp_path):
    pictures.main(["--model", str(tiny_random), "--out", str(tmp_path)])
    for name in pictures.DRAWN:
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert len(picture.convert("L").getcolors(65536) or range(300)) > 20, name  # not one flat colour


def test_the_page_shows_and_explains_every_picture(pictures):
    assert re.findall(r"pictures/(\w+)\.png", TEXT) == list(pictures.DRAWN)
    assert re.findall(r"^`python docs/pictures\.py (\w+)`", TEXT, re.MULTILINE) == list(pictures.DRAWN)
    assert all((DOCS / "pictures" / f"{name}.png").is_file() for name in pictures.DRAWN)


def test_the_functions_it_names_are_in_the_files_it_links_to():
    for names, file in re.findall(r"((?:`\w+`(?:, | and )?)+) in\s+\[[^\]]*\]\(\.\./([^)]+\.py)\)", TEXT):
        code = (DOCS.parent / file).read_text()
        assert all(f"def {name}(" in code for name in re.findall(r"`(\w+)`", names)), (names, file)


def test_the_prompts_that_it_quotes_are_the_defaults():
    concept = Concept("hoanganh", "data/hoanganh")
    for prompt in (concept.instance_prompt, concept.class_prompt):
        assert f'"{concept.fill(prompt)}"' in " ".join(TEXT.split())


def test_the_picture_of_the_readme_has_photos_above_a_run_and_its_command_exists(finished):
    spec = importlib.util.spec_from_file_location("readme_grid", DOCS / "readme_grid.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sheet = module.readme_grid(finished.run.path)
    with Image.open(finished.run.grid) as grid:
        assert sheet.width > grid.width - module.CELL
        assert sheet.height > grid.height + module.CELL
