"""Stored bytes to waveforms, targets and masks, and the score of predictions."""
