"""What a training step sees: crops, noisy copies, sub-sampled pairs."""
