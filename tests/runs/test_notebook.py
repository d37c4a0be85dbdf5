"""The notebook for Colab: every cell that needs no Colab is executed, in order, on the built-in base."""

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from omegaconf import OmegaConf
from PIL import Image

from avatar_exp.run_folder import RunFolder, read_lines
from runs.command import RAISE, ROOT, SHORT, Commands, Result, changed

NOTEBOOK = json.loads((ROOT / "notebooks" / "colab.ipynb").read_text())
CELLS = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
COLAB, HERE = (
    [cell for cell in CELLS if ("colab" in cell["metadata"].get("tags", ())) == there] for there in (True, False)
)
STEPS = 4
SHORTER = ("model=tiny", "logger=none", "scoring.class_pictures=2", *SHORT[1:])  # STEPS takes the place of the first
DISCONNECT = ("checkpoint_every=2", RAISE, "+callbacks.stop.step=3")


class AsTyped(Commands):
    """Commands get what was typed and no more: outputs and store are where they land by themselves."""

    def arguments(self, command: str, overrides: Sequence[str], outputs: Path) -> list[str]:
        return list(overrides)


@dataclass
class Session:
    """A notebook's session: its folder, its names, what it displayed, and how its commands ended."""

    commands: Commands
    folder: Path
    names: dict[str, Any] = field(default_factory=dict)
    displayed: list[Path] = field(default_factory=list)
    ended: list[Result] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names |= {"shell": self.shell, "display": lambda image: self.displayed.append(Path(image.filename))}

    def run(self, cell: str) -> list[Result]:
        """Execute the cell of that id; how its commands ended."""
        before = len(self.ended)
        exec(compile(plain(source(cell)), cell, "exec"), self.names)
        return self.ended[before:]

    def shell(self, line: str) -> None:
        """What ``!line`` does: IPython fills it, bash reads it; one that fails stops nothing but sets _exit_code."""
        line = expanded(line, self.names)
        dash_m, module, *overrides = words_for_python(line)
        assert (dash_m, module.partition(".")[0]) == ("-m", "avatar_exp")
        self.ended.append(self.commands(module.partition(".")[2], *overrides, cwd=self.folder))
        self.names["_exit_code"] = bash(f"python() {{ return {self.ended[-1].code}; }}\n{line}").returncode


def expanded(line: str, names: Mapping[str, Any]) -> str:
    """As IPython does it: what stands in braces is any expression; if one fails, the whole line stays as it is."""
    assert "$" not in line  # it would put in names after these too
    filled = []
    try:
        for text, expression, rest, conversion in Formatter().parse(line):
            filled.append(text)
            if expression is not None:
                whole = f"{expression}:{rest}" if rest else expression
                filled.append(str(Formatter().convert_field(eval(whole, dict(names)), conversion)))
    except Exception:
        return line
    return "".join(filled)


def bash(script: str) -> subprocess.CompletedProcess[str]:
    """Colab's shell, with the environment that the cells left."""
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True)


def words_for_python(line: str) -> list[str]:
    """What the program python gets of a line."""
    ended = bash(f"""python() {{ printf '%s\\0' "$@"; }}\n{line}""")
    assert (ended.returncode, ended.stderr) == (0, ""), line
    return ended.stdout.split("\0")[:-1]


def source(cell: str) -> str:
    (found,) = [one for one in CELLS if one["id"] == cell]
    return "".join(found["source"])


def plain(text: str) -> str:
    """A cell as Python: ``!line`` becomes a call."""
    return re.sub(r"^(\s*)!(.*)$", lambda found: f"{found[1]}shell({found[2]!r})", text, flags=re.MULTILINE)


