"""Train a network of the scratch framework, without torch.nn and autograd: python scratch_network.py

The toy task: denoise gradients of random slope and offset, learned from noisy pictures alone. Input and
target are two independent noisy copies, so the best prediction of the target is the clean picture.
"""

import torch
from torch import Generator, Tensor

from n2n_core.scratch import MSE, Adam, Conv2d, ReLU, Sequential, Sigmoid, Upsampling


def batch(generator: Generator, count: int = 16, side: int = 16) -> Tensor:
    """Return clean pictures ``(count, 1, side, side)``: horizontal gradients in [0.2, 0.8]."""
    ends = 0.2 + 0.6 * torch.rand(count, 1, 1, 2, generator=generator)
    return torch.lerp(ends[..., :1], ends[..., 1:], torch.linspace(0, 1, side)).expand(-1, -1, side, -1)


def main(steps: int = 300) -> tuple[float, float]:
    """Train, and return the mean squared error of noisy and of denoised pictures."""
    generator = Generator().manual_seed(0)
    network = Sequential(
        Conv2d(1, 16, kernel_size=2, stride=2, generator=generator), ReLU(),
        Upsampling(16, 1, kernel_size=3, scale_factor=2, padding=1, generator=generator), Sigmoid(),
    )  # fmt: skip
    loss, optimizer = MSE(), Adam(network.param(), lr=1e-2)
    for _ in range(steps):
        clean = batch(generator)
        noisy, target = (clean + 0.1 * torch.randn(clean.shape, generator=generator) for _ in range(2))
        loss(network(noisy), target)
        optimizer.zero_grad()
        network.backward(loss.backward())
        optimizer.step()
    return (noisy - clean).pow(2).mean().item(), (network(noisy) - clean).pow(2).mean().item()


if __name__ == "__main__":
    print("mean squared error, noisy {:.5f}, denoised {:.5f}".format(*main()))
