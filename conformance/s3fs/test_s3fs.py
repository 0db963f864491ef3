"""s3fs: a bucket as a folder, mounted with FUSE. Buckets are looked into with boto3, past the mount."""

import os
import pathlib
import shutil
import subprocess
import time

import pytest

from snippets import snippet
from trees import SIZES, assert_same_trees, make_tree

INSTALLED = pathlib.Path(os.environ["DEBIAN_ROOT"])
LIBRARIES = INSTALLED / "lib" / "x86_64-linux-gnu"


def wait_for(condition, message):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, message
        time.sleep(0.05)


@pytest.fixture
def folder(bucket, tmp_path):
    """The bucket's folder, mounted by the very command that the documentation shows."""
    if not os.access("/dev/fuse", os.W_OK):
        pytest.skip("there is no /dev/fuse to write to")
    target = tmp_path / "mounted"
    target.mkdir()
    passwords = tmp_path / "passwd-s3fs"
    command = snippet("s3fs", BUCKET=bucket, FOLDER=str(target), **{"~/.passwd-s3fs": str(passwords)})
    log = open(tmp_path / "log", "wb")
    path = f"{INSTALLED}/usr/bin:{INSTALLED}/bin:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "LD_LIBRARY_PATH": str(LIBRARIES)}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del env[name]
    process = subprocess.Popen(["sh", "-euc", command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    def said():
        return (tmp_path / "log").read_text()

    wait_for(lambda: process.poll() is not None or target.is_mount(), "not mounted: " + said())
    assert target.is_mount(), said()
    yield target
    subprocess.run(["umount", str(target)], check=True)
    process.wait(20)
    log.close()


def test_a_written_file_is_an_object(folder, s3, bucket):
    (folder / "dir").mkdir()
    (folder / "dir" / "file.txt").write_bytes(b"written by a program")
    assert s3.get_object(Bucket=bucket, Key="dir/file.txt")["Body"].read() == b"written by a program"
    assert (folder / "dir" / "file.txt").read_bytes() == b"written by a program"


def test_an_object_is_a_file(folder, s3, bucket):
    body = os.urandom(3_000_000)
    s3.put_object(Bucket=bucket, Key="deep/er/file", Body=body)
    assert os.listdir(folder / "deep" / "er") == ["file"]
    assert (folder / "deep" / "er" / "file").read_bytes() == body


def test_a_tree_is_copied_in_and_out_the_same(folder, tmp_path):
    up, down = tmp_path / "up", tmp_path / "down"
    make_tree(up)
    subprocess.run(["cp", "-r", up, folder / "tree"], check=True)
    subprocess.run(["cp", "-r", folder / "tree", down], check=True)
    assert_same_trees(up, down)
    found = [str(path.relative_to(folder / "tree")) for path in (folder / "tree").rglob("*") if path.is_file()]
    assert sorted(found) == sorted(SIZES)


def test_a_large_file_goes_in_parts_and_is_read_from_the_middle(folder, s3, bucket):
    body = os.urandom(32 << 20)
    (folder / "large").write_bytes(body)
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-3"')
    with open(folder / "large", "rb") as file:
        file.seek(20_000_001)
        assert file.read(1_000_000) == body[20_000_001:21_000_001]
        file.seek(-5, os.SEEK_END)
        assert file.read() == body[-5:]


def test_a_file_is_appended_to_and_changed_in_place(folder, s3, bucket):
    (folder / "file").write_bytes(b"0123456789")
    with open(folder / "file", "ab") as file:
        file.write(b"ABC")
    with open(folder / "file", "r+b") as file:
        file.seek(3)
        file.write(b"___")
    assert s3.get_object(Bucket=bucket, Key="file")["Body"].read() == b"012___6789ABC"


def test_files_and_folders_are_renamed(folder, s3, bucket):
    (folder / "dir").mkdir()
    for name in ("a", "b"):
        (folder / "dir" / name).write_text(name)
    (folder / "dir" / "a").rename(folder / "dir" / "renamed")
    (folder / "dir").rename(folder / "moved")
    assert sorted(os.listdir(folder)) == ["moved"]
    assert {name: (folder / "moved" / name).read_text() for name in os.listdir(folder / "moved")} == {
        "b": "b",
        "renamed": "a",
    }
    assert s3.get_object(Bucket=bucket, Key="moved/renamed")["Body"].read() == b"a"


def test_modes_and_times_are_kept(folder):
    (folder / "file").write_text("x")
    os.chmod(folder / "file", 0o640)
    os.utime(folder / "file", (1_600_000_000, 1_600_000_000))
    status = os.stat(folder / "file")
    assert (status.st_mode & 0o777, int(status.st_mtime)) == (0o640, 1_600_000_000)


def test_what_is_deleted_is_gone(folder, s3, bucket):
    (folder / "dir").mkdir()
    (folder / "dir" / "file").write_text("x")
    (folder / "dir" / "file").unlink()
    assert not (folder / "dir" / "file").exists()
    shutil.rmtree(folder / "dir")
    assert os.listdir(folder) == []
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_many_files_are_listed(folder, s3, bucket):
    for number in range(1_100):
        s3.put_object(Bucket=bucket, Key=f"many/{number:04}", Body=b"")
    assert sorted(os.listdir(folder / "many")) == [f"{number:04}" for number in range(1_100)]
