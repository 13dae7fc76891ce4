"""HDF5 files in and out."""

from typing import Any

import numpy as np

from caffe import ranks
from caffe.blob import Blob
from caffe.data import lists
from caffe.data.naming import naming
from caffe.data.random import Random, new_seed
from caffe.errors import DataError, FormatError, NetError
from caffe.layer_types.base import Handling, NativeLayer, Traits, layer_type
from caffe.layer_types.helpers.source_layer import SourceLayer, fill
from caffe.log import log
from caffe.shapes import shape_text


@layer_type
class HDF5Data(SourceLayer):
    """Rows of the data sets in HDF5 files, each named like the top it goes to.

    top: any number: batch_size × the rest of the data set's shape
    parameters: source: a text file that names the HDF5 files; batch_size; shuffle: the files, and the rows within each.
        No transform_param.
    source: src/caffe/layers/hdf5_data_layer.cpp
    """

    tops = (1, None)
    settings = "hdf5_data_param"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        param = self.layer_param.hdf5_data_param
        if self.layer_param.HasField("transform_param"):
            raise NetError(f"{self}: {self.type} does not transform data. Remove transform_param.")
        if not param.batch_size:
            raise NetError(f"{self}: batch_size is 0. Positive batch size required")
        self._files = self._listed_files(param.source)
        self._random = Random(new_seed()) if param.shuffle else None
        self._names = list(self.layer_param.top)
        self._shuffle(self._files)
        self._file = -1
        self._rows: list[int] = []
        self._rows_seen = 0
        self._sets: list[np.ndarray] = []
        self._load_next_file()
        for blob, values in zip(top, self._sets, strict=True):
            blob.reshape(param.batch_size, *values.shape[1:])

    def _listed_files(self, source: str) -> list[str]:
        log.info("Loading list of HDF5 filenames from: %s", source)
        with naming(str(self)):
            files = lists.read_words(source, f"Failed to open source file: {source}")
            for file in files:
                lists.check_name(file, source)
        log.info("Number of HDF5 files: %d", len(files))
        if not files:
            raise DataError(
                f"{self}: Must have at least 1 HDF5 filename listed in {source}; it is empty."
                " Name the files there, one on each line."
            )
        return files

    def _shuffle(self, items: list) -> None:
        if self._random is not None:
            self._random.shuffle(items)

    def _load_next_file(self) -> None:
        """Make the next file the current one, and its rows those to come."""
        self._file += 1
        if self._file == len(self._files):
            self._file = 0
            self._shuffle(self._files)
        if not self._sets or len(self._files) > 1:
            self._sets = self._read(self._files[self._file])
        rows = list(range(len(self._sets[0])))
        self._shuffle(rows)
        self._rows = list(ranks.shared_out(iter(rows), self.phase, self._rows_seen))
        self._rows_seen += len(rows)

    def _read(self, path: str) -> list[np.ndarray]:
        from caffe.formats import hdf5_file  # with h5py, which takes a tenth of a second that other nets need not wait

        try:
            with hdf5_file.opened(path) as file:
                found = [self._checked(hdf5_file.find(file, name), file, path, name) for name in self._names]
                sets = [hdf5_file.read_array(data_set, path) for data_set in found]
        except FormatError as error:
            raise DataError(
                f"{self}: Failed opening HDF5 file: {path} ({error})."
                " Correct the path, which starts at the working directory."
            ) from error
        counts = {name: len(values) for name, values in zip(self._names, sets, strict=True)}
        if len(set(counts.values())) != 1 or not all(counts.values()):
            raise DataError(
                f"{self}: '{path}' has {counts} rows, expected as many for each, and at least one."
                " Write the file again."
            )
        for name, values, known in zip(self._names, sets, self._sets or sets, strict=True):
            if values.shape[1:] != known.shape[1:]:
                raise DataError(
                    f"{self}: rows of '{name}' are {shape_text(values.shape[1:])} in '{path}', "
                    f"{shape_text(known.shape[1:])} in the file before. Give all files rows of one shape."
                )
        return sets

    def _checked(self, found: Any, file: Any, path: str, name: str) -> Any:
        if not hasattr(found, "dtype"):
            raise DataError(
                f"{self}: Failed to find HDF5 dataset {name} in '{path}', which has {', '.join(file) or 'none'}. "
                "Name the top like the data set."
            )
        if not found.ndim or found.dtype.kind not in "iuf":
            raise DataError(
                f"{self}: '{name}' in '{path}' is {found.dtype} of shape {shape_text(found.shape)}, expected an array "
                "of numbers."
                " Write the file again."
            )
        return found

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        size = self.layer_param.hdf5_data_param.batch_size
        batches = [np.empty((size, *values.shape[1:]), np.float32) for values in self._sets]
        done = 0
        while done < size:
            rows = self._rows[: size - done]
            for batch, values in zip(batches, self._sets, strict=True):
                batch[done : done + len(rows)] = values[rows]
            done += len(rows)
            self._rows = self._rows[len(rows) :]
            while not self._rows:
                self._load_next_file()
        fill(top, batches)


@layer_type
class HDF5Output(NativeLayer):
    """Writes its bottoms into an HDF5 file, as the data sets "data" and "label": one forward pass, one file.

    bottom: data and labels, as many items each; at most 4 axes, written as 4
    parameters: file_name: replaced when the net is built
    source: src/caffe/layers/hdf5_output_layer.cpp
    """

    bottoms = 2
    tops = 0
    settings = "hdf5_output_param"
    traits = Traits(handling=Handling.MOVED)

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        import h5py

        self._name: str = self.layer_param.hdf5_output_param.file_name
        try:
            self._file = h5py.File(self._name, "w")
        except OSError as error:
            raise DataError(
                f"{self}: Failed to open HDF5 file {self._name}: {error}. Choose another file_name."
            ) from error

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None: ...

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        data, label = bottom
        if data.num != label.num:
            raise DataError(
                f"{self}: {data.num} and {label.num} items: data blob and label blob must have the same batch size."
                " Reshape one of them."
            )
        if "data" in self._file:
            raise DataError(
                f"{self}: Failed to make float dataset data: '{self._name}' holds the forward pass before. One file "
                "holds one pass: build the net again for the next, or make the batch as large as the set."
            )
        log.info("Saving HDF5 file %s", self._name)
        for name, blob in (("data", data), ("label", label)):
            self._file.create_dataset(name, data=blob.data.reshape(blob.num, blob.channels, blob.height, blob.width))
        self._file.flush()
        log.info("Successfully saved %d rows", data.num)

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None: ...
