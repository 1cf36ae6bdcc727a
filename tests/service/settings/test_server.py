"""Settings from the environment, and the app that they make."""

from pathlib import Path

import pytest

from n2n_core.errors import ConfigError, WeightsError
from n2n_core.models import weights
from service.app import create_app
from service.settings.server import Settings, read_settings


def test_defaults_serve_the_shipped_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("N2N_WEIGHTS")
    settings = read_settings()
    assert settings.weights == weights.SHIPPED
    assert settings.default_model == "torch"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("weights", "/models", Path("/models")),
        ("default_model", "scratch", "scratch"),
        ("device", "cuda", "cuda"),
        ("threads", "3", 3),
        ("max_bytes", "1000", 1000),
        ("max_dataset_bytes", "1000", 1000),
        ("dataset_root", "/photos", Path("/photos")),
        ("max_pixels", "1000", 1000),
        ("max_header_bytes", "4096", 4096),
        ("max_parts", "10", 10),
        ("max_dataset_parts", "10", 10),
        ("max_name_length", "10", 10),
        ("max_frames", "10", 10),
        ("max_archive_entries", "10", 10),
        ("max_archive_ratio", "10", 10),
        ("read_timeout", "0.5", 0.5),
        ("min_rate", "10", 10),
        ("total_timeout", "10", 10),
        ("png_compression", "small", "small"),
        ("log_format", "json", "json"),
        ("insecure", "true", True),
        ("key_rate", "600", 600),
        ("key_concurrency", "8", 8),
        ("key_jobs", "8", 8),
        ("key_dataset_bytes", "1000", 1000),
        ("imports", "3", 3),
        ("import_timeout", "10", 10),
        ("cors_origins", "https://a.example, http://b:81", ("https://a.example", "http://b:81")),
        ("cors_origins", "*", ("*",)),
        ("cors_origins", "", ()),
        ("data", "/var/n2n", Path("/var/n2n")),
        ("database", "postgresql://n2n@db/n2n", "postgresql://n2n@db/n2n"),
        ("train_concurrency", "2", 2),
        ("train_threads", "2", 2),
        ("train_memory", "1073741824", 2**30),
        ("train_heartbeat", "2", 2),
        ("train_lease", "60", 60),
        ("train_slice", "60", 60),
    ],
)
def test_each_setting_is_a_variable(
    name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"N2N_{name.upper()}", text)
    assert getattr(read_settings(), name) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("N2N_MAX_BYTES", "many"),
        ("N2N_MAX_BYTES", "0"),
        ("N2N_MAX_PIXELS", "-1"),
        ("N2N_THREADS", "0"),
        ("N2N_THREADS", "9" * 20),
        ("N2N_MAX_PIXELS", "200000000"),
        ("N2N_MAX_HEADER_BYTES", "100"),
        ("N2N_READ_TIMEOUT", "0"),
        ("N2N_TOTAL_TIMEOUT", "inf"),
        ("N2N_MIN_RATE", "0"),
        ("N2N_PNG_COMPRESSION", "9"),
        ("N2N_LOG_FORMAT", "xml"),
        ("N2N_INSECURE", "perhaps"),
        ("N2N_KEY_RATE", "0"),
        ("N2N_KEY_CONCURRENCY", "-1"),
        ("N2N_CORS_ORIGINS", "example.org"),
        ("N2N_CORS_ORIGINS", "https://a.example/page"),
        ("N2N_TRAIN_CONCURRENCY", "-1"),
        ("N2N_TRAIN_THREADS", "0"),
        ("N2N_TRAIN_MEMORY", "1000"),
        ("N2N_TRAIN_HEARTBEAT", "0"),
        ("N2N_TRAIN_LEASE", "14"),
        ("N2N_TRAIN_LEASE", "inf"),
    ],
)
def test_bad_values_are_named(variable: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigError, match=f"{variable} is '{text}': "):
        read_settings()


def test_the_database_is_in_the_data_folder_unless_it_is_named(tmp_path: Path) -> None:
    assert Settings(data=tmp_path).database_url == f"sqlite:///{tmp_path}/n2n.db"
    named = Settings(database="postgresql://n2n:secret@db/n2n")
    assert named.database_url == "postgresql://n2n:secret@db/n2n"
    assert "secret" not in repr(named)


def test_what_cannot_be_served_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'best', expected one of: scratch, torch"):
        create_app(Settings(device="cpu", default_model="best"))
    with pytest.raises(ConfigError, match="device is 'abacus'"):
        create_app(Settings(device="abacus"))
    with pytest.raises(WeightsError, match="no such file, expected the index"):
        create_app(Settings(device="cpu", weights=tmp_path))
