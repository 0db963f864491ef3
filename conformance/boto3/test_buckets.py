"""Buckets: create, head, list, locate, delete."""

import pytest

from errors import fails
from raw import send_signed

pytestmark = pytest.mark.node


def test_a_created_bucket_is_listed_and_can_be_headed(s3, bucket):
    assert bucket in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    answer = s3.head_bucket(Bucket=bucket)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1"


def test_create_names_the_location(s3, bucket_name):
    assert s3.create_bucket(Bucket=bucket_name)["Location"] == f"/{bucket_name}"
    s3.delete_bucket(Bucket=bucket_name)


def test_the_listing_has_dates_and_an_owner_in_order_of_name(s3, bucket):
    answer = s3.list_buckets()
    names = [entry["Name"] for entry in answer["Buckets"]]
    assert names == sorted(names)
    assert all(entry["CreationDate"] for entry in answer["Buckets"])
    assert answer["Owner"]["ID"]


def test_creating_ones_own_bucket_again_changes_nothing_in_us_east_1(s3, bucket):
    s3.put_object(Bucket=bucket, Key="kept", Body=b"1")
    s3.create_bucket(Bucket=bucket)
    assert s3.get_object(Bucket=bucket, Key="kept")["Body"].read() == b"1"


def test_the_location_of_us_east_1_is_empty(s3, bucket):
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None


@pytest.mark.parametrize("name", ["ab", "Upper-case", "under_score", "two..dots", "192.168.5.4", "-dash", "dash-", "a" * 64])
def test_a_name_that_is_none_is_refused(name):
    answer = send_signed("PUT", f"/{name}")
    assert (answer.status, answer.code) == (400, "InvalidBucketName")


def test_a_missing_bucket_is_missing_for_every_operation(s3, bucket_name):
    with fails("404", status=404):
        s3.head_bucket(Bucket=bucket_name)
    for call in (
        lambda: s3.list_objects_v2(Bucket=bucket_name),
        lambda: s3.list_objects(Bucket=bucket_name),
        lambda: s3.get_bucket_location(Bucket=bucket_name),
        lambda: s3.delete_bucket(Bucket=bucket_name),
        lambda: s3.get_object(Bucket=bucket_name, Key="k"),
        lambda: s3.put_object(Bucket=bucket_name, Key="k", Body=b""),
        lambda: s3.delete_object(Bucket=bucket_name, Key="k"),
        lambda: s3.create_multipart_upload(Bucket=bucket_name, Key="k"),
        lambda: s3.list_multipart_uploads(Bucket=bucket_name),
        lambda: s3.delete_objects(Bucket=bucket_name, Delete={"Objects": [{"Key": "k"}]}),
    ):
        with fails("NoSuchBucket", status=404):
            call()


def test_a_bucket_with_an_object_cannot_be_deleted(s3, bucket):
    s3.put_object(Bucket=bucket, Key="deep/inside", Body=b"")
    with fails("BucketNotEmpty", status=409):
        s3.delete_bucket(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="deep/inside")


def test_a_bucket_made_again_does_not_show_the_former_ones_objects(s3, bucket_name):
    s3.create_bucket(Bucket=bucket_name)
    s3.put_object(Bucket=bucket_name, Key="k", Body=b"old")
    assert s3.get_object(Bucket=bucket_name, Key="k")["Body"].read() == b"old"
    s3.delete_object(Bucket=bucket_name, Key="k")
    s3.delete_bucket(Bucket=bucket_name)
    s3.create_bucket(Bucket=bucket_name)
    with fails("NoSuchKey"):
        s3.get_object(Bucket=bucket_name, Key="k")
    s3.delete_bucket(Bucket=bucket_name)


def test_an_operation_that_is_not_there_says_so(s3, bucket):
    with fails("NotImplemented", status=501):
        s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "Enabled"})
    with fails("NotImplemented", status=501):
        s3.get_object_torrent(Bucket=bucket, Key="k")
    with fails("NotImplemented", status=501):
        s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
