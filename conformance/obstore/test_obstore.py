"""obstore: the object store of the Rust world, with conditional writes."""

import os
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, NotModifiedError, PreconditionError

from races import rounds
from snippets import run_snippet


@pytest.fixture
def store(bucket):
    return run_snippet("obstore", BUCKET=bucket)["store"]


def body_of(store, path):
    return bytes(obstore.get(store, path).bytes())


def paths(listing):
    return sorted(item["path"] for item in listing)


def test_an_object_comes_back_as_it_was_put(store):
    body = os.urandom(1_000_000)
    put = obstore.put(store, "dir/file", body)
    got = obstore.get(store, "dir/file")
    assert bytes(got.bytes()) == body
    assert got.meta["e_tag"] == put["e_tag"] == obstore.head(store, "dir/file")["e_tag"]
    assert got.meta["size"] == len(body)


def test_ranges_are_read(store):
    body = os.urandom(300_000)
    obstore.put(store, "file", body)
    assert bytes(obstore.get_range(store, "file", start=1_000, length=5_000)) == body[1_000:6_000]
    several = obstore.get_ranges(store, "file", starts=[0, 100_000, 299_990], lengths=[10, 1_000, 10])
    assert [bytes(part) for part in several] == [body[:10], body[100_000:101_000], body[-10:]]
    assert bytes(obstore.get(store, "file", options={"range": {"suffix": 77}}).bytes()) == body[-77:]
    assert bytes(obstore.get(store, "file", options={"range": {"offset": 299_000}}).bytes()) == body[299_000:]


def test_a_large_object_goes_in_parts_and_comes_in_pieces(store):
    body = os.urandom(23 << 20)
    obstore.put(store, "large", body, use_multipart=True, chunk_size=5 << 20)
    assert "-" in obstore.head(store, "large")["e_tag"]
    assert b"".join(bytes(piece) for piece in obstore.get(store, "large").stream(min_chunk_size=1 << 20)) == body


def test_a_writer_and_a_reader_work_as_files(store):
    body = os.urandom(12 << 20)
    with obstore.open_writer(store, "file", buffer_size=5 << 20) as writer:
        for start in range(0, len(body), 1 << 20):
            writer.write(body[start : start + (1 << 20)])
    reader = obstore.open_reader(store, "file")
    reader.seek(7_000_000)
    assert bytes(reader.read(1_000)) == body[7_000_000:7_001_000]


def test_lists_begin_anywhere_and_fold_folders(store):
    names = [f"dir{number % 3}/file{number:02}" for number in range(30)] + ["top"]
    for name in names:
        obstore.put(store, name, b"x")
    assert paths(obstore.list(store).collect()) == sorted(names)
    assert paths(obstore.list(store, "dir1").collect()) == sorted(name for name in names if name.startswith("dir1/"))
    assert paths(obstore.list(store, offset="dir1/file20").collect()) == sorted(name for name in names if name > "dir1/file20")
    folded = obstore.list_with_delimiter(store)
    assert (sorted(folded["common_prefixes"]), paths(folded["objects"])) == (["dir0", "dir1", "dir2"], ["top"])


def test_a_list_goes_over_pages(store):
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: obstore.put(store, f"many/{number:04}", b""), range(1_234)))
    assert paths(obstore.list(store, "many").collect()) == [f"many/{number:04}" for number in range(1_234)]


def test_objects_are_copied_renamed_and_deleted(store):
    obstore.put(store, "one", b"body")
    obstore.copy(store, "one", "two")
    obstore.rename(store, "one", "three")
    assert paths(obstore.list(store).collect()) == ["three", "two"]
    obstore.delete(store, ["two", "three"])
    assert paths(obstore.list(store).collect()) == []
    with pytest.raises(FileNotFoundError):
        obstore.head(store, "two")


def test_a_put_can_ask_that_nothing_is_there(store):
    obstore.put(store, "file", b"first", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "file", b"second", mode="create")
    assert body_of(store, "file") == b"first"


def test_of_many_that_put_where_nothing_is_one_succeeds(store):
    def put(number):
        try:
            obstore.put(store, "race", b"%d" % number, mode="create")
            return number
        except AlreadyExistsError:
            return None

    with ThreadPoolExecutor(16) as pool:
        winners = [number for number in pool.map(put, range(64)) if number is not None]
    assert len(winners) == 1
    assert body_of(store, "race") == b"%d" % winners[0]


def test_a_put_can_ask_for_the_version_it_replaces_and_a_counter_loses_no_count(store):
    first = obstore.put(store, "file", b"first")
    second = obstore.put(store, "file", b"second", mode={"e_tag": first["e_tag"]})
    with pytest.raises(PreconditionError):
        obstore.put(store, "file", b"third", mode={"e_tag": first["e_tag"]})
    assert body_of(store, "file") == b"second"
    obstore.put(store, "file", b"fourth", mode={"e_tag": second["e_tag"]})

    def add(_):
        while True:
            got = obstore.get(store, "counter")
            now, version = int(bytes(got.bytes())), got.meta["e_tag"]
            try:
                return obstore.put(store, "counter", b"%d" % (now + 1), mode={"e_tag": version})
            except PreconditionError:
                continue

    with ThreadPoolExecutor(8) as pool:
        for _ in rounds(1):
            obstore.put(store, "counter", b"0")
            list(pool.map(add, range(100)))
            assert body_of(store, "counter") == b"100"


def test_a_get_can_ask_for_a_version_or_for_news(store):
    etag = obstore.put(store, "file", b"body")["e_tag"]
    assert bytes(obstore.get(store, "file", options={"if_match": etag}).bytes()) == b"body"
    with pytest.raises(PreconditionError):
        obstore.get(store, "file", options={"if_match": '"00000000000000000000000000000000"'})
    with pytest.raises(NotModifiedError):
        obstore.get(store, "file", options={"if_none_match": etag})


def test_attributes_are_kept(store):
    about = {"Content-Type": "text/x-test", "Cache-Control": "max-age=3", "Content-Disposition": "inline", "colour": "green"}
    obstore.put(store, "file", b"body", attributes=about)
    assert obstore.get(store, "file").attributes == about


@pytest.mark.parametrize("name", ["sp ace", "plus+", "ünï/日本", "a=b&c", "quo'te", "semi;colon", "percent%41"])
def test_a_key_of_any_form_is_found(store, s3, bucket, name):
    s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
    (path,) = paths(obstore.list(store).collect())
    assert path == name
    assert body_of(store, path) == name.encode()


def test_a_signed_url_is_readable_by_anybody(store):
    obstore.put(store, "sp ace", b"shared")
    url = obstore.sign(store, "GET", "sp ace", timedelta(minutes=1))
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == b"shared"


def test_an_overwritten_object_is_the_new_one(store):
    for body in (b"first", b"second" * 100_000, b"3"):
        obstore.put(store, "file", body)
        assert body_of(store, "file") == body
