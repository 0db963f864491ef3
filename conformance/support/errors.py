"""Asserting S3's error codes."""

import contextlib

import pytest
from botocore.exceptions import ClientError


@contextlib.contextmanager
def fails(*codes, status=None):
    """The block must fail with one of these codes. HEAD has no body, so its code is the status."""
    with pytest.raises(ClientError) as caught:
        yield caught
    response = caught.value.response
    assert response["Error"]["Code"] in codes, response["Error"]
    if status is not None:
        assert response["ResponseMetadata"]["HTTPStatusCode"] == status
