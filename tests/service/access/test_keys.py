"""API keys in each database, and the command that makes them."""

import re
from pathlib import Path

import pytest
from sqlalchemy import select

from n2n_core import cli
from n2n_core.errors import ConfigError
from service.access.keyring import Keyring
from service.access.keys import ApiKeys, fingerprint
from service.cli.main import COMMANDS
from service.storage.database import Database
from service.storage.schema import api_keys

SECRET = re.compile(r"n2n_[A-Za-z0-9_-]{43}")


@pytest.fixture
def keys(database: Database) -> ApiKeys:
    return ApiKeys(database)


def test_a_key_is_known_by_its_hash_alone(keys: ApiKeys, database: Database) -> None:
    secret = keys.add("me", ["admin", "denoise"])
    assert SECRET.fullmatch(secret)
    (key,) = keys.list()
    assert (key.name, sorted(key.scopes), key.sha256) == ("me", ["admin", "denoise"], fingerprint(secret))
    with database.read() as connection:
        (row,) = connection.execute(select(api_keys)).all()
    assert secret.removeprefix("n2n_") not in repr(row)


def test_no_two_keys_are_alike(keys: ApiKeys) -> None:
    assert len({keys.add(f"k{number}", ["train"]) for number in range(20)}) == 20


@pytest.mark.parametrize("name", ["", "a b", "ü", "a" * 65, "a/b", "a\n", "\0"])
def test_a_bad_name_is_refused(keys: ApiKeys, name: str) -> None:
    with pytest.raises(ConfigError, match=r"the key's name is .*, expected 1 to 64"):
        keys.add(name, ["denoise"])


@pytest.mark.parametrize("scopes", [[], ["all"], ["denoise", ""], ["Denoise"]])
def test_bad_scopes_are_refused(keys: ApiKeys, scopes: list[str]) -> None:
    with pytest.raises(ConfigError, match="expected some of: denoise, train, admin"):
        keys.add("me", scopes)  # type: ignore[arg-type]
    assert keys.list() == ()


def test_names_are_taken_once_and_free_again(keys: ApiKeys) -> None:
    first = keys.add("me", ["denoise"])
    with pytest.raises(ConfigError, match="there is already a key 'me'"):
        keys.add("me", ["admin"])
    with pytest.raises(ConfigError, match="there is no key 'you'; known keys: me"):
        keys.remove("you")
    keys.remove("me")
    with pytest.raises(ConfigError, match="known keys: none"):
        keys.remove("me")
    assert keys.add("me", ["denoise"]) != first


def test_a_ring_finds_each_key_and_nothing_else(keys: ApiKeys, tmp_path: Path) -> None:
    secrets = {name: keys.add(name, ["denoise"]) for name in ("a", "b", "c")}
    ring = Keyring(keys, tmp_path / "keys-required")
    assert not ring.required
    assert ring.find(secrets["a"]) is None  # not looked yet
    ring.look()
    assert ring.required
    for name, secret in secrets.items():
        found = ring.find(secret)
        assert found
        assert found.name == name
        for other in (secret[:-1], secret + "A", secret.swapcase(), fingerprint(secret), ""):
            assert ring.find(other) is None


def run(*arguments: str) -> int:
    return cli.main(["keys", *arguments], COMMANDS)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("N2N_DATA", str(tmp_path))
    return tmp_path / "n2n.db"


def test_the_command_shows_a_key_once(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("add", "me", "--scopes", "train,denoise") == 0
    out, err = capsys.readouterr()
    assert SECRET.fullmatch(out.strip())
    assert f"made key 'me' in sqlite:///{place}; it cannot be shown again" in err
    assert run("list") == 0
    listed = capsys.readouterr().out
    assert re.fullmatch(r"me +denoise,train +\d{4}-\d\d-\d\d \d\d:\d\d UTC\n", listed)
    assert run("remove", "me") == 0
    assert "that was the last key" in capsys.readouterr().err
    assert run("list") == 0
    assert capsys.readouterr().out == ""
    assert out.strip().encode() not in b"".join(path.read_bytes() for path in place.parent.iterdir())


def test_what_the_command_refuses_is_told_in_a_line(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in (("add", "me", "--scopes", "all"), ("add", "a b", "--scopes", "train"), ("remove", "x")):
        assert run(*arguments) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    monkeypatch.setenv("N2N_DATABASE", "mysql://n2n@db/n2n")
    assert run("list") == 2
    assert "expected sqlite:///FILE or postgresql://" in capsys.readouterr().err


def test_once_there_was_a_key_no_loss_opens_the_service(keys: ApiKeys, tmp_path: Path) -> None:
    marker = tmp_path / "data" / "keys-required"
    before = Keyring(keys, marker)
    before.look()
    assert not before.required
    assert not marker.exists()
    keys.add("only", ["admin"])
    before.look()
    keys.remove("only")
    for ring in (before, Keyring(keys, marker)):  # the second one, after a restart
        ring.look()
        assert ring.required
        assert ring.is_empty
    assert Keyring(keys, tmp_path / "other", required=True).required
