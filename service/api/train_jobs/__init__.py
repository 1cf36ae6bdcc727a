"""``/train-jobs``: submission, control, outputs, event stream."""
