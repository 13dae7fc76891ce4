"""Net: built from a message, run forward and backward. Imported when first asked for: passes/ need no torch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from caffe.net.net import Net

__all__ = ["Net"]


def __getattr__(name: str) -> Any:
    if name == "Net":
        from caffe.net.net import Net

        globals()["Net"] = Net
        return Net
    raise AttributeError(f"module 'caffe.net' has no attribute '{name}'")
