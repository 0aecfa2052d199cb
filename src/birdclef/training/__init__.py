"""One fold of one level: examples, mixup, loss, optimiser, resume."""
