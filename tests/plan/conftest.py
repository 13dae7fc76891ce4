import pytest

import caffe
from caffe import plan


@pytest.fixture(autouse=True)
def usual_settings(monkeypatch):
    """The plan is on and products are float32, whatever the environment says; so they are again after each test."""
    monkeypatch.setattr(plan, "PLAIN", False)
    caffe.set_precision("fp32")
    yield
    caffe.set_precision("fp32")
