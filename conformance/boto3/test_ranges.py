"""Ranges of a GET."""

import os

import pytest

from errors import fails
from raw import send_signed

SIZE = 9_000_000
PAGE = 4 << 20


@pytest.fixture(scope="module")
def body(s3, shared_bucket):
    body = os.urandom(SIZE)
    s3.put_object(Bucket=shared_bucket, Key="big", Body=body)
    s3.put_object(Bucket=shared_bucket, Key="small", Body=b"0123456789")
    s3.put_object(Bucket=shared_bucket, Key="empty", Body=b"")
    return body


@pytest.mark.parametrize(
    "spec, start, end",
    [
        ("0-0", 0, 1),
        ("0-99", 0, 100),
        ("100-", 100, SIZE),
        ("-1", SIZE - 1, SIZE),
        ("-100", SIZE - 100, SIZE),
        (f"-{SIZE * 2}", 0, SIZE),
        (f"{PAGE - 1}-{PAGE}", PAGE - 1, PAGE + 1),
        (f"{PAGE}-{2 * PAGE - 1}", PAGE, 2 * PAGE),
        (f"{PAGE - 5}-{2 * PAGE + 5}", PAGE - 5, 2 * PAGE + 6),
        (f"{SIZE - 1}-{SIZE + 1000}", SIZE - 1, SIZE),
        (f"0-{SIZE * 10}", 0, SIZE),
        ("0-99999999999999999999", 0, SIZE),
    ],
)
def test_a_range_gives_exactly_its_bytes(s3, shared_bucket, body, spec, start, end):
    for _ in range(2):
        answer = s3.get_object(Bucket=shared_bucket, Key="big", Range=f"bytes={spec}")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentRange"] == f"bytes {start}-{end - 1}/{SIZE}"
        assert answer["ContentLength"] == end - start
        assert answer["Body"].read() == body[start:end]


@pytest.mark.parametrize("spec", [f"{SIZE}-", f"{SIZE + 5}-{SIZE + 9}", "-0", "99999999999999999999-"])
def test_a_range_beyond_the_end_is_not_satisfiable(s3, shared_bucket, body, spec):
    with fails("InvalidRange", status=416) as caught:
        s3.get_object(Bucket=shared_bucket, Key="big", Range=f"bytes={spec}")
    assert caught.value.response["Error"]["ActualObjectSize"] == str(SIZE)


@pytest.mark.parametrize("spec", ["bytes=5-2", "bytes=", "bytes=a-b", "lines=1-2", "bytes 0-1", "bytes=1", "bytes=--1"])
def test_a_range_that_is_none_is_ignored(shared_bucket, body, spec):
    answer = send_signed("GET", f"/{shared_bucket}/small", {"Range": spec})
    assert (answer.status, answer.body) == (200, b"0123456789")


@pytest.mark.parametrize("spec", ["bytes=0-", "bytes=0-0", "bytes=-1"])
def test_an_empty_object_has_no_range(s3, shared_bucket, body, spec):
    with fails("InvalidRange", status=416):
        s3.get_object(Bucket=shared_bucket, Key="empty", Range=spec)
    assert s3.get_object(Bucket=shared_bucket, Key="empty")["Body"].read() == b""


def test_a_head_with_a_range_gives_its_headers(s3, shared_bucket, body):
    answer = s3.head_object(Bucket=shared_bucket, Key="small", Range="bytes=2-4")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert answer["ContentLength"] == 3
    assert answer["ResponseMetadata"]["HTTPHeaders"]["content-range"] == "bytes 2-4/10"


def test_if_range_gives_the_range_only_of_the_same_version(s3, shared_bucket, body):
    head = s3.head_object(Bucket=shared_bucket, Key="small")
    date = head["ResponseMetadata"]["HTTPHeaders"]["last-modified"]
    for validator, expected in (
        (head["ETag"], (206, b"234")),
        ('"00000000000000000000000000000000"', (200, b"0123456789")),
        ("W/" + head["ETag"], (200, b"0123456789")),
        (date, (206, b"234")),
        ("Thu, 01 Jan 1970 00:00:00 GMT", (200, b"0123456789")),
    ):
        answer = send_signed("GET", f"/{shared_bucket}/small", {"Range": "bytes=2-4", "If-Range": validator})
        assert (answer.status, answer.body) == expected, validator


def test_many_ranges_in_one_request_are_not_half_answered(shared_bucket, body):
    # S3 has no multipart/byteranges: it gives the whole object.
    answer = send_signed("GET", f"/{shared_bucket}/small", {"Range": "bytes=0-1,4-5"})
    assert (answer.status, answer.body) == (200, b"0123456789")
