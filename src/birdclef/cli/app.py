"""The `birdclef` command. Each command imports what it needs, so that none needs PyTorch."""

from pathlib import Path
from typing import Annotated

import typer

from birdclef.common.names import MODEL
from birdclef.errors import plain_errors

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Birds in recordings.")
model_app = typer.Typer(no_args_is_help=True, help="Look into a model file, or export one.")
app.add_typer(model_app, name="model")


@app.command()
@plain_errors()
def report() -> None:
    """Show the scores of the last run of the pipeline."""
    from rich import print

    from birdclef.cli.report import model_lines, scores_table

    print(scores_table(), *model_lines(), sep="\n")


@model_app.command()
@plain_errors()
def info(
    file: Annotated[Path, typer.Argument(help="The exported model.")] = MODEL,
    species: Annotated[bool, typer.Option("--species", help="List every species.")] = False,
    json: Annotated[bool, typer.Option("--json", help="All of it, as the file has it.")] = False,
) -> None:
    """Show what an exported model says of itself."""
    from json import dumps

    from birdclef.predict.detector import read_metadata
    from birdclef.predict.model_info import info_lines, species_lines

    about = read_metadata(file)
    if json:
        print(dumps(about, indent=2, ensure_ascii=False))
    else:
        print(*(species_lines(about) if species else info_lines(about)), sep="\n")


@model_app.command()
@plain_errors()
def export(
    out: Annotated[Path, typer.Argument(help="The ONNX file to write.")],
    folds: Annotated[list[int], typer.Option("--fold", help="Held-out fold; repeat for more.")],
    level: Annotated[str | None, typer.Option(help="l1, l2, ...; the last unless given.")] = None,
    seed: Annotated[int | None, typer.Option(help="The first unless given.")] = None,
) -> None:
    """Write some of the trained folds alone as a model file, checked as the whole is.

    The pipeline's own models/birdclef.onnx, with every fold, is made by `dvc repro`.
    """
    from birdclef.params import load_params
    from birdclef.progress import console

    params = load_params()
    level = params.models.rounds[-1].students if level is None else level
    seed = params.models.seeds[0] if seed is None else seed
    from birdclef.export.bundle import write_folds
    from birdclef.model.device import prepare

    prepare(params.runtime)
    found = write_folds(params, level, seed, folds, out)
    console.print(f"{out}: differs from PyTorch by at most {found['parity']:.1e}")


@app.command()
@plain_errors()
def doctor() -> None:
    """Print versions, device, processor, cache, remotes and space: for a bug report."""
    from birdclef.cli.doctor import doctor as findings
    from birdclef.params import load_params

    params = load_params()
    for what, found in findings(params):
        print(f"{what:10}{found}")


@app.command()
@plain_errors()
def check() -> None:
    """Find in seconds what would stop a long run; exits with 1 if something would."""
    from birdclef.cli.check import check as findings
    from birdclef.params import load_params
    from birdclef.progress import console

    params = load_params()
    bad = 0
    for finding in findings(params):
        mark = "[green]ok[/]" if finding.ok else "[red]no[/]"
        console.print(mark, f"{finding.what}:", end=" ")
        console.print(finding.detail, markup=False, highlight=False, soft_wrap=True)
        bad += not finding.ok
    if bad:
        raise typer.Exit(1)


@app.command()
@plain_errors()
def repro(
    targets: Annotated[list[str] | None, typer.Argument(help="Stages; none: all.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages at once.")] = 2,
    pull: Annotated[
        bool, typer.Option("--pull", help="In a clone without data: fetch what must run needs.")
    ] = False,
) -> None:
    """Do as `dvc repro`, but run stages that do not wait for each other at once."""
    from birdclef.cli.parallel_repro import reproduce

    failed = reproduce(jobs, targets or [], pull)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}; all that does not need them is finished")


