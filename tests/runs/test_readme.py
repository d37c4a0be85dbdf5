"""Every command that the documents show is executed, shortened; what needs a GPU or the hub is composed."""

import json
import re
import shlex
from pathlib import Path

import pytest

from runs.command import BARE, KEPT, ROOT, SHORT, Commands, Result

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "outputs" / "README.md", *ROOT.glob("docs/*.md")]
NOT_RUN = ("git clone ", "python3 -m venv ", "pip install ", "hf download ", "wandb sync ", "make ")
ELSEWHERE = ("model=sd15", "model=sd15_ft_mse", "experiment=viblo", "experiment=tutorial")  # a GPU or the hub


def lines() -> list[str]:
    """The lines of all ```bash blocks, continued ones joined, without comments."""
    found = []
    for document in DOCUMENTS:
        for block in re.findall(r"```bash\n(.*?)```", document.read_text() if document.is_file() else "", re.DOTALL):
            found += re.sub(r"\\\n\s*", "", block).splitlines()
    shown = [re.sub(r"\s+#\s.*", "", line).strip() for line in found]
    return list(dict.fromkeys(line for line in shown if line and not line.startswith("#")))


RUN = [line for line in lines() if line.startswith("python -m avatar_exp.")]


@pytest.fixture(scope="module")
def resumable(commands: Commands) -> Result:
    result = commands("train", *BARE, *KEPT, "max_steps=1")
    assert result.code == 0, result.err
    return result


@pytest.fixture(scope="module")
def lora(commands: Commands) -> Result:
    result = commands("train", *BARE, "method=lora", "max_steps=1")
    assert result.code == 0, result.err
    return result


@pytest.fixture(scope="module")
def prepared(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the concept minh was prepared, and hoanganh is listed as the tutorial does it."""
    home = tmp_path_factory.mktemp("home")
    row = {"instance_prompt": "hoanganh", "class_prompt": "person", "instance_data_dir": f"{ROOT}/data/hoanganh"}
    (home / "concepts_list.json").write_text(json.dumps([row]))
    result = commands("prepare", "concept=minh", f"source={ROOT / 'data' / 'hoanganh'}", cwd=home)
    assert result.code == 0, result.err
    return home


def shortened(command: str, overrides: list[str]) -> list[str]:
    """What keeps a command short, said after what is shown."""
    named = {one.partition("=")[0] for one in overrides}
    if command == "tiny.world":
        return ["--count", "1", "--size", "64"]
    if command in ("sample", "evaluate"):
        return ["num_inference_steps=2", "num_images_per_prompt=1"]
    if command in ("prepare", "compare", "export") or named & {"resume", "--help", "--cfg"}:
        return []
    if set(overrides) & set(ELSEWHERE) and "model=tiny" not in overrides:
        return ["--cfg", "job"]
    if "-m" in overrides or named & {"sweep", "seeds"}:
        return [*SHORT, "max_steps=1", "sample_every=0", "logger=none"]
    few = [] if "scoring.prompts" in named else ['scoring.prompts=["photo of {subject}","{subject} in the snow"]']
    return [*SHORT, *few, "scoring.class_pictures=2", "max_steps=1", "sample_every=1"]


def test_there_is_something_to_run() -> None:
    assert len(RUN) > 5


@pytest.mark.parametrize("line", RUN)
def test_a_command_that_is_shown_works(
    commands: Commands, finished: Result, resumable: Result, lora: Result, prepared: Path, tmp_path: Path, line: str
) -> None:
    run = resumable if "resume=" in line else lora if "format=lora" in line else finished
    for placeholder, real in {
        r"outputs/train/\w+/DATE": run.run.path,
        "DIFFUSERS_FOLDER": finished.run.pipeline,
        r"outputs/sweeps/DATE": finished.run.path.parent,
        r"\bBASE\b": "tiny",
        "photos/minh": ROOT / "data" / "hoanganh",
        r"IMG_00(\d\d)\.jpg": r"\1.png",
        r"--out \S+": f"--out {tmp_path}/out",
    }.items():
        line = re.sub(placeholder, str(real), line)
    _, _, module, *overrides = shlex.split(line)
    command = module.removeprefix("avatar_exp.")
    more = shortened(command, overrides)
    if "repeat=" in line:
        more.append(f"outputs={tmp_path}")
    if command == "compare":
        more.append(f"out={tmp_path}/compare.html")
    if command.startswith("tiny."):
        ended = commands.in_process_of_its_own(command, *overrides, *more, add_outputs=False)
    else:
        at_home = {"concept=minh", "concepts_list=concepts_list.json"} & {*overrides}
        home = tmp_path if command == "prepare" else prepared if at_home else ROOT
        ended = commands(command, *overrides, *more, cwd=home)
    assert ended.code == 0, ended.out + ended.err
    if command == "compare":
        assert (tmp_path / "compare.html").is_file()
    elif command == "export":
        (card,) = ended.outputs.glob("exports/*/README.md")
        assert list(card.parent.rglob("*.safetensors"))
    elif not {"--help", "--cfg"} & {*overrides, *more}:
        made = tmp_path if command.startswith(("tiny.", "prepare")) or "repeat=" in line else ended.outputs
        drawn = any(file.is_file() for file in made.rglob("*.png"))
        assert drawn or any(one in line for one in ("resume=", " -m ", "sweep=", " seeds="))


def test_every_other_line_is_known_and_names_what_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in lines():
        for part in line.split(" && "):
            if part.startswith(("python -m avatar_exp.", "python docs/pictures.py")):  # tests/test_how_it_works.py
                continue
            assert part.startswith((*NOT_RUN, "cd ", ". .venv/bin/activate")), f"not known: {part}"
            if part.startswith("make "):
                assert part.split()[1] in targets
            if constraints := re.search(r"-c (\S+)", part):
                assert (ROOT / constraints.group(1)).is_file()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_a_document_links_to_exist(document: Path) -> None:
    if not document.is_file():
        pytest.skip(f"no {document.name}")
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target
