"""Trino: tables of its Hive and Iceberg connectors, whose metadata lie in the bucket too."""

import itertools
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from server import QueryFailed, Trino

NUMBERS = itertools.count(1)
FORMATS = ["PARQUET", "ORC"]


@pytest.fixture(scope="module")
def trino(tmp_path_factory, shared_bucket):
    server = Trino(tmp_path_factory.mktemp("trino"), shared_bucket)
    try:
        server.wait_until_ready()
        for catalogue in ("hive", "iceberg"):
            server.query(f"CREATE SCHEMA {catalogue}.tests")
        yield server
    finally:
        server.stop()


@pytest.fixture
def hive():
    return f"hive.tests.t{next(NUMBERS)}"


@pytest.fixture
def iceberg():
    return f"iceberg.tests.t{next(NUMBERS)}"


def summary(trino, table, where="true"):
    return trino.query(f"SELECT count(*), sum(orderkey), count(DISTINCT comment) FROM {table} WHERE {where}")


def keys(s3, bucket, prefix):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def key_of(path):
    return path.split("/", 3)[3]


@pytest.mark.parametrize("format", FORMATS)
def test_hive_writes_partitions_and_reads_those_it_needs(trino, hive, format):
    trino.query(
        f"CREATE TABLE {hive} WITH (format = '{format}', partitioned_by = ARRAY['orderstatus']) AS "
        "SELECT orderkey, comment, orderstatus FROM tpch.tiny.orders"
    )
    assert summary(trino, hive) == summary(trino, "tpch.tiny.orders")
    one = "orderstatus = 'F'"
    assert summary(trino, hive, one) == summary(trino, "tpch.tiny.orders", one)
    paths = trino.query(f'SELECT DISTINCT "$path" FROM {hive} WHERE {one}')
    assert paths != [] and all("/orderstatus=F/" in path for [path] in paths)


def test_hive_adds_to_partitions_and_drops_them(trino, hive, s3, shared_bucket):
    columns = "orderkey, comment, orderstatus"
    trino.query(
        f"CREATE TABLE {hive} WITH (format = 'PARQUET', partitioned_by = ARRAY['orderstatus']) AS "
        f"SELECT {columns} FROM tpch.tiny.orders WHERE orderkey < 30000"
    )
    trino.query(f"INSERT INTO {hive} SELECT {columns} FROM tpch.tiny.orders WHERE orderkey >= 30000")
    assert summary(trino, hive) == summary(trino, "tpch.tiny.orders")
    path = trino.value(f"SELECT min(\"$path\") FROM {hive} WHERE orderstatus = 'P'")
    trino.query(f"DELETE FROM {hive} WHERE orderstatus = 'P'")
    assert summary(trino, hive) == summary(trino, "tpch.tiny.orders", "orderstatus <> 'P'")
    left = keys(s3, shared_bucket, key_of(path).rsplit("/", 1)[0] + "/")
    assert [key for key in left if not key.endswith("/")] == []


def test_a_dropped_table_leaves_no_files(trino, hive, s3, shared_bucket):
    trino.query(f"CREATE TABLE {hive} AS SELECT * FROM tpch.tiny.nation")
    folder = key_of(trino.value(f'SELECT min("$path") FROM {hive}')).rsplit("/", 1)[0] + "/"
    assert keys(s3, shared_bucket, folder) != []
    trino.query(f"DROP TABLE {hive}")
    assert keys(s3, shared_bucket, folder) == []
    with pytest.raises(QueryFailed, match="TABLE_NOT_FOUND"):
        trino.query(f"SELECT * FROM {hive}")


