"""Mounts of an existing folder."""

import json
import os

import pytest

from errors import fails
from raw import send_signed

pytestmark = pytest.mark.node


def keys(s3, bucket, **options):
    return [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, **options).get("Contents", [])]


def test_files_are_objects_under_their_own_names(s3, mounted_tree):
    bucket, folder = mounted_tree()
    (folder / "dir" / "sub").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"A")
    (folder / "dir" / "ü b.txt").write_bytes(b"B")
    (folder / "dir" / "sub" / "c").write_bytes(b"C")
    assert keys(s3, bucket) == ["a.txt", "dir/sub/c", "dir/ü b.txt"]
    assert s3.get_object(Bucket=bucket, Key="dir/ü b.txt")["Body"].read() == b"B"
    listed = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [item["Prefix"] for item in listed["CommonPrefixes"]] == ["dir/"]
    etag = s3.head_object(Bucket=bucket, Key="a.txt")["ETag"].strip('"')
    assert not (len(etag) == 32 and all(character in "0123456789abcdef" for character in etag))


def test_objects_are_files_under_their_own_names(s3, mounted_tree):
    bucket, folder = mounted_tree()
    body = os.urandom(5_000_000)
    s3.put_object(Bucket=bucket, Key="new/deep/file.bin", Body=body)
    assert (folder / "new" / "deep" / "file.bin").read_bytes() == body
    s3.delete_object(Bucket=bucket, Key="new/deep/file.bin")
    assert not (folder / "new" / "deep" / "file.bin").exists()


def test_a_change_behind_the_node_is_seen_at_once(s3, mounted_tree):
    bucket, folder = mounted_tree()
    for number in range(5):
        body = b"version %d" % number * 100_000
        (folder / "f").write_bytes(body)
        for _ in range(2):
            assert s3.get_object(Bucket=bucket, Key="f")["Body"].read() == body
            assert s3.head_object(Bucket=bucket, Key="f")["ContentLength"] == len(body)
    (folder / "f").unlink()
    with fails("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="f")
    assert keys(s3, bucket) == []


def test_a_file_moved_into_place_with_the_same_size_is_seen(s3, mounted_tree):
    bucket, folder = mounted_tree()
    for number in range(10):
        (folder / "next").write_bytes(b"%d" % number * 5)
        (folder / "next").rename(folder / "f")
        assert s3.get_object(Bucket=bucket, Key="f")["Body"].read() == b"%d" % number * 5


def test_no_link_leads_out_of_the_folder(s3, mounted_tree, tmp_path):
    bucket, folder = mounted_tree()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (folder / "file-link").symlink_to(outside / "secret")
    (folder / "dir-link").symlink_to(outside)
    (folder / "up-link").symlink_to("../outside/secret")
    (folder / "plain").write_bytes(b"1")
    for key in ("file-link", "dir-link/secret", "up-link", "dir-link"):
        with fails("NoSuchKey", "AccessDenied"):
            s3.get_object(Bucket=bucket, Key=key)
    assert keys(s3, bucket) == ["plain"]
    with pytest.raises(Exception):
        s3.put_object(Bucket=bucket, Key="dir-link/new", Body=b"1")
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]
    for key in ("file-link", "dir-link/secret"):
        try:
            s3.delete_object(Bucket=bucket, Key=key)
        except Exception:  # Refusing is right as well; what is outside must stay.
            pass
    assert (outside / "secret").read_bytes() == b"secret"


@pytest.mark.parametrize(
    "key", ["a//b", "../up", "a/../b", "./a", "a/./b", "..", ".", "/lead", "n" * 256, "nul\x00inside"], ids=ascii
)
def test_a_key_that_a_file_system_cannot_hold_is_refused(s3, mounted_tree, tmp_path, key):
    bucket, folder = mounted_tree()
    with fails("InvalidArgument", "KeyTooLongError", "InvalidRequest", "InvalidURI", status=400):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    # The error names the key, and XML 1.0 has no way to write a NUL: the client then shows the bare status.
    with fails("NoSuchKey", "InvalidArgument", "KeyTooLongError", "InvalidRequest", "InvalidURI", "404"):
        s3.get_object(Bucket=bucket, Key=key)
    assert list(tmp_path.iterdir()) == [folder]
    assert keys(s3, bucket) == []


