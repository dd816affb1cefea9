"""The benchmarks: figures that the product promises, against raw docker-py where it talks to it.

`python -m bench` measures each in one run and fails when one is missed. Not installed.
"""
