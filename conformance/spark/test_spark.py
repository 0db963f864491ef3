"""Spark over S3A: jobs whose output three kinds of committers commit, and partitioned Parquet that is read again."""

import json

import pytest
from pyspark import TaskContext
from pyspark.errors import PySparkException
from pyspark.sql import functions as F
from pyspark.sql.types import LongType

from spark_sessions import PROTOCOLS, TASKS, start_spark

# `file` renames what the tasks wrote; the others complete uploads that the tasks have begun.
COMMITTERS = ["file", "directory", "magic"]


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    session = start_spark(tmp_path_factory.mktemp("spark"))
    yield session
    session.stop()


@pytest.fixture(params=COMMITTERS)
def committer(request, spark):
    name = request.param
    if name != "file":
        for key, value in PROTOCOLS.items():
            spark.conf.set(key, value)
    yield name
    for key in PROTOCOLS:
        spark.conf.unset(key)


@pytest.fixture
def table(bucket):
    return f"s3a://{bucket}/tables/one"


def rows(spark, start, end):
    numbers = spark.range(start, end, numPartitions=TASKS)
    return numbers.withColumn("part", F.col("id") % 3).withColumn("text", F.concat(F.lit("t"), F.col("id")))


def write(frame, table, committer, mode="append"):
    writer = frame.write.mode(mode).partitionBy("part").option("fs.s3a.committer.name", committer)
    # A second writer of the directory committer adds to what is there.
    writer.option("fs.s3a.committer.staging.conflict-mode", "append").parquet(table)


def ids(frame):
    return sorted(row["id"] for row in frame.select("id").collect())


def keys(s3, bucket):
    return [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def files(s3, bucket):
    return [key for key in keys(s3, bucket) if key.endswith(".parquet")]


def uploads(s3, bucket):
    return s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])


def test_a_partitioned_table_is_committed_and_read(spark, s3, bucket, table, committer):
    write(rows(spark, 0, 10_000), table, committer)
    read = spark.read.parquet(table)
    assert ids(read) == list(range(10_000))
    one = read.where("part = 1")
    paths = [row[0] for row in one.select(F.input_file_name()).distinct().collect()]
    assert paths != [] and all("/part=1/" in path for path in paths)
    assert one.agg(F.sum("id")).first()[0] == sum(range(1, 10_000, 3))
    assert len(files(s3, bucket)) == 3 * TASKS
    assert uploads(s3, bucket) == []
    assert [key for key in keys(s3, bucket) if "__magic" in key or "_temporary" in key] == []


def test_the_record_of_success_names_the_committer(spark, s3, bucket, table, committer):
    write(rows(spark, 0, 100), table, committer)
    text = s3.get_object(Bucket=bucket, Key="tables/one/_SUCCESS")["Body"].read()
    if committer == "file":
        assert text == b""
        return
    record = json.loads(text)
    assert record["committer"] == committer
    named = {path.removeprefix("/") for path in record["filenames"]}
    assert named == set(files(s3, bucket))


def test_a_second_job_adds_and_a_third_replaces(spark, table, committer):
    write(rows(spark, 0, 100), table, committer)
    write(rows(spark, 100, 200), table, committer)
    assert ids(spark.read.parquet(table)) == list(range(200))
    write(rows(spark, 500, 510), table, committer, mode="overwrite")
    assert ids(spark.read.parquet(table)) == list(range(500, 510))


def test_a_task_that_is_tried_again_writes_its_rows_once(spark, s3, bucket, table, committer):
    @F.udf(LongType())
    def fail_at_first(number):
        # The last row of each task: the others have been written by then.
        if TaskContext.get().attemptNumber() == 0 and number % 250 == 249:
            raise OSError("this task is lost")
        return number

    write(rows(spark, 0, 1_000).withColumn("id", fail_at_first("id")), table, committer)
    assert ids(spark.read.parquet(table)) == list(range(1_000))
    assert uploads(s3, bucket) == []


def test_a_job_that_fails_shows_nothing(spark, s3, bucket, table, committer):
    @F.udf(LongType())
    def fail(number):
        if number == 999:
            raise OSError("this job is lost")
        return number

    with pytest.raises(PySparkException, match="this job is lost"):
        write(rows(spark, 0, 1_000).withColumn("id", fail("id")), table, committer)
    assert [key for key in files(s3, bucket) if "_temporary" not in key] == []
    assert "tables/one/_SUCCESS" not in keys(s3, bucket)
    assert uploads(s3, bucket) == []


def test_a_large_file_is_committed_of_several_parts(spark, s3, bucket, table, committer):
    wide = spark.range(0, 60, numPartitions=1).withColumn("part", F.lit(0))
    wide = wide.withColumn("bytes", F.expr("array_join(transform(sequence(1, 8000), n -> uuid()), '')"))
    write(wide, table, committer)
    [name] = files(s3, bucket)
    head = s3.head_object(Bucket=bucket, Key=name)
    # The file committer's rename is a copy, of parts as well.
    assert head["ContentLength"] > 10_000_000
    assert "-" in head["ETag"]
    assert spark.read.parquet(table).where("length(bytes) = 8000 * 36").count() == 60
