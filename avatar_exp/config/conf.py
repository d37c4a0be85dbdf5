"""Where conf/ lies, and what each command's config must look like."""

from pathlib import Path

from avatar_exp.config.schema import (
    CompareConfig,
    EvaluateConfig,
    ExportConfig,
    PrepareConfig,
    SampleConfig,
    TrainConfig,
)

SCHEMAS = {
    "prepare": PrepareConfig,
    "train": TrainConfig,
    "sample": SampleConfig,
    "evaluate": EvaluateConfig,
    "compare": CompareConfig,
    "export": ExportConfig,
}


def conf_dir() -> Path:
    """conf/, beside the package in a source tree, inside it in a wheel."""
    package = Path(__file__).resolve().parents[1]
    return next(folder for folder in (package / "conf", package.parent / "conf") if folder.is_dir())
