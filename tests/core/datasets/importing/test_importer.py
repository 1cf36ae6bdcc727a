"""Sources of every kind become a dataset with exactly their values, or nothing is written."""

import json
import os
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from n2n_core.datasets.dataset import Dataset
from n2n_core.datasets.importing.archives import Limits
from n2n_core.datasets.importing.importer import ImportOptions, import_dataset
from n2n_core.datasets.importing.pictures import PictureFiles
from n2n_core.datasets.importing.writer import DatasetWriter
from n2n_core.datasets.pairs import Pairs, save_pairs
from n2n_core.errors import ConfigError, DataError, LimitError
from n2n_core.image.directory import Reader
from tests.core.datasets.sources import pair_files, picture, pixels, write_folder, write_tar, write_zip

PAIRS = np.stack([[pixels(2 * scene), pixels(2 * scene + 1)] for scene in range(3)])
NOISE = {"name": "gaussian", "sigma": 0.1}


def npz(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def pkl(path: Path) -> Path:
    save_pairs(path, Pairs(torch.from_numpy(PAIRS[:, 0].copy()), torch.from_numpy(PAIRS[:, 1].copy())))
    return path


def tiffs(folder: Path, files: dict[str, Any]) -> Path:
    folder.mkdir()
    for name, pages in files.items():
        tifffile.imwrite(folder / name, np.stack(pages), photometric="rgb")
    return folder


def values(dataset: Dataset) -> list[Any]:
    return [
        [dataset.read(scene, shot).numpy() for shot in range(dataset.shots(scene))]
        for scene in range(len(dataset))
    ]


def holds(dataset: Dataset, expected: Any, scale: float = 255) -> bool:
    return np.array_equal(np.array(values(dataset)), expected.astype(np.float32) / np.float32(scale))


SOURCES: dict[str, Callable[[Path], Path]] = {
    "folder": lambda p: write_folder(p / "x", pair_files()),
    "zip": lambda p: write_zip(p / "x.zip", pair_files()),
    "tar": lambda p: write_tar(p / "x.tar", pair_files()),
    "gz": lambda p: write_tar(p / "x.tgz", pair_files(), "w:gz"),
    "bz2": lambda p: write_tar(p / "x.tar.bz2", pair_files(), "w:bz2"),
    "xz": lambda p: write_tar(p / "x.tar.xz", pair_files(), "w:xz"),
    "pkl": lambda p: pkl(p / "x.pkl"),
    "npz": lambda p: npz(p / "x.npz", first=PAIRS[:, 0], second=PAIRS[:, 1]),
    "npz, channels last": lambda p: npz(
        p / "x.npz", input=PAIRS[:, 0].transpose(0, 2, 3, 1), target=PAIRS[:, 1].transpose(0, 2, 3, 1)
    ),
}


@pytest.mark.parametrize("source", SOURCES)
def test_pairs_of_every_source(tmp_path: Path, source: str) -> None:
    dataset = import_dataset(str(SOURCES[source](tmp_path)), "pairs", str(tmp_path / "d"))
    assert holds(dataset, PAIRS)
    assert holds(Dataset.open(str(tmp_path / "d")), PAIRS)
    assert dataset.fingerprint == import_dataset(pkl(tmp_path / "y.pkl"), "pairs", tmp_path / "e").fingerprint
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == ["manifest.json", "stack-000.npy"]


def test_loose_files_are_pairs_too(tmp_path: Path) -> None:
    files = {f"{scene}_{shot}.png": picture(PAIRS[scene, shot]) for scene in range(3) for shot in range(2)}
    folder = write_folder(tmp_path / "x", files)
    assert holds(import_dataset([folder / name for name in files], "pairs", tmp_path / "d"), PAIRS)


@pytest.mark.parametrize(
    ("pages", "files"),
    [
        ("shots", {f"{scene}.tif": PAIRS[scene] for scene in range(3)}),
        ("scenes", {f"noisy{shot}.tif": PAIRS[:, shot] for shot in range(2)}),
    ],
)
def test_pages_of_a_tiff_are_shots_or_scenes(tmp_path: Path, pages: str, files: dict[str, Any]) -> None:
    source = tiffs(tmp_path / "x", files)
    assert holds(import_dataset(source, "pairs", tmp_path / "d", options=ImportOptions(pages=pages)), PAIRS)


def test_bursts(tmp_path: Path) -> None:
    shots = [picture(pixels(i)) for i in range(5)]
    files = dict(zip(["p/1.png", "p/2.png", "p/3.png", "q/1.png", "q/2.png"], shots, strict=True))
    dataset = import_dataset(write_folder(tmp_path / "x", files), "bursts", tmp_path / "d")
    assert [dataset.shots(scene) for scene in range(2)] == [3, 2]
    assert [dataset.scene_name(scene) for scene in range(2)] == ["p", "q"]
    arrays = np.stack([[pixels(4 * scene + shot) for shot in range(4)] for scene in range(2)])
    assert holds(import_dataset(npz(tmp_path / "b.npz", shots=arrays), "bursts", tmp_path / "e"), arrays)
    one = tiffs(tmp_path / "t", {"burst.tif": arrays[0]})
    assert holds(import_dataset(one, "bursts", tmp_path / "f"), arrays[:1])


@pytest.mark.parametrize(("kind", "corruption"), [("single", None), ("clean", NOISE)])
def test_single_pictures(tmp_path: Path, kind: str, corruption: dict[str, Any] | None) -> None:
    source = write_zip(tmp_path / "x.zip", {f"{i}.png": picture(pixels(i)) for i in range(3)})
    dataset = import_dataset(source, kind, tmp_path / "d", corruption=corruption, name="mine")
    expected = np.stack([[pixels(i)] for i in range(3)])
    assert holds(dataset, expected)
    assert (dataset.kind, dataset.name, dataset.corruption) == (kind, "mine", corruption)
    stack = npz(tmp_path / "x.npz", images=expected[:, 0])
    assert holds(import_dataset(stack, kind, tmp_path / "e", corruption=corruption), expected)


def test_pictures_of_several_sizes_make_several_stacks(tmp_path: Path) -> None:
    files = {f"{i}.png": picture(pixels(i, height=16 + i % 2)) for i in range(4)}
    dataset = import_dataset(write_folder(tmp_path / "x", files), "single", tmp_path / "d")
    assert [dataset.shape(scene) for scene in range(4)] == [(3, 16, 24)] * 2 + [(3, 17, 24)] * 2
    for scene, seed in enumerate([0, 2, 1, 3]):
        expected = pixels(seed, height=16 + seed % 2).astype(np.float32) / np.float32(255)
        assert np.array_equal(dataset.read(scene, 0).numpy(), expected)


def deep_png(values: Any) -> bytes:
    """A PNG of 16 bits a colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    _, height, width = values.shape
    rows = values.transpose(1, 2, 0).astype(">u2")
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def tiff(values: Any, **options: Any) -> bytes:
    buffer = BytesIO()
    layout = values[0] if len(values) == 1 else values.transpose(1, 2, 0)
    tifffile.imwrite(buffer, layout, photometric="minisblack" if len(values) == 1 else "rgb", **options)
    return buffer.getvalue()


GREY, COLOUR = pixels(0, 1), pixels(0)
DEEP_GREY, DEEP_COLOUR = (v.astype(np.uint16) * 256 + pixels(1, len(v)) for v in (GREY, COLOUR))
FLOATS = np.random.default_rng(0).normal(0.5, 0.4, (1, 20, 24)).astype(np.float32)


@pytest.mark.parametrize(
    ("content", "expected", "scale"),
    [
        pytest.param(picture(GREY), GREY, 255, id="grey PNG"),
        pytest.param(picture(COLOUR, "bmp"), COLOUR, 255, id="BMP"),
        pytest.param(picture(COLOUR, "webp", lossless=True), COLOUR, 255, id="WebP"),
        pytest.param(picture(DEEP_GREY), DEEP_GREY, 65535, id="16-bit grey PNG"),
        pytest.param(tiff(DEEP_GREY, byteorder=">"), DEEP_GREY, 65535, id="16-bit grey TIFF"),
        pytest.param(deep_png(DEEP_COLOUR), DEEP_COLOUR, 65535, id="16-bit colour PNG"),
        pytest.param(tiff(DEEP_COLOUR), DEEP_COLOUR, 65535, id="16-bit colour TIFF"),
        pytest.param(tiff(DEEP_COLOUR, byteorder=">"), DEEP_COLOUR, 65535, id="the same, big endian"),
        pytest.param(tiff(DEEP_COLOUR, compression="zlib"), DEEP_COLOUR, 65535, id="the same, compressed"),
        pytest.param(tiff(FLOATS), FLOATS, 1, id="float TIFF"),
    ],
)
def test_every_depth_keeps_its_values(tmp_path: Path, content: bytes, expected: Any, scale: float) -> None:
    (tmp_path / "x.tif").write_bytes(content)
    dataset = import_dataset(tmp_path / "x.tif", "single", tmp_path / "d")
    assert dataset.shape(0) == expected.shape
    assert holds(dataset, np.broadcast_to(expected, (3, 20, 24))[None, None], scale)
    assert dataset.stacks[0].dtype == expected.dtype.name


def test_jpeg_is_read_as_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(picture(np.full((3, 16, 16), 100, np.uint8), "jpeg", quality=95))
    dataset = import_dataset(tmp_path / "x.jpg", "single", tmp_path / "d")
    assert (dataset.read(0, 0) * 255 - 100).abs().max() < 2


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.integers(1, 4), st.sampled_from([1, 3]), st.integers(4, 9), st.integers(4, 9)),
    )
)
def test_any_array_comes_back(tmp_path_factory: pytest.TempPathFactory, stack: Any) -> None:
    folder = tmp_path_factory.mktemp("x")
    dataset = import_dataset(npz(folder / "x.npz", images=stack), "single", folder / "d")
    shown = np.broadcast_to(stack, (len(stack), 3, *stack.shape[2:]))
    assert holds(dataset, shown[:, None], np.iinfo(stack.dtype).max)


def test_floats_are_kept_beyond_0_and_1(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).normal(0.5, 0.4, (2, 3, 16, 16))
    dataset = import_dataset(npz(tmp_path / "x.npz", images=stack), "single", tmp_path / "d")
    assert holds(dataset, stack[:, None], 1)
    assert dataset.read(0, 0).min() < 0


@pytest.mark.parametrize(
    ("stack", "reason"),
    [
        (np.full((1, 3, 8, 8), 200.0), "values go from 200 to 200, expected about 0 to 1; give the value"),
        (np.full((1, 3, 8, 8), np.nan), "not finite"),
        (np.zeros((1, 3, 8, 8), np.int64), "values are int64, expected uint8, uint16 or floats"),
        (np.zeros((1, 4, 8, 8), np.uint8), r"shape is \(1, 4, 8, 8\), expected \(N, C, H, W\)"),
        (np.zeros((0, 3, 8, 8), np.uint8), "shape is"),
        (np.array([{}]), "not an array of numbers"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path: Path, stack: Any, reason: str) -> None:
    with pytest.raises(DataError, match=rf"^x\.npz.*{reason}"):
        import_dataset(npz(tmp_path / "x.npz", images=stack), "single", tmp_path / "d")
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_a_data_range_divides(tmp_path: Path) -> None:
    stack = np.full((1, 3, 16, 16), 819, np.uint16)
    source = npz(tmp_path / "x.npz", images=stack)
    dataset = import_dataset(source, "single", tmp_path / "d", options=ImportOptions(data_range=4095))
    assert holds(dataset, stack[:, None], 4095)
    floats = npz(tmp_path / "y.npz", images=stack.astype(float))
    assert holds(
        import_dataset(floats, "single", tmp_path / "e", options=ImportOptions(data_range=1)),
        stack[:, None],
        1,
    )


@pytest.mark.parametrize(("value", "data_range"), [(3e38, 1), (1, 1e-50), (0, 1e-50), (-1e9, 10)])
def test_what_a_data_range_makes_too_large(tmp_path: Path, value: float, data_range: float) -> None:
    source = npz(tmp_path / "x.npz", images=np.full((1, 3, 16, 16), value, np.float32))
    with pytest.raises(DataError, match=r"^x\.npz: divided by the data range .* larger than 1e\+06"):
        import_dataset(source, "single", tmp_path / "d", options=ImportOptions(data_range=data_range))


SHAPES = [
    "(-1, 3, 64, 64)",
    "(" * 2000,
    "(True, 3, 8, 8)",
    "(2.0, 3, 8, 8)",
    f"({2**80}, 3, 8, 8)",
    "{}",
    "None",
]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_that_cannot_be(tmp_path: Path, shape: str) -> None:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("images.npy", content)
    with pytest.raises(DataError, match=r"^x\.npz: images: not an array of numbers"):
        import_dataset(tmp_path / "x.npz", "single", tmp_path / "d")


def test_an_archive_in_an_archive_is_no_array(tmp_path: Path) -> None:
    inner = npz(tmp_path / "y.npz", images=PAIRS[:, 0]).read_bytes()
    source = write_zip(tmp_path / "x.npz", {"images.npy": inner})
    with pytest.raises(DataError, match=r"^x\.npz: images: not an array of numbers"):
        import_dataset(source, "single", tmp_path / "d")


def test_the_pages_of_a_long_tiff_are_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, following = [], Reader.following

    def counted(reader: Reader, offset: int) -> int:
        steps.append(offset)
        return following(reader, offset)

    monkeypatch.setattr(Reader, "following", counted)
    tifffile.imwrite(tmp_path / "x.tif", np.zeros((50, 8, 8), np.uint8), photometric="minisblack")
    dataset = import_dataset(tmp_path / "x.tif", "bursts", tmp_path / "d")
    assert dataset.stacks[0].shape[:2] == (1, 50)
    assert len(steps) == 50


def test_files_are_kept_up_to_a_limit(tmp_path: Path) -> None:
    files = PictureFiles(most=5)
    for name in "abc":
        (tmp_path / name).write_bytes(b"12")
        assert files.read(tmp_path / name, name) == b"12"
    assert list(files.kept) == [tmp_path / "b", tmp_path / "c"]
    (tmp_path / "d").write_bytes(b"123456789")
    assert files.read(tmp_path / "d", "d") == b"123456789"
    assert list(files.kept) == [tmp_path / "d"]


def refuse(tmp_path: Path, files: dict[str, bytes], reason: str, kind: str = "pairs", **options: Any) -> None:
    source = write_zip(tmp_path / "x.zip", files)
    with pytest.raises(DataError, match=reason):
        import_dataset(source, kind, tmp_path / "d", options=ImportOptions(**options))
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"], "whole or absent"


def test_what_does_not_fit_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    files = pair_files()
    refuse(
        tmp_path,
        files | {"noisy1/odd.png": files["noisy1/0.png"]},
        "^noisy1/odd.png: the only picture",
    )
    refuse(tmp_path, files | {"noisy2/1.png": b"\x89PNG"}, "^noisy2/1.png: ")
    refuse(tmp_path, files | {"noisy2/1.png": files["noisy2/1.png"][:-60]}, "^noisy2/1.png: the .*damaged")
    other = picture(pixels(0, height=21))
    reason = "^noisy1/1.png is 24 x 20, colour, uint8 and noisy2/1.png is 24 x 21, colour, uint8, expected"
    refuse(tmp_path, files | {"noisy2/1.png": other}, reason)
    refuse(tmp_path, files | {"noisy2/1.png": picture(pixels(0, 1))}, "is 24 x 20, grey, uint8, expected")
    refuse(tmp_path, {"readme.txt": b"", "inner.zip": b""}, r"no pictures .*contains readme\.txt, inner\.zip")
    flat = dict.fromkeys(files, picture(np.zeros((3, 20, 24), np.uint8)))
    refuse(tmp_path, flat, "take more than 3000 bytes", limits=Limits(total_bytes=3000))


def test_other_files_beside_the_pictures_are_left_out(tmp_path: Path) -> None:
    files = pair_files() | {"notes.txt": b"x", "noisy1/old.zip": b"x", ".DS_Store": b"x"}
    for source in (write_zip(tmp_path / "x.zip", files), write_folder(tmp_path / "x", files)):
        dataset = import_dataset(source, "pairs", tmp_path / f"d{source.suffix}")
        assert holds(dataset, PAIRS)
        assert (dataset.left_out[0], set(dataset.left_out[1])) == (2, {"noisy1/old.zip", "notes.txt"})


def test_few_of_many_left_out_files_are_kept_by_name(tmp_path: Path) -> None:
    files = pair_files() | {f"{n}.fits": b"x" for n in range(9)}
    dataset = import_dataset(write_zip(tmp_path / "x.zip", files), "pairs", tmp_path / "d")
    assert dataset.left_out == (9, [f"{n}.fits" for n in range(5)])


def test_a_dataset_of_before_left_nothing_out(tmp_path: Path) -> None:
    dataset = import_dataset(write_zip(tmp_path / "x.zip", pair_files()), "pairs", tmp_path / "d")
    manifest = dict(dataset.manifest)
    del manifest["left_out"]
    (tmp_path / "d" / "manifest.json").write_text(json.dumps(manifest))
    assert Dataset.open(tmp_path / "d").left_out == (0, [])


def test_a_link_that_leads_out_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(picture(pixels(0)))
    folder = write_folder(tmp_path / "x", {"a.png": picture(pixels(1))})
    (folder / "b.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match=r"b\.png: a link that leads out of x"):
        import_dataset(folder, "single", tmp_path / "d")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes FIFOs")
@pytest.mark.parametrize("name", ["a.png", "a.zip", "a.pkl", "a.npz"])
def test_a_fifo_is_refused_by_name_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match=rf"{name}: is a FIFO, expected a regular file"):
        import_dataset(tmp_path / name, "pairs", tmp_path / "d")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes FIFOs")
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to(path.parent / "pipe")])
def test_a_fifo_in_a_folder_is_refused_by_name(tmp_path: Path, make: Callable[[Path], None]) -> None:
    folder = write_folder(tmp_path / "x", {"a.png": picture(pixels(1))})
    os.mkfifo(folder / "pipe")
    make(folder / "deep.png")
    with pytest.raises(DataError, match=r"^deep\.png: is a FIFO, expected a regular file"):
        import_dataset(folder, "single", tmp_path / "d")


def test_a_device_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "x", {"a.png": picture(pixels(1))})
    with pytest.raises(DataError, match=r"/dev/zero: is a device, expected a regular file"):
        import_dataset([folder, Path("/dev/zero")], "single", tmp_path / "d")


def test_arrays_are_found_by_name(tmp_path: Path) -> None:
    source = npz(tmp_path / "x.npz", noise=PAIRS[:, 0], image=PAIRS[:, 1])
    with pytest.raises(DataError, match="contains image, noise, expected the arrays first"):
        import_dataset(source, "pairs", tmp_path / "d")
    unequal = npz(tmp_path / "y.npz", first=PAIRS[:, 0], second=PAIRS[:2, 1])
    with pytest.raises(DataError, match="expected equal shapes and types"):
        import_dataset(unequal, "pairs", tmp_path / "d")
    with pytest.raises(DataError, match=r"expected 'pairs' for a \.pkl file"):
        import_dataset(pkl(tmp_path / "x.pkl"), "single", tmp_path / "d")
    with pytest.raises(DataError, match="expected only that file"):
        import_dataset([source, unequal], "pairs", tmp_path / "d")


def test_a_file_that_expands_in_memory_is_bounded(tmp_path: Path) -> None:
    wide = torch.zeros(1, 1, 1, 1, dtype=torch.uint8).expand(10**6, 3, 1000, 1000)
    torch.save((wide, wide), tmp_path / "x.pkl")
    with pytest.raises(DataError, match="but it holds 1 bytes, expected all values, without repetition"):
        import_dataset(tmp_path / "x.pkl", "pairs", tmp_path / "d")
    assert [path.name for path in tmp_path.iterdir()] == ["x.pkl"]


def test_what_is_written_is_bounded_too(tmp_path: Path) -> None:
    halves = npz(tmp_path / "x.npz", images=np.zeros((9, 3, 20, 24), np.float16))  # stored as floats
    options = ImportOptions(limits=Limits(total_bytes=30_000))
    with pytest.raises(LimitError, match="take more than 30000 bytes"):
        import_dataset(halves, "single", tmp_path / "d", options=options)


@pytest.mark.parametrize(
    ("kind", "shape", "limits", "message"),
    [
        ("single", (1, 3, 20, 24), Limits(pixels=479), "24 x 20, expected at most 479 pixels"),
        ("bursts", (1, 5, 3, 4, 4), Limits(frames=4), "5 shots, expected at most 4"),
    ],
)
def test_arrays_are_limited_as_pictures_are(
    tmp_path: Path, kind: str, shape: tuple[int, ...], limits: Limits, message: str
) -> None:
    stack = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    name = "shots" if kind == "bursts" else "images"
    with pytest.raises(LimitError, match=message):
        import_dataset(
            npz(tmp_path / "x.npz", **{name: stack}),
            kind,
            tmp_path / "d",
            options=ImportOptions(limits=limits),
        )
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_arguments_that_cannot_work(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "x", {"a.png": picture(pixels(1))})
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("triples", {}, "kind is 'triples'"),
        ("clean", {}, "need a corruption, expected one of: gaussian"),
        ("clean", {"corruption": {"name": "fog"}}, "unknown noise 'fog'"),
        ("clean", {"corruption": {"name": []}}, "need a corruption"),
        ("clean", {"corruption": {"name": "gaussian", "sigma": -1}}, "sigma is -1"),
        ("single", {"corruption": NOISE}, "expected none for noisy pictures"),
        ("single", {"name": ""}, "name is ''"),
        ("single", {"name": "a\nb"}, "name is"),
    ]
    for kind, options, reason in cases:
        with pytest.raises(ConfigError, match=reason):
            import_dataset(source, kind, tmp_path / "d", **options)
    for wrong in ({"pages": "x"}, {"data_range": 0}, {"data_range": float("nan")}):
        with pytest.raises(ConfigError):
            ImportOptions(**wrong)
    with pytest.raises(DataError, match="no such file"):
        import_dataset(tmp_path / "none", "single", tmp_path / "d")
    with pytest.raises(DataError, match="exists already, expected a new folder"):
        import_dataset(source, "single", source)


def test_the_manifest_says_what_is_there(tmp_path: Path) -> None:
    dataset = import_dataset(SOURCES["zip"](tmp_path), "pairs", tmp_path / "d", name="shots of May")
    manifest = json.loads((tmp_path / "d" / "manifest.json").read_text())
    assert manifest.pop("created").endswith("+00:00")
    digest = manifest["stacks"][0].pop("sha256")
    assert len(digest) == 64
    stack = {"shape": [3, 2, 3, 20, 24], "dtype": "uint8", "names": ["0", "1", "2"]}
    assert manifest == {
        "format": 1, "kind": "pairs", "name": "shots of May", "source": "x.zip", "corruption": None,
        "scenes": 3, "pictures": 6, "fingerprint": dataset.fingerprint, "stacks": [stack],
        "left_out": {"count": 0, "names": []},
    }  # fmt: skip


def test_a_stack_grows_over_a_digit_more(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path, 10**9)
    for scene in range(101):
        writer.add(np.full((1, 1, 1, 4, 4), scene, np.uint8), [str(scene)])
    dataset = writer.finish("single", "x", "x", None)
    assert len(dataset) == 101
    assert [int(dataset.read(i, 0)[0, 0, 0] * 255 + 0.5) for i in (0, 9, 10, 100)] == [0, 9, 10, 100]
    dataset.verify()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="memory is measured on POSIX systems")
def test_a_large_file_is_not_held_in_memory(tmp_path: Path) -> None:
    source = npz(tmp_path / "x.npz", images=np.zeros((400, 3, 256, 256), np.uint8))  # 79 MB
    tracemalloc.start()
    import_dataset(source, "single", tmp_path / "d")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6
