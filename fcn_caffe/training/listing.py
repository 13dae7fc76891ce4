"""The variants as a table: what each starts from, its data, and its scores."""

from __future__ import annotations

from fcn_caffe.net_spec.nets import Variant
from fcn_caffe.training.score_history import quality, read_scores
from fcn_caffe.variants import stages


def listing(rows: dict[str, Variant]) -> str:
    """One line a variant: what it starts from, its data, published and own mean IU (of depth, δ < 1.25) in percent."""
    lines: list[tuple[str, ...]] = [("variant", "starts from", "learns from", "scored on", "ours", "published")]
    for row in rows.values():
        scores = read_scores(stages.SNAPSHOTS / row.name)
        own = f"{100 * quality(scores[-1][row.data.heads[0].label]):.1f}" if scores else ""
        data = (
            f"{split.folders[-1]} {split.params.get('split', '')}".strip() for split in (row.data.train, row.data.val)
        )
        lines.append((row.name, " + ".join(row.starts), *data, own, row.published))
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
