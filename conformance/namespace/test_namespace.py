"""One bucket whose folders lie on S3, Cloud Storage and HDFS, through a cluster: Spark, boto3 and the aws CLI, each at another node."""

import os
import pathlib
import subprocess
import sys

import pytest
from pyspark.sql import functions as F

from spark_sessions import PROTOCOLS, TASKS, start_spark

BUCKET = os.environ["NAMESPACE_BUCKET"]
MOUNTS = os.environ["NAMESPACE_MOUNTS"].split()
PORTS = os.environ["NODE_PORTS"].split()
AWS = os.environ["COMMAND_AWS"].split()
ROWS = 3_000
NODES = range(len(PORTS))


def endpoint(node):
    return f"http://127.0.0.1:{PORTS[node]}"


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    # Jobs name the node that they speak to, which no file system that is kept may pass by.
    settings = {**PROTOCOLS, "spark.hadoop.fs.s3a.impl.disable.cache": "true"}
    session = start_spark(tmp_path_factory.mktemp("spark"), settings)
    yield session
    session.stop()


@pytest.fixture(scope="module")
def clients(make_client):
    return [make_client(endpoint=endpoint(node)) for node in NODES]


@pytest.fixture(params=MOUNTS)
def mount(request):
    return request.param


def aws(node, *arguments):
    command = [*AWS, "--endpoint-url", endpoint(node), *arguments]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout.decode()


def rows(spark, start=0, end=ROWS):
    numbers = spark.range(start, end, numPartitions=TASKS)
    return numbers.withColumn("part", F.col("id") % 3).withColumn("text", F.concat(F.lit("t"), F.col("id")))


def table(mount, name):
    return f"s3a://{BUCKET}/{mount}/{name}"


def write(node, frame, path, committer="magic", mode="append"):
    writer = frame.write.mode(mode).partitionBy("part").option("fs.s3a.endpoint", endpoint(node))
    writer.option("fs.s3a.committer.name", committer).parquet(path)


def read(spark, node, path):
    return spark.read.option("fs.s3a.endpoint", endpoint(node)).parquet(path)


def ids(frame):
    return sorted(row["id"] for row in frame.select("id").collect())


def keys(client, prefix):
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def contents(client, prefix):
    """What lies below a prefix, by the rest of the key."""
    return {key.removeprefix(prefix): body(client, key) for key in keys(client, prefix) if not key.endswith("/")}


