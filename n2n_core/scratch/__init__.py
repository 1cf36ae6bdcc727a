"""A small deep-learning framework, by hand: every layer with its own backward pass.

It uses tensors' methods, ``torch.empty``, ``torch.cat``, ``torch.arange``, ``fold`` and
``unfold``; no ``torch.nn`` module and no autograd. Reading order: ``module``,
``activation``, ``loss``, ``conv``, ``upsampling``, ``sequential``, ``optim``, ``network``.
"""

from n2n_core.scratch.activation import ReLU, Sigmoid
from n2n_core.scratch.conv import Conv2d
from n2n_core.scratch.loss import MSE
from n2n_core.scratch.module import Module, Parameter
from n2n_core.scratch.network import StridedAutoEncoder
from n2n_core.scratch.optim import SGD, Adam, Optimizer
from n2n_core.scratch.sequential import Sequential
from n2n_core.scratch.upsampling import NearestUpsampling, Upsampling

__all__ = [
    "MSE",
    "SGD",
    "Adam",
    "Conv2d",
    "Module",
    "NearestUpsampling",
    "Optimizer",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "StridedAutoEncoder",
    "Upsampling",
]
