"""Denoise a picture with a running service: python denoise_with_client.py noisy.png clean.png [URL]

Start the service with ``n2n serve``. This script needs only the client: ``pip install ./n2n_client``.
"""

import sys
from pathlib import Path

from n2n_client import URL, Client


def main(source: str, target: str, url: str = URL) -> None:
    """Let the service choose the model, and print what it did."""
    with Client(url) as client:
        denoised = client.denoise_reported(Path(source), "auto")
    Path(target).write_bytes(denoised.image)
    report = denoised.report
    print(f"{report.width} x {report.height} pixels, model {report.model}")
    print(f"noise before and after, in grey levels of 255: {report.noise}")


if __name__ == "__main__":
    main(*sys.argv[1:])
