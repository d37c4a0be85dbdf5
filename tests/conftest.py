"""What every test gets: no network, nothing outside a scratch folder, and a small random Stable Diffusion."""

import atexit
import os
import shutil
import string
import tempfile
from pathlib import Path
from typing import Any

SCRATCH = tempfile.mkdtemp(prefix="avatar_exp-tests-")
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):  # of pytest -n; only they have it, and share the cores
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // int(workers)))  # more take twice as long
os.environ.update(  # before anything is imported that reads them once
    HF_HUB_OFFLINE="1",
    HF_HOME=f"{SCRATCH}/huggingface",
    WANDB_MODE="offline",
    WANDB_SILENT="true",
    **{f"WANDB_{name}_DIR": f"{SCRATCH}/wandb" for name in ("CACHE", "CONFIG", "DATA")},
    WANDB_DIR=f"{SCRATCH}/wandb",
    XDG_CACHE_HOME=f"{SCRATCH}/cache",
)

import pytest  # noqa: E402


@pytest.fixture(scope="session")
def tiny_random(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A diffusers folder of a Stable Diffusion with random weights: 64x64 pixels, four 8x8 latent channels."""
    import torch

    from avatar_exp.run_folder import write_json

    folder = tmp_path_factory.mktemp("bases") / "tiny_random"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name, part in random_parts().items():
            part.save_pretrained(folder / name)
    index = {"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    write_json(folder / "model_index.json", {"_class_name": "StableDiffusionPipeline", **index})
    return folder


def random_parts() -> dict[str, Any]:
    """The parts of ``tiny_random`` by their folder."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    words = tokenizer()
    text = CLIPTextConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )  # fmt: skip
    return {
        "unet": UNet2DConditionModel(
            sample_size=8, block_out_channels=(32, 64), layers_per_block=1, norm_num_groups=8, cross_attention_dim=32,
            attention_head_dim=8, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        ),
        "vae": AutoencoderKL(
            block_out_channels=(8, 8, 16, 16), norm_num_groups=4, latent_channels=4, sample_size=64,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        ),
        "text_encoder": CLIPTextModel(text),
        "tokenizer": words,
        "scheduler": DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
            set_alpha_to_one=False, steps_offset=1,
        ),
    }  # fmt: skip


def tokenizer() -> Any:
    """A CLIPTokenizer that spells: one token a printable ASCII letter."""
    from transformers import CLIPTokenizer

    letters = [letter for letter in string.printable if not letter.isspace()]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    ends = {"bos_token": tokens[-2], **dict.fromkeys(("eos_token", "pad_token", "unk_token"), tokens[-1])}
    return CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=77, **ends)


@pytest.fixture
def components(tiny_random: Path) -> Any:
    """``tiny_random``, loaded anew: a test may train it."""
    from avatar_exp.models.load import load

    return load(str(tiny_random))


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs ``train`` and ``sample`` in this process; all runs share one store. Gigabytes: gone at the end."""
    from runs.command import Commands

    folder = tmp_path_factory.mktemp("runs")
    yield Commands(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def finished(commands: Any) -> Any:
    """One finished run with everything on, for the tests that only look at it. It must not be changed."""
    from runs.command import SHORT

    often = ("sample_every=2", "checkpoint_every=2", "keep_steps=[2]", "trainer.log_every_n_steps=2")
    more = (*often, "batch_size=2", "text_encoder_lr=5e-7")
    result = commands("train", "concept=hoanganh", "lr=1e-6", *SHORT, *more)
    assert result.code == 0, result.out + result.err
    return result
