"""How pictures are drawn and scored when nobody said: as the run's own were, else as in the tutorial."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from avatar_exp.config.conf import conf_dir
from avatar_exp.config.schema import SamplerConfig, ScoringConfig
from avatar_exp.run_folder import RunFolder

KEYS = ("num_inference_steps", "guidance_scale", "scheduler")


def settle_sampler(config: DictConfig, run: RunFolder) -> None:
    """Give the keys of the sampler that are null the values of the run's pictures, of the tutorial without a run.

    Args:
        run: a run, or the folder of a pipeline that lies in one.
    """
    known = scoring_of(run).sampler
    for key in KEYS:
        if config[key] is None:
            config[key] = known[key]


def scoring_of(run: RunFolder) -> DictConfig:
    """The ``scoring`` of a run; the defaults without one.

    Args:
        run: a run, or the folder of a pipeline that lies in one.
    """
    found: DictConfig = OmegaConf.structured(ScoringConfig)
    for folder in (RunFolder(run.path.parent), run):
        if folder.resolved.is_file():
            found = OmegaConf.load(folder.resolved).scoring
    return found


def sampler_of_model(name: str) -> dict[str, Any]:
    """The sampler that ``model=name`` draws with."""
    own = OmegaConf.load(conf_dir() / "model" / f"{name}.yaml")
    settings = OmegaConf.merge(OmegaConf.structured(SamplerConfig), OmegaConf.select(own, "scoring.sampler") or {})
    return dict(settings)
