"""Multipart uploads."""

import hashlib
import os

import boto3.s3.transfer
import pytest

from errors import fails

MIB = 1 << 20
PART = 5 * MIB


@pytest.fixture(scope="module")
def parts():
    return [os.urandom(PART), os.urandom(PART), os.urandom(12_345)]


class Upload:
    """An upload in the making."""

    def __init__(self, s3, bucket, key="k", **options):
        self.s3 = s3
        self.where = {"Bucket": bucket, "Key": key}
        self.where["UploadId"] = s3.create_multipart_upload(Bucket=bucket, Key=key, **options)["UploadId"]
        self.done = {}

    def put(self, number, body, **options):
        answer = self.s3.upload_part(**self.where, PartNumber=number, Body=body, **options)
        self.done[number] = answer["ETag"]
        return answer

    def complete(self, parts=None, **options):
        named = parts or [{"PartNumber": number, "ETag": etag} for number, etag in sorted(self.done.items())]
        return self.s3.complete_multipart_upload(**self.where, MultipartUpload={"Parts": named}, **options)


def composite_etag(parts):
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    return f'"{hashlib.md5(digests).hexdigest()}-{len(parts)}"'


def test_the_parts_become_one_object(s3, bucket, parts):
    upload = Upload(s3, bucket, ContentType="text/x", Metadata={"a": "b"})
    for number in (3, 1, 2):
        upload.put(number, parts[number - 1])
    with fails("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="k")
    answer = upload.complete()
    assert answer["ETag"] == composite_etag(parts)
    assert answer["Bucket"] == bucket and answer["Key"] == "k" and answer["Location"]
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"".join(parts)
    assert (got["ETag"], got["ContentType"], got["Metadata"]) == (answer["ETag"], "text/x", {"a": "b"})


def test_numbers_need_not_follow_each_other(s3, bucket, parts):
    upload = Upload(s3, bucket)
    upload.put(7, parts[0])
    upload.put(10_000, parts[2])
    upload.complete()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == parts[0] + parts[2]


def test_a_part_put_again_replaces_the_former(s3, bucket, parts):
    upload = Upload(s3, bucket)
    first = upload.put(1, b"old")["ETag"]
    upload.put(1, parts[2])
    with fails("InvalidPart", status=400):
        upload.complete([{"PartNumber": 1, "ETag": first}])
    upload.complete()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == parts[2]


def test_a_repeated_complete_succeeds_with_the_same_answer(s3, bucket, parts):
    upload = Upload(s3, bucket)
    upload.put(1, parts[2])
    first = upload.complete()
    assert upload.complete()["ETag"] == first["ETag"]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == parts[2]


def test_parts_not_named_are_left_out(s3, bucket, parts):
    upload = Upload(s3, bucket)
    upload.put(1, parts[0])
    upload.put(2, parts[1])
    upload.put(3, parts[2])
    upload.complete([{"PartNumber": number, "ETag": upload.done[number]} for number in (1, 3)])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == parts[0] + parts[2]


def test_bad_completes_are_refused_and_the_upload_goes_on(s3, bucket, parts):
    upload = Upload(s3, bucket)
    upload.put(1, b"small")
    upload.put(2, parts[2])
    named = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(upload.done.items())]
    with fails("InvalidPartOrder", status=400):
        upload.complete(named[::-1])
    with fails("InvalidPartOrder", status=400):
        upload.complete([named[0], named[0]])
    with fails("EntityTooSmall", status=400):
        upload.complete(named)
    with fails("InvalidPart", status=400):
        upload.complete([{"PartNumber": 1, "ETag": '"00000000000000000000000000000000"'}])
    with fails("InvalidPart", status=400):
        upload.complete([{"PartNumber": 5, "ETag": upload.done[1]}])
    with fails("MalformedXML", status=400):
        s3.complete_multipart_upload(**upload.where, MultipartUpload={"Parts": []})
    with fails("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="k")
    upload.complete(named[1:])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == parts[2]


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_a_part_number_out_of_range_is_an_invalid_argument(s3, bucket, number):
    upload = Upload(s3, bucket)
    with fails("InvalidArgument", status=400):
        upload.put(number, b"1")


def test_an_unknown_upload_is_unknown_to_every_operation(s3, bucket, parts):
    s3.put_object(Bucket=bucket, Key="source", Body=b"1")
    aborted = Upload(s3, bucket)
    aborted.put(1, b"1")
    s3.abort_multipart_upload(**aborted.where)
    for where in ({"Bucket": bucket, "Key": "k", "UploadId": "no-such-upload"}, aborted.where):
        for call in (
            lambda: s3.upload_part(**where, PartNumber=1, Body=b"1"),
            lambda: s3.upload_part_copy(**where, PartNumber=1, CopySource={"Bucket": bucket, "Key": "source"}),
            lambda: s3.list_parts(**where),
            lambda: s3.abort_multipart_upload(**where),
            lambda: s3.complete_multipart_upload(
                **where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": parts and '"0"'}]}
            ),
        ):
            with fails("NoSuchUpload", status=404):
                call()


def test_an_upload_belongs_to_its_key(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, b"1")
    with fails("NoSuchUpload"):
        s3.list_parts(**{**upload.where, "Key": "other"})


def test_parts_are_listed_in_pages(s3, bucket):
    upload = Upload(s3, bucket)
    for number in (2, 1, 5, 4, 9):
        upload.put(number, b"x" * number)
    first = s3.list_parts(**upload.where, MaxParts=2)
    assert [part["PartNumber"] for part in first["Parts"]] == [1, 2]
    assert first["IsTruncated"] and first["NextPartNumberMarker"] == 2 and first["MaxParts"] == 2
    pages = s3.get_paginator("list_parts").paginate(**upload.where, PaginationConfig={"PageSize": 2})
    listed = [(part["PartNumber"], part["Size"], part["ETag"]) for page in pages for part in page["Parts"]]
    assert listed == [(number, number, upload.done[number]) for number in (1, 2, 4, 5, 9)]


def test_uploads_are_listed_by_key_in_pages(s3, bucket):
    made = [Upload(s3, bucket, key) for key in ("b/1", "a", "b/2", "c", "a")]
    expected = sorted((upload.where["Key"], upload.where["UploadId"]) for upload in made)
    for size in (1, 2, 1000):
        pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": size})
        listed = [(item["Key"], item["UploadId"]) for page in pages for item in page.get("Uploads", [])]
        assert sorted(listed) == expected
        assert [key for key, _ in listed] == ["a", "a", "b/1", "b/2", "c"]
    folded = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [item["Prefix"] for item in folded["CommonPrefixes"]] == ["b/"]
    assert [item["Key"] for item in folded["Uploads"]] == ["a", "a", "c"]
    under = s3.list_multipart_uploads(Bucket=bucket, Prefix="b/")
    assert [item["Key"] for item in under["Uploads"]] == ["b/1", "b/2"]


def test_an_upload_is_no_object(s3, bucket):
    Upload(s3, bucket).put(1, b"1")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_part_can_be_read_by_its_number(s3, bucket, parts):
    upload = Upload(s3, bucket)
    for number, part in enumerate(parts, 1):
        upload.put(number, part)
    upload.complete()
    start = 0
    for number, part in enumerate(parts, 1):
        answer = s3.get_object(Bucket=bucket, Key="k", PartNumber=number)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["PartsCount"] == 3
        assert answer["ContentRange"] == f"bytes {start}-{start + len(part) - 1}/{sum(map(len, parts))}"
        assert answer["Body"].read() == part
        start += len(part)
    assert s3.head_object(Bucket=bucket, Key="k", PartNumber=3)["ContentLength"] == len(parts[2])
    with fails("InvalidPartNumber", status=416):
        s3.get_object(Bucket=bucket, Key="k", PartNumber=4)
    with fails("InvalidRequest", status=400):
        s3.get_object(Bucket=bucket, Key="k", PartNumber=1, Range="bytes=0-1")


def test_an_object_put_whole_has_one_part(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"12345")
    answer = s3.get_object(Bucket=bucket, Key="k", PartNumber=1)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Body"].read()) == (206, b"12345")
    with fails("InvalidPartNumber", status=416):
        s3.get_object(Bucket=bucket, Key="k", PartNumber=2)


def test_a_part_can_be_copied_from_an_object(s3, bucket, parts):
    whole = parts[0] + parts[1]
    s3.put_object(Bucket=bucket, Key="source ü+%", Body=whole)
    source = {"Bucket": bucket, "Key": "source ü+%"}
    upload = Upload(s3, bucket)
    ranges = [(3, PART + 3), (len(whole) - 10, len(whole))]
    for number, (start, end) in enumerate(ranges, 1):
        answer = s3.upload_part_copy(
            **upload.where, PartNumber=number, CopySource=source, CopySourceRange=f"bytes={start}-{end - 1}"
        )
        upload.done[number] = answer["CopyPartResult"]["ETag"]
    upload.complete()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(whole[start:end] for start, end in ranges)


def test_bad_part_copies_are_refused(s3, bucket):
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
    source = {"Bucket": bucket, "Key": "source"}
    upload = Upload(s3, bucket)
    copy = lambda **options: s3.upload_part_copy(  # noqa: E731
        **{**upload.where, "PartNumber": 1, "CopySource": source, **options}
    )
    with fails("InvalidArgument", "InvalidRange"):
        copy(CopySourceRange="bytes=5-20")
    for text in ("bytes=5-", "bytes=-5", "5-6", "bytes=6-5"):
        with fails("InvalidArgument", status=400):
            copy(CopySourceRange=text)
    with fails("NoSuchKey", status=404):
        copy(CopySource={"Bucket": bucket, "Key": "none"})
    with fails("PreconditionFailed", status=412):
        copy(CopySourceIfMatch='"00000000000000000000000000000000"')


def test_complete_can_ask_that_nothing_is_there(s3, bucket, parts):
    upload = Upload(s3, bucket)
    upload.put(1, parts[2])
    s3.put_object(Bucket=bucket, Key="k", Body=b"first")
    with fails("PreconditionFailed", status=412):
        upload.complete(IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"first"
    s3.delete_object(Bucket=bucket, Key="k")


def test_a_composite_checksum_is_of_the_parts_checksums(s3, bucket, parts):
    import base64

    upload = Upload(s3, bucket, ChecksumAlgorithm="SHA256")
    sums = [upload.put(number, part, ChecksumAlgorithm="SHA256")["ChecksumSHA256"] for number, part in enumerate(parts, 1)]
    named = [{"PartNumber": n, "ETag": upload.done[n], "ChecksumSHA256": value} for n, value in enumerate(sums, 1)]
    answer = upload.complete(named)
    of_sums = hashlib.sha256(b"".join(base64.b64decode(value) for value in sums)).digest()
    assert answer["ChecksumSHA256"] == base64.b64encode(of_sums).decode() + "-3"
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head["ChecksumSHA256"], head["ChecksumType"]) == (answer["ChecksumSHA256"], "COMPOSITE")


def test_a_full_object_checksum_is_that_of_the_whole(s3, bucket, parts):
    from awscrt import checksums as crt
    import base64

    upload = Upload(s3, bucket, ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT")
    for number, part in enumerate(parts, 1):
        upload.put(number, part, ChecksumAlgorithm="CRC64NVME")
    whole = base64.b64encode(crt.crc64nvme(b"".join(parts)).to_bytes(8, "big")).decode()
    with fails("BadDigest", status=400):
        upload.complete(ChecksumCRC64NVME=base64.b64encode(bytes(8)).decode(), ChecksumType="FULL_OBJECT")
    answer = upload.complete(ChecksumCRC64NVME=whole, ChecksumType="FULL_OBJECT")
    assert (answer["ChecksumCRC64NVME"], answer["ChecksumType"]) == (whole, "FULL_OBJECT")


def test_the_transfer_manager_moves_a_large_file_both_ways(make_client, bucket, tmp_path):
    client = make_client(max_pool_connections=8)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(37 * MIB + 123))
    settings = boto3.s3.transfer.TransferConfig(
        multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=6
    )
    client.upload_file(str(source), bucket, "big", Config=settings)
    assert client.head_object(Bucket=bucket, Key="big")["ETag"].endswith('-5"')
    client.download_file(bucket, "big", str(target), Config=settings)
    assert target.read_bytes() == source.read_bytes()
    client.copy({"Bucket": bucket, "Key": "big"}, bucket, "copy", Config=settings)
    assert client.get_object(Bucket=bucket, Key="copy")["Body"].read() == source.read_bytes()
