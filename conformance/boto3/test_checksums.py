"""Checksums: kept where they are right, refused where they are wrong, before anything is visible."""

import base64
import hashlib

import pytest
from awscrt import checksums as crt

from errors import fails
from raw import send_signed

BODY = bytes(range(256)) * 1000


def _crc(value, size):
    return base64.b64encode(value.to_bytes(size, "big")).decode()


DIGESTS = {
    "CRC32": lambda data: _crc(crt.crc32(data), 4),
    "CRC32C": lambda data: _crc(crt.crc32c(data), 4),
    "CRC64NVME": lambda data: _crc(crt.crc64nvme(data), 8),
    "SHA1": lambda data: base64.b64encode(hashlib.sha1(data).digest()).decode(),
    "SHA256": lambda data: base64.b64encode(hashlib.sha256(data).digest()).decode(),
}


@pytest.mark.parametrize("algorithm", DIGESTS)
def test_a_checksum_the_client_computes_is_kept(s3, bucket, algorithm):
    expected = DIGESTS[algorithm](BODY)
    put = s3.put_object(Bucket=bucket, Key="k", Body=BODY, ChecksumAlgorithm=algorithm)
    assert put[f"Checksum{algorithm}"] == expected
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == expected
    assert head["ChecksumType"] == "FULL_OBJECT"
    # botocore checks the body against the header as it reads.
    assert s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["Body"].read() == BODY


@pytest.mark.parametrize("algorithm", DIGESTS)
def test_checksums_are_told_only_to_those_who_ask(make_client, bucket, algorithm):
    client = make_client(response_checksum_validation="when_required")
    client.put_object(Bucket=bucket, Key="k", Body=BODY, ChecksumAlgorithm=algorithm)
    assert f"Checksum{algorithm}" not in client.head_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize("algorithm", DIGESTS)
@pytest.mark.parametrize("signing", ["header", "unsigned"])
def test_a_wrong_checksum_is_refused_and_nothing_is_stored(make_client, bucket, algorithm, signing):
    client = make_client(**({"signature_version": "s3v4"} if signing == "header" else {}))
    client.put_object(Bucket=bucket, Key="k", Body=b"before")
    wrong = DIGESTS[algorithm](BODY + b"x")
    with fails("BadDigest", status=400):
        client.put_object(Bucket=bucket, Key="k", Body=BODY, **{f"Checksum{algorithm}": wrong})
    with fails("BadDigest", status=400):
        client.put_object(Bucket=bucket, Key="new", Body=BODY, **{f"Checksum{algorithm}": wrong})
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"before"
    assert [item["Key"] for item in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


@pytest.mark.parametrize("algorithm", DIGESTS)
def test_a_checksum_that_is_none_is_an_invalid_request(s3, bucket, algorithm):
    for value in ("AA==", "not base64!"):
        with fails("InvalidRequest", status=400):
            s3.put_object(Bucket=bucket, Key="k", Body=BODY, **{f"Checksum{algorithm}": value})


def test_two_checksums_in_headers_are_refused(bucket):
    headers = {
        "x-amz-checksum-crc32": DIGESTS["CRC32"](b"1"),
        "x-amz-checksum-sha256": DIGESTS["SHA256"](b"1"),
    }
    answer = send_signed("PUT", f"/{bucket}/k", headers, b"1")
    assert (answer.status, answer.code) == (400, "InvalidRequest")


def test_content_md5_is_checked(s3, bucket):
    md5 = lambda data: base64.b64encode(hashlib.md5(data).digest()).decode()  # noqa: E731
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, ContentMD5=md5(BODY))
    with fails("BadDigest", status=400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"other", ContentMD5=md5(BODY))
    with fails("InvalidDigest", status=400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"other", ContentMD5="AAAA")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == BODY


def test_a_body_that_is_not_the_signed_one_is_refused(bucket, s3):
    from raw import send, sign

    answer = send("PUT", f"/{bucket}/k", sign("PUT", f"/{bucket}/k", body=b"signed"), b"swapped"[:6])
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    with fails("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize("algorithm", DIGESTS)
def test_a_part_is_checked_too(s3, bucket, algorithm):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm)["UploadId"]
    part = {"Bucket": bucket, "Key": "k", "UploadId": upload, "PartNumber": 1, "Body": BODY}
    with fails("BadDigest", status=400):
        s3.upload_part(**part, **{f"Checksum{algorithm}": DIGESTS[algorithm](b"x")})
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)
    answer = s3.upload_part(**part, ChecksumAlgorithm=algorithm)
    assert answer[f"Checksum{algorithm}"] == DIGESTS[algorithm](BODY)
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="k",
        UploadId=upload,
        MultipartUpload={
            "Parts": [
                {"PartNumber": 1, "ETag": answer["ETag"], f"Checksum{algorithm}": answer[f"Checksum{algorithm}"]}
            ]
        },
    )
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == BODY
