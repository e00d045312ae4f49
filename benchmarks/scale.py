"""Every curve of scale in turn, and then one table of all aims.

Run ``python benchmarks/scale.py [small]``. All of it takes seven minutes on a quiet machine with two cores; with
``small``, sizes are a tenth, to see that it runs.
"""

from __future__ import annotations

import sys

import all as benchmarks

# The curves with the arguments that they get: the largest size, and how often to measure.
CURVES = {
    "scale_latency": ("300", "60"),
    "scale_growth": ("10000", "1000"),
    "scale_size": ("5 1000", "2 100"),
    "scale_templates": ("500", "50"),
    "scale_runs": ("8 16 4", "2 1 2"),
    "scale_large": ("1024", "16"),
}

if __name__ == "__main__":
    benchmarks.measure({name: sizes["small" in sys.argv[1:]] for name, sizes in CURVES.items()})
