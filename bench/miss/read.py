"""Reads whole objects for the bench of misses: a line of JSON on standard input asks for one, a line of JSON tells how long it took."""

import json
import sys
import time

import boto3
from botocore.config import Config
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

PIECE = 1024 * 1024


class Arrivals:
    """A file that keeps nothing but when bytes came."""

    def __init__(self):
        self.first = None
        self.length = 0

    def write(self, piece):
        if self.first is None and len(piece) > 0:
            self.first = time.perf_counter()
        self.length += len(piece)
        return len(piece)

    def tell(self):
        return self.length

    def flush(self):
        pass


def s3_reader(endpoint, accessKeyId, secretAccessKey):
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=accessKeyId,
        aws_secret_access_key=secretAccessKey,
        config=config,
    )

    def read(place, key, into):
        body = client.get_object(Bucket=place, Key=key)["Body"]
        for piece in body.iter_chunks(PIECE):
            into.write(piece)

    return read


def gs_reader(endpoint):
    client = storage.Client(
        project="p", credentials=AnonymousCredentials(), client_options={"api_endpoint": endpoint}
    )

    def read(place, key, into):
        bucket, _, prefix = place.partition("/")
        client.bucket(bucket).blob(prefix + key).download_to_file(into)

    return read


def file_reader():
    def read(place, key, into):
        with open(f"{place}/{key}", "rb", buffering=0) as file:
            while piece := file.read(PIECE):
                into.write(piece)

    return read


READERS = {"s3": s3_reader, "gs": gs_reader, "file": file_reader}

readers = {}
for line in sys.stdin:
    asked = json.loads(line)
    name = asked["reader"]
    if "settings" in asked:
        readers[name] = READERS[asked["kind"]](**asked["settings"])
        print("{}", flush=True)
        continue
    into = Arrivals()
    started = time.perf_counter()
    readers[name](asked["place"], asked["key"], into)
    ended = time.perf_counter()
    told = {"bytes": into.length, "firstByteMs": (into.first - started) * 1000, "totalMs": (ended - started) * 1000}
    print(json.dumps(told), flush=True)
