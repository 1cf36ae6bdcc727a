"""A training step as a CUDA graph, which launches all its kernels at once.

A step of a small network has about a hundred kernels. Launching them one by one takes the CPU longer
than running them takes the GPU.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

WARM_UPS = 5
"""Steps of a shape before it is recorded, in which libraries choose kernels and allocate memory."""

Step = Callable[[Tensor, Tensor], Tensor]
log = logging.getLogger("n2n.cuda")


def _fastest() -> AbstractContextManager[None]:
    """Let cuDNN benchmark its kernels for each shape within the block and use the fastest."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True)


class StepGraph:
    """Calls ``step``, which is recorded for the first shape of batches that occurs ``WARM_UPS`` times.

    Other shapes, such as that of an epoch's last batch, run without a graph.

    Args:
        step: returns the loss and updates the weights in place. All other tensors that it uses stay at
            their addresses, and it does not synchronize with the device.
        device: a CUDA device.
    """

    def __init__(self, step: Step, device: torch.device) -> None:
        self.step, self.device = step, device
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.forget()

    def forget(self) -> None:
        """Drop the recording, because tensors of the step have moved."""
        self.graph: torch.cuda.CUDAGraph | None = None
        self.enabled, self.seen = True, Counter[torch.Size]()

    def __call__(self, noisy: Tensor, target: Tensor) -> Tensor:
        """Do one step and return its loss."""
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
        """Do the step on the stream of the recording, as CUDA graphs need for warm-ups."""
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
            log.warning("cannot record a CUDA graph (%s); training continues without it", error)
            self.enabled = False
            return
        self.graph = graph
