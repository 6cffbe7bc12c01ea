"""Training: the solver file's meaning, the loop, update rules, learning rates, and what the log shows of it."""
