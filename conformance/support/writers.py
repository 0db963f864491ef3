"""Writers of one table, each in a process of its own, all at the same time."""

import multiprocessing


def run_writers(count, write, *arguments):
    """Calls `write(number, *arguments)` in `count` processes; fails with what the first of them that failed said."""
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        pool.starmap(write, [(number, *arguments) for number in range(count)], chunksize=1)
