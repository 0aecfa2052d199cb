"""Lengths in samples, computed from params.yaml."""

from birdclef.params import ClipsParams


def clip_samples(clips: ClipsParams) -> int:
    """Number of samples in one clip, the model input."""
    return round(clips.clip_s * clips.sample_rate_hz)


def stored_samples(clips: ClipsParams) -> int:
    """Number of samples stored for the head of a recording, and again for its tail."""
    return round((clips.clip_s + clips.shift_s) * clips.sample_rate_hz)
