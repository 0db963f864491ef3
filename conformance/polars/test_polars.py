"""Polars: lazy scans of, and streams into, files in buckets."""

import polars as pl
import pytest

from snippets import run_snippet


@pytest.fixture(scope="module")
def options():
    return {"storage_options": run_snippet("Polars")["storage_options"]}


def frame(rows):
    numbers = pl.int_range(rows, eager=True)
    return pl.DataFrame({"id": numbers, "part": numbers % 4, "text": numbers.cast(pl.String)})


def test_a_frame_comes_back_as_it_was_written(options, bucket):
    written = frame(100_000)
    written.write_parquet(f"s3://{bucket}/dir/one.parquet", **options)
    assert pl.read_parquet(f"s3://{bucket}/dir/one.parquet", **options).equals(written)


def test_a_scan_reads_what_it_needs(options, bucket):
    frame(400_000).write_parquet(f"s3://{bucket}/groups.parquet", row_group_size=20_000, **options)
    scan = pl.scan_parquet(f"s3://{bucket}/groups.parquet", **options)
    assert scan.select(pl.len()).collect().item() == 400_000
    found = scan.filter(pl.col("id").is_between(250_000, 250_004)).select("text").collect()
    assert found["text"].to_list() == [str(number) for number in range(250_000, 250_005)]
    assert scan.slice(399_990, 5).select("id").collect()["id"].to_list() == list(range(399_990, 399_995))


def test_a_large_frame_streams_in_by_parts(options, s3, bucket):
    lazy = frame(2_000_000).lazy().with_columns(hash=pl.col("id").hash(1), other=pl.col("text").hash(2))
    lazy.sink_parquet(f"s3://{bucket}/large.parquet", compression="uncompressed", **options)
    head = s3.head_object(Bucket=bucket, Key="large.parquet")
    assert head["ContentLength"] > 30_000_000 and "-" in head["ETag"]
    found = pl.scan_parquet(f"s3://{bucket}/large.parquet", **options)
    assert found.filter(pl.col("hash") != pl.col("id").hash(1)).select(pl.len()).collect().item() == 0


def test_partitions_are_read_by_a_filter(options, bucket):
    whole = frame(10_000)
    for part in range(4):
        slice_ = whole.filter(pl.col("part") == part).drop("part")
        slice_.write_parquet(f"s3://{bucket}/set/part={part}/0.parquet", **options)
    scan = pl.scan_parquet(f"s3://{bucket}/set/", hive_partitioning=True, **options)
    assert scan.filter(pl.col("part") == 2).select(pl.col("id").min()).collect().item() == 2
    assert scan.select(pl.len()).collect().item() == 10_000


def test_a_pattern_finds_every_file(options, bucket):
    for number in range(6):
        frame(number + 1).write_parquet(f"s3://{bucket}/many/file {number}.parquet", **options)
    scan = pl.scan_parquet(f"s3://{bucket}/many/*.parquet", **options)
    assert scan.select(pl.len()).collect().item() == 21


@pytest.mark.parametrize("kind", ["csv", "ndjson", "ipc"])
def test_other_formats_stream_both_ways(options, bucket, kind):
    written = frame(50_000)
    where = f"s3://{bucket}/file.{kind}"
    getattr(written.lazy(), f"sink_{kind}")(where, **options)
    found = getattr(pl, f"scan_{kind}")(where, **options).collect()
    assert found.with_columns(pl.col("text").cast(pl.String)).equals(written)


@pytest.mark.parametrize("name", ["sp ace", "plus+", "ünï/日本", "a=b&c", "quo'te"])
def test_a_key_of_any_form_is_found(options, bucket, name):
    frame(10).write_parquet(f"s3://{bucket}/{name}.parquet", **options)
    assert pl.read_parquet(f"s3://{bucket}/{name}.parquet", glob=False, **options).height == 10


def test_an_overwritten_file_is_the_new_one(options, bucket):
    for rows in (10, 50_000, 3):
        frame(rows).write_parquet(f"s3://{bucket}/file.parquet", **options)
        assert pl.read_parquet(f"s3://{bucket}/file.parquet", **options).height == rows


def test_what_is_not_there_is_told(options, bucket):
    with pytest.raises((FileNotFoundError, OSError), match="(?i)not found|no such"):
        pl.scan_parquet(f"s3://{bucket}/none.parquet", **options).collect()
