"""How pictures are drawn when nobody said: as the run's own were, else as in the tutorial."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from avatar_exp.config.schema import SamplerConfig
from avatar_exp.config.start import conf_dir
from avatar_exp.run_folder import RunFolder

KEYS = ("num_inference_steps", "guidance_scale", "scheduler")


def settle_sampler(config: DictConfig, run: RunFolder) -> None:
    """Give the keys of the sampler that are null the values of the run's pictures, of the tutorial without a run.

    Args:
        run: a run, or the folder of a pipeline that lies in one.
    """
    known: Any = SamplerConfig()
    for folder in (run, RunFolder(run.path.parent)):
        if folder.resolved.is_file():
            known = OmegaConf.load(folder.resolved).scoring.sampler
            break
    for key in KEYS:
        if config[key] is None:
            config[key] = getattr(known, key)


def sampler_of_model(name: str) -> dict[str, Any]:
    """The sampler that ``model=name`` draws with."""
    own = OmegaConf.load(conf_dir() / "model" / f"{name}.yaml")
    settings = OmegaConf.merge(OmegaConf.structured(SamplerConfig), OmegaConf.select(own, "scoring.sampler") or {})
    return dict(settings)