@app.command()
@plain_errors()
def predict(
    paths: Annotated[list[Path], typer.Argument(help="Recordings, or folders of them.")],
    model: Annotated[Path, typer.Option(help="The exported model.")] = MODEL,
    out: Annotated[Path, typer.Option(help="To write; for audacity a folder.")] = Path(
        "detections.csv"
    ),
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="csv, wide, parquet, raven, audacity or submission; by default out's suffix"
            " tells: .csv, .parquet, or .txt for raven.",
        ),
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Leave out below; 0.1 unless given.")
    ] = None,
    own_thresholds: Annotated[
        bool, typer.Option("--own-thresholds", help="Leave out below each species' own threshold.")
    ] = False,
    top_k: Annotated[
        int, typer.Option(min=0, help="At most so many species in a window; 0: all.")
    ] = 0,
    species_list: Annotated[
        Path | None,
        typer.Option(help="Text file: a code, scientific or common name a line; only these."),
    ] = None,
    overlap: Annotated[float, typer.Option(min=0, help="Of windows, in seconds.")] = 0.0,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Probabilities by the model's calibration.")
    ] = False,
    recording_max: Annotated[
        float,
        typer.Option(min=0, help="Raise what is clear elsewhere in the recording; try 0.8."),
    ] = 0.0,
    smooth: Annotated[bool, typer.Option("--smooth", help="Mean over five windows.")] = False,
    sample_submission: Annotated[
        Path | None, typer.Option(help="Whose species columns format submission follows.")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="0: one a processor.")] = 0,
    engine: Annotated[
        str, typer.Option(help="onnxruntime, openvino or openvino-bf16.")
    ] = "onnxruntime",
) -> None:
    """Detect species in recordings of any length.

    A file that cannot be read is named and skipped, and the exit code is 1. A run that was stopped
    goes on where it was when the same command is given again.
    """
    from birdclef.predict.detections import Scoring
    from birdclef.predict.run import Choices, detect
    from birdclef.progress import console

    scoring = Scoring(calibrate, recording_max, smooth)
    choices = Choices(
        form, min_confidence, own_thresholds, top_k, species_list, overlap, sample_submission
    )
    done = detect(paths, model, out, choices, scoring, threads, engine)
    for line in done.lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if done.bad:
        raise typer.Exit(1)


@app.command()
@plain_errors()
def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Put good copies in place.")] = False,
) -> None:
    """Re-hash the cache and every output against dvc.lock; exits with 1 if a fault remains."""
    from birdclef.cli import verify as verification
    from birdclef.progress import console

    files, faults = verification.verify(repair=repair)
    for fault in faults:
        line = f"{fault.problem:8} {fault.path}: {fault.remedy}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    left = sum(not fault.repaired for fault in faults)
    console.print(f"{files} files read, {len(faults)} faults, {len(faults) - left} repaired")
    if left and all(fault.problem == "missing" for fault in faults):
        console.print("what is there is good: `dvc pull` fetches the rest, `dvc repro` makes it")
    if left:
        raise typer.Exit(1)


@app.command()
@plain_errors()
def reproduce(
    data_only: Annotated[bool, typer.Option("--data-only", help="Nothing that trains.")] = False,
    tolerance: Annotated[float, typer.Option(min=0, help="Of scores, on another CPU.")] = 0.05,
) -> None:
    """Run what is committed anew in an empty clone, and compare every hash of dvc.lock.

    Exits with 1 if a data stage gives other bytes, training other bytes and scores beyond the
    tolerance, or if dvc.lock was written by other code or parameters than are committed.
    """
    from tempfile import TemporaryDirectory

    from birdclef.cli import rebuild as reproduction
    from birdclef.progress import console

    here = Path()
    with TemporaryDirectory(prefix="birdclef-") as folder:
        clone = Path(folder) / "clone"
        reproduction.reproduce(here, clone, reproduction.data_stages(here) if data_only else ())
        found = reproduction.compare(here, clone, tolerance)
    console.print(reproduction.table(found))
    if not {stage.verdict for stage in found} <= {reproduction.SAME, reproduction.WITHIN}:
        raise typer.Exit(1)


@app.command()
@plain_errors()
def docs() -> None:
    """Fill the figures of docs/ from metrics/ and dvc.yaml; names what has changed."""
    from birdclef.cli.doc_tables import fill_all

    print(*fill_all(), sep="\n")


if __name__ == "__main__":
    app()
