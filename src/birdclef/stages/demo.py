"""Write the embedded demo dataset to data/demo."""

from pathlib import Path

from birdclef.demo.competition import write_demo
from birdclef.errors import plain_errors
from birdclef.params import load_params


def main() -> None:
    params = load_params()
    write_demo(Path("data/demo"), params.demo, params.runtime.jobs)


if __name__ == "__main__":
    with plain_errors():
        main()
