"""The `birdclef` command."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@app.command()
def report() -> None:
    """Show the scores of the last run of the pipeline."""
    from rich import print

    from birdclef.report import model_lines, scores_table

    try:
        print(scores_table(), *model_lines(), sep="\n")
    except FileNotFoundError as error:
        raise SystemExit(str(error)) from None


@app.command()
def check() -> None:
    """Find in seconds what would stop a long run; exits with 1 if something would."""
    from birdclef.checks import check as findings
    from birdclef.params import ParamsError, load_params
    from birdclef.progress import console

    try:
        params = load_params()
    except ParamsError as error:
        raise SystemExit(str(error)) from None
    bad = 0
    for finding in findings(params):
        mark = "[green]ok[/]" if finding.ok else "[red]no[/]"
        console.print(mark, f"{finding.what}:", end=" ")
        console.print(finding.detail, markup=False, highlight=False, soft_wrap=True)
        bad += not finding.ok
    if bad:
        raise typer.Exit(1)


@app.command()
def repro(
    targets: Annotated[list[str] | None, typer.Argument(help="Stages; none: all.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages at once.")] = 2,
) -> None:
    """Do as `dvc repro`, but run stages that do not wait for each other at once."""
    from birdclef.parallel import reproduce

    try:
        failed = reproduce(jobs, targets or [])
    except ValueError as error:
        raise SystemExit(str(error)) from None
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}; all that does not need them is finished")


@app.command()
def predict(
    paths: Annotated[list[Path], typer.Argument(help="Recordings, or folders of them.")],
    model: Annotated[Path, typer.Option(help="The exported model.")] = Path("models/birdclef.onnx"),
    out: Annotated[Path, typer.Option(help="CSV file to write.")] = Path("detections.csv"),
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Leave out below.")] = 0.1,
    threads: Annotated[int, typer.Option(min=0, help="Processor threads; 0: all.")] = 0,
) -> None:
    """Detect species in recordings of any length; exits with 1 if a file could not be read."""
    import pandas as pd

    from birdclef.audio import AudioError
    from birdclef.detections import Detection, detections, find_recordings
    from birdclef.files import write_csv
    from birdclef.inference import Detector, ModelFileError
    from birdclef.progress import console, track

    try:
        detector, recordings = Detector(model, threads), find_recordings(paths)
    except (ModelFileError, FileNotFoundError) as error:
        raise SystemExit(str(error)) from None
    rows: list[Detection] = []
    bad: list[str] = []
    for path in track(recordings, "recordings", len(recordings)):
        try:
            windows = detector.windows(path)
            rows += list(detections(detector, str(path), windows, min_confidence))
        except AudioError as error:
            bad.append(f"skipped {path}: {error}")
    write_csv(pd.DataFrame(rows, columns=list(Detection._fields)), out, float_format="%.5g")
    for line in bad:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{len(rows)} detections in {len(recordings) - len(bad)} recordings: {out}", soft_wrap=True
    )
    if bad:
        raise typer.Exit(1)


@app.command()
def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Put good copies in place.")] = False,
) -> None:
    """Re-hash the cache and every output against dvc.lock; exits with 1 if a fault remains."""
    from birdclef import verification
    from birdclef.progress import console

    try:
        files, faults = verification.verify(repair=repair)
    except verification.VerificationError as error:
        raise SystemExit(str(error)) from None
    for fault in faults:
        line = f"{fault.problem:8} {fault.path}: {fault.remedy}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    left = sum(not fault.repaired for fault in faults)
    console.print(f"{files} files read, {len(faults)} faults, {len(faults) - left} repaired")
    if left:
        raise typer.Exit(1)


@app.command()
def reproduce(
    data_only: Annotated[bool, typer.Option("--data-only", help="Nothing that trains.")] = False,
    tolerance: Annotated[float, typer.Option(min=0, help="Of scores, on another CPU.")] = 0.05,
) -> None:
    """Run what is committed anew in an empty clone; exits with 1 if a hash differs."""
    from tempfile import TemporaryDirectory

    from birdclef import reproduction
    from birdclef.progress import console

    here = Path()
    with TemporaryDirectory(prefix="birdclef-") as folder:
        clone = Path(folder) / "clone"
        try:
            reproduction.reproduce(here, clone, reproduction.data_stages(here) if data_only else ())
        except (reproduction.ReproductionError, FileNotFoundError) as error:
            raise SystemExit(str(error)) from None
        found = reproduction.compare(here, clone, tolerance)
    console.print(reproduction.table(found))
    if any(stage.verdict == reproduction.DIFFERENT for stage in found):
        raise typer.Exit(1)


@app.command()
def docs() -> None:
    """Fill the figures of docs/ from metrics/ and dvc.yaml; names what has changed."""
    from birdclef.figures import FiguresError, fill_all

    try:
        print(*fill_all(), sep="\n")
    except FiguresError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    app()
