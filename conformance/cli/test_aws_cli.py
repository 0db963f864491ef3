"""The aws command line client: what people type."""

import filecmp
import json
import os
import pathlib
import subprocess
import sys
import urllib.request

import pytest

from trees import SIZES, assert_same_trees, make_tree

AWS = [str(pathlib.Path(sys.executable).parent / "aws"), "--endpoint-url", f"http://127.0.0.1:{os.environ['S3_PORT']}"]


def aws(*arguments, check=True, stdin=subprocess.DEVNULL):
    options = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    result = subprocess.run([sys.executable, *AWS, *arguments], capture_output=True, timeout=120, **options)
    if check:
        assert result.returncode == 0, result.stderr.decode()
    return result


def out(*arguments):
    return aws(*arguments).stdout.decode()


@pytest.fixture
def uri(bucket):
    return f"s3://{bucket}"


@pytest.mark.node
def test_a_bucket_is_made_and_removed_with_all_that_is_in_it(bucket_name, tmp_path):
    uri = f"s3://{bucket_name}"
    assert f"make_bucket: {bucket_name}" in out("s3", "mb", uri)
    make_tree(tmp_path / "up", {"a": 1, "dir/b": 1})
    out("s3", "cp", str(tmp_path / "up"), uri, "--recursive")
    assert bucket_name in out("s3", "ls")
    assert f"remove_bucket: {bucket_name}" in out("s3", "rb", uri, "--force")
    assert bucket_name not in out("s3", "ls")


def make_old(path):
    """sync compares times with LastModified, which a list gives in whole seconds: a file of this second looks changed."""
    os.utime(path, (1_700_000_000, 1_700_000_000))


def test_a_tree_goes_up_and_comes_down_the_same(uri, tmp_path):
    up, down = tmp_path / "up", tmp_path / "down"
    sizes = {**SIZES, **{f"more/{number:03}.dat": number for number in range(150)}}
    make_tree(up, sizes)
    out("s3", "sync", str(up), uri, "--only-show-errors")
    listed = out("s3", "ls", uri, "--recursive", "--summarize")
    assert f"Total Objects: {len(sizes)}" in listed
    assert f"Total Size: {sum(sizes.values())}" in listed
    out("s3", "sync", uri, str(down), "--only-show-errors")
    assert_same_trees(up, down)
    assert out("s3", "sync", str(up), uri) == ""
    assert out("s3", "sync", uri, str(up)) == ""


