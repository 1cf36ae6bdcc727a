"""A small deep-learning framework in which every layer has a hand-written backward pass.

It uses tensor methods, ``torch.empty`` and ``torch.cat``, but no ``torch.nn`` module and no autograd.

Reading order: ``module``, ``activation``, ``loss``, ``windows``, ``conv``, ``upsampling``,
``fused_upsampling``, ``sequential``, ``optim``, ``network``. ``docs/framework.md`` explains the
mathematics in the same order.
"""

from n2n_core.scratch.activation import ReLU, Sigmoid
from n2n_core.scratch.conv import Conv2d, Convolution, ConvTranspose2d
from n2n_core.scratch.loss import MSE
from n2n_core.scratch.module import Module, Parameter
from n2n_core.scratch.network import AutoEncoder, strided_autoencoder
from n2n_core.scratch.optim import SGD, Adam, Optimizer
from n2n_core.scratch.sequential import Sequential, Skip
from n2n_core.scratch.upsampling import NearestUpsampling, Upsampling

__all__ = [
    "MSE", "SGD", "Adam", "AutoEncoder", "Conv2d", "ConvTranspose2d", "Convolution", "Module",
    "NearestUpsampling", "Optimizer", "Parameter", "ReLU", "Sequential", "Sigmoid", "Skip", "Upsampling",
    "strided_autoencoder",
]  # fmt: skip
