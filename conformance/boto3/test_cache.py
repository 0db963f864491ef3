"""What answers and metrics say about the cache."""

import os
import re
import time
import urllib.request

import pytest

from raw import ADMIN, send_signed

PAGE = 4 << 20


def metrics():
    """Every sample of /metrics, summed by name and by the value of one label."""
    with urllib.request.urlopen(f"{ADMIN}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    samples = {}
    for line in text.splitlines():
        match = re.match(r"(forebay_\w+)(?:\{(.*)\})? (\S+)$", line)
        if match:
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match.group(2) or ""))
            samples.setdefault(match.group(1), []).append((labels, float(match.group(3))))
    return samples


def total(samples, name, **wanted):
    return sum(
        value
        for labels, value in samples.get(name, [])
        if all(labels.get(label) == text for label, text in wanted.items())
    )


def cache_of(answer):
    return answer["ResponseMetadata"]["HTTPHeaders"]["x-forebay-cache"]


def read(s3, bucket, key, **options):
    answer = s3.get_object(Bucket=bucket, Key=key, **options)
    return cache_of(answer), answer["Body"].read()


@pytest.fixture(params=["root", "folder"])
def place(request, s3):
    """A bucket on the root mount, and one that is a folder."""
    if request.param == "root":
        return request.getfixturevalue("bucket")
    return request.getfixturevalue("mounted_tree")()[0]


def put(s3, bucket, key, body):
    """Puts, and waits until a file system's clock tells a further change of the file from this one."""
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    time.sleep(0.1)


@pytest.mark.parametrize("size", [10, 100_000, PAGE + 10, 3 * PAGE])
def test_the_second_read_is_a_hit_and_reads_no_backend_byte(s3, place, size):
    body = os.urandom(size)
    put(s3, place, "k", body)
    first, got = read(s3, place, "k")
    assert got == body and first in ("miss", "hit")
    before = total(metrics(), "forebay_backend_bytes_total", direction="read")
    for _ in range(3):
        assert read(s3, place, "k") == ("hit", body)
    assert total(metrics(), "forebay_backend_bytes_total", direction="read") == before


def test_pages_at_hand_and_not_make_a_partial_answer(s3, place):
    body = os.urandom(3 * PAGE)
    put(s3, place, "k", body)
    cache, got = read(s3, place, "k", Range=f"bytes={PAGE}-{PAGE + 9}")
    assert got == body[PAGE : PAGE + 10]
    assert read(s3, place, "k", Range=f"bytes={PAGE}-{PAGE + 9}")[0] == "hit"
    # A PUT that takes longer than the file system's clock is coarse leaves all pages behind.
    assert cache in ("miss", "hit")
    assert read(s3, place, "k") == ("partial" if cache == "miss" else "hit", body)
    assert read(s3, place, "k") == ("hit", body)


def test_an_answer_names_its_owner(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    assert send_signed("GET", f"/{bucket}/k").headers["x-forebay-owner"]


def test_bytes_served_are_those_that_clients_got(s3, place):
    bodies = {f"k{n}": os.urandom(size) for n, size in enumerate([0, 1, 5_000, 70_000, PAGE, 2 * PAGE + 77])}
    for key, body in bodies.items():
        put(s3, place, key, body)
    before = metrics()
    got = 0
    for _ in range(3):
        for key, body in bodies.items():
            _, answer = read(s3, place, key)
            assert answer == body
            got += len(answer)
            if len(body) > 100:
                got += len(read(s3, place, key, Range="bytes=50-1099")[1])
    s3.head_object(Bucket=place, Key="k5")
    after = metrics()
    name = "forebay_bytes_served_total"
    assert total(after, name) - total(before, name) == got
    sources = {labels["source"] for labels, _ in after[name]}
    assert sources <= {"hit", "fill", "peer", "bypass"}
    hits = total(after, name, source="hit") - total(before, name, source="hit")
    assert hits >= got / 2
    requests = "forebay_requests_total"
    counted = total(after, requests, operation="GetObject") - total(before, requests, operation="GetObject")
    assert counted == 3 * (len(bodies) + sum(len(body) > 100 for body in bodies.values()))


def test_fifty_cold_readers_make_one_backend_read(make_client, mounted_tree):
    from concurrent.futures import ThreadPoolExecutor

    bucket, folder = mounted_tree()
    body = os.urandom(PAGE)
    (folder / "cold").write_bytes(body)
    time.sleep(0.1)
    client = make_client(max_pool_connections=50)
    before = total(metrics(), "forebay_backend_bytes_total", direction="read")
    with ThreadPoolExecutor(50) as pool:
        bodies = list(pool.map(lambda _: client.get_object(Bucket=bucket, Key="cold")["Body"].read(), range(50)))
    assert all(got == body for got in bodies)
    assert total(metrics(), "forebay_backend_bytes_total", direction="read") - before == PAGE


def test_health_and_readiness_need_no_key():
    for path in ("/healthz", "/readyz"):
        with urllib.request.urlopen(ADMIN + path, timeout=10) as answer:
            assert answer.status == 200
