"""Train a model in Python from pairs of noisy pictures: python train_in_python.py shots run

``shots`` has two folders with equal file names: two noisy pictures of each scene.
"""

import sys
from pathlib import Path

from n2n_core.datasets.checks.suite import check_dataset
from n2n_core.datasets.importing.importer import import_dataset
from n2n_core.training import loop
from n2n_core.training.config import TrainConfig


def main(shots: str, run: str, epochs: int = 20) -> None:
    """Import the pictures, check them, train, and print where the weights are."""
    folder = Path(run)
    dataset = import_dataset(shots, "pairs", folder / "dataset")
    for check in check_dataset(dataset).checks:
        print(f"{check.name}: {check.verdict}, {check.message}")
    config = TrainConfig(model="scratch", epochs=epochs, batch_size=8, crop=32)
    # None holds out some scenes for validation. They are noisy, too, so the PSNR is an estimate.
    loop.fit(config, dataset, None, folder, on_event=lambda event: print(event))
    print(f"n2n denoise noisy.png -o clean.png --model {folder / loop.MODEL}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
