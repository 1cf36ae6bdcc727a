"""Files that a training run writes: checkpoints, event log, sample sheets, plots."""
