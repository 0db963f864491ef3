"""PyIceberg, with a catalogue in SQLite: tables whose every state is a file of its own, and whose data is never overwritten."""

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo, GreaterThanOrEqual
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import IntegerType, LongType, NestedField, StringType

from snippets import run_snippet
from writers import run_writers

SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=False),
    NestedField(2, "part", IntegerType(), required=False),
    NestedField(3, "text", StringType(), required=False),
)
BY_PART = PartitionSpec(PartitionField(source_id=2, field_id=1000, transform=IdentityTransform(), name="part"))
NAME = "tests.one"


@pytest.fixture
def properties(bucket, tmp_path):
    return {
        **run_snippet("PyIceberg")["properties"],
        "uri": f"sqlite:///{tmp_path}/catalogue.db?timeout=60",
        "warehouse": f"s3://{bucket}/warehouse",
    }


@pytest.fixture
def catalogue(properties):
    catalogue = SqlCatalog("tests", **properties)
    catalogue.create_namespace("tests")
    yield catalogue
    catalogue.close()


def rows(start, count=1_000):
    numbers = range(start, start + count)
    return pa.table(
        {
            "id": pa.array(numbers, pa.int64()),
            "part": pa.array([number % 3 for number in numbers], pa.int32()),
            "text": [f"t{number}" for number in numbers],
        }
    )


def ids(table, **scan):
    return sorted(table.scan(**scan).to_arrow()["id"].to_pylist())


def test_appended_rows_are_read_and_former_snapshots_stay(catalogue):
    table = catalogue.create_table(NAME, SCHEMA)
    for start in (0, 1_000, 2_000):
        table.append(rows(start))
    table = catalogue.load_table(NAME)
    first, _, _ = table.snapshots()
    assert ids(table) == list(range(3_000))
    assert ids(table, snapshot_id=first.snapshot_id) == list(range(1_000))


def test_only_the_partition_that_is_asked_for_is_read(catalogue):
    table = catalogue.create_table(NAME, SCHEMA, partition_spec=BY_PART)
    table.append(rows(0, 300))
    files = list(table.scan(row_filter=EqualTo("part", 1)).plan_files())
    assert [("/part=1/" in task.file.file_path) for task in files] == [True]
    assert ids(table, row_filter=EqualTo("part", 1)) == list(range(1, 300, 3))


def test_rows_are_deleted_and_overwritten(catalogue):
    table = catalogue.create_table(NAME, SCHEMA)
    table.append(rows(0, 100))
    table.delete(GreaterThanOrEqual("id", 90))
    table.overwrite(rows(1_000, 5), overwrite_filter=EqualTo("part", 0))
    assert ids(table) == [number for number in range(90) if number % 3] + list(range(1_000, 1_005))


def test_a_column_is_added_and_old_files_are_still_read(catalogue):
    table = catalogue.create_table(NAME, SCHEMA)
    table.append(rows(0, 2))
    with table.update_schema() as update:
        update.add_column("more", LongType())
    table.append(rows(2, 1).append_column("more", pa.array([7], pa.int64())))
    by_id = {row["id"]: row["more"] for row in catalogue.load_table(NAME).scan().to_arrow().to_pylist()}
    assert by_id == {0: None, 1: None, 2: 7}


def test_a_table_is_purged_with_its_files(catalogue, s3, bucket):
    table = catalogue.create_table(NAME, SCHEMA)
    table.append(rows(0, 10))
    catalogue.purge_table(NAME)
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    # pyarrow leaves the markers of folders.
    assert [key for key in keys if not key.endswith("/")] == []


# A commit that was overtaken is tried again, as often as it takes, and the longer it waits the less the writers are in each other's way.
PATIENT = {
    "commit.retry.num-retries": "1000",
    "commit.retry.min-wait-ms": "50",
    "commit.retry.max-wait-ms": "2000",
}


def append_rows(writer, properties, commits):
    catalogue = SqlCatalog("tests", **properties)
    table = catalogue.load_table(NAME)
    for number in range(writer * commits, (writer + 1) * commits):
        table.append(rows(number, 1))
    catalogue.close()


@pytest.mark.parametrize("writers, commits", [pytest.param(2, 5, marks=pytest.mark.quick), (8, 50)])
def test_no_commit_of_many_writers_is_lost(catalogue, properties, writers, commits):
    catalogue.create_table(NAME, SCHEMA, properties=PATIENT)
    run_writers(writers, append_rows, properties, commits)
    table = catalogue.load_table(NAME)
    assert (len(table.snapshots()), ids(table)) == (writers * commits, list(range(writers * commits)))
