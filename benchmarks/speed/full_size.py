"""What benchmarks of training share: the run's own parameters, but images as large as in full."""

from pathlib import Path

from birdclef.params import Params, load_params

RECIPE = Path("recipes/birdclef-2024.yaml")


def load_full_size() -> Params:
    """params.yaml with the recipe's mel."""
    return load_params().model_copy(update={"mel": load_params(RECIPE).mel})
