"""The benchmarks: figures that the product promises, compared with raw docker-py where possible.

`python -m bench` measures them all in one run and fails if one misses its target. Not installed.
"""
