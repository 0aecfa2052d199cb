"""The `birdclef` command, and what its commands do around DVC."""