@pytest.mark.parametrize("format", FORMATS)
def test_iceberg_changes_rows(trino, iceberg, format):
    trino.query(f"CREATE TABLE {iceberg} WITH (format = '{format}') AS SELECT orderkey, comment FROM tpch.tiny.orders")
    trino.query(f"DELETE FROM {iceberg} WHERE orderkey % 2 = 0")
    trino.query(f"UPDATE {iceberg} SET comment = 'changed' WHERE orderkey < 100")
    trino.query(
        f"MERGE INTO {iceberg} t USING (VALUES (1, 'merged'), (-1, 'new')) AS s (id, text) ON t.orderkey = s.id "
        "WHEN MATCHED THEN UPDATE SET comment = s.text WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.text)"
    )
    odd = trino.value("SELECT count(*) FROM tpch.tiny.orders WHERE orderkey % 2 = 1")
    assert trino.value(f"SELECT count(*) FROM {iceberg}") == odd + 1
    assert trino.query(f"SELECT * FROM {iceberg} WHERE comment IN ('merged', 'new') ORDER BY orderkey") == [
        [-1, "new"],
        [1, "merged"],
    ]
    changed = trino.value("SELECT count(*) FROM tpch.tiny.orders WHERE orderkey % 2 = 1 AND orderkey < 100")
    assert trino.value(f"SELECT count(*) FROM {iceberg} WHERE comment = 'changed'") == changed - 1


def test_iceberg_reads_former_snapshots(trino, iceberg):
    trino.query(f"CREATE TABLE {iceberg} (id bigint, part integer) WITH (partitioning = ARRAY['part'])")
    for part in range(3):
        trino.query(f"INSERT INTO {iceberg} VALUES ({part}, {part})")
    schema, name = iceberg.rsplit(".", 1)
    history = trino.query(f'SELECT snapshot_id FROM {schema}."{name}$snapshots" ORDER BY committed_at')
    [*_, [before_last], _] = history
    assert trino.value(f"SELECT count(*) FROM {iceberg} FOR VERSION AS OF {before_last}") == 2
    assert trino.value(f"SELECT count(*) FROM {iceberg}") == 3


def test_iceberg_compacts_and_sweeps_up(trino, iceberg, s3, shared_bucket):
    trino.query(f"CREATE TABLE {iceberg} (id bigint)")
    for number in range(5):
        trino.query(f"INSERT INTO {iceberg} VALUES ({number})")
    folder = key_of(trino.value(f'SELECT min("$path") FROM {iceberg}')).rsplit("/", 1)[0] + "/"
    assert len(keys(s3, shared_bucket, folder)) == 5
    trino.query(f"ALTER TABLE {iceberg} EXECUTE optimize")
    trino.query(f"ALTER TABLE {iceberg} EXECUTE expire_snapshots(retention_threshold => '0s')")
    trino.query(f"ALTER TABLE {iceberg} EXECUTE remove_orphan_files(retention_threshold => '0s')")
    assert len(keys(s3, shared_bucket, folder)) == 1
    assert trino.query(f"SELECT sum(id), count(*) FROM {iceberg}") == [[10, 5]]


def test_a_large_file_goes_in_parts(trino, iceberg, s3, shared_bucket):
    trino.query(
        f"CREATE TABLE {iceberg} WITH (format = 'PARQUET') AS SELECT a, CAST(uuid() AS varchar) AS text "
        "FROM UNNEST(sequence(1, 5000)) AS x (a) CROSS JOIN UNNEST(sequence(1, 100)) AS y (b)",
        # One writer, so that there is one file.
        task_min_writer_count=1,
        task_max_writer_count=1,
        scale_writers="false",
    )
    paths = trino.query(f'SELECT DISTINCT "$path" FROM {iceberg}')
    heads = [s3.head_object(Bucket=shared_bucket, Key=key_of(path)) for [path] in paths]
    assert max(head["ContentLength"] for head in heads) > 10_000_000
    assert any("-" in head["ETag"] for head in heads)
    assert trino.query(f"SELECT count(*), count(DISTINCT text), sum(a) FROM {iceberg}") == [
        [500_000, 500_000, 100 * sum(range(1, 5_001))]
    ]
