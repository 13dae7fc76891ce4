import pytest

import caffe
from caffe import switches
from caffe.plan.capabilities import CAPABILITIES


@pytest.fixture(autouse=True, scope="session")
def tried():
    """All ways have been tried, so that no test counts what a trial does."""
    assert all(way.works in (True, False) for way in CAPABILITIES)


@pytest.fixture(autouse=True)
def usual_settings(monkeypatch):
    """The plan is on and products are float32, whatever the environment says; so they are again after each test."""
    monkeypatch.setattr(switches, "PLAIN", False)
    caffe.set_precision("fp32")
    yield
    caffe.set_precision("fp32")
