"""All cases of the forks' types: what each table of this folder has."""

from tests.forks import (
    test_cascade,
    test_losses,
    test_maximum_and_switch,
    test_multibox_loss,
    test_regions,
    test_sequences,
    test_synopsys,
    test_types,
    test_video_flow_pose,
)

TABLES = (
    test_cascade,
    test_types,
    test_regions,
    test_sequences,
    test_synopsys,
    test_video_flow_pose,
    test_losses,
    test_multibox_loss,
    test_maximum_and_switch,
)


def every():
    """Name → (layer, shapes of the bottoms, settings of check_layer)."""
    return {name: case for table in TABLES for name, case in table.CASES.items()}
