"""The `birdclef` command: predictions, checks, reports, and runs of the pipeline through DVC."""
