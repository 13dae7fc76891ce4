"""A pytest plugin: `-p benchmarks.on_gpu.slices --slice FIRST:COUNT` runs COUNT of the collected tests."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slice", default="", metavar="FIRST:COUNT", help="run COUNT of the chosen tests")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if wanted := config.getoption("--slice"):
        first, count = map(int, wanted.split(":"))
        items[:] = items[first : first + count]
