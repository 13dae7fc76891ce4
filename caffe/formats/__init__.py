"""Files in and out: no torch here.

    prototxt.py      text nets and solvers, always upgraded to today's messages (upgrade.py, upgrade_v0.py)
    weight_files.py  weights of any kind: caffemodel.py, hdf5.py or safetensors.py, by what the file holds
    solverstate.py   where a solver stopped, binary or HDF5
    binaryproto.py   mean files
    summary.py       any of these as text: `python -m caffe.formats.summary FILE`

Below them: wire.py (protobuf's bytes), parsing.py (messages from bytes), blobproto.py (one blob), hdf5_file.py (helpers
of HDF5's readers), identify.py (what a file is), mapped.py (reading without copying), atomic.py (writing whole files or
nothing), pictures.py (which formats of images are read).
"""
