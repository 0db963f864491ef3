"""s3cmd: files up and down, and folders kept the same."""

import os
import pathlib
import sys

import pytest

from programs import Program
from snippets import snippet
from trees import SIZES, assert_same_trees, make_tree


@pytest.fixture(scope="module")
def s3cmd(tmp_path_factory):
    settings = tmp_path_factory.mktemp("s3cmd") / "s3cfg"
    settings.write_text(snippet("s3cmd"))
    program = pathlib.Path(sys.executable).parent / "s3cmd"
    return Program(sys.executable, program, "--config", settings, "--no-progress", "--multipart-chunk-size-mb=5")


@pytest.fixture
def uri(bucket):
    return f"s3://{bucket}"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(os.urandom(100_000))
    return path


@pytest.mark.node
def test_a_bucket_is_made_listed_and_removed(s3cmd, bucket_name):
    assert "created" in s3cmd("mb", f"s3://{bucket_name}")
    assert f"s3://{bucket_name}" in s3cmd("ls")
    assert "us-east-1" in s3cmd("info", f"s3://{bucket_name}")
    assert "removed" in s3cmd("rb", f"s3://{bucket_name}")
    assert s3cmd.run("ls", f"s3://{bucket_name}").returncode == 12  # EX_NOTFOUND


@pytest.mark.quick
def test_a_file_goes_up_and_comes_down_the_same(s3cmd, uri, source, tmp_path):
    s3cmd("put", source, f"{uri}/dir/file")
    assert s3cmd("ls", f"{uri}/dir/").split()[2:] == ["100000", f"{uri}/dir/file"]
    assert s3cmd("du", uri).split() == ["100000", "1", "objects", f"{uri}/"] or "100000" in s3cmd("du", uri)
    s3cmd("get", f"{uri}/dir/file", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == source.read_bytes()


def test_a_broken_off_download_goes_on_where_it_ended(s3cmd, uri, source, tmp_path):
    s3cmd("put", source, f"{uri}/file")
    (tmp_path / "target").write_bytes(source.read_bytes()[:30_000])
    s3cmd("get", "--continue", f"{uri}/file", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == source.read_bytes()


@pytest.mark.quick
def test_a_large_file_goes_in_parts(s3cmd, s3, uri, bucket, tmp_path):
    (tmp_path / "large").write_bytes(os.urandom(12 << 20))
    s3cmd("put", tmp_path / "large", f"{uri}/large")
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-3"')
    s3cmd("get", f"{uri}/large", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == (tmp_path / "large").read_bytes()


def test_a_tree_goes_up_and_comes_down_the_same(s3cmd, uri, tmp_path):
    up, down = tmp_path / "up", tmp_path / "down"
    make_tree(up)
    down.mkdir()
    s3cmd("sync", f"{up}/", f"{uri}/tree/")
    listed = s3cmd("ls", "--recursive", uri).splitlines()
    assert sorted(line.split(f"{uri}/tree/", 1)[1] for line in listed) == sorted(SIZES)
    s3cmd("sync", f"{uri}/tree/", f"{down}/")
    assert_same_trees(up, down)


def test_sync_moves_only_what_changed_and_deletes_on_request(s3cmd, uri, tmp_path):
    up = tmp_path / "up"
    make_tree(up, {"a": 10, "b": 10, "c": 10})
    s3cmd("sync", f"{up}/", f"{uri}/")
    assert "upload:" not in s3cmd("sync", f"{up}/", f"{uri}/")
    (up / "b").write_bytes(b"another body")
    (up / "c").unlink()
    moved = s3cmd("sync", "--delete-removed", f"{up}/", f"{uri}/")
    assert [line.split()[0] for line in moved.splitlines() if ": '" in line] == ["delete:", "upload:"]
    names = [line.split()[-1] for line in s3cmd("ls", uri).splitlines()]
    assert names == [f"{uri}/a", f"{uri}/b"]


def test_objects_are_copied_moved_and_deleted(s3cmd, s3, bucket, uri, source):
    s3cmd("put", source, f"{uri}/one")
    s3cmd("cp", f"{uri}/one", f"{uri}/dir/two")
    s3cmd("mv", f"{uri}/one", f"{uri}/dir/three")
    names = [line.split()[-1] for line in s3cmd("ls", "--recursive", uri).splitlines()]
    assert names == [f"{uri}/dir/three", f"{uri}/dir/two"]
    assert s3.get_object(Bucket=bucket, Key="dir/three")["Body"].read() == source.read_bytes()
    s3cmd("del", "--recursive", "--force", f"{uri}/dir/")
    assert s3cmd("ls", "--recursive", uri) == ""


def test_content_types_and_metadata_are_kept_and_changed(s3cmd, s3, bucket, uri, source):
    s3cmd("put", source, f"{uri}/page", "--mime-type=text/html", "--add-header=x-amz-meta-colour: green")
    head = s3.head_object(Bucket=bucket, Key="page")
    assert (head["ContentType"], head["Metadata"]["colour"]) == ("text/html", "green")
    s3cmd("modify", "--add-header=Cache-Control: max-age=3", f"{uri}/page")
    head = s3.head_object(Bucket=bucket, Key="page")
    assert (head["CacheControl"], head["ContentType"], head["Metadata"]["colour"]) == ("max-age=3", "text/html", "green")


def test_an_overwritten_object_is_the_new_one(s3cmd, uri, source, tmp_path):
    s3cmd("put", source, f"{uri}/file")
    s3cmd("get", f"{uri}/file", tmp_path / "first")
    source.write_bytes(b"second")
    s3cmd("put", source, f"{uri}/file")
    s3cmd("get", f"{uri}/file", tmp_path / "second")
    assert (tmp_path / "second").read_bytes() == b"second"


def test_what_is_not_there_is_told(s3cmd, uri, tmp_path):
    missing = s3cmd.run("get", f"{uri}/none", tmp_path / "none")
    assert missing.returncode == 64 or missing.returncode == 12
    assert b"404" in missing.stderr or b"does not exist" in missing.stderr
