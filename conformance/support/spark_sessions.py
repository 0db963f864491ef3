"""A Spark with S3A and the settings that docs/clients.md shows."""

import os
import sys

from snippets import snippet

# Partitions of a shuffle, and of a table that is written.
TASKS = 4

PROTOCOLS = {
    "spark.sql.sources.commitProtocolClass": "org.apache.spark.internal.io.cloud.PathOutputCommitProtocol",
    "spark.sql.parquet.output.committer.class": "org.apache.spark.internal.io.cloud.BindingParquetOutputCommitter",
}


def documented_settings():
    lines = snippet("Spark").splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


def start_spark(local, settings=None):
    """A session whose files lie below the folder `local`; whoever starts it stops it."""
    # Only where Spark is installed.
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    merged = {
        **documented_settings(),
        "spark.driver.extraClassPath": os.environ["CLASS_PATH"],
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.local.dir": str(local),
        "spark.hadoop.hadoop.tmp.dir": str(local),
        "spark.sql.warehouse.dir": str(local / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": TASKS,
        # The smallest parts that S3 takes, so that a file of some size has several.
        "spark.hadoop.fs.s3a.multipart.size": "5M",
        "spark.hadoop.fs.s3a.multipart.threshold": "5M",
        **(settings or {}),
    }
    # Two tasks at a time, each tried three times.
    builder = SparkSession.builder.master("local[2,3]").appName("conformance")
    for name, value in merged.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session