def shown(name: str, session: Session) -> None:
    """A picture of that name was displayed, and can be read."""
    file = next(one for one in session.displayed if one.name == name)
    with Image.open(session.folder / file) as picture:
        assert min(picture.size) > 100
        assert len(picture.convert("P").getcolors()) > 20


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """All cells but Colab's, executed in order, with settings that make it short."""
    folder, elsewhere = tmp_path_factory.mktemp("avatars"), tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(ROOT / "data" / "hoanganh", folder / "photos" / "minh", ignore=shutil.ignore_patterns("*.csv"))
    opened = Session(AsTyped(elsewhere), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("SHELLOPTS", "")  # a cell sets it
        for cell in HERE:
            ended = opened.run(cell["id"])
            assert [one.code for one in ended] == [0] * len(ended), "\n".join(one.out + one.err for one in ended)
            if "settings" in cell["metadata"].get("tags", ()):
                assert (opened.names["STEPS"], opened.names["MORE"]) == (800, "")
                assert opened.names["RECIPE"] in opened.names["RECIPES"]
                opened.names.update(STEPS=STEPS, MORE=" ".join(SHORTER))
        yield opened


def test_the_file_is_a_notebook_with_nothing_stored_in_it() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in NOTEBOOK["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[\w-]{1,64}", id) for id in ids)
    kinds = [cell["cell_type"] for cell in NOTEBOOK["cells"]]
    assert kinds == ["markdown", *["markdown", "code"] * len(CELLS)]  # the title, then each cell with its reason
    for cell in CELLS:
        assert set(cell) == {"cell_type", "execution_count", "id", "metadata", "outputs", "source"}
        assert (cell["outputs"], cell["execution_count"]) == ([], None)
        compile(plain(source(cell["id"])), cell["id"], "exec")


def test_cells_that_need_colab_say_so() -> None:
    for cell in CELLS:
        needs = any(one in source(cell["id"]) for one in ("google.colab", "/content", "pip install", "nvidia-smi"))
        assert needs == (cell in COLAB), cell["id"]


def test_colabs_own_torch_is_kept() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (line,) = [line for line in source("install-run").splitlines() if "pip install" in line]
    *_, wanted, torch = shlex.split(line)
    extras = re.match(r"avatar_exp\[([\w,]+)\] @ git\+", wanted)
    assert extras
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])
    assert (torch, 'TORCH = version("torch")' in source("install-run")) == ("torch=={TORCH}", True)
    assert "-c " not in line  # constraints.txt names another torch
    assert [one for one in project["dependencies"] if one.startswith("torch") and one[5] in "<>=~"] == ["torch>=2.6"]


def test_photos_are_prepared_and_the_sheet_is_shown(session: Session) -> None:
    assert len(list((session.folder / "data" / "minh").glob("*.png"))) == 12
    shown("contact_sheet.png", session)


def test_a_run_is_trained_and_shown(session: Session) -> None:
    run = RunFolder(min((session.folder / "outputs" / "train" / "minh").iterdir()))
    assert (run.info["status"], run.info["steps_done"], run.info["concept"]) == ("finished", STEPS, ["minh"])
    assert (run.path / "pipeline" / "lora.safetensors").is_file()
    assert set(run.info["scores"]) == {"0", "4"}
    shown("grid.png", session)


def test_everything_lands_in_the_one_folder(session: Session) -> None:
    assert {one.name for one in session.folder.iterdir()} == {"data", "outputs", "photos"}
    assert list((session.folder / "outputs" / "store").glob("*/*/manifest.json"))


def test_pictures_are_drawn_and_shown(session: Session) -> None:
    assert len(list(session.folder.glob("outputs/samples/*/*-on-the-beach_*.png"))) == 4
    shown("sheet.png", session)


def test_weights_are_exported(session: Session) -> None:
    assert (session.folder / session.names["EXPORT"]).stat().st_size > 1000
    assert (session.names["EXPORT"].parent / "README.md").is_file()


@pytest.mark.parametrize(
    "prompt",
    [
        "{subject} in Van Gogh's style",
        """'{class}', "quoted" {{twice}} at $HOME; `date` & C:\\new * #1 | \\""",
        "chân dung {subject}, tranh Đông Hồ",
    ],
)
def test_a_prompt_arrives_as_it_was_written(session: Session, monkeypatch: pytest.MonkeyPatch, prompt: str) -> None:
    typed: list[tuple[str, ...]] = []
    failed = Result(1, "", "", session.folder)
    monkeypatch.setattr(session, "commands", lambda *words, cwd: typed.append(words) or failed)
    monkeypatch.setitem(session.names, "PROMPT", prompt)
    with pytest.raises(RuntimeError, match="did not finish"):
        session.run("sample-run")
    assert typed == [("sample", f"run={session.names['RUN'].path}", f"prompt={prompt}")]


