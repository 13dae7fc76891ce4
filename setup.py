"""Which packages the wheel has, and where they lie; all else is in pyproject.toml."""

from setuptools import find_packages, setup

FOLDERS = {f"fcn_caffe.{folder}": folder for folder in ("net_spec", "surgery", "data_layers", "splits")}
"""Packages that lie at the top level of the repository."""

inner = [f"{name}.{package}" for name, folder in FOLDERS.items() for package in find_packages(folder)]
setup(packages=[*find_packages(include=["caffe*", "fcn_caffe*"]), *FOLDERS, *inner], package_dir=FOLDERS)
