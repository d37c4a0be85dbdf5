"""What is left open is decided, and everything that is wrong is said at once."""

import pytest
from omegaconf import OmegaConf

from avatar_exp.config import decide as module
from avatar_exp.config.base import BaseChoice
from avatar_exp.config.decide import check_base, chosen_precision, decide, faults, plain
from avatar_exp.config.schema import TrainConfig
from avatar_exp.errors import UserError, raise_all

AMPERE, TURING, CPU = (8, 0), (7, 5), None


def config(**values):
    trainer = {"trainer": {key: "${" + key + "}" for key in ("max_steps", "accumulate_grad_batches", "precision")}}
    made = OmegaConf.merge(OmegaConf.structured(TrainConfig), trainer)
    for key, value in values.items():
        OmegaConf.update(made, key, value)
    return made


@pytest.mark.parametrize(
    ("asked", "cuda", "precision"),
    [
        (None, AMPERE, "bf16-mixed"),
        (None, (9, 0), "bf16-mixed"),
        (None, TURING, "16-mixed"),
        (None, CPU, "32-true"),
        ("32", AMPERE, "32-true"),
        (32, CPU, "32-true"),
        ("16", TURING, "16-mixed"),
        ("16", CPU, "32-true"),
        ("16-mixed", CPU, "32-true"),
        ("fp16", TURING, "16-mixed"),
        ("fp16", CPU, "32-true"),
        ("fp32", AMPERE, "32-true"),
        ("bf16", CPU, "bf16-mixed"),
        ("bf16-mixed", AMPERE, "bf16-mixed"),
    ],
)
def test_precision(asked, cuda, precision):
    made = config(precision=asked)
    decide(made, cuda)
    assert made.precision == made.trainer.precision == precision


@pytest.mark.parametrize("key", ["precision", "trainer.precision"])
@pytest.mark.parametrize("asked", ["16-true", "64", "bf16-true", "fp64"])
def test_a_precision_with_half_masters_is_refused_among_all_faults(asked, key):
    found = faults(decided(**{key: asked, "lr": -1.0}))
    assert [one.partition(";")[0].partition(":")[0] for one in found] == [f"precision={asked}", "lr=-1.0"]
    with pytest.raises(UserError, match=f"precision={asked}; expected one of 32, 16, bf16, .*fp16"):
        chosen_precision(asked, CPU)


@pytest.mark.parametrize(("steps", "every"), [(800, 200), (10, 2), (3, 1), (0, 1)])
def test_pictures_scores_and_checkpoints_come_four_times(steps, every):
    made = config(max_steps=steps)
    decide(made, CPU)
    assert (made.sample_every, made.score_every, made.checkpoint_every) == (every, every, every)


def test_what_was_set_is_left_alone():
    made = config(sample_every=50, checkpoint_every=0, precision="32-true")
    assert decide(made, CPU) == ["score_every=50"]
    assert (made.sample_every, made.score_every, made.checkpoint_every) == (50, 50, 0)


def test_decisions_can_be_typed():
    assert decide(config(), TURING) == [
        "precision=16-mixed", "sample_every=200", "score_every=200", "checkpoint_every=200",
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["max_steps", "trainer.max_steps"])
def test_lightnings_name_and_ours_mean_the_same(key):
    made = config(**{key: 12})
    decide(made, CPU)
    assert made.max_steps == made.trainer.max_steps == 12
    assert made.sample_every == 3


def test_lightnings_precision_is_ours():
    made = config(**{"trainer.precision": 32, "trainer.accumulate_grad_batches": 4})
    decide(made, AMPERE)
    assert (made.precision, made.accumulate_grad_batches) == ("32-true", 4)
    empty = config(**{"trainer.precision": None})
    decide(empty, CPU)
    assert empty.precision == "32-true"


def decided(**values):
    made = config(**values)
    decide(made, CPU)
    return made


