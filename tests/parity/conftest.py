"""`make parity` runs what is in this folder; a plain pytest run leaves it out. Without real Caffe all is skipped."""

from pathlib import Path

import pytest

from tests.parity import bvlc

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path, config):
    asked_for = any("parity" in str(argument) for argument in config.args) or "parity" in config.option.markexpr
    return None if asked_for else True


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.parity)


@pytest.fixture(scope="session", autouse=True)
def real_caffe():
    try:
        bvlc.make()
    except bvlc.BvlcError as error:
        pytest.skip(f"real Caffe cannot be had: {error}")