def body(client, key):
    return client.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def files_in(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("committer", ["magic", "directory", "file"])
def test_a_table_that_spark_writes_at_one_node_is_read_at_each(spark, clients, mount, committer, tmp_path):
    path = table(mount, f"one-{committer}")
    write(0, rows(spark), path, committer)
    for node in NODES:
        assert ids(read(spark, node, path)) == list(range(ROWS))
    prefix = f"{mount}/one-{committer}/"
    seen = [contents(client, prefix) for client in clients]
    assert seen[0] == seen[1] == seen[2]
    assert len([name for name in seen[0] if name.endswith(".parquet")]) == 3 * TASKS
    aws(2, "s3", "sync", f"s3://{BUCKET}/{prefix}", str(tmp_path), "--only-show-errors")
    assert files_in(tmp_path) == seen[0]


def test_what_spark_replaces_and_adds_at_other_nodes_is_seen_at_once(spark, clients, mount):
    path = table(mount, "changing")
    write(0, rows(spark, 0, 100), path)
    for turn in range(1, 4):
        node = turn % len(NODES)
        write(node, rows(spark, 100 * turn, 100 * turn + 50), path, mode="overwrite")
        for reader in NODES:
            assert ids(read(spark, reader, path)) == list(range(100 * turn, 100 * turn + 50))
        write((node + 1) % len(NODES), rows(spark, 100 * turn + 50, 100 * turn + 100), path)
        for reader in NODES:
            assert ids(read(spark, reader, path)) == list(range(100 * turn, 100 * turn + 100))
    assert keys(clients[0], f"{mount}/changing/") == keys(clients[2], f"{mount}/changing/")
    for client in clients:
        uploads = client.list_multipart_uploads(Bucket=BUCKET, Prefix=f"{mount}/").get("Uploads", [])
        assert uploads == []


def test_rows_go_from_mount_to_mount_by_spark_and_are_joined(spark):
    first = table(MOUNTS[0], "round-0")
    write(0, rows(spark), first)
    paths = [first]
    for step in range(1, len(MOUNTS) + 1):
        path = table(MOUNTS[step % len(MOUNTS)], f"round-{step}")
        write(step % len(NODES), read(spark, (step + 1) % len(NODES), paths[-1]), path)
        paths.append(path)
    frames = [read(spark, node % len(NODES), path).select("id", "text") for node, path in enumerate(paths)]
    joined = frames[0]
    for frame in frames[1:]:
        joined = joined.join(frame, ["id", "text"])
    assert ids(joined) == list(range(ROWS))


def test_sync_carries_a_table_from_mount_to_mount_and_spark_reads_each(spark, clients):
    write(0, rows(spark), table(MOUNTS[0], "carried"))
    wanted = contents(clients[1], f"{MOUNTS[0]}/carried/")
    for step, (source, target) in enumerate(zip(MOUNTS, MOUNTS[1:] + MOUNTS[:1])):
        to = f"{target}/carried" if step + 1 < len(MOUNTS) else f"{target}/carried-back"
        of = f"s3://{BUCKET}/{source}/carried"
        aws(step % len(NODES), "s3", "sync", of, f"s3://{BUCKET}/{to}", "--only-show-errors")
        for node in NODES:
            assert contents(clients[node], f"{to}/") == wanted
        assert ids(read(spark, (step + 1) % len(NODES), f"s3a://{BUCKET}/{to}")) == list(range(ROWS))
        again = aws(step % len(NODES), "s3", "sync", of, f"s3://{BUCKET}/{to}", "--dryrun")
        assert again == ""


def test_files_that_boto3_and_the_cli_put_into_a_table_are_read_by_spark(spark, clients, mount, tmp_path):
    path, prefix = table(mount, "shared"), f"{mount}/shared"
    write(0, rows(spark, 0, 90), path)
    # boto3 copies a file of another table, at another node and on another mount.
    other = MOUNTS[(MOUNTS.index(mount) + 1) % len(MOUNTS)]
    write(1, rows(spark, 90, 120), table(other, f"given-to-{mount}"))
    given = [key for key in keys(clients[2], f"{other}/given-to-{mount}/part=0/") if key.endswith(".parquet")]
    for number, key in enumerate(given):
        target = f"{prefix}/part=0/copied-{number}.parquet"
        clients[1].copy_object(Bucket=BUCKET, Key=target, CopySource={"Bucket": BUCKET, "Key": key})
    for node in NODES:
        assert ids(read(spark, node, path)) == sorted([*range(90), *range(90, 120, 3)])
    # The CLI brings the next from a folder of this machine, and takes one away.
    aws(2, "s3", "cp", f"s3://{BUCKET}/{other}/given-to-{mount}/part=1/", str(tmp_path), "--recursive")
    aws(2, "s3", "cp", str(tmp_path), f"s3://{BUCKET}/{prefix}/part=1/", "--recursive")
    aws(1, "s3", "rm", f"s3://{BUCKET}/{prefix}/part=0/", "--recursive", "--exclude", "*", "--include", "copied-*")
    left = sorted([*range(90), *range(91, 120, 3)])
    for node in NODES:
        assert ids(read(spark, node, path)) == left


def test_a_list_of_the_bucket_shows_every_mount_in_order(clients):
    for client in clients:
        answer = client.list_objects_v2(Bucket=BUCKET, Delimiter="/")
        assert [entry["Prefix"] for entry in answer["CommonPrefixes"]] == sorted(f"{name}/" for name in MOUNTS)
        everything = keys(client, "")
        assert everything == sorted(everything)
        assert {key.split("/")[0] for key in everything} == set(MOUNTS)


def test_a_large_object_of_parts_passes_through_each_mount(clients, mount):
    piece = bytes(range(256)) * 4096 * 6
    key = f"{mount}/large"
    upload = clients[0].create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    parts = []
    for number in range(1, 4):
        client = clients[number % len(clients)]
        part = client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=piece)
        parts.append({"ETag": part["ETag"], "PartNumber": number})
    clients[2].complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    for client in clients:
        assert body(client, key) == piece * 3
    tail = clients[1].get_object(Bucket=BUCKET, Key=key, Range="bytes=-7")["Body"].read()
    assert tail == piece[-7:]
