"""Training of one fold of one level: examples, mixup, loss, optimiser, resume."""
