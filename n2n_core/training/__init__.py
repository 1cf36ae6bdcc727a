"""Training: recipes, engines, the loop, validation."""
