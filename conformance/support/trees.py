"""Folders of files that go up and down."""

import os
import subprocess

# Odd names, an empty file, and no file beside a folder of its name, which no file system below a server can hold.
SIZES = {
    "plain.txt": 12,
    "empty": 0,
    "dir/sub/deep.bin": 100_000,
    "dir/sp ace +plus%cent&.txt": 5,
    "dir/ünïcode 🌊.txt": 7,
    "dir/(brackets)=and,comma;'quote'.txt": 9,
    "big.bin": 12 << 20,
    **{f"many/{n:02}.dat": n for n in range(40)},
}


def make_tree(folder, sizes=SIZES):
    for name, size in sizes.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        # Older than any object made of it.
        os.utime(path, (1_700_000_000, 1_700_000_000))


def assert_same_trees(left, right):
    result = subprocess.run(["diff", "-r", left, right], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")
