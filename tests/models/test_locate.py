"""Where a model is; and what is said, soon, when it is nowhere."""

import fnmatch
import logging
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest
from huggingface_hub import constants

from avatar_exp.errors import UserError
from avatar_exp.models import locate as module
from avatar_exp.models.load import load
from avatar_exp.models.locate import PIPELINE_PARTS, locate, missing_parts, patterns, tiny_folder

OLD = "runwayml/stable-diffusion-v1-5"
SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
REPOSITORY = [
    "model_index.json", "v1-5-pruned.safetensors", "v1-5-pruned-emaonly.ckpt", "README.md",
    "feature_extractor/preprocessor_config.json", "safety_checker/model.safetensors", "safety_checker/config.json",
    "scheduler/scheduler_config.json", "tokenizer/merges.txt", "tokenizer/vocab.json", "text_encoder/config.json",
    *(f"text_encoder/{name}" for name in ("model.safetensors", "model.fp16.safetensors", "pytorch_model.bin")),
    *(f"{part}/{name}" for part in ("unet", "vae") for name in (
        "config.json", "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors",
        "diffusion_pytorch_model.bin", "diffusion_pytorch_model.non_ema.safetensors",
    )),
]  # fmt: skip


def chosen(parts, variant):
    return {name for name in REPOSITORY if is_fetched(name, patterns(parts, variant))}


def is_fetched(name, patterns):
    taken, left = ([one for one in them if fnmatch.fnmatch(name, one)] for them in patterns)
    return bool(taken) and not left


@pytest.mark.parametrize(("variant", "dot"), [(None, ""), ("fp16", ".fp16"), ("non_ema", ".non_ema")])
def test_one_variant_of_the_weights_is_fetched(variant, dot):
    weights = {name for name in chosen(PIPELINE_PARTS, variant) if not name.endswith((".json", ".txt"))}
    wanted = {f"{part}/diffusion_pytorch_model{dot}.safetensors" for part in ("unet", "vae")}
    assert weights == (wanted | {f"text_encoder/model{dot}.safetensors"}) & set(REPOSITORY)


def test_only_what_is_needed_is_fetched():
    fetched = chosen(PIPELINE_PARTS, None)
    others = {name for name in fetched if name.split("/")[0] not in {*PIPELINE_PARTS, "model_index.json"}}
    assert all(name.endswith(".json") for name in others)  # some hundred bytes each
    assert {
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
        "scheduler/scheduler_config.json",
        "unet/config.json",
    } < fetched


def test_shards_are_fetched_with_their_variant():
    plain, half = patterns(["unet"], None), patterns(["unet"], "fp16")
    for patterns_, dot, other in ((plain, "", ".fp16"), (half, ".fp16", "")):
        shard = "unet/diffusion_pytorch_model{}-00001-of-00002.safetensors"
        assert is_fetched(shard.format(dot), patterns_)
        assert not is_fetched(shard.format(other), patterns_)


def test_without_parts_the_root_is_fetched():
    wanted = patterns((), None)
    for name in ("config.json", "diffusion_pytorch_model.safetensors", "model.safetensors"):
        assert is_fetched(name, wanted)
    assert not is_fetched("unet/diffusion_pytorch_model.safetensors", wanted)
    assert not is_fetched("pytorch_model.bin", wanted)


def test_a_hub_id_offline_is_refused_within_two_seconds():
    started = time.monotonic()
    with pytest.raises(UserError) as error:
        locate(SD15, PIPELINE_PARTS)
    assert time.monotonic() - started < 2
    files = ["*.json", "*.txt", *(f"{part}/*.safetensors" for part in ("unet", "vae", "text_encoder"))]
    command = " ".join([f"hf download {SD15}", *(f"--include '{one}'" for one in files), "--exclude '*.*.safetensors'"])
    assert f"  {command}\n" in str(error.value)
    assert f"model '{SD15}' (is the name spelt right?) is not on this machine" in str(error.value)
    assert "model=tiny" in str(error.value)
    assert "HF_HUB_OFFLINE" in str(error.value)


def test_the_download_command_names_revision_and_variant():
    with pytest.raises(UserError) as error:
        locate(SD15, PIPELINE_PARTS, revision="abc", variant="fp16")
    assert f"hf download {SD15} --revision abc " in str(error.value)
    assert "--include 'unet/*.fp16*.safetensors'" in str(error.value)
    assert "--exclude" not in str(error.value)


def test_a_hub_that_does_not_answer_is_given_up_within_two_seconds(tmp_path):
    """A server that takes the connection and stays silent, in a process that believes it is the hub."""
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=lambda: [server.accept() for _ in range(9)], daemon=True).start()
    code = (
        "import time, huggingface_hub, huggingface_hub.hf_api\n"
        "from avatar_exp.models.locate import locate\n"
        "from avatar_exp.errors import UserError\n"
        "started = time.monotonic()\n"
        f"try: locate({SD15!r}, ['unet'])\n"
        "except UserError as error: print('model=tiny' in str(error), time.monotonic() - started)\n"
    )
    address = f"http://127.0.0.1:{server.getsockname()[1]}"
    environment = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0", "PATH": ""}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    said, seconds = ran.stdout.split()
    assert said == "True"
    assert float(seconds) < 2


