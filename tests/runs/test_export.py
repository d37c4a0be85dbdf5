"""What a run learnt, in the files of other tools, and what those files say of themselves."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from avatar_exp.formats import card
from avatar_exp.formats.lora import LORA_FILE
from runs.command import SHORT, Commands, Result, unlike, weights

FORMATS = ("diffusers", "single_file", "lora_diffusers", "lora_kohya")
FILES = {
    "single_file": "avatar.safetensors",
    "lora_diffusers": "pytorch_lora_weights.safetensors",
    "lora_kohya": "avatar.safetensors",
}
FOLDER = {"model_index.json", "scheduler", "text_encoder", "tokenizer", "unet", "vae"}


@pytest.fixture(scope="module")
def learnt(commands: Commands) -> Result:
    """A run with method=lora whose alpha is not its rank."""
    lora = ("model=tiny", "method=lora", "method.rank=4", "method.alpha=10", "logger=none", "keep_steps=[2]")
    result = commands("train", "concept=hoanganh", *SHORT, *lora, "sample_every=2")
    assert result.code == 0, result.err
    return result


def export(commands: Commands, out: Path, result: Result, *overrides: str) -> Result:
    ended = commands("export", f"run={result.run.path}", f"out={out}", *overrides)
    assert ended.code == 0, ended.out + ended.err
    return ended


def metadata(file: Path) -> dict[str, str]:
    with safe_open(file, "pt") as opened:
        found: dict[str, str] = opened.metadata()
    return found


def drawn_by_the_card(folder: Path) -> np.ndarray[Any, Any]:
    """The picture that the lines in the card draw, as they stand there."""
    (lines,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    here = Path.cwd()
    os.chdir(folder)
    try:
        exec(lines, {})
        return np.asarray(Image.open("picture.png").convert("RGB"), dtype=int)
    finally:
        os.chdir(here)


@pytest.fixture(scope="module")
def exported(commands: Commands, learnt: Result, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The run in all four formats, in the precision that it was trained in."""
    folders = {format: tmp_path_factory.mktemp("exports") / "out" for format in FORMATS}
    for format, folder in folders.items():
        export(commands, folder, learnt, f"format={format}", "dtype=fp32")
    return folders


@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_holds_the_weights_and_their_card_and_nothing_else(exported: dict[str, Path], format: str) -> None:
    wanted = FOLDER if format == "diffusers" else {FILES[format]}
    assert {path.name for path in exported[format].iterdir()} == {*wanted, "README.md"}
    assert [one.name for one in exported[format].parent.iterdir()] == ["out"]
    assert {oct(file.stat().st_mode)[-3:] for file in exported[format].rglob("*.safetensors")} == {"644"}


def test_all_four_draw_the_same_picture_by_the_lines_in_their_cards(exported: dict[str, Path], tmp_path: Path) -> None:
    pictures = {}
    for format, folder in exported.items():
        copy = shutil.copytree(folder, tmp_path / format)
        pictures[format] = drawn_by_the_card(copy)
    for format in FORMATS[1:]:
        assert np.abs(pictures[format] - pictures["diffusers"]).max() <= 1, format
    assert len(np.unique(pictures["diffusers"])) > 30


def test_the_folder_and_the_file_hold_the_runs_weights(exported: dict[str, Path], learnt: Result) -> None:
    run, folder = weights(learnt.run.pipeline), weights(exported["diffusers"])
    plain = {key.replace("text_encoder/text_model.", "text_encoder/"): value for key, value in folder.items()}
    assert unlike(run, plain) == []
    pipeline = StableDiffusionPipeline.from_single_file(
        str(exported["single_file"] / "avatar.safetensors"), config=str(learnt.run.pipeline), local_files_only=True
    )
    for part in ("unet", "vae"):
        own = {key.partition("/")[2]: value for key, value in run.items() if key.startswith(f"{part}/")}
        assert unlike(own, dict(getattr(pipeline, part).state_dict())) == []


def test_older_readers_find_the_names_that_they_look_for(exported: dict[str, Path]) -> None:
    folder = exported["diffusers"]
    assert all(key.startswith("text_model.") for key in load_file(folder / "text_encoder" / "model.safetensors"))
    assert {"vocab.json", "merges.txt", "tokenizer.json"} <= {file.name for file in (folder / "tokenizer").iterdir()}


def test_a_lora_is_the_one_that_lies_beside_the_pipeline(exported: dict[str, Path], learnt: Result) -> None:
    own = load_file(learnt.run.pipeline / LORA_FILE)
    assert unlike(own, load_file(exported["lora_diffusers"] / FILES["lora_diffusers"])) == []
    kohya = load_file(exported["lora_kohya"] / FILES["lora_kohya"])
    assert len(kohya) == len(own) * 3 // 2
    assert {value.item() for key, value in kohya.items() if key.endswith(".alpha")} == {10.0}


