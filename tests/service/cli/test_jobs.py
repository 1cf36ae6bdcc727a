"""``n2n jobs``, against a small service."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.responses import JSONResponse

from n2n_core import cli
from service.cli.main import COMMANDS
from tests.core.contract import HANG, Contract, dataset, event, job, problem, serving

EPOCH = {"psnr": 25.5, "psnr_pooled": 24.5, "noisy_psnr": 20.0, "noisy_psnr_pooled": 19.0, "epoch": 1}
EVENTS = [
    event("start", 1, step=0, total_steps=4),
    event("state", **job(state="running")),
    event("step", 2, step=2, loss=0.1),
    event("epoch", 3, **EPOCH),
]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Contract]:
    contract = Contract()
    with serving(contract) as url:
        monkeypatch.setenv("N2N_URL", url)
        yield contract


def jobs(*arguments: object) -> int:
    return cli.main(["jobs", *map(str, arguments)], more=COMMANDS)


def ended(state: str) -> list[bytes]:
    return [*EVENTS, event("state", **job(state=state))]


def test_pictures_become_a_model_in_one_go(
    service: Contract, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "shots.zip").write_bytes(b"zip")
    service.streams.append(ended("succeeded"))
    options = ("--kind", "pairs", "--name", "mine", "--model", "scratch", "--epochs", 10, "--no-swap")
    assert jobs("submit", tmp_path / "shots.zip", *options) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "j1",
        "epoch 1: PSNR 25.50 dB per image, 24.50 pooled (noisy 20.00, 19.00)",
        "model mine, version 2",
        "    curl --data-binary @noisy.png -H 'Content-Type: image/png'"
        f" '{service.url}/denoise?model=mine' -o clean.png",
    ]
    assert err.splitlines() == ["dataset d1: fine", "j1: running", "j1: succeeded"]
    assert service.forms == [{"kind": "pairs", "name": "mine", "files": [("shots.zip", b"zip")]}]
    ((_, body),) = service.asked("POST", "/train-jobs")
    assert body == b'{"dataset":"d1","name":"mine","model":"scratch","epochs":10,"swap":false}'


def test_a_dataset_is_trained_on_again(service: Contract, capsys: pytest.CaptureFixture[str]) -> None:
    noise = ("--corruption", "gaussian,sigma=0.1")
    assert jobs("submit", "--dataset", "d1", "--detach", "--force", "--base", "torch", *noise) == 0
    assert capsys.readouterr().out == "j1\n"
    ((_, body),) = service.asked("POST", "/train-jobs")
    assert body == (
        b'{"dataset":"d1","base":"torch","force":true,"corruption":{"name":"gaussian","sigma":0.1}}'
    )


def test_the_key_is_sent_and_not_shown(
    service: Contract, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    service.streams.append(ended("succeeded"))
    assert jobs("submit", "--dataset", "d1", "--key", "n2n_secret") == 0
    out, err = capsys.readouterr()
    assert '-H "Authorization: Bearer $N2N_API_KEY"' in out
    assert "n2n_secret" not in out + err
    assert {headers.get("authorization") for _, _, headers, _ in service.requests} == {"Bearer n2n_secret"}
    monkeypatch.setenv("N2N_API_KEY", "n2n_secret")
    assert jobs("list") == 0
    assert service.requests[-1][2]["authorization"] == "Bearer n2n_secret"
    capsys.readouterr()
    with pytest.raises(SystemExit):
        jobs("list", "--help")
    assert "n2n_secret" not in capsys.readouterr().out


def test_the_noise_of_clean_pictures_is_their_datasets(service: Contract, tmp_path: Path) -> None:
    (tmp_path / "a.b.png").write_bytes(b"")
    noise = ("--corruption", "gaussian,sigma=0.1")
    assert jobs("submit", tmp_path / "a.b.png", "--kind", "clean", "--detach", *noise) == 0
    assert service.forms[0]["corruption"] == '{"name": "gaussian", "sigma": 0.1}'
    assert service.forms[0]["name"] == "a"
    assert service.asked("POST", "/train-jobs")[0][1] == b'{"dataset":"d1"}'


def test_what_the_checks_found_is_told(
    service: Contract, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.zip").write_bytes(b"")
    check = {"name": "shift", "verdict": "warning", "message": "They are shifted.", "advice": "Align them."}
    report = {"verdict": "warning", "checks": [check]}
    service.faults.append(JSONResponse(dataset(report=report), 201))
    assert jobs("submit", tmp_path / "a.zip", "--kind", "pairs", "--detach") == 2
    assert capsys.readouterr().err.splitlines() == [
        "dataset d1: warning",
        "warning: shift: They are shifted.",
        "    Align them.",
        "n2n: no job was submitted, because of the warnings;"
        " to train anyway: n2n jobs submit --dataset d1 --force",
    ]
    service.faults.append(JSONResponse(dataset(report=report), 201))
    assert jobs("submit", tmp_path / "a.zip", "--kind", "pairs", "--detach", "--force") == 0
    assert "warning: shift" in capsys.readouterr().err


def test_what_the_checks_refuse_is_not_trained_on(
    service: Contract, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.zip").write_bytes(b"")
    service.faults.append(JSONResponse(dataset(report={"verdict": "refuse", "checks": []}), 201))
    assert jobs("submit", tmp_path / "a.zip", "--kind", "pairs", "--detach", "--force") == 2
    assert capsys.readouterr().err.splitlines()[-1] == "n2n: dataset d1 cannot be trained on"
    assert service.asked("POST", "/train-jobs") == []


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_without_a_model_the_exit_code_is_1(
    service: Contract, capsys: pytest.CaptureFixture[str], state: str
) -> None:
    service.streams.append(ended(state))
    assert jobs("watch", "j1") == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(rf"job j1 {state} \(\w+\): the loss is not a number", last)


def test_ctrl_c_leaves_the_job_running(service: Contract) -> None:
    service.streams.append([*EVENTS, HANG])
    command = [sys.executable, "-m", "service.cli", "jobs", "watch", "j1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("epoch 1: ")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines() == [
        "j1: running",
        "job j1 is still running; n2n jobs watch j1 shows it, n2n jobs cancel j1 stops it",
    ]
    assert service.asked("POST", "/train-jobs/j1/cancel") == []


def test_jobs_are_listed_shown_and_steered(service: Contract, capsys: pytest.CaptureFixture[str]) -> None:
    service.jobs = {
        "j1": job("j1", "running"),
        "j2": job("j2", "failed", metrics={"psnr_estimate": 21.0}, spec={"epochs": 3}),
    }
    assert jobs("list") == jobs("list", "--state", "failed") == jobs("show", "j2") == 0
    assert jobs("cancel", "j1") == jobs("resume", "j2") == jobs("delete", "j2") == 0
    assert capsys.readouterr().out.splitlines() == [
        "j1  running       0%  25.00 dB  mine",
        "j2  failed        0%  ~21.00 dB  mine",
        "j2  failed        0%  ~21.00 dB  mine",
        "j2  mine: failed, attempt 1 of 3",
        "step 0 of 4",
        "metrics: psnr_estimate 21.0",
        "recipe: epochs 3",
        "nan",
        "job j2 failed (diverged): the loss is not a number",
        "j1: cancelling",
        "j2: queued",
    ]
    assert list(service.jobs) == ["j1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["submit"], "either PATHs to upload or --dataset"),
        (["submit", "a.zip", "--dataset", "d1"], "either PATHs to upload or --dataset"),
        (["submit", "a.zip"], "--kind is not given"),
        (["submit", "missing.zip", "--kind", "pairs"], "missing.zip: no such file"),
        (["show", "j9"], "unknown job 'j9'"),
        (["list", "--url", "localhost"], "url is 'localhost'"),
        (["submit", "--dataset", "d1", "--epochs", "ten"], "invalid int value: 'ten'"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(
    service: Contract, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code: object = None
    try:
        code = jobs(*arguments)
    except SystemExit as exit:  # argparse's way
        code = exit.code
    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2
    assert message in line
    assert service.jobs == {}


def test_a_refusal_is_told_with_what_it_found(service: Contract, capsys: pytest.CaptureFixture[str]) -> None:
    service.faults.append(problem(422, "dataset_refused", "dataset d1 failed its checks: shift"))
    assert jobs("submit", "--dataset", "d1") == 2
    assert capsys.readouterr().err == (
        "n2n: dataset d1 failed its checks: shift; expected a number above 0\n"
    )
