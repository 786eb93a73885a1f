"""Training: the loop, callbacks, checkpoints, history."""
