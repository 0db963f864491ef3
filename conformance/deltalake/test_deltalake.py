"""delta-rs: tables whose log is a row of conditional writes."""

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from snippets import run_snippet
from writers import run_writers


@pytest.fixture(scope="module")
def options():
    return {"storage_options": run_snippet("deltalake")["storage_options"]}


@pytest.fixture
def where(bucket):
    return f"s3://{bucket}/tables/one"


def rows(start, count=1_000):
    numbers = range(start, start + count)
    return pa.table({"id": list(numbers), "part": [number % 3 for number in numbers], "text": [f"t{n}" for n in numbers]})


def ids(where, options, **more):
    return sorted(DeltaTable(where, **options, **more).to_pyarrow_table()["id"].to_pylist())


def test_appended_rows_are_read_and_former_versions_stay(where, options):
    for start in (0, 1_000, 2_000):
        write_deltalake(where, rows(start), mode="append", **options)
    assert DeltaTable(where, **options).version() == 2
    assert ids(where, options) == list(range(3_000))
    assert ids(where, options, version=1) == list(range(2_000))


def test_a_partition_is_overwritten(where, options):
    write_deltalake(where, rows(0, 30), partition_by=["part"], **options)
    write_deltalake(where, rows(100, 1).append_column("x", pa.array([1])).drop_columns("x"), mode="append", **options)
    write_deltalake(where, rows(3_000, 3).slice(0, 1), mode="overwrite", predicate="part = 0", **options)
    assert ids(where, options) == sorted([number for number in range(30) if number % 3] + [100, 3_000])


def test_rows_are_merged_and_deleted(where, options):
    write_deltalake(where, rows(0, 10), **options)
    table = DeltaTable(where, **options)
    merge = table.merge(rows(5, 10), predicate="t.id = s.id", source_alias="s", target_alias="t")
    merge.when_matched_update_all().when_not_matched_insert_all().execute()
    table.delete("id < 3")
    assert ids(where, options) == list(range(3, 15))


def test_small_files_are_compacted_and_swept_up(where, options, s3, bucket):
    for start in range(0, 60, 10):
        write_deltalake(where, rows(start, 10), mode="append", **options)
    table = DeltaTable(where, **options)
    table.optimize.compact()
    table.create_checkpoint()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert len([key for key in keys if key.endswith(".parquet") and "_delta_log" not in key]) == 1
    assert "tables/one/_delta_log/_last_checkpoint" in keys
    assert ids(where, options) == list(range(60))


def append_rows(writer, where, options, commits):
    # A commit that was overtaken is tried again, as often as it takes.
    patient = CommitProperties(max_commit_retries=1_000)
    for number in range(writer * commits, (writer + 1) * commits):
        write_deltalake(where, rows(number, 1), mode="append", commit_properties=patient, **options)


@pytest.mark.parametrize("writers, commits", [pytest.param(2, 5, marks=pytest.mark.quick), (8, 50)])
def test_no_commit_of_many_writers_is_lost(where, options, writers, commits):
    DeltaTable.create(where, rows(0, 1).schema, **options)
    run_writers(writers, append_rows, where, options, commits)
    total = writers * commits
    assert (DeltaTable(where, **options).version(), ids(where, options)) == (total, list(range(total)))


def test_a_large_table_goes_in_parts(where, options, s3, bucket):
    import os

    wide = pa.table({"id": list(range(300)), "bytes": [os.urandom(100_000) for _ in range(300)]})
    write_deltalake(where, wide, **options)
    items = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert any("-" in item["ETag"] for item in items)
    assert DeltaTable(where, **options).to_pyarrow_table().sort_by("id").equals(wide)


def test_what_is_no_table_is_told(where, options):
    assert not DeltaTable.is_deltatable(where, **options)
    with pytest.raises(Exception, match="(?i)no files in log|not a delta table|no such|not found"):
        DeltaTable(where, **options)
