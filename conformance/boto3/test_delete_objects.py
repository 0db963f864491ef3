"""DeleteObjects."""

import base64
import hashlib

from errors import fails
from raw import send_signed


def post(bucket, xml, **headers):
    body = xml.encode()
    headers.setdefault("Content-MD5", base64.b64encode(hashlib.md5(body).digest()).decode())
    return send_signed("POST", f"/{bucket}?delete=", headers, body)


def test_many_keys_go_in_one_request(s3, bucket):
    keys = [f"key-{number}" for number in range(30)] + ["ü ?&<>", "x//y"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    wanted = [*keys[:-1], "never there"]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in wanted]})
    assert sorted(item["Key"] for item in answer["Deleted"]) == sorted(wanted)
    assert "Errors" not in answer
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["x//y"]


def test_quiet_names_only_failures(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}], "Quiet": True})
    assert "Deleted" not in answer and "Errors" not in answer
    with fails("404"):
        s3.head_object(Bucket=bucket, Key="k")


def test_a_body_that_is_none_is_malformed(bucket):
    for xml in ("", "<Delete>", "<Delete></Delete>", "<Other/>", "<Delete><Object></Object></Delete>", "nonsense"):
        answer = post(bucket, xml)
        assert (answer.status, answer.code) == (400, "MalformedXML"), xml


def test_more_than_1000_keys_are_malformed(s3, bucket):
    s3.put_object(Bucket=bucket, Key="0", Body=b"1")
    with fails("MalformedXML", status=400):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": str(n)} for n in range(1001)]})
    s3.head_object(Bucket=bucket, Key="0")


def test_a_digest_is_required_and_checked(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    xml = "<Delete><Object><Key>k</Key></Object></Delete>"
    answer = send_signed("POST", f"/{bucket}?delete=", {}, xml.encode())
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    answer = post(bucket, xml, **{"Content-MD5": base64.b64encode(bytes(16)).decode()})
    assert (answer.status, answer.code) == (400, "BadDigest")
    s3.head_object(Bucket=bucket, Key="k")
    assert post(bucket, xml).status == 200


def test_white_space_of_a_key_counts(s3, bucket):
    s3.put_object(Bucket=bucket, Key=" k ", Body=b"1")
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    assert post(bucket, "<Delete>\n <Object>\n  <Key> k </Key>\n </Object>\n</Delete>").status == 200
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]