def test_an_apostrophe_in_a_prompt_is_drawn(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(session.names, "PROMPT", "{subject} in Van Gogh's style")
    (ended,) = session.run("sample-run")
    assert ended.code == 0, ended.out + ended.err
    (record, *_) = read_lines(session.names["SHEET"].with_name("records.jsonl"))
    assert record["prompt"] == "minh person in Van Gogh's style"


@pytest.mark.parametrize(
    ("cell", "name", "value"),
    [
        ("prepare-run", "PHOTOS", "photos/nobody"),
        ("train-run", "MORE", "lr=much"),
        ("sample-run", "PROMPT", "{nobody} on the beach"),
        ("export-run", "RUN", RunFolder(Path("outputs/train/minh/never"))),
    ],
)
def test_a_cell_whose_command_fails_stops_and_shows_nothing_older(
    session: Session, monkeypatch: pytest.MonkeyPatch, cell: str, name: str, value: Any
) -> None:
    displayed, before = list(session.displayed), dict(session.names)
    monkeypatch.setitem(session.names, name, value)
    with pytest.raises(RuntimeError, match="did not finish: what it printed, above this, says why"):
        session.run(cell)
    assert session.ended[-1].code
    assert "Traceback" not in session.ended[-1].err
    assert session.displayed == displayed
    assert all(session.names[kept] is before[kept] for kept in ("SHEET", "EXPORT"))


def test_without_a_finished_run_there_is_a_sentence(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(session.names, "runs", list)
    with pytest.raises(RuntimeError, match="no run has finished yet"):
        session.run("look-run")


def test_each_recipe_is_what_it_says(session: Session) -> None:
    found = {}
    for name, typed in session.names["RECIPES"].items():
        ended = session.commands("train", "concept=hoanganh", *shlex.split(typed), "--cfg", "job", cwd=session.folder)
        assert ended.code == 0, ended.err
        found[name] = OmegaConf.create(ended.out)
    assert all(one.model.offload and one.optimizer.paged for one in found.values())
    assert {name: one.lr for name, one in found.items()} == {"lora": 1e-4, "full": 1e-6, "viblo": 1e-6}
    assert (found["viblo"].model.vae, found["viblo"].precision) == ("stabilityai/sd-vae-ft-mse", "16-mixed")
    assert found["viblo"].concept.instance_prompt == "{identifier}"


def test_the_kind_of_subject_goes_into_the_concept(session: Session) -> None:
    line = next(line for line in source("prepare-run").splitlines() if line.startswith("!"))
    typed = words_for_python(expanded(line[1:], session.names | {"CLASS": "old man"}))
    assert "class_noun=old man" in typed
    concept = OmegaConf.load(session.folder / "data" / "conf" / "concept" / "minh.yaml")
    assert concept.class_noun == session.names["CLASS"] == "person"


def test_what_is_finished_is_not_resumed(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    assert session.run("resume-run") == []
    assert "nothing to resume" in capsys.readouterr().out


def test_a_run_that_a_disconnect_ended_is_resumed(session: Session) -> None:
    session.names["MORE"] += " " + " ".join(DISCONNECT)
    with pytest.raises(RuntimeError, match="did not finish"):
        session.run("train-run")
    assert session.ended[-1].code == 1
    run = session.names["runs"]()[-1]
    changed(run.run_json, status="running", error=None)  # nobody was left to say how it ended
    (run.path / ".lock").touch()
    (ended,) = session.run("resume-run")
    assert ended.code == 0, ended.out + ended.err
    assert "resuming at step 2" in ended.out
    assert (run.info["status"], run.info["steps_done"]) == ("finished", STEPS)
    session.run("look-run")
    assert session.names["RUN"] == run
    assert session.displayed[-1] == run.grid
    assert session.run("resume-run") == []
