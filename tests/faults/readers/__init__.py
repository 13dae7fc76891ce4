"""Every kind of file that the project reads, by its name."""

from __future__ import annotations

from tests.faults.child import Reader
from tests.faults.readers import annotated, databases, foreign, hdf5_files, images, lists, prototxts, records, weights

READERS: dict[str, Reader] = {
    reader.name: reader
    for family in (prototxts, weights, hdf5_files, databases, images, lists, foreign, annotated, records)
    for reader in family.READERS
}
