"""The plan's fast ways that work with this machine and this torch.

Some ways call private functions of torch, or need instructions that not every CPU has; that such a function exists does
not show that it works. So each way is tried once in a process, before its first use, on a few numbers against torch's
own function. One that fails or gives other numbers is switched off, and a line of the log names it.

    CAPABILITY = Capability("max pooling a few rows at a time", _trial)
    if CAPABILITY.works: …
"""

from collections.abc import Callable, Iterable

import torch

from caffe.log import log

FLOAT32 = 1e-5
"""The largest difference of two sums of a few products in float32, relative to the largest sum."""
BFLOAT16 = 2**-7
"""Likewise, where the operands and the sum are rounded to bfloat16."""
FAILURES = (RuntimeError, AttributeError, TypeError, ValueError, IndexError)
"""Errors of a function that is missing, has other arguments, or needs another CPU."""

Compared = Iterable[tuple[torch.Tensor, torch.Tensor]]
"""The results of a way, and those of torch's own function."""

CAPABILITIES: list["Capability"] = []
"""All of them."""


class Capability:
    """A fast way to compute something, and how to try it."""

    def __init__(self, name: str, trial: Callable[[], Compared], tolerance: float = FLOAT32):
        """trial: computes the same both ways, a few times; it is called once, with no gradients recorded."""
        self.name = name
        self._trial = trial
        self._tolerance = tolerance
        self._works: bool | None = None
        CAPABILITIES.append(self)

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def works(self) -> bool:
        """Whether this way works here."""
        if self._works is None:
            complaint = self._tried()
            if self._works is None and complaint:
                log.warning("The plan does without %s: %s. torch's own function is used.", self.name, complaint)
            self._works = not complaint
        return self._works

    def _tried(self) -> str:
        """What is wrong with this way; "" if nothing is."""
        try:
            with torch.no_grad(), torch.autocast("cpu", enabled=False):  # whatever the caller has chosen
                for found, expected in self._trial():
                    if found.shape != expected.shape:
                        return f"it gives {tuple(found.shape)} numbers, expected {tuple(expected.shape)}"
                    apart = (found.double() - expected.double()).abs().max()
                    if not apart <= self._tolerance * expected.abs().max():
                        return f"it gives other numbers, {float(apart):g} apart"
        except FAILURES as error:
            return f"{type(error).__name__}: {error}".strip().split("\n")[0].rstrip(".")
        return ""


def drawn(*shape: int, kind: torch.dtype = torch.float32) -> torch.Tensor:
    """Numbers for a trial, the same every time; nobody else's random numbers are used up."""
    generator = torch.Generator("cpu").manual_seed(0)
    return torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu").to(kind)
