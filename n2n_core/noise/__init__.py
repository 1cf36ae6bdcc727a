"""Noise: corruptions of clean pictures, and the estimation of how noisy a picture is."""
