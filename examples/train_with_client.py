"""Train on bursts with a service, and use the model: python train_with_client.py bursts noisy.png [URL]

``bursts`` has a folder for each scene, with two or more noisy pictures of it. Clean pictures are not needed.
"""

import sys
from pathlib import Path

from n2n_client import URL, Client, Event


def main(bursts: str, noisy: str, url: str = URL, epochs: int = 20) -> None:
    """Upload the bursts, train, print the progress, and denoise a picture with the new model."""
    with Client(url) as client:
        dataset = client.upload_dataset([bursts], kind="bursts", name="my camera")
        for check in dataset.report.checks if dataset.report else ():
            print(f"{check.name}: {check.verdict}, {check.message}")
        job = client.submit(dataset.id, name="mine", model="scratch", epochs=epochs, force=True)
        for item in client.watch(job.id):
            if isinstance(item, Event):
                print(item.name, item.values)
            else:
                job = item
        if job.result is None:
            sys.exit(f"the job ended as {job.state}: {job.error}")
        clean = client.denoise(Path(noisy), job.result.model)
    target = Path(noisy).with_stem(Path(noisy).stem + "-clean")
    target.write_bytes(clean)
    print(f"denoised with {job.result.model}: {target}")


if __name__ == "__main__":
    main(*sys.argv[1:4])
