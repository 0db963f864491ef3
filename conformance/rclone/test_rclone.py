"""rclone: folders kept the same, streams, server-side moves."""

import hashlib
import json
import os
import pathlib
import sys

import pytest

from programs import Program
from snippets import snippet
from trees import SIZES, assert_same_trees, make_tree


@pytest.fixture(scope="module")
def rclone(tmp_path_factory):
    settings = tmp_path_factory.mktemp("rclone") / "rclone.conf"
    settings.write_text(snippet("rclone"))
    program = pathlib.Path(sys.executable).parent / "rclone"
    return Program(program, "--config", settings, "--retries=1", "--low-level-retries=1", "--stats=0")


@pytest.fixture
def remote(bucket):
    return f"forebay:{bucket}"


def names(rclone, remote):
    return sorted(item["Path"] for item in json.loads(rclone("lsjson", "-R", "--files-only", remote)))


def test_a_tree_goes_up_and_comes_down_the_same(rclone, remote, tmp_path):
    up, down = tmp_path / "up", tmp_path / "down"
    make_tree(up)
    rclone("sync", "--s3-upload-cutoff=5M", "--s3-chunk-size=5M", up, f"{remote}/tree")
    assert names(rclone, f"{remote}/tree") == sorted(SIZES)
    rclone("check", "--download", up, f"{remote}/tree")
    rclone("sync", f"{remote}/tree", down)
    assert_same_trees(up, down)


def test_a_second_sync_moves_nothing_and_a_third_what_changed(rclone, remote, tmp_path):
    up = tmp_path / "up"
    make_tree(up, {"a": 10, "b": 10, "dir/c": 10})
    rclone("sync", up, remote)
    again = rclone.run("sync", "-v", up, remote)
    assert again.returncode == 0 and b"Copied" not in again.stderr and b"Updated" not in again.stderr
    (up / "b").write_bytes(b"another body")
    (up / "a").unlink()
    changed = rclone.run("sync", "-v", up, remote)
    assert changed.returncode == 0 and b"b: Copied (replaced existing)" in changed.stderr and b"a: Deleted" in changed.stderr
    assert names(rclone, remote) == ["b", "dir/c"]


def test_times_of_files_are_kept(rclone, remote, tmp_path):
    make_tree(tmp_path / "up", {"a": 10})
    rclone("copy", tmp_path / "up", remote)
    (item,) = json.loads(rclone("lsjson", remote))
    assert item["ModTime"].startswith("2023-11-14T22:13:20")


def test_a_stream_of_unknown_length_goes_up_and_comes_down(rclone, remote):
    body = os.urandom(11 << 20)
    rclone("rcat", "--s3-chunk-size=5M", "--streaming-upload-cutoff=5M", f"{remote}/stream", stdin=body)
    assert rclone.bytes("cat", f"{remote}/stream") == body
    assert rclone.bytes("cat", "--offset=1000000", "--count=5000000", f"{remote}/stream") == body[1_000_000:6_000_000]
    assert rclone.bytes("cat", "--tail=1000", f"{remote}/stream") == body[-1000:]


def test_a_large_file_comes_down_in_several_streams(rclone, remote, tmp_path):
    (tmp_path / "large").write_bytes(os.urandom(24 << 20))
    rclone("copyto", "--s3-upload-cutoff=100M", tmp_path / "large", f"{remote}/large")
    rclone("copyto", "--multi-thread-cutoff=8M", "--multi-thread-streams=4", f"{remote}/large", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == (tmp_path / "large").read_bytes()


def test_objects_are_copied_and_moved_by_the_server(rclone, s3, bucket, remote):
    rclone("rcat", f"{remote}/one", stdin=b"body")
    rclone("copyto", f"{remote}/one", f"{remote}/dir/two")
    rclone("moveto", f"{remote}/one", f"{remote}/dir/three")
    assert names(rclone, remote) == ["dir/three", "dir/two"]
    assert s3.get_object(Bucket=bucket, Key="dir/three")["Body"].read() == b"body"


def test_a_large_object_is_copied_in_parts(rclone, s3, bucket, remote):
    body = os.urandom(12 << 20)
    s3.put_object(Bucket=bucket, Key="large", Body=body)
    rclone("copyto", "--s3-copy-cutoff=5M", f"{remote}/large", f"{remote}/copy")
    assert s3.head_object(Bucket=bucket, Key="copy")["ETag"].rstrip('"').count("-") == 1
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == body


def test_sums_are_those_of_the_bytes(rclone, remote):
    rclone("rcat", f"{remote}/file", stdin=b"body")
    assert rclone("md5sum", remote) == f"{hashlib.md5(b'body').hexdigest()}  file\n"


def test_folders_and_files_are_deleted(rclone, remote, tmp_path):
    make_tree(tmp_path / "up", {"keep/a": 1, "go/b": 1, "go/deep/c": 1, "d": 1})
    rclone("copy", tmp_path / "up", remote)
    rclone("purge", f"{remote}/go")
    rclone("deletefile", f"{remote}/d")
    assert names(rclone, remote) == ["keep/a"]
    assert rclone("lsf", remote) == "keep/\n"


def test_an_overwritten_object_is_the_new_one(rclone, remote):
    for body in (b"first", b"second", b"third one"):
        rclone("rcat", f"{remote}/file", stdin=body)
        assert rclone.bytes("cat", f"{remote}/file") == body


def test_metadata_is_kept(rclone, s3, bucket, remote, tmp_path):
    (tmp_path / "page.html").write_text("<p>")
    rclone("copy", "--metadata", "--metadata-set=colour=green", tmp_path / "page.html", remote)
    head = s3.head_object(Bucket=bucket, Key="page.html")
    assert (head["Metadata"]["colour"], head["ContentType"].split(";")[0]) == ("green", "text/html")


def test_what_is_not_there_is_told(rclone, remote):
    missing = rclone.run("deletefile", f"{remote}/none")
    assert missing.returncode != 0 and b"not found" in missing.stderr
