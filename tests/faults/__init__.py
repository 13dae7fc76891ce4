"""Damaged files and kills: what users' disks, networks and terminals do to a project that must not lose anything.

    make faults                                        10,000 damaged inputs and 20 kills, with a fresh seed
    python -m tests.faults --inputs 500 --only hdf5    more of one kind of file (`--list` names them)
    python -m tests.faults --replay hdf5 17 --seed 3   one input again, with its traceback

readers/        each kind of file: valid ones to begin with, how they are damaged, and who reads them
bytes_of.py     damage to any bytes; texts.py, messages.py, wire_fields.py, hdf5_objects.py, archives.py: by grammar
verdict.py      what is an error that helps, and what else may happen to a reader
child.py        one input after another, in a process with limits on time and memory
pool.py         several such processes, replaced when they die
kills.py        trainings that are killed, resumed, and compared with one that was not

An input is decided by the seed, its reader and its number, so that everything found can be made again.
"""
