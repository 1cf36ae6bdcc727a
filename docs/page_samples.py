"""Makes the page's samples, ``service/web/samples``: ``python docs/page_samples.py``.

``camera.png`` is Stefan van der Walt's cat Chelsea (CC0, shipped by scikit-image) with a camera's noise,
rounded to 8 bits as a file is. ``render.png`` is drawn here, by tracing some random paths of light a pixel:
noise as renderers have it.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from torch import Generator

from n2n_core.image.rounding import to_bytes
from n2n_core.noise.corruptions import Camera

FOLDER = Path(__file__).parents[1] / "service" / "web" / "samples"
WIDTH, HEIGHT, PATHS, BOUNCES = 480, 320, 72, 4
SMALL = 264, 176
"""Size of the pictures on the buttons: twice the size that is shown."""

Array = NDArray[np.float64]
SPHERES = np.array([  # x, y, z, radius; red, green, blue; light
    [-1.15, 0.75, 0.2, 0.75, 0.85, 0.30, 0.25, 0],
    [0.45, 0.55, 1.0, 0.55, 0.25, 0.55, 0.80, 0],
    [1.55, 0.90, -0.6, 0.90, 0.90, 0.75, 0.35, 0],
    [-0.2, 0.30, 1.75, 0.30, 0.85, 0.85, 0.85, 0],
    [0.0, -1000, 0.0, 1000, 0.72, 0.70, 0.68, 0],
    [-4.0, 5.2, 2.6, 2.60, 0.00, 0.00, 0.00, 4.0],
])  # fmt: skip
SKY = np.array([0.30, 0.38, 0.52])


def main() -> None:
    """Write the samples, and small ones for their buttons."""
    FOLDER.mkdir(exist_ok=True)
    cat = torch.from_numpy(data.chelsea()[:300, 1:451].copy()).permute(2, 0, 1) / 255
    noisy = to_bytes(Camera(lam=150, sigma=0.03, blur=0.6)(cat, Generator().manual_seed(0)))
    write("camera", Image.fromarray(noisy.permute(1, 2, 0).numpy()))
    light = render(np.random.default_rng(0))
    write("render", Image.fromarray((np.clip(light, 0, 1) ** (1 / 2.2) * 255 + 0.5).astype(np.uint8)))


def write(name: str, picture: Image.Image) -> None:
    """The picture, losslessly, and its small one."""
    picture.save(FOLDER / f"{name}.png", optimize=True)
    picture.resize(SMALL, Image.Resampling.BOX).save(FOLDER / f"{name}-small.webp", quality=60)


def render(rng: np.random.Generator) -> Array:
    """Linear light ``(H, W, 3)``: the mean of ``PATHS`` paths a pixel, of ``BOUNCES`` bounces at most."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].reshape(2, -1).astype(float)
    total = np.zeros((y.size, 3))
    for _ in range(PATHS):
        u = (x + rng.random(x.size) - WIDTH / 2) / HEIGHT
        v = (HEIGHT / 2 - y - rng.random(y.size)) / HEIGHT
        direction = normed(np.stack([u, v - 0.18, np.full_like(u, -1.15)], 1))
        total += trace(np.tile([0.15, 1.6, 4.7], (x.size, 1)), direction, rng)
    return (total / PATHS).reshape(HEIGHT, WIDTH, 3)


def trace(origin: Array, direction: Array, rng: np.random.Generator) -> Array:
    """The light that comes back along each ray: one random path each, of diffuse bounces."""
    light, weight = np.zeros_like(origin), np.ones_like(origin)
    for _ in range(BOUNCES):
        distance, sphere = hit(origin, direction)
        missed = np.isinf(distance)
        light += np.where(missed[:, None], weight * SKY, weight * SPHERES[sphere, 7:8])
        weight = np.where(missed[:, None], 0, weight * SPHERES[sphere, 4:7])
        origin = origin + np.where(missed, 0, distance)[:, None] * direction
        normal = normed(origin - SPHERES[sphere, :3])
        origin = origin + 1e-4 * normal
        direction = normed(normal + normed(rng.normal(size=normal.shape)))
    return light


def hit(origin: Array, direction: Array) -> tuple[Array, NDArray[np.intp]]:
    """Return the length of each ray, infinite if it hits nothing, and the sphere that it hits."""
    offset = origin[:, None] - SPHERES[None, :, :3]
    half = (offset * direction[:, None]).sum(2)
    root = half**2 - (offset**2).sum(2) + SPHERES[:, 3] ** 2
    near = -half - np.sqrt(np.maximum(root, 0))
    distance = np.where((root > 0) & (near > 1e-4), near, np.inf)
    nearest = distance.argmin(1)
    return distance[np.arange(len(nearest)), nearest], nearest


def normed(vectors: Array) -> Array:
    """Scale vectors to length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
