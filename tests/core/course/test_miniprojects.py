"""The course's interface."""

import pytest
import torch
from torch import Tensor, nn

from n2n_core.course.miniprojects import CourseModel, Miniproject1Model, Miniproject2Model
from n2n_core.errors import ConfigError, ShapeError
from n2n_core.metrics.psnr import mean_psnr
from tests.pictures import course_pairs

BOTH = pytest.mark.parametrize("kind", [Miniproject1Model, Miniproject2Model])


@BOTH
def test_pretrained_models_denoise_bytes_and_floats(kind: type[CourseModel]) -> None:
    pairs = course_pairs(40)
    model = kind()
    model.load_pretrained_model()
    from_bytes, from_floats = model.predict(pairs.input), model.predict(pairs.input.float())
    assert from_bytes.equal(from_floats)
    assert from_bytes.shape == pairs.input.shape
    assert 0 <= from_bytes.min() <= from_bytes.max() <= 255
    assert from_bytes.max() > 1  # 0 to 255, not 0 to 1
    assert mean_psnr(from_bytes, pairs.target).per_image > mean_psnr(pairs.input, pairs.target).per_image + 3


@BOTH
@pytest.mark.parametrize("autograd", [pytest.param(True, marks=pytest.mark.slow), False])
def test_training_improves_on_noisy_pairs_alone(kind: type[CourseModel], autograd: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(64, 3, 1, 1, generator=generator).expand(64, 3, 8, 8) * 155 + 50
    first, second = (clean + 30 * torch.randn(clean.shape, generator=generator) for _ in range(2))
    model = kind()
    before = mean_psnr(model.predict(first), clean)
    with torch.set_grad_enabled(autograd):
        model.train(first, second, num_epochs=25)
        after = mean_psnr(model.predict(first), clean)
    assert after.per_image > before.per_image + 3
    assert after.per_image > mean_psnr(first, clean).per_image + 1


@BOTH
@pytest.mark.parametrize("size", [(1, 1), (4, 6), (7, 33)])
def test_any_size_trains_and_predicts(kind: type[CourseModel], size: tuple[int, int]) -> None:
    images = torch.randint(0, 256, (3, 3, *size), dtype=torch.uint8)
    model = kind()
    model.train(images, images.flip(0), num_epochs=1)
    assert model.predict(images).shape == images.shape


@BOTH
def test_training_goes_on_from_the_weights_at_hand(kind: type[CourseModel]) -> None:
    pairs = course_pairs(16)
    model = kind()
    model.load_pretrained_model()
    before = mean_psnr(model.predict(pairs.input), pairs.target).per_image
    model.train(pairs.input, pairs.input, num_epochs=1)  # one step
    assert mean_psnr(model.predict(pairs.input), pairs.target).per_image > before - 3


@BOTH
def test_no_module_method_is_hidden(kind: type[CourseModel]) -> None:
    assert not issubclass(kind, nn.Module)


@BOTH
@pytest.mark.parametrize("images", [torch.zeros(3, 8, 8), torch.zeros(2, 1, 8, 8), torch.zeros(0, 3, 8, 8)])
def test_wrong_shapes_are_named(kind: type[CourseModel], images: Tensor) -> None:
    with pytest.raises(ShapeError, match="test_input's shape"):
        kind().predict(images)
    with pytest.raises(ShapeError, match="train_input's shape"):
        kind().train(images, images, 1)


def test_unequal_pairs_and_no_epochs_are_refused() -> None:
    images = torch.zeros(2, 3, 8, 8)
    with pytest.raises(ShapeError, match="train_target's shape"):
        Miniproject2Model().train(images, images[:1], 1)
    with pytest.raises(ConfigError, match="epochs is 0"):
        Miniproject2Model().train(images, images, 0)


@BOTH
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_tensors_stay_on_their_device(kind: type[CourseModel]) -> None:
    pairs = course_pairs(8)
    model = kind()
    model.train(pairs.input.cuda(), pairs.target.cuda(), 1)
    assert model.predict(pairs.input.cuda()).is_cuda
