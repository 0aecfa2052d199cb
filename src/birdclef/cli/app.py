"""The `birdclef` command. Commands import what they need, so `predict` runs without PyTorch."""

from pathlib import Path
from typing import Annotated

import typer

from birdclef.cli import options
from birdclef.common.names import MODEL
from birdclef.common.text import printable
from birdclef.errors import plain_errors

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Detect birds in recordings.")
model_app = typer.Typer(no_args_is_help=True, help="Inspect a model file, or export one.")
app.add_typer(model_app, name="model")


@app.command()
@plain_errors()
def report() -> None:
    """Show the scores of the last run of the pipeline."""
    from rich import print

    from birdclef.cli.report import model_lines, scores_table, threshold_lines

    print(scores_table(), *threshold_lines(), *model_lines(), sep="\n")


@model_app.command()
@plain_errors()
def info(
    file: Annotated[Path, typer.Argument(help="Exported model file.")] = MODEL,
    species: Annotated[bool, typer.Option("--species", help="List every species.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print all metadata as JSON.")] = False,
) -> None:
    """Show the metadata of an exported model."""
    from json import dumps

    from birdclef.predict.model_file import read_metadata
    from birdclef.predict.model_info import info_lines, species_lines

    metadata = read_metadata(file)
    if json:
        print(dumps(metadata, indent=2))
        return
    for line in species_lines(metadata) if species else info_lines(metadata):
        print("\t".join(map(printable, line.split("\t"))))


@model_app.command()
@plain_errors()
def export(
    out: Annotated[Path, typer.Argument(help="ONNX file to write.")],
    folds: Annotated[
        list[str],
        typer.Option("--fold", help="Held-out fold, or full_0, ...; repeat the option for more."),
    ],
    level: Annotated[str | None, typer.Option(help="l1, l2, ... (default: the last).")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed (default: the first).")] = None,
) -> None:
    """Export some of the trained folds as a model file, with the checks of the full export.

    `dvc repro` makes models/birdclef.onnx, which contains every fold.
    """
    from birdclef.params import load_params

    params = load_params()
    level = params.models.rounds[-1].students if level is None else level
    seed = params.models.seeds[0] if seed is None else seed
    from birdclef.export.bundle import write_folds
    from birdclef.model.artifacts import parse_fold
    from birdclef.model.device import prepare

    prepare(params.runtime)
    write_folds(params, level, seed, [parse_fold(fold) for fold in folds], out)


@app.command()
@plain_errors()
def doctor() -> None:
    """Print versions, device, processor, cache, remotes and free space for a bug report."""
    from birdclef.cli.doctor import doctor as findings
    from birdclef.params import load_params

    params = load_params()
    for topic, found in findings(params):
        print(f"{topic:10}{found}")


@app.command()
@plain_errors()
def check() -> None:
    """Find within seconds what would stop a long run; exit with 1 if anything would."""
    from birdclef.cli.check import check as findings
    from birdclef.params import load_params
    from birdclef.progress import console

    params = load_params()
    bad = 0
    for finding in findings(params):
        mark = "[green]ok[/]" if finding.ok else "[red]no[/]"
        console.print(mark, f"{finding.what}:", end=" ")
        console.print(printable(finding.detail), markup=False, highlight=False, soft_wrap=True)
        bad += not finding.ok
    if bad:
        raise typer.Exit(1)


@app.command()
@plain_errors()
def repro(
    targets: Annotated[list[str] | None, typer.Argument(help="Stages (default: all).")] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Maximum number of stages at once.")
    ] = 2,
    pull: Annotated[
        bool,
        typer.Option("--pull", help="In a clone without data, fetch the inputs of stages to run."),
    ] = False,
) -> None:
    """Do the same as `dvc repro`, but run independent stages in parallel."""
    from birdclef.cli.parallel_repro import reproduce

    failed = reproduce(jobs, targets or [], pull)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}; all stages that need none of them are done")


@app.command()
@plain_errors()
def predict(
    paths: options.Recordings,
    model: options.Model = MODEL,
    out: options.Out = Path("detections.csv"),
    form: options.Form = None,
    min_confidence: options.MinConfidence = None,
    own_thresholds: options.OwnThresholds = False,
    top_k: options.TopK = 0,
    species_list: options.SpeciesList = None,
    overlap: options.Overlap = 0.0,
    calibrate: options.Calibrate = False,
    recording_max: options.RecordingMax = 0.0,
    smooth: options.Smooth = False,
    sample_submission: options.SampleSubmission = None,
    threads: options.Threads = 0,
    engine: options.Engine = "onnxruntime",
) -> None:
    """Detect species in recordings of any length.

    Files that cannot be read are listed and skipped, and the exit code is 1. If a run is stopped,
    the same command continues it.
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
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
    if done.unreadable:
        raise typer.Exit(1)


@app.command()
@plain_errors()
def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Restore good copies.")] = False,
) -> None:
    """Re-hash the cache and every output against dvc.lock; exit with 1 if a fault remains."""
    from birdclef.cli import verify as verification
    from birdclef.progress import console

    files, faults = verification.verify(repair=repair)
    for fault in faults:
        line = f"{fault.problem:8} {fault.path}: {fault.remedy}"
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
    remaining = sum(not fault.repaired for fault in faults)
    console.print(f"{files} files read, {len(faults)} faults, {len(faults) - remaining} repaired")
    if remaining and all(fault.problem == "missing" for fault in faults):
        console.print("all other files are good: `dvc pull` fetches the rest, `dvc repro` makes it")
    if remaining:
        raise typer.Exit(1)


@app.command()
@plain_errors()
def rebuild(
    data_only: Annotated[
        bool, typer.Option("--data-only", help="Run only stages without training.")
    ] = False,
    tolerance: Annotated[
        float, typer.Option(min=0, help="Largest accepted difference of a score between CPUs.")
    ] = 0.05,
) -> None:
    """Run the last commit in an empty clone, and compare every hash of dvc.lock.

    Exit with 1 if a data stage gives different bytes, if training gives different bytes and its
    scores differ by more than the tolerance, or if other code or parameters wrote dvc.lock.
    """
    from tempfile import TemporaryDirectory

    from birdclef.cli import rebuild as rebuilding
    from birdclef.progress import console

    here = Path()
    with TemporaryDirectory(prefix="birdclef-") as folder:
        clone = Path(folder) / "clone"
        rebuilding.rebuild(here, clone, rebuilding.data_stages(here) if data_only else ())
        found = rebuilding.compare(here, clone, tolerance)
    console.print(rebuilding.table(found))
    if not {stage.verdict for stage in found} <= {rebuilding.SAME, rebuilding.WITHIN}:
        raise typer.Exit(1)


@app.command()
@plain_errors()
def docs() -> None:
    """Update the tables of README.md and docs/, and the ensemble recipe; list the changed files."""
    from birdclef.cli.doc_tables import fill_all

    print(*fill_all(), sep="\n")


if __name__ == "__main__":
    app()
