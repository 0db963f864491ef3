"""Keys of every form that S3 allows, on the root mount."""

import contextlib

import pytest
from botocore.exceptions import ClientError

from errors import fails

ODD_KEYS = [
    "a",
    "a/b",
    "a/b/c",
    "x//y",
    "//",
    "/",
    "/leading",
    "trail/",
    "trail//",
    "..",
    ".",
    "../up",
    "a/../b",
    "a/./b",
    "./here",
    ".hidden",
    ".forebay/inside",
    "space inside",
    " space around ",
    "plus+sign",
    "per%cent",
    "%2F",
    "%41",
    "100%",
    "question?mark",
    "hash#tag",
    "amp&ersand",
    "equal=s",
    "semi;colon",
    "comma,",
    "quote'\"",
    "less<more>",
    "back\\slash",
    "star*",
    "tilde~",
    "colon:",
    "pipe|brace{}[]^`",
    "dollar$@!()",
    "ünïcödé",
    "日本語/キー",
    "emoji 🌊",
    "e\u0301 is not \u00e9",
    "\u00e9",
    "tab\there",
    "line\nfeed",
    "carriage\rreturn",
    "\x01\x02\x7f",
    "\x00null",
    "con.txt",
    "k" * 1024,
    "/".join(["k" * 9] * 102),
    "ü" * 512,
    "d" * 256 + "/" + "f" * 300,
]


def names(key):
    return ascii(key[:30])


@pytest.mark.parametrize("key", ODD_KEYS, ids=names)
def test_a_key_of_any_form_holds_an_object(s3, shared_bucket, key):
    body = b"body of " + key.encode()
    try:
        s3.put_object(Bucket=shared_bucket, Key=key, Body=body, Metadata={"of": str(len(key))})
        answer = s3.get_object(Bucket=shared_bucket, Key=key)
        assert answer["Body"].read() == body
        assert answer["Metadata"] == {"of": str(len(key))}
        assert s3.head_object(Bucket=shared_bucket, Key=key)["ContentLength"] == len(body)
        listed = s3.list_objects_v2(Bucket=shared_bucket, Prefix=key, MaxKeys=1)
        assert listed["Contents"][0]["Key"] == key
    finally:
        # The next key may be one that cannot stand beside this one at the backend.
        with contextlib.suppress(ClientError):
            s3.delete_object(Bucket=shared_bucket, Key=key)


def test_all_of_them_stand_beside_each_other_and_are_listed_in_byte_order(s3, bucket):
    for key in ODD_KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 7})
    listed = [item["Key"] for page in pages for item in page.get("Contents", [])]
    assert listed == sorted(ODD_KEYS, key=str.encode)
    for key in ODD_KEYS:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    for key in ODD_KEYS[::2]:
        s3.delete_object(Bucket=bucket, Key=key)
    pages = s3.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 5})
    listed = [item["Key"] for page in pages for item in page.get("Contents", [])]
    assert listed == sorted(ODD_KEYS[1::2], key=str.encode)


@pytest.mark.parametrize("key", ["k" * 1025, "ü" * 513])
def test_a_key_of_more_than_1024_bytes_is_refused(s3, bucket, key):
    with fails("KeyTooLongError", status=400):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")


def test_a_folder_marker_with_a_body_stands_beside_what_is_in_it(s3, bucket):
    s3.put_object(Bucket=bucket, Key="trail/", Body=b"marker")
    s3.put_object(Bucket=bucket, Key="trail", Body=b"file")
    s3.put_object(Bucket=bucket, Key="trail/in", Body=b"inside")
    bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in ("trail/", "trail", "trail/in")]
    assert bodies == [b"marker", b"file", b"inside"]
    s3.delete_object(Bucket=bucket, Key="trail/")
    assert s3.get_object(Bucket=bucket, Key="trail/in")["Body"].read() == b"inside"
    assert s3.get_object(Bucket=bucket, Key="trail")["Body"].read() == b"file"
