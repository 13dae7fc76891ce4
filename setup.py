"""Which packages the wheel has, where they lie, and its description; all else is in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

FOLDERS = {f"fcn_caffe.{folder}": folder for folder in ("net_spec", "surgery", "data_layers", "splits")}
"""Packages that lie at the top level of the repository."""


def description(readme: str) -> str:
    """The README as a package index shows it, which has no other file of the project: without its pictures, and with
    the path beside the text of a link.
    """
    elsewhere = r"(?![a-z]+://)"
    without_pictures = re.sub(rf"^!\[[^]]*\]\({elsewhere}[^)]*\)\n\n?", "", readme, flags=re.MULTILINE)
    within_the_page = re.sub(r"\[([^]]+)\]\(#[^)]*\)", r"\1", without_pictures)
    return re.sub(rf"\[([^]]+)\]\({elsewhere}([^)]*)\)", _beside, within_the_page)


def _beside(link: "re.Match[str]") -> str:
    text, path = link.groups()
    return path if text == path else f"{text} (`{path}`)"


inner = [f"{name}.{package}" for name, folder in FOLDERS.items() for package in find_packages(folder)]
setup(
    packages=[*find_packages(include=["caffe*", "fcn_caffe*"]), *FOLDERS, *inner],
    package_dir=FOLDERS,
    long_description=description(Path(__file__).with_name("README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)