@pytest.mark.parametrize("format", FORMATS)
def test_no_path_and_no_name_is_in_it(exported: dict[str, Path], learnt: Result, format: str) -> None:
    for file in exported[format].rglob("*"):
        content = file.read_bytes().lower() if file.is_file() else b""
        for secret in ("hoanganh", str(learnt.outputs), str(Path.cwd()), str(Path.home()), "data:image"):
            assert secret.lower().encode() not in content, (file, secret)


def test_the_files_say_what_they_are_and_how_they_were_made(exported: dict[str, Path]) -> None:
    for format, file in FILES.items():
        found = metadata(exported[format] / file)
        assert found["modelspec.sai_model_spec"] == "1.0.0"
        assert found["modelspec.resolution"] == "128x128"
        assert '"method.alpha": 10.0' in found["avatar_exp"]
        assert ("ss_network_dim" in found) == (format == "lora_kohya")
        text = (exported[format] / "README.md").read_text()
        for row in ("| base | tiny |", "| steps | 4 |", "| photos | 12 |", "| method.rank | 4 |", "| likeness |"):
            assert row in text


@pytest.mark.parametrize("format", FORMATS)
def test_with_names_the_subject_is_named_and_shown(
    commands: Commands, learnt: Result, tmp_path: Path, format: str
) -> None:
    out = tmp_path / "out"
    ended = export(commands, out, learnt, f"format={format}", "names=true")
    names = {path.name for path in out.iterdir()}
    text = (out / "README.md").read_text()
    assert "# hoanganh person" in text
    assert "![Pictures of this step](grid.png)" in text
    assert (out / "grid.png").stat().st_size < 500_000
    assert "words     hoanganh person\n" in ended.out
    if format != "diffusers":
        (file,) = [name for name in names if name.endswith(".safetensors")]
        assert file == FILES[format].replace("avatar", "hoanganh-person")
        found = metadata(out / file)
        assert found["modelspec.trigger_phrase"] == "hoanganh person"
        assert found["modelspec.thumbnail"].startswith("data:image/jpeg;base64,")
        assert f"{Path(file).stem}.preview.png" in names
    for file in out.rglob("*"):  # the name, but still no path
        assert not file.is_file() or str(learnt.outputs).encode() not in file.read_bytes()


def test_the_last_lines_say_where_it_is_and_how_it_is_used(
    commands: Commands, learnt: Result, finished: Result, tmp_path: Path
) -> None:
    ended = export(commands, tmp_path / "lora", learnt)
    lines = ended.out.splitlines()[-4:]
    assert lines[0].startswith(f"written   {tmp_path}/lora/avatar.safetensors (0.1")
    assert lines[1].startswith("words     hoanganh person  (told here only; names=true writes them")
    assert lines[2] == "use       A1111 and ComfyUI do not know a base of these sizes: only diffusers draws with it."
    assert lines[3].startswith(f"card      {tmp_path}/lora/README.md")
    whole = commands("export", f"run={finished.run.path}")  # without out
    (folder,) = whole.outputs.glob("exports/*")
    assert f"{folder}/avatar.safetensors (24.98 MB, fp16)" in whole.out
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", folder.name)
    assert {file.name for file in folder.iterdir()} == {"avatar.safetensors", "README.md"}


@pytest.mark.parametrize(("step", "kept"), [("2", "pipeline_step_00002"), ("last", "pipeline"), ("best", "pipeline")])
def test_steps_that_were_kept(commands: Commands, learnt: Result, tmp_path: Path, step: str, kept: str) -> None:
    export(commands, tmp_path / "out", learnt, f"step={step}", "format=lora_diffusers", "dtype=fp32")
    own = load_file(learnt.run.path / kept / LORA_FILE)
    assert unlike(own, load_file(tmp_path / "out" / FILES["lora_diffusers"])) == []
    assert f"| steps | {2 if step == '2' else 4} |" in (tmp_path / "out" / "README.md").read_text()


def test_step_0_is_the_base(commands: Commands, finished: Result, tmp_path: Path) -> None:
    export(commands, tmp_path / "out", finished, "step=0", "format=diffusers", "dtype=fp32")
    base = weights(Path(card.__file__).parents[1] / "tiny" / "weights")
    for key, value in weights(tmp_path / "out").items():
        name = key.replace("text_encoder/text_model.", "text_encoder/")
        assert torch.equal(value, base[name].float()), key
    assert "as it was before training" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [("fp16", torch.float16), pytest.param("bf16", torch.bfloat16, marks=pytest.mark.slow), ("fp32", torch.float32)],
)
@pytest.mark.parametrize("format", ["single_file", "lora_kohya", "diffusers"])
def test_the_precision_is_the_one_that_was_asked_for(
    commands: Commands, learnt: Result, tmp_path: Path, format: str, dtype: str, kind: torch.dtype
) -> None:
    export(commands, tmp_path / "out", learnt, f"format={format}", f"dtype={dtype}")
    found = [tensor for file in (tmp_path / "out").rglob("*.safetensors") for tensor in load_file(file).values()]
    assert {tensor.dtype for tensor in found} == {kind}
    again = commands("sample", f"run={tmp_path / 'out'}", "prompt=a person", "num_inference_steps=1")
    assert again.code == (0 if format == "diffusers" else 2)