def test_the_repository_that_is_gone_means_its_successor():
    with pytest.raises(UserError, match=f"model '{SD15}'"):
        locate("runwayml/stable-diffusion-v1-5", PIPELINE_PARTS)


def in_cache(home, name, base):
    """A repository as the hub's client keeps it, with one snapshot."""
    folder = home / f"models--{name.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("a" * 40)
    return shutil.copytree(base, folder / "snapshots" / ("a" * 40))


@pytest.mark.parametrize("asked", [OLD, SD15])
def test_a_copy_fetched_from_the_old_address_is_used_under_the_new_name(
    tiny_random, tmp_path, monkeypatch, caplog, asked
):
    caplog.set_level(logging.INFO, "avatar_exp")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    old = in_cache(tmp_path, OLD, tiny_random)
    assert locate(asked, PIPELINE_PARTS) == old
    assert f"{SD15}: the copy on this machine is used, fetched when its address was {OLD}" in caplog.text
    assert load(asked).path == SD15
    new = in_cache(tmp_path, SD15, tiny_random)
    assert locate(asked, PIPELINE_PARTS) == new


def test_a_new_address_is_told_once(tiny_random, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "avatar_exp")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    in_cache(tmp_path, SD15, tiny_random)
    assert load(OLD).path == SD15
    assert [one.message for one in caplog.records] == [
        f"{OLD} has left the hub: {SD15} is taken, its weights at their new address"
    ]
    caplog.clear()
    load(SD15)
    assert caplog.text == ""


def test_a_folder_of_that_name_is_a_folder(tiny_random, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_random, tmp_path / OLD)
    assert load(OLD).path == OLD


def folder_with(folder, parts):
    for part in parts:
        (folder / part).mkdir(parents=True)
        (folder / part / "config.json").write_text("{}")
        if part not in ("tokenizer", "scheduler"):
            (folder / part / "model.safetensors").write_bytes(b"")
    return str(folder)


def test_a_folder_that_is_complete_is_taken(tmp_path):
    assert str(locate(folder_with(tmp_path / "ảnh [1]", PIPELINE_PARTS), PIPELINE_PARTS)) == str(tmp_path / "ảnh [1]")


@pytest.mark.parametrize("lacking", [("vae",), ("unet", "tokenizer")])
def test_a_folder_that_lacks_parts_is_told_which(tmp_path, lacking):
    path = folder_with(tmp_path, [part for part in PIPELINE_PARTS if part not in lacking])
    with pytest.raises(UserError, match=f"lacks {', '.join(lacking)} "):
        locate(path, PIPELINE_PARTS)


@pytest.mark.parametrize("gone", ["config.json", "model.safetensors"])
def test_half_a_part_is_no_part(tmp_path, gone):
    path = folder_with(tmp_path, PIPELINE_PARTS)
    (tmp_path / "unet" / gone).unlink()
    with pytest.raises(UserError, match="lacks unet "):
        locate(path, PIPELINE_PARTS)


@pytest.mark.parametrize("path", ["no-such-folder", "./no/such", "/no/such", "~/models", "a/b/c"])
def test_what_is_neither_a_folder_nor_an_id_is_refused(path):
    with pytest.raises(UserError, match="no such folder, and not a hub id"):
        locate(path, PIPELINE_PARTS)


def test_the_built_in_base_is_inside_the_package():
    assert tiny_folder().parent.name == "tiny"
    if (tiny_folder() / "unet" / "config.json").is_file():
        assert locate("tiny", PIPELINE_PARTS) == tiny_folder()
        assert locate("tiny/clip") == tiny_folder() / "clip"


def cached(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    return str(folder)


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_a_cache_that_holds_another_variant_does_not_do(tmp_path, monkeypatch, variant):
    """fp32 weights of an earlier run are no fp16 weights, and the other way round: they have to be fetched."""
    import huggingface_hub

    there = [name for name in REPOSITORY if name in chosen(PIPELINE_PARTS, None if variant else "fp16")]
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: cached(tmp_path, there))
    with pytest.raises(UserError, match="could not be fetched"):
        locate(SD15, PIPELINE_PARTS, variant=variant)
    cached(tmp_path, chosen(PIPELINE_PARTS, variant))
    assert locate(SD15, PIPELINE_PARTS, variant=variant) == tmp_path


def test_missing_parts_of_a_single_model(tmp_path):
    assert missing_parts(tmp_path, ()) == ["weights"]
    cached(tmp_path, ["config.json", "model.safetensors"])
    assert missing_parts(tmp_path, ()) == []
    assert module.GONE["runwayml/stable-diffusion-v1-5"] == SD15
