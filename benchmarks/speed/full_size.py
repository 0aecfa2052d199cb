"""Parameters for the training benchmarks: those of the run, but with full-size mel images."""

from pathlib import Path

from birdclef.params import Params, load_params

RECIPE = Path("recipes/birdclef-2024.yaml")


def load_full_size() -> Params:
    """Load params.yaml, with the `mel` section of the full-size recipe."""
    return load_params().model_copy(update={"mel": load_params(RECIPE).mel})
