"""Objects that cannot be pickled, nor copied by the copy module, because they are bound to the memory of this process.

Boost.Python refuses the same of BVLC Caffe's classes, with a RuntimeError.
"""

from typing import ClassVar, NoReturn, SupportsIndex

from caffe.errors import UsageError


class NotCopied:
    """A base of classes whose objects pickle, copy.copy and copy.deepcopy refuse with a UsageError."""

    instead: ClassVar[str]
    """What to do, for the error."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        kind = type(self)
        raise UsageError(
            f'{kind.__name__}: Pickling of "{kind.__module__}.{kind.__qualname__}" instances is not enabled, nor is '
            f"copying them. {self.instead}"
        )
