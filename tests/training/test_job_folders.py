"""Where the outputs of a job go: --job_dir, Vertex AI's variables, and which of them wins."""

import json

import pytest

import train_full
import train_transfer
from segmentation.errors import InputError
from tiny_network import train_tiny

SAID = {
    "AIP_MODEL_DIR": "/bucket/job/model/",
    "AIP_CHECKPOINT_DIR": "/bucket/job/checkpoints/",
    "AIP_TENSORBOARD_LOG_DIR": "/bucket/job/logs/",
}


def folders(options, command=train_full):
    config = command.parse_args(options)
    return config.output, config.model_dir, config.checkpoint_dir, config.log_dir


@pytest.fixture
def vertex(monkeypatch):
    for name, value in SAID.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("command", [train_full, train_transfer])
def test_what_vertex_ai_says_holds_where_options_are_silent_and_a_line_tells_it(
    command, vertex, capsys
):
    assert folders([], command) == (None, *SAID.values())
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0] for line in lines] == list(SAID)
    assert all(line.endswith(f" to {SAID[line.split(': ')[0]]}") for line in lines)


def test_options_win_and_what_is_not_heeded_is_not_told(vertex, capsys):
    # The checkpoint stands beside the model that -o names; nothing but --job_dir names logs.
    logs = SAID["AIP_TENSORBOARD_LOG_DIR"]
    assert folders(["-o", "a/b.keras"]) == ("a/b.keras", None, None, logs)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"AIP_TENSORBOARD_LOG_DIR: the logs for TensorBoard go to {logs}"
    assert folders(["--job-dir", "/b/c"]) == (None, "/b/c", None, "/b/c/logs")
    both = ["--job-dir=/b/c", "-o", "a/b.keras"]
    assert folders(both) == ("a/b.keras", "/b/c", None, "/b/c/logs")
    assert not capsys.readouterr().err


def test_a_folder_that_is_not_heeded_is_not_looked_at(monkeypatch):
    for name in SAID:
        monkeypatch.setenv(name, "azure://x/y")
    assert folders(["--job_dir", "b/c"]) == (None, "b/c", None, "b/c/logs")
    with pytest.raises(
        InputError, match="azure://x/y: files are read and written here and in buckets"
    ):
        folders([])


def test_an_empty_variable_says_nothing(monkeypatch, capsys):
    for name in SAID:
        monkeypatch.setenv(name, "")
    assert folders([]) == (None, None, None, None) and not capsys.readouterr().err


@pytest.mark.slow
def test_a_run_writes_and_resumes_in_the_folders_of_its_job(data, monkeypatch, capsys):
    for name, folder in zip(SAID, ("model", "checkpoints", "tensorboard"), strict=True):
        monkeypatch.setenv(name, f"{data}/job/{folder}/")
    train_tiny("--epochs", "1")
    assert {path.name for path in (data / "job/model").iterdir()} >= {"hair.keras", "hair.json"}
    assert (data / "job/checkpoints/hair.ckpt/state.npz").is_file()
    assert list((data / "job/tensorboard/hair").rglob("events.out*"))
    assert not (data / "logs").exists() and not (data / "artifacts").exists()
    assert not list((data / "job/model").glob("*.ckpt"))
    capsys.readouterr()
    # Where a job runs is nothing that a run has to repeat.
    (data / "job").rename(data / "moved")
    for name in SAID:
        monkeypatch.delenv(name)
    (data / "moved/checkpoints/hair.ckpt").rename(data / "moved/model/hair.ckpt")
    train_tiny("--epochs", "2", "--job_dir", "moved/model", "--resume")
    card = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert card["model"] == "moved/model/hair.keras" and card["epochs_trained"] == 2
    assert list((data / "moved/model/logs/hair").rglob("events.out*"))
