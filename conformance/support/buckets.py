"""Buckets for tests: made by the test itself, or handed out of those that lie on a mount."""

import os

# Buckets that are there already, since a mount cannot be made by a client. Empty: tests make their own.
GIVEN = os.environ["S3_BUCKETS"].split()


def empty(s3, bucket):
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    # Keys are asked for URL-encoded, as some of them cannot stand in XML.
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        keys = [item["Key"] for item in page.get("Contents", [])]
        for key in keys:
            s3.delete_object(Bucket=bucket, Key=key)


class Buckets:
    """Gives empty buckets out, and takes them back."""

    def __init__(self, s3):
        self._s3 = s3
        self._free = list(GIVEN)

    def take(self, name):
        """A bucket of this name, or one of those that are there."""
        if GIVEN:
            return self._free.pop(0)
        self._s3.create_bucket(Bucket=name)
        return name

    def give_back(self, name):
        empty(self._s3, name)
        if GIVEN:
            self._free.append(name)
        else:
            self._s3.delete_bucket(Bucket=name)
