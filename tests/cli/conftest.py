import sys

import pytest

from caffe import cli
from caffe.log import init_log, log
from tests.solver import logged


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory with net.prototxt and solver.prototxt."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(log.logger, "handlers", list(log.logger.handlers))
    logged.write(tmp_path)
    yield tmp_path
    init_log()


@pytest.fixture
def run(folder, capsys):
    """run("train -solver x") → (exit status, stdout, stderr)."""

    def run_command(line):
        try:
            status = cli.main(line.split())
        except SystemExit as exit_:
            status = exit_.code
        out, err = capsys.readouterr()
        return status, out, err

    return run_command
