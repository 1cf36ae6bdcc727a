"""Definitions of the studies: the report's experiments and figures, and changes that it did not try.

Two values are missing in the parts of the report that we have. The small networks of tables 1 and 2 are
assumed to be trained for 25 epochs, as in the study of the skip connection. That study is assumed to use
batches of 50, as the small networks do.
"""

from dataclasses import replace

from n2n_core.course.studies.planted import Unswapped
from n2n_core.course.studies.study import PlotKind, Study, StudyRun
from n2n_core.models.architectures import (
    DEPTHS,
    FINAL,
    FINAL_WITHOUT_SKIP,
    INITIAL,
    AutoEncoder,
    StridedAutoEncoder,
)
from n2n_core.training.config import TrainConfig

RECIPE = TrainConfig(epochs=1, lr=1e-3, schedule="constant", augment=False, swap=False)
"""Recipe of the report's training loop: Adam with a constant learning rate, no augmentation."""

SMALL = RECIPE.model_copy(update={"epochs": 25, "batch_size": 50})
TABLE_3 = RECIPE.model_copy(update={"epochs": 10, "batch_size": 8})
BY_HAND = RECIPE.model_copy(
    update={"model": "scratch", "epochs": 50, "batch_size": 8, "optimizer": "sgd", "lr": 0.1}
)

DEPTH_DB = {4: 23.69, 6: 22.63, 8: 20.91, 10: 20.10, 12: 19.31}
BATCH_DB = {8: 24.96, 50: 24.52}
BATCHES = (1, 2, 4, 5, 8, 10, 16, 20, 25, 40, 50)


def _depth(series: str, residual: bool) -> tuple[StudyRun, ...]:
    return tuple(
        StudyRun(
            f"{depth} layers, {series}",
            SMALL,
            replace(architecture, residual=residual),
            share=0.1,
            report=None if residual else DEPTH_DB[depth],
            x=depth,
            series=series,
        )
        for depth, architecture in DEPTHS.items()
    )


def _width(channels: int) -> StudyRun:
    architecture = AutoEncoder((channels, channels, channels, 3), skip=False)
    config = RECIPE.model_copy(update={"batch_size": 5})
    report = 22.4 if channels == 10 else None
    return StudyRun(f"{channels} channels", config, architecture, share=0.1, x=channels, report=report)


def _batch(size: int) -> StudyRun:
    config = RECIPE.model_copy(update={"batch_size": size})
    return StudyRun(f"batch {size}", config, FINAL, repeats=5, x=size, report=BATCH_DB.get(size))


def _gain(
    label: str, share: float = 1.0, clean: bool = False, ensemble: bool = False, **recipe: object
) -> StudyRun:
    config = TABLE_3.model_copy(update=recipe)
    return StudyRun(label, config, FINAL, share, repeats=3, clean=clean, ensemble=ensemble)


STUDIES = {
    "initial": Study(
        "the initial network (table 1)",
        "4 layers of 32 channels, 20,259 parameters, on 10 % of the pairs in batches of 50: 23.88 dB.",
        (StudyRun("table 1", SMALL, INITIAL, share=0.1, report=23.88),),
        PlotKind.CURVES,
    ),
    "depth": Study(
        "depth against width at equal parameters (table 2)",
        "Deeper is worse. If the optimisation causes this, and not the depth itself, then residual "
        "connections, which add no parameters, should remove the loss.",
        _depth("plain", residual=False) + _depth("residual", residual=True),
        PlotKind.POINTS,
        axis="layers",
        points=tuple(DEPTH_DB.items()),
    ),
    "channels": Study(
        "the number of channels (figure 1)",
        "One epoch on 10 % of the pairs in batches of 5: 22.4 dB with 10 channels, a plateau from 100 on.",
        tuple(map(_width, range(10, 401, 10))),
        PlotKind.POINTS,
        axis="channels",
        points=((10, 22.4),),
        band=((100, 400), (24.1, 24.4)),
    ),
    "skip": Study(
        "the skip connection (figure 2)",
        "After 25 epochs 24.43 dB without the connection and 24.69 dB with it.",
        (
            StudyRun("without skip", SMALL, FINAL_WITHOUT_SKIP, share=0.1, report=24.43),
            StudyRun("with skip", SMALL, FINAL, share=0.1, report=24.69),
        ),
        PlotKind.CURVES,
        loss=True,
    ),
    "batch-size": Study(
        "the batch size (figure 3)",
        "One epoch, five runs each: batches of 8 are best with 24.96 dB; 50 give 24.52 dB.",
        tuple(map(_batch, BATCHES)),
        PlotKind.POINTS,
        axis="batch size",
        points=tuple(BATCH_DB.items()),
    ),
    "epochs": Study(
        "the number of epochs (figure 4)",
        "24.95 dB after one epoch, 25.31 dB after ten, and no more after that.",
        (StudyRun("15 epochs", TABLE_3.model_copy(update={"epochs": 15}), FINAL),),
        PlotKind.CURVES,
        points=((1, 24.95), (10, 25.31)),
        epochs=True,
    ),
    "final": Study(
        "the final network (table 3)",
        "Ten epochs in batches of 8: 25.32 dB, in 197.95 s on a GPU.",
        (StudyRun("table 3", TABLE_3, FINAL, report=25.32, seconds=197.95),),
        PlotKind.CURVES,
    ),
    "scratch": Study(
        "the framework by hand (report 2)",
        "SGD at a rate of 0.1, batches of 8, 50 epochs: 23.42 dB, in 2,760.95 s. The report's convolution "
        "passes a wrong gradient to the layer before it. Does this bug explain the report's figure?",
        (
            StudyRun("the right gradient", BY_HAND, StridedAutoEncoder()),
            StudyRun("the report's bug planted", BY_HAND, Unswapped(), report=23.42, seconds=2760.95),
        ),
        PlotKind.CURVES,
    ),
    "samples": Study(
        "pictures (figure 5; report 2's figure 1)",
        "Noisy pictures, denoised with the scratch framework and with torch.nn, and the clean ones.",
        (
            StudyRun("scratch", BY_HAND, StridedAutoEncoder(), report=23.42),
            StudyRun("torch", TABLE_3, FINAL, report=25.32),
        ),
        PlotKind.PICTURES,
    ),
    "gains": Study(
        "what the report left open",
        "The final network and its recipe, with one change at a time; three runs each.",
        (
            _gain("baseline", ensemble=True),
            _gain("flips and rotations", augment=True),
            _gain("pairs swapped at random", swap=True),
            _gain("cosine rate", schedule="cosine"),
            _gain("one-cycle rate", schedule="onecycle"),
            _gain("L1 loss", loss="l1"),
            _gain("Charbonnier loss", loss="charbonnier"),
            _gain("clean targets (Noise2Clean)", clean=True),
            _gain("a quarter of the pairs, as many steps", share=1 / 4, epochs=40),
            _gain("a tenth of the pairs, as many steps", share=1 / 10, epochs=100),
            _gain("mean of the weights (EMA, 0.999)", ema=0.999),
            _gain(
                "flips, swapping, one-cycle rate and EMA", ensemble=True,
                augment=True, swap=True, schedule="onecycle", ema=0.999,
            ),
        ),
        PlotKind.BARS,
    ),
}  # fmt: skip
"""Studies by the name that ``n2n study`` accepts."""
