"""What a position of a map sees of the map before."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReceptiveField:
    """What a position of the top sees of the bottom along one axis: `extent` pixels from stride · position − pad on."""

    extent: int = 1
    stride: int = 1
    pad: int = 0
