"""Charts as pictures, drawn by matplotlib in a process of its own, which ends with the picture.

So none of what that library takes stays with the controller: `process` begins it, `drawing` is it.
"""

from controller.charts.process import Chart, Charts, Line

__all__ = ["Chart", "Charts", "Line"]
