"""Reading a file without copying it: its bytes as a view of the page cache."""

import mmap
import os
import stat

from caffe.errors import FormatError

PathLike = str | os.PathLike[str]


def map_file(path: PathLike) -> memoryview:
    """All bytes of a file, read-only. They stay valid for as long as anything refers to them.

    A pipe has no pages to map and is read into memory. Raises FormatError when the file cannot be opened.
    """
    try:
        with open(os.fspath(path), "rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_size:
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            return memoryview(file.read())
    except FileNotFoundError as error:
        raise FormatError(
            f"Could not open file {path}: there is no such file. Check the path; relative paths start at {os.getcwd()}."
        ) from error
    except OSError as error:
        raise FormatError(f"Could not open file {path}: {error.strerror}. Check the path.") from error
    except ValueError as error:
        raise FormatError(f"Could not open file {os.fspath(path)!r}: {error}. Correct the path.") from error
