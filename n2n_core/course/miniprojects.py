"""The interface of the course's two mini-projects (EE-559, spring 2022).

Both classes accept and return ``(N, C, H, W)`` tensors with values from 0 to 255, uint8 or float, of any
height and width, on the CPU or a GPU. They work whether or not gradients are enabled globally
(``torch.set_grad_enabled``).

>>> import torch
>>> model = Miniproject2Model()
>>> model.predict(torch.zeros(1, 3, 9, 7, dtype=torch.uint8)).shape
torch.Size([1, 3, 9, 7])
"""

from torch import Generator, Tensor

from n2n_core.datasets.pairs import Pairs
from n2n_core.datasets.scenes import TensorScenes
from n2n_core.errors import ShapeError
from n2n_core.inference import tiling
from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import architectures, weights
from n2n_core.models.torch_modules import Network
from n2n_core.training.batches.sampling import Sampler
from n2n_core.training.config import MIN_CROP, TrainConfig
from n2n_core.training.engines import make_engine
from n2n_core.training.run import learning_rate


class CourseModel:
    """Wraps the network called ``model`` in the course's three methods."""

    model: str

    def __init__(self) -> None:
        self.network: Network = architectures.model(self.model).build(Generator().manual_seed(0))

    def load_pretrained_model(self) -> None:
        """Load the weights that ship with the project."""
        self.network, _, _ = weights.load(weights.find(self.model).path)

    def train(self, train_input: Tensor, train_target: Tensor, num_epochs: int) -> None:
        """Train on pairs of noisy images, starting from the current weights.

        Args:
            train_input: ``(N, 3, H, W)``, values 0 to 255.
            train_target: a second noisy image of each scene, same shape.
            num_epochs: number of passes over the pairs.
        """
        check("train", "train_input", train_input)
        if train_target.shape != train_input.shape:
            got, expected = tuple(train_target.shape), str(tuple(train_input.shape))
            raise ShapeError(type(self).__name__, "train_target's shape", got, expected)
        whole = max(MIN_CROP, *train_input.shape[2:])
        config = TrainConfig(model=self.model, epochs=num_epochs, crop=whole)
        device = train_input.device
        engine = make_engine(self.network, config, device)
        scenes = TensorScenes.of(Pairs(train_input.detach(), train_target.detach()))
        shape = tiling.geometry(self.network)
        sampler = Sampler(scenes, range(len(scenes)), config, shape, device)
        total, step = config.epochs * sampler.batches_per_epoch, 0
        for epoch in range(config.epochs):
            generator = Generator().manual_seed(epoch)
            for batch in sampler.batches(sampler.order(generator), generator):
                engine.step(batch.noisy, batch.target, learning_rate(config, step / total))
                step += 1
        self.network = engine.network

    def predict(self, test_input: Tensor) -> Tensor:
        """Return the denoised images: floats from 0 to 255, with the shape and device of ``test_input``."""
        check("predict", "test_input", test_input)
        denoiser = Denoiser(self.network, test_input.device)
        return denoiser(test_input.detach().float() / 255) * 255


class Miniproject1Model(CourseModel):
    """Report 1's auto-encoder with a skip connection, on torch.nn."""

    model = "torch"


class Miniproject2Model(CourseModel):
    """Report 2's strided auto-encoder, on the scratch framework."""

    model = "scratch"


def check(where: str, argument: str, images: Tensor) -> None:
    """Raise ``ShapeError`` unless the shape is ``(N, 3, H, W)`` without a zero."""
    if images.dim() != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise ShapeError(where, f"{argument}'s shape", tuple(images.shape), "(N, 3, H, W)")
