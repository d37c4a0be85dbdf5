"""Part 3: a CLIPTokenizer that knows each word of the world as one token, and spells everything else.

Byte-pair merges are made from the end of a word: of "hair" they are (i, r</w>), (a, ir</w>), (h, air</w>). Every merge
needs the word-final token, so exactly one pair of a word can ever merge: words cannot get in each other's way, whatever
the order of the merges, and a name that the base has never seen stays (but for a familiar ending) single letters.
"""

from collections.abc import Sequence
from typing import Any

from avatar_exp.tiny.bench import Bench, Figures, fresh_folder, replace_folder

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
END = "</w>"
MAX_TOKENS = 77


def byte_alphabet() -> list[str]:
    """The 256 printable stand-ins that byte-level BPE uses for bytes (GPT-2, ``bytes_to_unicode``), in byte order."""
    kept = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    shifted = iter(range(0x100, 0x200))
    return [chr(byte) if byte in kept else chr(next(shifted)) for byte in range(256)]


def merges_of(words: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs that build each word from its end, short endings first, each pair once."""
    pairs = {(word[i], word[i + 1 :] + END): len(word) - i for word in words for i in range(len(word) - 1)}
    return sorted(pairs, key=lambda pair: (pairs[pair], pair))


def build_tokenizer(words: Sequence[str]) -> Any:
    """A CLIPTokenizer, as SD 1.5's: bos, eos = pad = unknown, 77 tokens; eos has the highest id (older CLIP needs it).

    Args:
        words: of ASCII letters; each becomes one token.
    """
    from transformers import CLIPTokenizer

    letters = byte_alphabet()
    merges: list[Any] = merges_of([word.lower() for word in words])  # pairs; transformers declares strings
    tokens = [*letters, *(letter + END for letter in letters), *(a + b for a, b in merges), BOS, EOS]
    vocab = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(
        vocab=vocab,
        merges=merges,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=EOS,
        unk_token=EOS,
        model_max_length=MAX_TOKENS,
    )


def token_ids(tokenizer: Any, texts: Sequence[str]) -> Any:
    """[N, 77] int64, cut or filled up with the pad token, as SD 1.5's pipeline does."""
    encoded = tokenizer(list(texts), padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt")
    return encoded.input_ids


def load_tokenizer(bench: Bench) -> Any:
    """The published tokenizer."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(bench.out / "tokenizer")


def run(bench: Bench) -> Figures:
    """Publish ``tokenizer/``."""
    from avatar_exp.tiny import world

    words = world.vocabulary()
    new = fresh_folder(bench.out / "tokenizer")
    build_tokenizer(words).save_pretrained(new)
    replace_folder(new, bench.out / "tokenizer")
    tokenizer = load_tokenizer(bench)
    return {"words": len(words), "tokens": len(tokenizer)}
