"""The newest snapshot that a training left: what `caffe train -snapshot auto` goes on from."""

import re
from pathlib import Path

from caffe.errors import CaffeError
from caffe.formats import solverstate
from caffe.log import log


def newest(prefix: str) -> tuple[int, str] | None:
    """Iteration and path of the newest whole solverstate with this snapshot_prefix; None where there is none.

    A state that cannot be read, or whose weights are missing, is passed over with a warning.
    """
    stem = Path(f"{prefix}_iter_")
    pattern = re.compile(re.escape(stem.name) + r"(\d+)\.solverstate(\.h5)?")
    found = [
        (int(match[1]), path) for path in stem.parent.glob("*.solverstate*") if (match := pattern.fullmatch(path.name))
    ]
    for iteration, path in sorted(found, reverse=True):
        try:
            state = solverstate.read(str(path))
        except CaffeError as error:
            log.warning("passed over: %s", error)
            continue
        learned = Path(state.learned_net)
        if state.learned_net and not learned.exists() and not (path.parent / learned.name).exists():
            log.warning("'%s' is passed over: its weights, '%s', are missing", path, learned)
            continue
        return iteration, str(path)
    return None
