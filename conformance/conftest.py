"""What every conformance test starts from: a running node's address, clients for it, and buckets that clean up."""

import itertools
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import boto3
import pytest
from botocore.config import Config

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))

from buckets import Buckets
from cases import Cases

PORT = os.environ["S3_PORT"]
DOMAIN = os.environ["S3_DOMAIN"]
_numbers = itertools.count(1)


def pytest_configure(config):
    config.pluginmanager.register(Cases())


def _resolve_buckets_to_loopback():
    """Names below the node's domain mean this machine, as a wildcard DNS record would say."""
    system_getaddrinfo = socket.getaddrinfo

    def getaddrinfo(host, *arguments, **options):
        name = host.decode() if isinstance(host, bytes) else host
        if name == DOMAIN or (name or "").endswith("." + DOMAIN):
            host = "127.0.0.1"
        return system_getaddrinfo(host, *arguments, **options)

    socket.getaddrinfo = getaddrinfo


_resolve_buckets_to_loopback()


@pytest.fixture(scope="session")
def make_client():
    """Makes an S3 client that never retries; by default the root user's, with path addressing."""

    def make(access_key=None, secret=None, endpoint=None, style="path", region=None, **config):
        return boto3.client(
            "s3",
            endpoint_url=endpoint or f"http://127.0.0.1:{PORT}",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            region_name=region,
            config=Config(
                retries={"total_max_attempts": 1},
                s3={"addressing_style": style},
                read_timeout=30,
                **config,
            ),
        )

    return make


@pytest.fixture(scope="session")
def s3(make_client):
    return make_client()


@pytest.fixture(scope="session")
def buckets(s3):
    return Buckets(s3)


@pytest.fixture
def bucket_name():
    return f"bucket-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def bucket(buckets, bucket_name):
    name = buckets.take(bucket_name)
    yield name
    buckets.give_back(name)


@pytest.fixture(scope="module")
def shared_bucket(buckets):
    """One bucket for all tests of a file that only read it."""
    name = buckets.take(f"shared-{os.getpid()}-{next(_numbers)}")
    yield name
    buckets.give_back(name)


@pytest.fixture(scope="session")
def forebay():
    """Runs the `forebay` command; returns the finished process."""

    def run(*arguments, check=True):
        result = subprocess.run(
            [os.environ["COMMAND_FOREBAY"], *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if check:
            assert result.returncode == 0, result.stdout + result.stderr
        return result

    return run


@pytest.fixture
def mounted_tree(forebay, tmp_path, bucket_name):
    """A bucket that is an existing folder: `(bucket, folder)`. Further options may be given to `mount add`."""
    folder = tmp_path / "tree"
    folder.mkdir()
    added = []

    def mount(*options):
        forebay("mount", "add", bucket_name, folder.as_uri(), *options)
        added.append(bucket_name)
        return bucket_name, folder

    yield mount
    for name in added:
        forebay("mount", "remove", name)
    shutil.rmtree(folder)