def test_a_sound_config_has_no_faults():
    assert faults(decided()) == []


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"max_steps": -1}, "max_steps=-1: must be at least 0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"accumulate_grad_batches": 0}, "accumulate_grad_batches=0"),
        ({"lr": -1e-6}, "lr=-1e-06"),
        ({"text_encoder_lr": -1.0}, "text_encoder_lr=-1.0"),
        ({"prior.count": -5}, "prior.count=-5"),
        ({"prior.weight": -0.1}, "prior.weight=-0.1"),
        ({"scoring.seeds": 0}, "scoring.seeds=0"),
        ({"prior.sampler.num_inference_steps": 0}, "prior.sampler.num_inference_steps=0"),
        ({"choose": "first"}, "choose=first: expected last or best"),
        ({"model.attention": "flash"}, "model.attention=flash: expected sdpa or xformers"),
        ({"data.resolution": 500}, "data.resolution=500: must be a multiple of 64"),
        ({"sample_every": 0, "score_every": 10}, "without pictures there is nothing to score"),
        ({"sample_every": 20, "score_every": 30}, "score_every=30 must be a multiple of sample_every=20"),
        ({"choose": "best", "score_every": 0}, "choose=best needs scores"),
        ({"objective.min_snr_gamma": 0.0}, "objective.min_snr_gamma=0.0: must be above 0"),
        ({"objective.offset_noise": -0.1}, "objective.offset_noise=-0.1: must be at least 0"),
        ({"objective.face_weight": 0.5}, "objective.face_weight=0.5: must be at least 1"),
        ({"data.caption_dropout": 1.0}, "data.caption_dropout=1.0: expected a share"),
        ({"data.caption_dropout": -0.1}, "data.caption_dropout=-0.1: expected a share"),
        ({"text_encoder_stop": 0}, "text_encoder_stop=0: must be at least 1"),
        ({"text_encoder_stop": 5, "method.unet": False}, "text_encoder_stop=5: needs a method that trains both"),
        ({"text_encoder_stop": 5, "method.text_encoder": False}, "text_encoder_stop=5: needs a method"),
    ],
)
def test_each_fault_is_named(values, says):
    (found,) = faults(decided(**values))
    assert says in found


def test_all_faults_are_found_at_once():
    assert len(faults(decided(batch_size=0, lr=-1.0, choose="x", **{"data.holdout": -1}))) == 4
    (alone,) = faults(decided(**{"data.holdout": 1}))
    assert "one photo says little" in alone
    assert faults(decided(**{"data.holdout": 2})) == []


def test_one_message_lists_every_fault():
    raise_all("nothing wrong:", [])
    with pytest.raises(UserError) as error:
        raise_all("2 things:", ["a", "b"])
    assert str(error.value) == "2 things:\n  - a\n  - b"


@pytest.fixture
def base(monkeypatch):
    def choose(*choice):
        monkeypatch.setattr(module, "default_base", lambda: BaseChoice(*choice))

    return choose


def test_a_base_that_was_named_is_not_discussed(base):
    base("tiny", "1 GPU, CPU build", "pip install torch")
    for override in ("model=tiny", "experiment=viblo", "+experiment=x", "model.path=DIR"):
        assert check_base([override], "basic", False) is None


def test_the_default_base_says_why(base):
    base("tiny", "no CUDA device is visible here")
    assert check_base(["lr=1e-6", "model.ema=0.9"], "basic", False).reason == "no CUDA device is visible here"


@pytest.mark.parametrize("choice", [("tiny", "1 GPU, CPU build", "pip install torch"), ("sd15", "1 CUDA device(s)")])
def test_a_gpu_that_cannot_be_used_stops_the_run(base, choice):
    base(*choice)
    with pytest.raises(UserError, match=r"(?s)to use it: .*model=tiny"):
        check_base([], "basic", cuda_works=False)


def test_a_gpu_that_works_is_used(base):
    base("sd15", "1 CUDA device(s)")
    assert check_base([], "basic", cuda_works=True).name == "sd15"


def test_a_run_on_another_machine_needs_the_base_named(base):
    base("tiny", "no CUDA device is visible here")
    with pytest.raises(UserError, match="submitit_slurm"):
        check_base([], "submitit_slurm", False)


def test_a_torchvision_that_cannot_load_is_named_with_its_cure(monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(module.importlib, "import_module", broken)
    with pytest.raises(UserError, match="pip uninstall -y torchvision"):
        module.check_torchvision()


def test_no_torchvision_is_fine(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    module.check_torchvision()


def test_plain_values_are_resolved_and_not_omegaconfs():
    made = plain(OmegaConf.create({"a": 1, "b": ["${a}"], "c": {"d": "${a}"}}))
    assert made == {"a": 1, "b": [1], "c": {"d": 1}}
    assert type(made["b"]) is list
