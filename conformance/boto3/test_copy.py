"""CopyObject."""

import os

import pytest

from errors import fails
from raw import send_signed

OTHER_ETAG = '"00000000000000000000000000000000"'


@pytest.fixture
def source(s3, bucket):
    s3.put_object(
        Bucket=bucket, Key="source", Body=b"body", ContentType="text/plain", CacheControl="no-cache", Metadata={"a": "1"}
    )
    return {"Bucket": bucket, "Key": "source"}


def test_a_copy_has_the_bytes_and_the_metadata(s3, bucket, source):
    answer = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    got = s3.get_object(Bucket=bucket, Key="copy")
    assert got["Body"].read() == b"body"
    assert answer["CopyObjectResult"]["ETag"] == got["ETag"] == s3.head_object(**source)["ETag"]
    assert answer["CopyObjectResult"]["LastModified"]
    assert (got["ContentType"], got["CacheControl"], got["Metadata"]) == ("text/plain", "no-cache", {"a": "1"})


def test_metadata_given_without_replace_is_ignored(s3, bucket, source):
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, Metadata={"b": "2"}, ContentType="x/y")
    head = s3.head_object(Bucket=bucket, Key="copy")
    assert (head["Metadata"], head["ContentType"]) == ({"a": "1"}, "text/plain")


def test_replace_takes_the_given_metadata_alone(s3, bucket, source):
    s3.copy_object(
        Bucket=bucket,
        Key="copy",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"b": ""},
        ContentType="x/y",
    )
    head = s3.head_object(Bucket=bucket, Key="copy")
    assert (head["Metadata"], head["ContentType"]) == ({"b": ""}, "x/y")
    assert "CacheControl" not in head


def test_a_copy_onto_itself_must_change_something(s3, bucket, source):
    with fails("InvalidRequest", status=400):
        s3.copy_object(**source, CopySource=source)
    s3.copy_object(**source, CopySource=source, MetadataDirective="REPLACE", Metadata={"new": "1"})
    got = s3.get_object(**source)
    assert (got["Body"].read(), got["Metadata"]) == (b"body", {"new": "1"})


@pytest.mark.parametrize("key", ["sp ace", "plus+", "per%cent", "ünï/日本", "x//y", "../up", "trail/", "q?a&b=c#d"])
def test_a_source_key_of_any_form_is_found(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    s3.copy_object(Bucket=bucket, Key="copy of " + key, CopySource={"Bucket": bucket, "Key": key})
    assert s3.get_object(Bucket=bucket, Key="copy of " + key)["Body"].read() == key.encode()


@pytest.mark.parametrize("prefix", ["", "/"])
def test_the_source_may_be_named_with_or_without_a_leading_slash(bucket, source, prefix):
    answer = send_signed("PUT", f"/{bucket}/copy", {"x-amz-copy-source": f"{prefix}{bucket}/source"})
    assert answer.status == 200


@pytest.mark.parametrize("text", ["", "nothing", "/", "bucket-only/"])
def test_a_source_that_is_none_is_an_invalid_argument(bucket, source, text):
    answer = send_signed("PUT", f"/{bucket}/copy", {"x-amz-copy-source": text})
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_a_missing_source_is_missing(s3, bucket, source):
    with fails("NoSuchKey", status=404):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "none"})
    with fails("NoSuchBucket", status=404):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": "no-such-bucket-here", "Key": "source"})
    with fails("NoSuchBucket", status=404):
        s3.copy_object(Bucket="no-such-bucket-here", Key="copy", CopySource=source)


def test_conditions_on_the_source(s3, bucket, source):
    head = s3.head_object(**source)
    copy = lambda **conditions: s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, **conditions)  # noqa: E731
    copy(CopySourceIfMatch=head["ETag"])
    copy(CopySourceIfNoneMatch=OTHER_ETAG)
    copy(CopySourceIfUnmodifiedSince=head["LastModified"])
    for conditions in (
        {"CopySourceIfMatch": OTHER_ETAG},
        {"CopySourceIfNoneMatch": head["ETag"]},
        {"CopySourceIfModifiedSince": head["LastModified"]},
    ):
        with fails("PreconditionFailed", status=412):
            copy(**conditions)


def test_conditions_on_the_target(s3, bucket, source):
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, IfNoneMatch="*")
    with fails("PreconditionFailed", status=412):
        s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, IfNoneMatch="*")


def test_a_copy_goes_between_buckets_and_mounts(s3, mounted_tree):
    body = os.urandom(6_000_000)
    mounted, tree = mounted_tree()
    plain = mounted + "-plain"
    s3.create_bucket(Bucket=plain)
    s3.put_object(Bucket=plain, Key="big", Body=body, Metadata={"m": "1"})
    s3.copy_object(Bucket=mounted, Key="dir/copy", CopySource={"Bucket": plain, "Key": "big"})
    assert (tree / "dir" / "copy").read_bytes() == body
    s3.copy_object(Bucket=plain, Key="back", CopySource={"Bucket": mounted, "Key": "dir/copy"})
    assert s3.get_object(Bucket=plain, Key="back")["Body"].read() == body
    for key in ("big", "back"):
        s3.delete_object(Bucket=plain, Key=key)
    s3.delete_bucket(Bucket=plain)


def test_an_overwritten_target_is_seen_at_once(s3, bucket, source):
    s3.put_object(Bucket=bucket, Key="copy", Body=b"former")
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"former"
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"body"
