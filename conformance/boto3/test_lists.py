"""ListObjects, first and second form."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from errors import fails
from raw import send_signed

KEYS = [f"dir{number % 50:02}/file{number:04}" for number in range(2_500)]


@pytest.fixture(scope="module")
def many(make_client, buckets):
    """A bucket of 2,500 objects in 50 folders."""
    client = make_client(max_pool_connections=16)
    name = buckets.take("lists-of-many")
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: client.put_object(Bucket=name, Key=key, Body=b"1"), KEYS))
    yield name
    for start in range(0, len(KEYS), 1000):
        batch = [{"Key": key} for key in KEYS[start : start + 1000]]
        assert "Errors" not in client.delete_objects(Bucket=name, Delete={"Objects": batch, "Quiet": True})
    buckets.give_back(name)


def fill(s3, bucket, keys):
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")


def keys_of(answer):
    return [item["Key"] for item in answer.get("Contents", [])]


def prefixes_of(answer):
    return [item["Prefix"] for item in answer.get("CommonPrefixes", [])]


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1000, 999, 417])
def test_pages_hold_every_key_exactly_once(s3, many, operation, size):
    pages = list(s3.get_paginator(operation).paginate(Bucket=many, PaginationConfig={"PageSize": size}))
    assert [key for page in pages for key in keys_of(page)] == sorted(KEYS)
    assert [len(keys_of(page)) for page in pages[:-1]] == [size] * (len(pages) - 1)
    assert [page["IsTruncated"] for page in pages] == [True] * (len(pages) - 1) + [False]


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_a_page_that_ends_with_the_last_key_is_not_truncated(s3, many, operation):
    answer = getattr(s3, operation)(Bucket=many, Prefix="dir07/", MaxKeys=50)
    assert len(keys_of(answer)) == 50
    assert answer["IsTruncated"] is False
    answer = getattr(s3, operation)(Bucket=many, Prefix="dir07/", MaxKeys=49)
    assert answer["IsTruncated"] is True


def test_at_most_1000_are_given_however_many_are_asked_for(s3, many):
    answer = s3.list_objects_v2(Bucket=many, MaxKeys=5_000)
    assert (answer["KeyCount"], answer["MaxKeys"], answer["IsTruncated"]) == (1000, 1000, True)


def test_folders_are_folded_over_pages(s3, many):
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=many, Delimiter="/", PaginationConfig={"PageSize": 7}
    )
    assert [prefix for page in pages for prefix in prefixes_of(page)] == [f"dir{n:02}/" for n in range(50)]
    pages = s3.get_paginator("list_objects").paginate(Bucket=many, Delimiter="/", PaginationConfig={"PageSize": 7})
    assert [prefix for page in pages for prefix in prefixes_of(page)] == [f"dir{n:02}/" for n in range(50)]


@pytest.mark.parametrize(
    "prefix, delimiter, keys, prefixes",
    [
        ("", "/", ["a"], ["/", "a/", "b/"]),
        ("a", "/", ["a"], ["a/"]),
        ("a/", "/", ["a/", "a/1"], ["a/b/"]),
        ("b", "/", [], ["b/"]),
        ("b/", "/", ["b/xx--yy"], ["b//"]),
        ("b//", "/", ["b//c"], []),
        ("", "--", ["/lead", "a", "a/", "a/1", "a/b/2", "b//c"], ["b/xx--"]),
        ("", "b/", ["/lead", "a", "a/", "a/1"], ["a/b/", "b/"]),
        ("a/", "1", ["a/", "a/b/2"], ["a/1"]),
        ("", "nowhere", ["/lead", "a", "a/", "a/1", "a/b/2", "b//c", "b/xx--yy"], []),
        ("none", "/", [], []),
    ],
)
@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_any_string_may_be_the_delimiter(s3, folded, operation, prefix, delimiter, keys, prefixes):
    answer = getattr(s3, operation)(Bucket=folded, Prefix=prefix, Delimiter=delimiter)
    assert (keys_of(answer), prefixes_of(answer)) == (keys, prefixes)
    assert answer["Delimiter"] == delimiter
    pages = list(
        s3.get_paginator(operation).paginate(
            Bucket=folded, Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": 1}
        )
    )
    assert [key for page in pages for key in keys_of(page)] == keys
    assert [name for page in pages for name in prefixes_of(page)] == prefixes


@pytest.fixture(scope="module")
def folded(s3, shared_bucket):
    fill(s3, shared_bucket, ["a", "a/", "a/1", "a/b/2", "b//c", "b/xx--yy", "/lead"])
    return shared_bucket


@pytest.mark.parametrize(
    "after, expected",
    [
        ("", ["a", "b", "c"]),
        ("a", ["b", "c"]),
        ("aa", ["b", "c"]),
        ("b", ["c"]),
        ("c", []),
        ("\U0010ffff", []),
    ],
)
def test_a_list_starts_after_any_string(s3, bucket, after, expected):
    fill(s3, bucket, ["a", "b", "c"])
    assert keys_of(s3.list_objects_v2(Bucket=bucket, StartAfter=after)) == expected
    assert keys_of(s3.list_objects(Bucket=bucket, Marker=after)) == expected


def test_a_folder_is_listed_if_it_is_behind_the_start(s3, bucket):
    fill(s3, bucket, ["a/1", "a/2", "b"])
    answer = s3.list_objects_v2(Bucket=bucket, Delimiter="/", StartAfter="a")
    assert (prefixes_of(answer), keys_of(answer)) == (["a/"], ["b"])
    answer = s3.list_objects_v2(Bucket=bucket, Delimiter="/", StartAfter="a/2")
    assert (prefixes_of(answer), keys_of(answer)) == ([], ["b"])


def test_the_token_goes_before_start_after(s3, bucket):
    fill(s3, bucket, ["a", "b", "c", "d"])
    first = s3.list_objects_v2(Bucket=bucket, MaxKeys=1, StartAfter="a")
    assert keys_of(first) == ["b"]
    second = s3.list_objects_v2(
        Bucket=bucket, StartAfter="a", ContinuationToken=first["NextContinuationToken"], MaxKeys=1
    )
    assert keys_of(second) == ["c"]
    assert second["ContinuationToken"] == first["NextContinuationToken"]


def test_a_token_that_is_none_is_an_invalid_argument(s3, bucket):
    with fails("InvalidArgument", status=400):
        s3.list_objects_v2(Bucket=bucket, ContinuationToken="nonsense")


def test_the_first_form_names_the_next_marker_only_with_a_delimiter(s3, bucket):
    fill(s3, bucket, ["a", "b", "c"])
    assert "NextMarker" not in s3.list_objects(Bucket=bucket, MaxKeys=1)
    assert s3.list_objects(Bucket=bucket, MaxKeys=1, Delimiter="/")["NextMarker"] == "a"


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_none_asked_for_gives_none_and_is_not_truncated(s3, bucket, operation):
    fill(s3, bucket, ["a"])
    answer = getattr(s3, operation)(Bucket=bucket, MaxKeys=0)
    assert (keys_of(answer), answer["IsTruncated"], answer["MaxKeys"]) == ([], False, 0)


@pytest.mark.parametrize("text", ["-1", "many", "2147483648"])
def test_a_count_that_is_none_is_an_invalid_argument(bucket, text):
    answer = send_signed("GET", f"/{bucket}?max-keys={text}")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_an_entry_says_what_the_object_is(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"12345")["ETag"]
    entry = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert (entry["Key"], entry["Size"], entry["ETag"], entry["StorageClass"]) == ("k", 5, etag, "STANDARD")
    assert entry["LastModified"].replace(microsecond=0) == s3.head_object(Bucket=bucket, Key="k")["LastModified"]


def test_the_owner_is_told_on_request_and_always_in_the_first_form(s3, bucket):
    fill(s3, bucket, ["k"])
    assert "Owner" not in s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    owner = s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]["Owner"]["ID"]
    assert owner == s3.list_objects(Bucket=bucket)["Contents"][0]["Owner"]["ID"]


def test_url_encoding_is_done_on_request(s3, bucket):
    fill(s3, bucket, ["sp ace/ü+&<"])
    plain = send_signed("GET", f"/{bucket}?list-type=2")
    assert "<Key>sp ace/ü+&amp;&lt;</Key>".encode() in plain.body
    encoded = send_signed("GET", f"/{bucket}?encoding-type=url&list-type=2")
    assert b"<EncodingType>url</EncodingType>" in encoded.body
    assert b"<Key>sp+ace/%C3%BC%2B%26%3C</Key>" in encoded.body or b"<Key>sp%20ace/%C3%BC%2B%26%3C</Key>" in encoded.body
    answer = send_signed("GET", f"/{bucket}?encoding-type=base64&list-type=2")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_keys_are_listed_in_order_of_their_utf8_bytes(s3, bucket):
    keys = ["\ufffd", "\U0001f30a", "Z", "a", "é", "~"]
    fill(s3, bucket, keys)
    assert keys_of(s3.list_objects_v2(Bucket=bucket)) == sorted(keys, key=str.encode)
