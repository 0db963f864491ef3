"""Presigned URLs."""

import datetime
import re
import time

import pytest

from raw import PORT, fetch, send


@pytest.fixture
def url_of(make_client, bucket):
    client = make_client(signature_version="s3v4")
    client.put_object(Bucket=bucket, Key="k", Body=b"body")

    def url(operation="get_object", key="k", expires=60, **parameters):
        return client.generate_presigned_url(
            operation, {"Bucket": bucket, "Key": key, **parameters}, ExpiresIn=expires
        )

    return url


def test_a_presigned_get_needs_nothing_else(url_of):
    answer = fetch(url_of())
    assert (answer.status, answer.body) == (200, b"body")


def test_a_presigned_head_is_not_a_get(url_of):
    match = re.match(r"http://([^/]+)(/.*)$", url_of("head_object"))
    host = {"Host": match.group(1)}
    assert send("HEAD", match.group(2), host).status == 200
    answer = send("GET", match.group(2), host)
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("key", ["sp ace", "plus+", "per%cent", "ü/日本", "a//b", "~tilde"])
def test_a_presigned_put_stores_under_any_key(url_of, s3, bucket, key):
    match = re.match(r"http://([^/]+)(/.*)$", url_of("put_object", key))
    assert send("PUT", match.group(2), {"Host": match.group(1)}, b"new").status == 200
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"new"


def test_a_presigned_put_holds_to_its_signed_headers(url_of, s3, bucket):
    match = re.match(r"http://([^/]+)(/.*)$", url_of("put_object", ContentType="text/plain"))
    host = match.group(1)
    answer = send("PUT", match.group(2), {"Host": host, "Content-Type": "text/html"}, b"new")
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert send("PUT", match.group(2), {"Host": host, "Content-Type": "text/plain"}, b"new").status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["ContentType"] == "text/plain"


def test_response_parameters_are_part_of_the_url(url_of):
    answer = fetch(url_of(ResponseContentType="application/x-own"))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-own")


def test_a_url_expires(url_of):
    url = url_of(expires=1)
    assert fetch(url).status == 200
    time.sleep(2.1)
    answer = fetch(url)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert b"expired" in answer.body


@pytest.mark.parametrize(
    "pattern, replacement",
    [
        (r"/k\?", "/other?"),
        (r"X-Amz-Expires=60", "X-Amz-Expires=600"),
        (r"(X-Amz-Signature=.*)[0-9a-f]$", r"\1g"),
        (r"X-Amz-Signature=....", "X-Amz-Signature=0000"),
        (r"$", "&versionId=1"),
        (r"$", "&response-content-type=text/html"),
    ],
)
def test_a_url_that_was_changed_is_refused(url_of, pattern, replacement):
    url = re.sub(pattern, replacement, url_of(), count=1)
    answer = fetch(url)
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    "pattern, replacement",
    [
        (r"X-Amz-Expires=60", "X-Amz-Expires=604801"),
        (r"X-Amz-Expires=60", "X-Amz-Expires=-1"),
        (r"X-Amz-Expires=60", "X-Amz-Expires=soon"),
        (r"X-Amz-Expires=60&?", ""),
        (r"X-Amz-Date=[^&]*&", ""),
        (r"X-Amz-Credential=[^&]*", "X-Amz-Credential=nonsense"),
        (r"X-Amz-Algorithm=[^&]*", "X-Amz-Algorithm=AWS4-HMAC-MD5"),
    ],
)
def test_parameters_that_are_none_are_named(url_of, pattern, replacement):
    answer = fetch(re.sub(pattern, replacement, url_of(), count=1))
    assert (answer.status, answer.code) == (400, "AuthorizationQueryParametersError")


def test_a_url_of_the_future_is_not_yet_valid(url_of):
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=2)
    url = re.sub(r"X-Amz-Date=[^&]*", f"X-Amz-Date={later:%Y%m%dT%H%M%SZ}", url_of(), count=1)
    # Of the same day, also shortly before midnight: otherwise the credential itself would be refused.
    url = re.sub(r"(X-Amz-Credential=[^%&]*%2F)\d{8}", rf"\g<1>{later:%Y%m%d}", url, count=1)
    answer = fetch(url)
    assert (answer.status, answer.code) == (403, "AccessDenied")


def test_two_ways_of_signing_at_once_are_refused(url_of):
    match = re.match(r"http://([^/]+)(/.*)$", url_of())
    answer = send("GET", match.group(2), {"Host": f"127.0.0.1:{PORT}", "Authorization": "AWS4-HMAC-SHA256 x"})
    assert (answer.status, answer.code) == (400, "InvalidArgument")
