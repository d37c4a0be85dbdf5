"""The tokenizer of the built-in base, and its whole pretraining in a few steps."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from avatar_exp.tiny import world
from avatar_exp.tiny.bench import Bench, Settings
from avatar_exp.tiny.tokenizer import MAX_TOKENS, build_tokenizer, byte_alphabet, merges_of, token_ids


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return build_tokenizer(world.vocabulary())


def test_every_word_of_the_world_is_one_token(tokenizer: Any) -> None:
    assert {word: tokenizer.tokenize(word) for word in world.vocabulary()} == {
        word: [f"{word}</w>"] for word in world.vocabulary()
    }


def test_an_unseen_name_is_spelled(tokenizer: Any) -> None:
    assert tokenizer.tokenize("a hoanganh person") == ["a</w>", *"hoangan", "h</w>", "person</w>"]


@pytest.mark.parametrize("text", ["nguyễn hoàng ánh", "ảnh chân dung", "4 2 !", "😀", "日本", "it 's"])
def test_any_text_has_tokens_and_comes_back(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text).input_ids
    assert tokenizer.unk_token_id not in ids[1:-1]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_texts_are_framed_and_padded_as_in_sd_15(tokenizer: Any) -> None:
    ids = token_ids(tokenizer, ["", "photo of a person", "person " * 100])
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    assert ids.shape == (3, MAX_TOKENS) == (3, tokenizer.model_max_length)
    assert (ids[:, 0] == bos).all()
    assert (ids[:, -1] == eos).all()
    assert ids[0, 1:].tolist() == [eos] * 76
    assert tokenizer.pad_token_id == eos == ids.max()


def test_the_byte_alphabet_has_256_different_letters() -> None:
    assert len(set(byte_alphabet())) == 256
    assert byte_alphabet()[ord("a")] == "a"


def test_merges_build_words_from_their_ends_and_share_endings() -> None:
    assert merges_of(["hair", "pair"]) == [("i", "r</w>"), ("a", "ir</w>"), ("h", "air</w>"), ("p", "air</w>")]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The work folder and the weights of a few steps of every part."""
    from avatar_exp.tiny import pretrain

    root = tmp_path_factory.mktemp("pretrain")
    pretrain.main(["--quick", "--work", str(root / "work"), "--out", str(root / "out")])
    return root / "work", root / "out"


@pytest.mark.slow
def test_the_weights_load_and_draw(quick: tuple[Path, Path]) -> None:
    from diffusers import DDIMScheduler, StableDiffusionPipeline
    from transformers import AutoImageProcessor, AutoModel, CLIPModel, CLIPProcessor

    out = quick[1]
    pipeline: Any = StableDiffusionPipeline.from_pretrained(out)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    picture = pipeline("photo of a hoanganh person", num_inference_steps=2).images[0]
    assert picture.size == (128, 128)
    clip = CLIPModel.from_pretrained(out / "clip")
    inputs = CLIPProcessor.from_pretrained(out / "clip")(text=["a person"], images=[picture], return_tensors="pt")
    assert clip(**inputs).logits_per_image.isfinite().all()
    pixels = AutoImageProcessor.from_pretrained(out / "identity")(picture.resize((512, 512)), return_tensors="pt")
    embedded = AutoModel.from_pretrained(out / "identity")(**pixels).pooler_output
    assert embedded.shape == (1, 192, 1, 1)
    assert sum(path.stat().st_size for path in out.glob("*/*.safetensors")) < 32e6
    assert "only knows drawn faces" in (out / "README.md").read_text()


@pytest.mark.slow
def test_what_is_done_is_not_done_again(quick: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    from avatar_exp.tiny import pretrain

    pretrain.main(["--quick", "--work", str(quick[0]), "--out", str(quick[1])])
    assert capsys.readouterr().out.count("done before") == len(pretrain.PARTS)


def _fitted(quick: tuple[Path, Path], name: str, callbacks: Sequence[Any] = ()) -> dict[str, torch.Tensor]:
    """State of an autoencoder after 6 steps, in the part's folder ``name``."""
    from avatar_exp.tiny.autoencoder import Autoencoding, new_autoencoder
    from avatar_exp.tiny.fitting import fit
    from avatar_exp.tiny.pictures import training_pictures

    settings = Settings(steps=6, batch=4, lr=1e-3, muon_lr=2e-3, ema=0.9)
    module = Autoencoding(new_autoencoder(), settings, training_pictures(quick[0]))
    fit(Bench(name, settings, *quick), module, callbacks)
    return module.state_dict()


@pytest.mark.slow
def test_an_interrupted_part_ends_with_the_same_weights(
    quick: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytorch_lightning import Callback, Trainer

    from avatar_exp.tiny import fitting

    class PullThePlug(Callback):
        def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
            if trainer.global_step == 3:
                raise ConnectionAbortedError

    monkeypatch.setattr(fitting, "CHECKPOINT_SECONDS", 0.0)
    whole = _fitted(quick, "whole")
    with pytest.raises(ConnectionAbortedError):
        _fitted(quick, "interrupted", [PullThePlug()])
    resumed = _fitted(quick, "interrupted")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    shutil.rmtree(quick[0] / "whole")