def test_a_file_and_a_folder_cannot_have_one_name(s3, mounted_tree):
    bucket, folder = mounted_tree()
    s3.put_object(Bucket=bucket, Key="a", Body=b"file")
    with pytest.raises(Exception) as caught:
        s3.put_object(Bucket=bucket, Key="a/b", Body=b"1")
    assert 400 <= caught.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500
    assert (folder / "a").read_bytes() == b"file"


def test_a_put_is_answered_with_the_md5(s3, mounted_tree):
    import hashlib

    bucket, _ = mounted_tree()
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"body")["ETag"]
    assert etag == f'"{hashlib.md5(b"body").hexdigest()}"'
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"] == etag


def test_multipart_works_on_a_folder(s3, mounted_tree):
    bucket, folder = mounted_tree()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="d/k")["UploadId"]
    where = {"Bucket": bucket, "Key": "d/k", "UploadId": upload}
    bodies = [os.urandom(5 << 20), b"end"]
    etags = [s3.upload_part(**where, PartNumber=n, Body=body)["ETag"] for n, body in enumerate(bodies, 1)]
    named = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": named})
    assert (folder / "d" / "k").read_bytes() == b"".join(bodies)
    assert keys(s3, bucket) == ["d/k"]


def test_a_read_only_mount_is_read_only(s3, mounted_tree):
    bucket, folder = mounted_tree("--read-only")
    (folder / "f").write_bytes(b"1")
    assert s3.get_object(Bucket=bucket, Key="f")["Body"].read() == b"1"
    for call in (
        lambda: s3.put_object(Bucket=bucket, Key="f", Body=b"2"),
        lambda: s3.delete_object(Bucket=bucket, Key="f"),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="g"),
    ):
        with pytest.raises(Exception) as caught:
            call()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 405)
    assert (folder / "f").read_bytes() == b"1"


def test_a_mount_inside_a_bucket_is_merged_into_its_lists(s3, bucket, forebay, tmp_path):
    folder = tmp_path / "nested"
    folder.mkdir()
    (folder / "x").write_bytes(b"X")
    for key in ("a", "in", "in/side", "z"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"root")
    forebay("mount", "add", f"{bucket}/mid", folder.as_uri())
    assert keys(s3, bucket) == ["a", "in", "in/side", "mid/x", "z"]
    assert s3.get_object(Bucket=bucket, Key="mid/x")["Body"].read() == b"X"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    assert [page["Contents"][0]["Key"] for page in pages] == ["a", "in", "in/side", "mid/x", "z"]
    s3.put_object(Bucket=bucket, Key="mid/new", Body=b"N")
    assert (folder / "new").read_bytes() == b"N"
    forebay("mount", "remove", f"{bucket}/mid")
    assert keys(s3, bucket) == ["a", "in", "in/side", "z"]
    with fails("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="mid/x")
    assert (folder / "x").read_bytes() == b"X"


def test_a_folder_mounted_in_the_place_of_another_shows_none_of_its_bytes(s3, bucket_name, forebay, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_bytes(name.encode() * 1000)
        forebay("mount", "add", bucket_name, (tmp_path / name).as_uri())
        for _ in range(2):
            assert s3.get_object(Bucket=bucket_name, Key="f")["Body"].read() == name.encode() * 1000
        forebay("mount", "remove", bucket_name)
        with fails("NoSuchBucket", "NoSuchKey"):
            s3.get_object(Bucket=bucket_name, Key="f")


def test_mounts_are_listed_shown_and_checked(forebay, mounted_tree):
    bucket, folder = mounted_tree()
    for arguments in (("mount", "list", "--json"), ("mount", "show", bucket, "--json")):
        output = forebay(*arguments).stdout
        json.loads(output)
        assert bucket in output and folder.as_uri() in output
    assert forebay("mount", "check", bucket).returncode == 0


def test_an_unsigned_request_to_the_admin_port_is_refused(forebay):
    import urllib.error
    import urllib.request

    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(os.environ["FOREBAY_ADMIN_URL"] + "/v1/mounts", timeout=10)
    assert caught.value.code in (401, 403, 404)


def test_raw_dots_in_the_target_stay_in_the_bucket(mounted_tree, tmp_path):
    bucket, folder = mounted_tree()
    (tmp_path / "beside").write_bytes(b"secret")
    for target in (f"/{bucket}/../beside", f"/{bucket}/%2e%2e/beside", f"/{bucket}/..%2fbeside", f"/{bucket}/x/../../beside"):
        answer = send_signed("GET", target)
        assert answer.status >= 400
        assert b"secret" not in answer.body
