"""Prometheus metrics of the service.

Each app has its own registry, so several apps can run in one process.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
OTHER = "other"
"""Label for methods and routes that do not exist, so that clients cannot create new series."""

Kind = TypeVar("Kind", Counter, Histogram)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Buckets, from one tile on a GPU to a large picture on a CPU."""

TILES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Telemetry:
    """The metrics of one app. Thread-safe.

    The scheduler of tiles calls ``batch``, ``waited`` and ``dropped``.
    """

    def __init__(self, version: str, torch: str) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        build = Info("n2n_build", "The versions that run.", registry=registry)
        build.info({"version": version, "torch": torch})
        self._count_requests(registry)
        self._count_work(registry)

    def _count_requests(self, registry: CollectorRegistry) -> None:
        def by_route(name: str, text: str, *more: str) -> Callable[..., Counter]:
            return _series(Counter(name, text, ["route", *more], registry=registry))

        self._requests = by_route("n2n_requests", "Requests answered.", "method", "status")
        self._bytes_in = by_route("n2n_request_bytes", "Bytes of requests' bodies.")
        self._bytes_out = by_route("n2n_response_bytes", "Bytes of answers' bodies.")
        seconds = "From a request to its whole answer."
        self._request_seconds = _series(
            Histogram("n2n_request_seconds", seconds, ["route"], buckets=SECONDS, registry=registry)
        )
        self._problems = Counter(
            "n2n_problems", "Refusals and failures, by the problem's code.", ["code"], registry=registry
        )
        self._disconnects = Counter(
            "n2n_disconnects", "Clients that hung up before their answer was sent.", registry=registry
        )

    def _count_work(self, registry: CollectorRegistry) -> None:
        def by_model(name: str, text: str) -> Counter:
            return Counter(name, text, ["model"], registry=registry)

        def histogram(name: str, text: str, label: str, buckets: tuple[float, ...] = SECONDS) -> Histogram:
            return Histogram(name, text, [label], buckets=buckets, registry=registry)

        self._tiles = by_model("n2n_tiles", "Tiles that networks ran on.")
        self._pixels = by_model("n2n_pixels", "Pixels that networks ran on, the tiles' context included.")
        self._batch_tiles = histogram("n2n_batch_tiles", "Tiles of one batch.", "model", TILES)
        self._device_seconds = histogram("n2n_device_seconds", "One batch on the device.", "model")
        self._queue_seconds = histogram("n2n_queue_seconds", "What work waits for the device.", "model")
        codec = "Decoding and encoding one image."
        self._codec_seconds = _series(histogram("n2n_codec_seconds", codec, "stage"))
        self._dropped = Counter(
            "n2n_dropped", "Work that left the queue undone.", ["model", "reason"], registry=registry
        )
        self._device_memory = Gauge(
            "n2n_device_process_resident_memory_bytes", "Memory of a device's process.", ["device"],
            registry=registry,
        )  # fmt: skip
        self._waiting = Gauge("n2n_pixels_waiting", "Pixels that wait for the device.", registry=registry)

    def request(
        self, route: str, method: str, status: int, seconds: float, bytes_in: int, bytes_out: int
    ) -> None:
        """Record a response; ``route`` is the template, such as ``/models/{model}``."""
        self._requests(route, method if method in METHODS else OTHER, status).inc()
        self._request_seconds(route).observe(seconds)
        self._bytes_in(route).inc(bytes_in)
        self._bytes_out(route).inc(bytes_out)

    def problem(self, code: str) -> None:
        """Count an error response."""
        self._problems.labels(code).inc()

    def disconnect(self) -> None:
        """Count a client that disconnected before its response was sent."""
        self._disconnects.inc()

    def batch(self, model: str, tiles: int, pixels: int, seconds: float) -> None:
        """Record a batch of tiles that ran on the device."""
        self._tiles.labels(model).inc(tiles)
        self._pixels.labels(model).inc(pixels)
        self._batch_tiles.labels(model).observe(tiles)
        self._device_seconds.labels(model).observe(seconds)

    def waited(self, model: str, seconds: float) -> None:
        """Record how long work waited for the device."""
        self._queue_seconds.labels(model).observe(seconds)

    def dropped(self, model: str, reason: str) -> None:
        """Count work that left the queue undone: ``cancelled``, ``deadline`` or ``failed``."""
        self._dropped.labels(model, reason).inc()

    def codec(self, stage: str, seconds: float) -> None:
        """Record reading (``decode``) or writing (``encode``) an image."""
        self._codec_seconds(stage).observe(seconds)

    def watch_device(self, device: str, resident_bytes: Callable[[], float]) -> None:
        """Report the memory of a device's process at every scrape."""
        self._device_memory.labels(device).set_function(resident_bytes)

    def watch(self, pixels_waiting: Callable[[], float]) -> None:
        """Report ``pixels_waiting()`` at every scrape."""
        self._waiting.set_function(pixels_waiting)

    def scrape(self) -> bytes:
        """Return all metrics in Prometheus' text format (``MEDIA_TYPE``)."""
        return generate_latest(_WithoutCreated(self.registry))


def _series(metric: Kind) -> Callable[..., Kind]:
    """Cache the metric's series by labels: the client library's look-up takes longer than counting."""
    return lru_cache(256)(metric.labels)


class _WithoutCreated(Collector):
    """Omits the ``_created`` samples, which double the number of series.

    The client library's own switch affects the whole process.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Yield the registry's metrics."""
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
