"""Stage `deduplicate`: the same sound under other ids -> the final recordings and their folds."""

from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed

from birdclef.common.files import write_csv, write_json
from birdclef.common.names import INDEX, METRICS
from birdclef.common.recordings import read_recordings, read_species
from birdclef.errors import plain_errors
from birdclef.index.counts import per_species_and_source, summarize
from birdclef.index.duplicates import SoundPair, resolve
from birdclef.index.fingerprints import Fingerprint, try_fingerprint
from birdclef.index.folds import assign_folds, count_straddling
from birdclef.index.landmarks import find_matches
from birdclef.params import Params, load_params
from birdclef.progress import console, track


def fingerprint_all(params: Params, recordings: pd.DataFrame) -> dict[str, Fingerprint]:
    """Fingerprints by recording id, of those that can be decoded, in the order of the table."""
    root, max_s = Path(params.data.root), params.deduplicate.max_s
    jobs = [delayed(try_fingerprint)(root / path, max_s) for path in recordings["path"]]
    results = Parallel(params.runtime.jobs, return_as="generator")(jobs)
    found = track(results, "fingerprints", len(jobs))
    pairs = zip(recordings["recording_id"], found, strict=True)
    return {recording: own for recording, own in pairs if own is not None}


def find_pairs(params: Params, fingerprints: dict[str, Fingerprint]) -> list[SoundPair]:
    """Recordings that share sound, by id."""
    ids = sorted(fingerprints)
    peaks = [fingerprints[recording].peaks for recording in ids]
    matches = find_matches(peaks, params.deduplicate.min_similarity)
    return [SoundPair(ids[m.first], ids[m.second], m.similarity, m.offset_s) for m in matches]


def main() -> None:
    params = load_params()
    tables = [read_recordings(INDEX / name) for name in ("recordings.csv", "extra.csv")]
    recordings = pd.concat(tables, ignore_index=True).sort_values("recording_id")
    fingerprints = fingerprint_all(params, recordings)
    pairs = find_pairs(params, fingerprints)
    lengths = {recording: own.length_s for recording, own in fingerprints.items()}
    kept, report, together = resolve(recordings, pairs, lengths)
    folds = assign_folds(kept, params.folds.count, params.folds.seed, together)
    write_csv(report, INDEX / "duplicates.csv")
    write_csv(kept, INDEX / "kept.csv")
    write_csv(folds, INDEX / "folds.csv")

    species = read_species(INDEX / "species.csv")["species"]
    summary = summarize(recordings, kept, species) | {"groups": folds["group"].nunique()}
    write_json(summary, METRICS / "kept.json")
    write_csv(per_species_and_source(kept, species), METRICS / "recordings_per_species.csv")
    metrics = {
        "pairs": len(report),
        "dropped": len(recordings) - len(kept),
        "not_decoded": len(recordings) - len(fingerprints),  # left in: `preprocess` judges them
        "straddling_groups": count_straddling(kept, folds, together),
    }
    write_json(metrics, METRICS / "deduplicate.json")
    counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in metrics.items())
    console.print(f"{counts}: {INDEX / 'duplicates.csv'}", highlight=False)


if __name__ == "__main__":
    with plain_errors():
        main()
