"""DuckDB with its httpfs extension: SQL over files in buckets."""

import importlib.util
import pathlib

import duckdb
import pytest

from snippets import snippet

EXTENSION = next(
    pathlib.Path(importlib.util.find_spec("duckdb_extension_httpfs").submodule_search_locations[0]).rglob("*.duckdb_extension")
)


@pytest.fixture
def db():
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    connection.execute(f"LOAD '{EXTENSION}'")
    connection.execute(snippet("DuckDB"))
    yield connection
    connection.close()


def numbers(rows):
    return f"SELECT i AS id, i % 4 AS part, 'text ' || i AS text FROM range({rows}) t(i)"


def test_a_table_comes_back_as_it_was_written(db, bucket):
    db.execute(f"COPY ({numbers(100_000)}) TO 's3://{bucket}/dir/one.parquet' (FORMAT parquet)")
    found = db.sql(f"SELECT count(*), sum(id), max(text) FROM 's3://{bucket}/dir/one.parquet'").fetchone()
    assert found == (100_000, 4_999_950_000, "text 99999")


def test_a_large_file_goes_in_parts_and_is_read_by_range(db, s3, bucket):
    db.execute("SET s3_uploader_max_filesize = '50GB'")
    query = "SELECT i AS id, hash(i) AS a, hash(i + 1) AS b, md5(i::text) AS c FROM range(1000000) t(i)"
    db.execute(f"COPY ({query}) TO 's3://{bucket}/large.parquet' (FORMAT parquet, COMPRESSION uncompressed)")
    head = s3.head_object(Bucket=bucket, Key="large.parquet")
    assert head["ContentLength"] > 30_000_000 and "-" in head["ETag"]
    found = db.sql(f"SELECT c FROM 's3://{bucket}/large.parquet' WHERE id = 777777").fetchall()
    assert found == db.sql("SELECT md5('777777')").fetchall()
    wrong = f"SELECT count(*) FROM 's3://{bucket}/large.parquet' WHERE a <> hash(id) OR c <> md5(id::text)"
    assert db.sql(wrong).fetchone() == (0,)


def test_partitions_are_written_and_read_by_a_filter(db, s3, bucket):
    db.execute(f"COPY ({numbers(10_000)}) TO 's3://{bucket}/set' (FORMAT parquet, PARTITION_BY part, OVERWRITE_OR_IGNORE)")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert [key.split("/")[1] for key in keys] == [f"part={part}" for part in range(4)]
    whole = f"read_parquet('s3://{bucket}/set/*/*.parquet', hive_partitioning = true)"
    assert db.sql(f"SELECT count(*), min(id) FROM {whole} WHERE part = 2").fetchone() == (2_500, 2)


def test_a_pattern_finds_every_file(db, bucket):
    for number in range(12):
        query = f"SELECT {number} AS id"
        db.execute(f"COPY ({query}) TO 's3://{bucket}/many/sub{number % 3}/file {number}.parquet' (FORMAT parquet)")
    found = db.sql(f"SELECT count(*), sum(id) FROM 's3://{bucket}/many/**/*.parquet'").fetchone()
    assert found == (12, 66)
    assert db.sql(f"SELECT count(*) FROM glob('s3://{bucket}/many/sub1/*')").fetchone() == (4,)


def test_csv_and_json_are_read(db, s3, bucket):
    s3.put_object(Bucket=bucket, Key="file.csv", Body=b"a,b\n1,x\n2,y\n")
    assert db.sql(f"SELECT * FROM read_csv('s3://{bucket}/file.csv')").fetchall() == [(1, "x"), (2, "y")]
    db.execute(f"COPY ({numbers(50_000)}) TO 's3://{bucket}/out.csv.gz' (FORMAT csv, HEADER, COMPRESSION gzip)")
    assert db.sql(f"SELECT count(*), sum(id) FROM read_csv('s3://{bucket}/out.csv.gz')").fetchone() == (50_000, 1_249_975_000)


@pytest.mark.parametrize("name", ["sp ace", "plus+", "per%25cent", "ünï/日本", "a=b&c"])
def test_a_key_of_any_form_is_found(db, bucket, name):
    where = f"s3://{bucket}/{name}.parquet"
    db.execute(f"COPY ({numbers(10)}) TO '{where}' (FORMAT parquet)")
    assert db.sql(f"SELECT count(*) FROM read_parquet('{where}')").fetchone() == (10,)


def test_an_overwritten_file_is_the_new_one(db, bucket):
    for rows in (10, 5_000, 3):
        db.execute(f"COPY ({numbers(rows)}) TO 's3://{bucket}/file.parquet' (FORMAT parquet)")
        assert db.sql(f"SELECT count(*) FROM 's3://{bucket}/file.parquet'").fetchone() == (rows,)


def test_a_database_file_is_attached_where_it_lies(db, s3, bucket, tmp_path):
    with duckdb.connect(str(tmp_path / "file.duckdb")) as local:
        local.execute(f"CREATE TABLE t AS {numbers(200_000)}")
    s3.upload_file(str(tmp_path / "file.duckdb"), bucket, "file.duckdb")
    db.execute(f"ATTACH 's3://{bucket}/file.duckdb' AS far (READ_ONLY)")
    assert db.sql("SELECT text FROM far.t WHERE id = 123456").fetchall() == [("text 123456",)]


def test_what_is_not_there_is_told(db, bucket):
    with pytest.raises(duckdb.HTTPException, match="404"):
        db.sql(f"SELECT * FROM 's3://{bucket}/none.parquet'").fetchall()
    with pytest.raises(duckdb.IOException, match="No files found"):
        db.sql(f"SELECT * FROM 's3://{bucket}/none/*.parquet'").fetchall()
