"""The pages of docs/ that are written from the sources, a module each, and whether they are up to date.

python -m docs.generate             writes them (make docs)
python -m docs.generate --check     writes nothing: compares, and fails with a diff for each that is out of date

A module has PAGE, the path of its page from the root of the checkout, and text(), what the page holds.
"""
