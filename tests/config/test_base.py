"""Which base is taken when none is named, found without torch."""

import types

import pytest

from avatar_exp.config import base


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many GPUs and a torch built for this CUDA."""

    def make(gpus, cuda):
        monkeypatch.setattr(base, "visible_gpus", lambda: gpus)
        monkeypatch.setattr(base, "torch_cuda", lambda: cuda)
        base.default_base.cache_clear()

    yield make
    base.default_base.cache_clear()


@pytest.mark.parametrize(
    ("gpus", "cuda", "name", "optimizer", "says"),
    [
        (0, "12.8", "tiny", "adamw", "no CUDA device"),
        (0, None, "tiny", "adamw", "no CUDA device"),
        (2, "12.8", "sd15", "adamw8bit", "2 CUDA"),
        (1, None, "tiny", "adamw", "CPU build"),
    ],
)
def test_the_choice(machine, gpus, cuda, name, optimizer, says):
    machine(gpus, cuda)
    choice = base.default_base()
    assert (choice.name, base.default_optimizer()) == (name, optimizer)
    assert says in choice.reason
    assert bool(choice.cure) == (gpus > 0 and cuda is None)


@pytest.mark.parametrize("visible", ["", "-1", " "])
def test_hidden_gpus_do_not_count(monkeypatch, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(base.ctypes, "CDLL", lambda _: pytest.fail("the driver need not be asked"))
    assert base.visible_gpus() == 0


def driver(init, count):
    def get_count(pointer):
        pointer._obj.value = count
        return 0

    return types.SimpleNamespace(cuInit=lambda _: init, cuDeviceGetCount=get_count)


@pytest.mark.parametrize(("init", "count", "gpus"), [(0, 3, 3), (0, 0, 0), (100, 3, 0)])
def test_the_driver_counts_the_gpus(monkeypatch, init, count, gpus):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(base.ctypes, "CDLL", lambda _: driver(init, count))
    assert base.visible_gpus() == gpus


def test_without_a_driver_there_is_no_gpu(monkeypatch):
    def missing(_):
        raise OSError

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(base.ctypes, "CDLL", missing)
    assert base.visible_gpus() == 0


@pytest.mark.parametrize(
    ("line", "cuda"),
    [("cuda: Optional[str] = '12.8'", "12.8"), ("cuda = '11.8'", "11.8"), ("cuda: Optional[str] = None", None)],
)
def test_torchs_cuda_is_read_from_its_version_file(monkeypatch, tmp_path, line, cuda):
    (tmp_path / "version.py").write_text(f"__version__ = '2.13.0'\ndebug = False\n{line}\nhip = None\n")
    spec = types.SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(base.importlib.util, "find_spec", lambda _: spec)
    assert base.torch_cuda() == cuda


def test_the_installed_torch_says_the_same_itself():
    import torch

    assert base.torch_cuda() == torch.version.cuda
