"""Conditional reads and writes."""

import datetime
import functools
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from errors import fails
from races import rounds
from raw import send_signed

HOUR = datetime.timedelta(hours=1)
OTHER_ETAG = '"00000000000000000000000000000000"'


@pytest.fixture
def held(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"first", CacheControl="max-age=1")
    return bucket, s3.head_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
def test_a_read_can_ask_for_a_version(s3, held, operation):
    bucket, head = held
    read = lambda **conditions: getattr(s3, operation)(Bucket=bucket, Key="k", **conditions)  # noqa: E731
    etag, modified = head["ETag"], head["LastModified"]
    missed = "412" if operation == "head_object" else "PreconditionFailed"
    read(IfMatch=etag)
    read(IfMatch=etag.strip('"'))
    read(IfMatch="*")
    read(IfMatch=f"{OTHER_ETAG}, {etag}")
    read(IfNoneMatch=OTHER_ETAG)
    read(IfModifiedSince=modified - HOUR)
    read(IfUnmodifiedSince=modified)
    with fails(missed, status=412):
        read(IfMatch=OTHER_ETAG)
    with fails(missed, status=412):
        read(IfUnmodifiedSince=modified - HOUR)
    with fails("304", status=304):
        read(IfNoneMatch=etag)
    with fails("304", status=304):
        read(IfNoneMatch="*")
    with fails("304", status=304):
        read(IfModifiedSince=modified)


def test_etags_go_before_dates(s3, held):
    bucket, head = held
    etag, modified = head["ETag"], head["LastModified"]
    s3.get_object(Bucket=bucket, Key="k", IfMatch=etag, IfUnmodifiedSince=modified - HOUR)
    s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=OTHER_ETAG, IfModifiedSince=modified)
    with fails("304"):
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=etag, IfModifiedSince=modified - HOUR)


def test_a_304_has_the_headers_of_the_version_and_no_body(held):
    bucket, head = held
    answer = send_signed("GET", f"/{bucket}/k", {"If-None-Match": head["ETag"]})
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["etag"] == head["ETag"]
    assert answer.headers["cache-control"] == "max-age=1"
    assert "last-modified" in answer.headers


def test_a_date_that_is_none_is_ignored(held):
    bucket, _ = held
    assert send_signed("GET", f"/{bucket}/k", {"If-Modified-Since": "yesterday"}).status == 200


def test_a_put_can_ask_that_nothing_is_there(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")
    with fails("PreconditionFailed", status=412) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert caught.value.response["Error"]["Condition"] == "If-None-Match"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    s3.delete_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfNoneMatch="*")


def test_a_put_can_ask_for_the_version_it_replaces_and_of_many_one_succeeds(s3, make_client, bucket):
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["ETag"]
    with fails("PreconditionFailed", status=412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"second", IfMatch=OTHER_ETAG)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"first"
    s3.put_object(Bucket=bucket, Key="k", Body=b"second", IfMatch=first)
    with fails("PreconditionFailed", status=412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"third", IfMatch=first)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"second"
    with fails("NoSuchKey", status=404):
        s3.put_object(Bucket=bucket, Key="none", Body=b"1", IfMatch=OTHER_ETAG)

    client = make_client(max_pool_connections=16)
    with ThreadPoolExecutor(16) as pool:
        for number in rounds(20):
            etag = client.put_object(Bucket=bucket, Key="race", Body=b"%d" % number)["ETag"]
            put = functools.partial(client.put_object, Bucket=bucket, Key="race", IfMatch=etag)
            bodies = [b"%d-%d" % (number, racer) for racer in range(16)]
            assert sum(pool.map(lambda body: succeeds(put, Body=body), bodies)) == 1


def test_a_put_cannot_ask_for_another_etag_than_any(s3, held):
    bucket, _ = held
    with fails("NotImplemented", status=501):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch=OTHER_ETAG)


def succeeds(change, **arguments):
    """1, or 0 if another change was first."""
    try:
        change(**arguments)
        return 1
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")
        return 0


def test_of_many_puts_that_ask_for_nothing_there_one_succeeds(make_client, bucket):
    client = make_client(max_pool_connections=16)

    def put(number):
        return succeeds(client.put_object, Bucket=bucket, Key="race", Body=b"%d" % number, IfNoneMatch="*")

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(put, range(48)))
    assert sum(won) == 1
    assert client.get_object(Bucket=bucket, Key="race")["Body"].read() == b"%d" % won.index(1)


def test_a_delete_can_ask_for_a_version_and_of_many_one_succeeds(s3, make_client, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["ETag"]
    with fails("PreconditionFailed", status=412):
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=OTHER_ETAG)
    s3.head_object(Bucket=bucket, Key="k")
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    with fails("404"):
        s3.head_object(Bucket=bucket, Key="k")

    client = make_client(max_pool_connections=16)
    with ThreadPoolExecutor(16) as pool:
        for _ in rounds(20):
            etag = client.put_object(Bucket=bucket, Key="k", Body=b"body")["ETag"]
            remove = functools.partial(client.delete_object, Bucket=bucket, Key="k", IfMatch=etag)
            assert sum(pool.map(lambda _: succeeds(remove), range(16))) == 1


def test_a_counter_with_many_writers_loses_no_count(make_client, bucket):
    client = make_client(max_pool_connections=8)

    def add(_):
        while True:
            got = client.get_object(Bucket=bucket, Key="counter")
            now = int(got["Body"].read())
            if succeeds(client.put_object, Bucket=bucket, Key="counter", Body=b"%d" % (now + 1), IfMatch=got["ETag"]):
                return

    with ThreadPoolExecutor(8) as pool:
        for _ in rounds(1):
            client.put_object(Bucket=bucket, Key="counter", Body=b"0")
            list(pool.map(add, range(100)))
            assert client.get_object(Bucket=bucket, Key="counter")["Body"].read() == b"100"


def test_of_many_completes_that_ask_for_nothing_there_one_succeeds(make_client, bucket):
    client = make_client(max_pool_connections=16)

    def upload(key):
        names = {"Bucket": bucket, "Key": key}
        names["UploadId"] = client.create_multipart_upload(**names)["UploadId"]
        etag = client.upload_part(**names, PartNumber=1, Body=os.urandom(10))["ETag"]
        return {**names, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}

    def complete(names):
        return succeeds(client.complete_multipart_upload, **names, IfNoneMatch="*")

    with ThreadPoolExecutor(16) as pool:
        for number in rounds(4):
            assert sum(pool.map(complete, [upload(f"k{number}") for _ in range(16)])) == 1
