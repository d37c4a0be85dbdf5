"""Randomness as a function: what training draws for its n-th sample is a pure function of (seed, n, stream).

No generator is kept between samples, so there is no state to save: a resumed run, a run on more GPUs and a run that
sampled pictures in between all see the same draws. Streams are hashed apart, so using one more never shifts another.
"""

import hashlib
from typing import Literal, get_args

import torch

Stream = Literal["photo", "prior", "flip", "timestep", "noise", "posterior", "caption", "offset"]
STREAMS: tuple[str, ...] = get_args(Stream)


def seed_of(seed: int, n: int, stream: str) -> int:
    """64-bit hash of (seed, n, stream), in [0, 2**63): a seed for one generator."""
    digest = hashlib.blake2b(f"{seed}/{stream}/{n}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1  # torch takes signed 64-bit seeds


def draw(seed: int, n: int, stream: Stream) -> torch.Generator:
    """The CPU generator of sample ``n`` (0, 1, 2, ...) in a stream.

    Draws are made on the CPU and moved: a latent is small, and a GPU's generator gives other numbers than the CPU's.

    Raises:
        ValueError: for a stream that is not one of ``STREAMS``, or a negative ``n``.
    """
    if stream not in STREAMS:
        raise ValueError(f"unknown stream {stream!r}; the streams are {', '.join(STREAMS)}")
    if n < 0:
        raise ValueError(f"n counts samples from 0, got {n}")
    return torch.Generator().manual_seed(seed_of(seed, n, stream))


def shuffled_index(seed: int, n: int, stream: Stream, size: int) -> int:
    """The item, of ``size``, that sample ``n`` takes: a new permutation every ``size`` samples, so use is even."""
    if size < 1:
        raise ValueError(f"cannot choose among {size} items")
    order = torch.randperm(size, generator=draw(seed, n // size, stream))
    return int(order[n % size])


def sample_number(step: int, micro: int, rank: int, i: int, *, accumulate: int, batch: int, world: int) -> int:
    """Number the i-th sample of a micro-batch, so that accumulation and more GPUs only re-deal the same sequence.

    Args:
        step: optimizer steps done before this one.
        micro: micro-batch within the step, in [0, accumulate).
        rank: process, in [0, world).
        i: sample within the micro-batch, in [0, batch).
    """
    return (step * accumulate + micro) * batch * world + rank * batch + i