def backend_bytes_read():
    """What the node has read of its backends so far, in all mounts."""
    with urllib.request.urlopen(f"{os.environ['FOREBAY_ADMIN_URL']}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    mine = [line for line in lines if line.startswith("forebay_backend_bytes_total{") and 'direction="read"' in line]
    return sum(float(line.split()[-1]) for line in mine)


@pytest.mark.quick
@pytest.mark.skipif(os.environ["ROUTE"] == "direct", reason="there is no cache between")
def test_a_second_sync_down_reads_no_object_byte_from_the_backend(uri, tmp_path):
    up, first, second = tmp_path / "up", tmp_path / "first", tmp_path / "second"
    make_tree(up)
    out("s3", "sync", str(up), uri, "--only-show-errors")
    out("s3", "sync", uri, str(first), "--only-show-errors")
    before = backend_bytes_read()
    assert before > 0
    out("s3", "sync", uri, str(second), "--only-show-errors")
    assert backend_bytes_read() == before
    assert_same_trees(up, second)


def test_sync_moves_only_what_changed_and_deletes_on_request(uri, tmp_path):
    up = tmp_path / "up"
    up.mkdir()
    for name in ("a", "b", "c"):
        (up / name).write_text(name)
        make_old(up / name)
    out("s3", "sync", str(up), uri)
    (up / "b").write_text("longer")
    (up / "c").unlink()
    moved = out("s3", "sync", str(up), uri, "--delete")
    assert "upload:" in moved and "/b" in moved and "/a" not in moved.replace(str(up), "")
    assert "delete:" in moved
    down = tmp_path / "down"
    out("s3", "sync", uri, str(down))
    assert_same_trees(up, down)


@pytest.mark.quick
def test_cp_mv_and_rm(uri, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(1000))
    out("s3", "cp", str(source), f"{uri}/dir/one")
    out("s3", "cp", f"{uri}/dir/one", f"{uri}/dir/two")
    out("s3", "mv", f"{uri}/dir/one", f"{uri}/moved")
    assert [line.split()[-1] for line in out("s3", "ls", f"{uri}/", "--recursive").splitlines()] == ["dir/two", "moved"]
    assert "PRE dir/" in out("s3", "ls", uri)
    out("s3", "cp", f"{uri}/moved", str(target))
    assert filecmp.cmp(source, target, shallow=False)
    out("s3", "rm", uri, "--recursive")
    assert aws("s3", "ls", f"{uri}/", "--recursive", check=False).stdout == b""


@pytest.mark.quick
def test_a_stream_goes_up_and_comes_down(uri):
    body = os.urandom(9 << 20)
    aws("s3", "cp", "-", f"{uri}/stream", stdin=body)
    assert aws("s3", "cp", f"{uri}/stream", "-").stdout == body


def test_a_large_file_goes_by_parts(uri, bucket, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(64 << 20))
    out("s3", "cp", str(source), f"{uri}/large", "--only-show-errors")
    head = json.loads(out("s3api", "head-object", "--bucket", bucket, "--key", "large"))
    assert head["ContentLength"] == 64 << 20 and head["ETag"].endswith('-8"')
    out("s3", "cp", f"{uri}/large", str(target), "--only-show-errors")
    assert filecmp.cmp(source, target, shallow=False)


def test_content_types_and_metadata_are_told(uri, bucket, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<p>")
    out("s3", "cp", str(page), f"{uri}/page.html", "--metadata", "a=b", "--cache-control", "max-age=3")
    head = json.loads(out("s3api", "head-object", "--bucket", bucket, "--key", "page.html"))
    assert (head["ContentType"], head["Metadata"], head["CacheControl"]) == ("text/html", {"a": "b"}, "max-age=3")


def test_a_presigned_url_is_readable_by_anybody(uri, tmp_path):
    # The first version of the client still presigns for other endpoints than Amazon's with the second version of
    # signatures, unless it is told not to.
    out("configure", "set", "default.s3.signature_version", "s3v4")
    source = tmp_path / "source"
    source.write_bytes(b"shared")
    out("s3", "cp", str(source), f"{uri}/sp ace")
    with urllib.request.urlopen(out("s3", "presign", f"{uri}/sp ace").strip(), timeout=10) as answer:
        assert answer.read() == b"shared"


@pytest.mark.quick
def test_the_plain_operations(uri, bucket, tmp_path):
    body, part = tmp_path / "body", tmp_path / "part"
    body.write_bytes(b"0123456789")
    where = ["--bucket", bucket, "--key", "k"]
    etag = json.loads(out("s3api", "put-object", *where, "--body", str(body)))["ETag"]
    assert json.loads(out("s3api", "get-object", *where, "--range", "bytes=2-4", str(part)))["ETag"] == etag
    assert part.read_bytes() == b"234"
    listed = json.loads(out("s3api", "list-objects-v2", "--bucket", bucket, "--max-items", "1"))
    assert [item["Key"] for item in listed["Contents"]] == ["k"]
    assert bucket in out("s3api", "list-buckets")
    assert json.loads(out("s3api", "get-bucket-location", "--bucket", bucket)) == {"LocationConstraint": None}
    out("s3api", "delete-object", *where)
    missing = aws("s3api", "head-object", *where, check=False)
    assert missing.returncode != 0 and b"404" in missing.stderr


def test_a_put_can_ask_that_nothing_is_there(uri, bucket, tmp_path):
    (tmp_path / "body").write_bytes(b"0123456789")
    put = ["s3api", "put-object", "--bucket", bucket, "--key", "k", "--body", str(tmp_path / "body"), "--if-none-match", "*"]
    out(*put)
    refused = aws(*put, check=False)
    assert refused.returncode != 0 and b"PreconditionFailed" in refused.stderr


@pytest.mark.node
def test_a_failure_has_s3s_own_words(bucket_name):
    missing = aws("s3", "ls", f"s3://{bucket_name}", check=False)
    assert missing.returncode != 0 and b"NoSuchBucket" in missing.stderr


@pytest.mark.node
def test_a_tree_behind_a_mount_comes_down_the_same(mounted_tree, tmp_path):
    bucket, folder = mounted_tree()
    make_tree(folder)
    down = tmp_path / "down"
    out("s3", "sync", f"s3://{bucket}", str(down), "--only-show-errors")
    assert_same_trees(folder, down)
