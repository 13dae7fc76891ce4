import pytest

import caffe
from caffe import plan
from caffe.plan.capabilities import WAYS


@pytest.fixture(autouse=True, scope="session")
def tried():
    """All ways have been tried, so that no test counts what a trial does."""
    assert all(way.works in (True, False) for way in WAYS)


@pytest.fixture(autouse=True)
def usual_settings(monkeypatch):
    """The plan is on and products are float32, whatever the environment says; so they are again after each test."""
    monkeypatch.setattr(plan, "PLAIN", False)
    caffe.set_precision("fp32")
    yield
    caffe.set_precision("fp32")
