"""What came of reading an input: it was read, or refused in words that help, or something that must not happen."""

from __future__ import annotations

import dis
import re
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from caffe.errors import CaffeError

ROOT = Path(__file__).resolve().parents[2]
OURS = tuple(f"{ROOT / folder}/" for folder in ("caffe", "data_layers", "net_spec", "surgery", "fcn_caffe"))

READ, REFUSED = "read", "refused"
CRASH, HANG, MEMORY, UNCLEAR, ESCAPE = "crash", "hang", "memory", "unclear", "escape"
FAULTS = (CRASH, HANG, MEMORY, UNCLEAR, ESCAPE)
"""The process died; it took too long; it took too much memory; an error that is not ours or does not say what it is
about; something outside of the input was read, written or started."""

_LAYER = re.compile(r"\blayer '|\bfor layer \S+:")
_RAISE = dis.opmap["RAISE_VARARGS"]
_SHOWN = 400


class Escaped(BaseException):
    """Something outside of the input was reached. No reader catches it."""


@dataclass(frozen=True)
class Verdict:
    """What came of one input; `place` is where in the code, so that faults of one cause can be counted once."""

    kind: str
    said: str = ""
    place: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def of_error(error: BaseException, names: tuple[str, ...], folder: Path) -> Verdict:
    """The verdict on an error that a reader raised.

    names: the words of which it must say one. folder: of inputs; errors of Python layers there are a user's own.
    """
    said = " ".join([str(error), *getattr(error, "__notes__", ())])
    shown = f"{type(error).__name__}: {said}"[:_SHOWN]
    code, line, raised = _innermost(error.__traceback__)
    place = f"{type(error).__name__} at {code}:{line}"
    if isinstance(error, Escaped):
        return Verdict(ESCAPE, shown, place)
    if isinstance(error, CaffeError | ValueError | OSError) and raised and code.startswith(OURS):
        if _LAYER.search(said) or any(name in said for name in names):
            return Verdict(REFUSED, shown, place)
        return Verdict(UNCLEAR, f"names neither file nor layer: {shown}", place)
    if code.startswith(f"{folder}/") and _LAYER.search(said):
        return Verdict(REFUSED, shown, place)
    kind = MEMORY if isinstance(error, MemoryError) or "not enough memory" in said else UNCLEAR
    return Verdict(kind, f"not raised by the project: {shown}", place)


def _innermost(trace: TracebackType | None) -> tuple[str, int, bool]:
    """File and line where an error came up, and whether a `raise` statement there raised it."""
    if trace is None:
        return "", 0, False
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return code.co_filename, trace.tb_lineno, code.co_code[trace.tb_lasti] == _RAISE


def traceback_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
