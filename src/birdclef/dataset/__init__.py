"""From stored bytes to waveforms, targets and masks; and the metric that scores predictions."""