@pytest.mark.parametrize("typed", ["lan-v2", "lan-v2.safetensors"])
def test_a_file_is_called_as_it_was_asked_for_and_does_not_say_so_itself(
    commands: Commands, learnt: Result, tmp_path: Path, typed: str
) -> None:
    ended = export(commands, tmp_path / "out", learnt, "format=lora_kohya", f"file={typed}")
    file = tmp_path / "out" / "lan-v2.safetensors"
    assert f"written   {file}" in ended.out
    assert "lan-v2" in (tmp_path / "out" / "README.md").read_text()
    assert b"lan-v2" not in file.read_bytes()


def test_any_diffusers_folder_can_be_exported(commands: Commands, learnt: Result, tmp_path: Path) -> None:
    shutil.copytree(learnt.run.pipeline, tmp_path / "somewhere")
    ended = commands("export", f"run={tmp_path / 'somewhere'}", f"out={tmp_path / 'out'}", "names=true")
    assert ended.code == 0, ended.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"avatar.safetensors", "README.md"}
    assert "words " not in ended.out
    assert "A Stable Diffusion." in (tmp_path / "out" / "README.md").read_text()
    within = commands("export", f"run={learnt.run.pipeline}", f"out={tmp_path / 'other'}")
    assert "words     hoanganh person" in within.out


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("format=lora_kohya", "there is no LoRA in"),
        ("format=lora_diffusers", "(method=full): whole networks were trained, and format=single_file or"),
        ("format=lora_kohya", "method=lora lr=1e-4"),
        ("format=ckpt", "format=ckpt: expected one of diffusers, single_file, lora_diffusers, lora_kohya"),
        ("file='a b'", "file=a b: a name may hold a-z, A-Z, 0-9, . _ - only, as a-b"),
        ("dtype=int8", "dtype=int8: expected one of fp16, bf16, fp32"),
        ("step=3", "Steps kept: 4 (chosen), 2"),
        ("run=nowhere", "run=nowhere: no such folder (from "),
        ("out=a.safetensors", "expected a folder"),
        ("out=tests", "tests is there already; name another folder"),
        ("fromat=x", "did you mean format?"),
    ],
)
def test_what_cannot_be_exported_is_said_shortly(
    commands: Commands, finished: Result, override: str, said: str
) -> None:
    ended = commands("export", f"run={finished.run.path}", override)
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert not list(ended.outputs.glob("exports/*"))


def test_of_a_base_there_is_no_lora(commands: Commands, learnt: Result) -> None:
    ended = commands("export", f"run={learnt.run.path}", "step=0", "format=lora_kohya")
    assert ended.code == 2
    assert "step=0 is the base, to which nothing has been added yet" in ended.err


def test_a_private_run_is_exported_without_names_only(commands: Commands, learnt: Result, tmp_path: Path) -> None:
    copy = shutil.copytree(learnt.run.path, tmp_path / "private")
    resolved = copy / ".hydra" / "resolved.yaml"
    resolved.write_text(resolved.read_text().replace("privacy: false", "privacy: true"))
    refused = commands("export", f"run={copy}", f"out={tmp_path / 'out'}", "names=true")
    assert refused.code == 2
    assert "was trained with privacy=true" in refused.err
    assert not (tmp_path / "out").exists()
    assert commands("export", f"run={copy}", f"out={tmp_path / 'out'}").code == 0


def test_another_base_family_is_refused_where_its_names_are_not_known(
    commands: Commands, learnt: Result, tmp_path: Path
) -> None:
    copy = shutil.copytree(learnt.run.pipeline, tmp_path / "sd2")
    config = copy / "unet" / "config.json"
    config.write_text(config.read_text().replace('"cross_attention_dim": 128', '"cross_attention_dim": 1024'))
    for format in ("single_file", "lora_kohya"):
        ended = commands("export", f"run={copy}", f"format={format}")
        assert ended.code == 2
        assert "Stable Diffusion 2.x" in ended.err


def test_if_writing_fails_nothing_is_left(
    commands: Commands, learnt: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(card, "write_card", fail)
    ended = commands("export", f"run={learnt.run.path}", f"out={tmp_path / 'a' / 'out'}")
    assert ended.code == 1
    assert list((tmp_path / "a").iterdir()) == []
    ended = commands("export", f"run={learnt.run.path}", outputs=tmp_path / "b")
    assert list((tmp_path / "b" / "exports").iterdir()) == []
