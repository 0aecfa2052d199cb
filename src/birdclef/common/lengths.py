"""Lengths in samples that follow from params.yaml."""

from birdclef.params import ClipsParams


def clip_samples(clips: ClipsParams) -> int:
    """Samples of one model input."""
    return round(clips.clip_s * clips.sample_rate_hz)


def stored_samples(clips: ClipsParams) -> int:
    """Samples stored of a recording's head, and of its tail."""
    return round((clips.clip_s + clips.shift_s) * clips.sample_rate_hz)
