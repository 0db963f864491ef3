"""Races of several writers, which a backend that looks first and writes then loses now and then."""

import itertools
import os
import time

# How long a backend is given to show that it loses one.
PATIENCE_SECONDS = 150


def rounds(usual):
    """How often a race is run: `usual` times; where it is left out, for as long as it takes to see why."""
    if os.environ["CASES"] != "left-out":
        return range(usual)
    until = time.monotonic() + PATIENCE_SECONDS
    return itertools.takewhile(lambda _: time.monotonic() < until, itertools.count())
