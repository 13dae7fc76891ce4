"""The fork whose meaning a net's types and fields have, if the net itself does not show it: chosen by the user, never
guessed.

An argument of Net, the field `dialect` of a solver or a net, `--dialect` of every `caffe` command, or the variable
CAFFE_DIALECT; the first of these that is given. Several are separated by commas.
"""

import os

from caffe.errors import UsageError

KNOWN = {
    "hed": "SigmoidCrossEntropyLoss weighs edges and background against each other, as HED's and its children's does",
    "faceboxes": "PriorBox has 16 boxes of size 32 and 4 of size 64 a cell, and boxes of s − 1 pixels, as FaceBoxes'",
    "crop": "a Crop without offsets lays one blob over the other by their coordinates, as longjon's Caffe and HED do",
}
"""Name → what it changes."""
VARIABLE = "CAFFE_DIALECT"
_of_command: list[str] = []


def check(text: str, said: str) -> tuple[str, ...]:
    """The dialects that a text names. UsageError for one that nobody knows; `said` names in it who named them."""
    names = tuple(name.strip().lower() for name in text.split(",") if name.strip())
    if unknown := [name for name in names if name not in KNOWN]:
        raise UsageError(
            f"{said} is '{text}': there is no dialect '{unknown[0]}'. Known are {', '.join(KNOWN)}; others are told "
            "apart by what stands in the net."
        )
    return names


def dialect_flag(text: str) -> None:
    """What `--dialect` of a command means: dialects of all nets that the command builds."""
    check(text, "--dialect")
    _of_command[:] = [text] if text else []


def chosen(message: str, net: str) -> tuple[str, ...]:
    """The dialects of the net of that name, whose message names these (an empty text: none)."""
    for text, said in (
        (message, f"net '{net}': its dialect (the net's own, or its solver's)"),
        (_of_command[0] if _of_command else "", "--dialect"),
        (os.environ.get(VARIABLE, ""), VARIABLE),
    ):
        if text:
            return check(text, said)
    return ()
