"""The arrows of the layout: who may import whom, and what may be imported at the top of a command."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import avatar_exp

ROOT = Path(avatar_exp.__file__).parent
COMMANDS = {"prepare", "train", "sample", "evaluate", "compare", "export"}
# From the bottom up; a file may import its own layer and those below it. `data` may not import `sampling`.
LAYERS = [
    {"errors", "run_folder", "progress", "store", "diffusion"},
    {"models", "data"},
    {"sampling", "pictures"},
    {"scoring"},
    {"formats", "training", "report"},
    {"config", *COMMANDS},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
HEAVY = {"torch", "diffusers", "transformers", "pytorch_lightning", "wandb", "torchmetrics", "bitsandbytes", "xformers"}


def imports(file: Path) -> set[str]:
    """Every module that a file imports, anywhere in it; of ``from a import b`` also ``a.b``."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


FILES = {str(file.relative_to(ROOT)): imports(file) for file in sorted(ROOT.rglob("*.py"))}
OWN = {name: found for name, found in FILES.items() if not name.startswith("tiny/") and name != "__init__.py"}


def part(name: str) -> str:
    """The part of the package that a file belongs to."""
    return name.split("/")[0].removesuffix(".py")


def parts_imported(found: set[str]) -> set[str]:
    parts = {name.split(".")[1] for name in found if name.startswith("avatar_exp.")}
    return {one for one in parts if (ROOT / one).is_dir() or (ROOT / f"{one}.py").is_file()}


def importing(*packages: str) -> set[str]:
    return {name for name, found in FILES.items() if {one.split(".")[0] for one in found} & set(packages)}


def outside(names: set[str], *allowed: str) -> set[str]:
    return {name for name in names if not name.startswith(tuple(allowed))}


def test_every_part_has_its_layer():
    assert {part(name) for name in OWN} == set(LEVEL)


@pytest.mark.parametrize("name", OWN)
def test_imports_point_down(name):
    mine = LEVEL[part(name)]
    assert {one for one in parts_imported(OWN[name]) if LEVEL.get(one, 99) > mine} == set()


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("models", "data"),
        ("data", "sampling"),
        ("diffusion", "store"),
        ("store", "diffusion"),
        ("formats", "training"),
        ("pictures", "sampling"),
    ],
)
def test_neighbours_that_do_not_know_each_other(importer, imported):
    assert {name for name in OWN if part(name) == importer and imported in parts_imported(OWN[name])} == set()


def test_the_report_reads_the_run_folder_only():
    own = {name: found for name, found in OWN.items() if part(name) == "report"}
    assert parts_imported(set().union(*own.values())) <= {"report", "run_folder", "pictures", "scoring", "errors"}
    scoring = {one for found in own.values() for one in found if one.startswith("avatar_exp.scoring.")}
    assert {one.split(".")[2] for one in scoring} <= {"alarms", "choose", "intervals"}


def test_pictures_are_pillow_only():
    assert {one.split(".")[0] for one in OWN["pictures.py"]} & {*HEAVY, "numpy", "avatar_exp"} == set()


def test_the_mathematics_is_torch_only():
    found = set().union(*(OWN[name] for name in OWN if part(name) == "diffusion"))
    assert {one.split(".")[0] for one in found} <= {"torch", "collections", "hashlib", "typing", "math"}


def test_nobody_imports_tiny():
    assert {name for name, found in OWN.items() if "tiny" in parts_imported(found)} == set()


def test_hydra_is_in_config_and_the_commands_only():
    assert outside(importing("hydra", "omegaconf"), "config/", *(f"{one}.py" for one in COMMANDS)) == set()


def test_lightning_is_where_training_is():
    allowed = (
        "training/",
        "data/datamodule.py",
        "tiny/",
        "config/build.py",
        "config/machine.py",
        *(f"{one}.py" for one in COMMANDS),
    )
    assert outside(importing("pytorch_lightning", "lightning"), *allowed) == set()


def test_diffusers_is_where_networks_are():
    allowed = ("models/", "sampling.py", "formats/", "tiny/", "config/machine.py", *(f"{one}.py" for one in COMMANDS))
    assert outside(importing("diffusers"), *allowed) == set()


def test_wandb_is_in_one_file():
    assert importing("wandb") == {"training/wandb_logger.py"}


def test_opencv_is_in_one_file():
    assert importing("cv2") == {"data/faces.py"}


def test_the_reader_of_heic_is_in_one_file():
    assert importing("pillow_heif") == {"data/photos.py"}


def test_peft_is_in_one_file():
    assert importing("peft") == {"models/lora.py"}


def test_bitsandbytes_and_xformers_are_asked_for_where_they_are_used():
    assert importing("bitsandbytes") == {"training/optimizers.py"}
    assert importing("xformers") == set()


def test_commands_import_nothing_heavy_at_the_top():
    """`--help` must not wait for torch."""
    config = [f"config.{one}" for one in ("start", "schema", "decide", "again", "overrides")]
    modules = ["prepare", "train", "sample", "compare", "export", *config]
    code = f"import sys, {', '.join(f'avatar_exp.{one}' for one in modules)}; print(*{HEAVY!r} & sys.modules.keys())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == ""
