"""A training step as a CUDA graph, launched at once.

A small network's step is some hundred kernels that take the device less time than launching them
one by one takes the host.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

WARM_UPS = 5
"""Steps of a shape before it is recorded: libraries choose their kernels and their memory in them."""

Step = Callable[[Tensor, Tensor], Tensor]
log = logging.getLogger("n2n.cuda")


def _fastest() -> AbstractContextManager[None]:
    """Within the block cuDNN tries its kernels for each shape, and keeps to the fastest."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True)


class StepGraph:
    """``step`` on batches of inputs and targets: recorded for the first shape that comes often enough.

    Other shapes, such as an epoch's last batch, are run as they are.

    Args:
        step: gives the loss and changes the weights in place. All that it works on besides the batch
            stays where it is, and it does not wait for the device.
        device: a CUDA device.
    """

    def __init__(self, step: Step, device: torch.device) -> None:
        self.step, self.device = step, device
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.forget()

    def forget(self) -> None:
        """Record anew: what the step works on has moved."""
        self.graph: torch.cuda.CUDAGraph | None = None
        self.enabled, self.seen = True, Counter[torch.Size]()

    def __call__(self, noisy: Tensor, target: Tensor) -> Tensor:
        """The loss of one step."""
        if self.graph is not None and noisy.shape == self.noisy.shape:
            self.noisy.copy_(noisy)
            self.target.copy_(target)
            self.graph.replay()
            return self.loss.clone()
        self.seen[noisy.shape] += 1
        loss = self._aside(noisy, target)
        if self.enabled and self.graph is None and self.seen[noisy.shape] == WARM_UPS:
            self._record(noisy, target)
        return loss

    def _aside(self, noisy: Tensor, target: Tensor) -> Tensor:
        """The step on the stream of the recording, where its warm-ups must be."""
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        try:
            with torch.cuda.stream(self.stream), _fastest():
                return self.step(noisy, target)
        finally:
            current.wait_stream(self.stream)

    def _record(self, noisy: Tensor, target: Tensor) -> None:
        self.noisy, self.target = noisy.clone(), target.clone()
        graph = torch.cuda.CUDAGraph()
        try:
            with (
                _fastest(),
                torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"),
            ):
                self.loss = self.step(self.noisy, self.target)
        except RuntimeError as error:
            log.warning("the training goes on without CUDA graphs: recording one failed (%s)", error)
            self.enabled = False
            return
        self.graph = graph
