"""pyarrow: Parquet files and datasets through Arrow's own S3 client."""

import os

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from snippets import run_snippet

ROWS = 200_000


@pytest.fixture(scope="module")
def filesystem():
    return run_snippet("pyarrow")["filesystem"]


def table(rows=ROWS, offset=0):
    numbers = pa.array(range(offset, offset + rows))
    return pa.table({"id": numbers, "part": pc.bit_wise_and(numbers, 3), "text": pc.cast(numbers, pa.string())})


def test_a_table_comes_back_as_it_was_written(filesystem, bucket):
    written = table()
    pq.write_table(written, f"{bucket}/one.parquet", filesystem=filesystem)
    assert pq.read_table(f"{bucket}/one.parquet", filesystem=filesystem).equals(written)


def test_single_columns_and_row_groups_are_read_by_range(filesystem, bucket):
    pq.write_table(table(), f"{bucket}/groups.parquet", filesystem=filesystem, row_group_size=20_000)
    with filesystem.open_input_file(f"{bucket}/groups.parquet") as file:
        parquet = pq.ParquetFile(file)
        assert parquet.num_row_groups == 10
        group = parquet.read_row_group(7, columns=["id"])
    assert group.column_names == ["id"]
    assert group["id"].to_pylist() == list(range(140_000, 160_000))


def test_a_partitioned_dataset_is_written_and_read_by_a_filter(filesystem, bucket):
    root = f"{bucket}/data/set"
    pq.write_to_dataset(table(), root, partition_cols=["part"], filesystem=filesystem)
    dataset = ds.dataset(root, filesystem=filesystem, partitioning="hive")
    assert dataset.count_rows() == ROWS
    found = dataset.to_table(filter=(pc.field("part") == 2) & (pc.field("id") < 1_000), columns=["id"])
    assert sorted(found["id"].to_pylist()) == [number for number in range(1_000) if number & 3 == 2]


def test_a_partition_is_overwritten(filesystem, bucket):
    root = f"{bucket}/set"
    options = {"filesystem": filesystem, "format": "parquet", "partitioning": ["part"]}
    options |= {"partitioning_flavor": "hive", "existing_data_behavior": "delete_matching"}
    ds.write_dataset(table(), root, **options)
    ds.write_dataset(table(40).filter(pc.field("part") == 1), root, **options)
    dataset = ds.dataset(root, filesystem=filesystem, partitioning="hive")
    assert dataset.count_rows(filter=pc.field("part") == 1) == 10
    assert dataset.count_rows() == ROWS // 4 * 3 + 10


def test_a_large_stream_goes_in_parts_and_is_read_at_any_place(filesystem, s3, bucket):
    body = os.urandom(25 << 20)
    with filesystem.open_output_stream(f"{bucket}/large") as stream:
        for start in range(0, len(body), 1 << 20):
            stream.write(body[start : start + (1 << 20)])
    assert "-" in s3.head_object(Bucket=bucket, Key="large")["ETag"]
    with filesystem.open_input_file(f"{bucket}/large") as file:
        assert file.size() == len(body)
        assert file.read_at(100_000, 17_000_001) == body[17_000_001:17_100_001]
        assert file.read_at(10, len(body) - 10) == body[-10:]
    with filesystem.open_input_stream(f"{bucket}/large") as stream:
        assert stream.read() == body


def test_content_types_are_kept(filesystem, s3, bucket):
    about = {"Content-Type": "text/x-test", "Cache-Control": "max-age=3"}
    with filesystem.open_output_stream(f"{bucket}/file", metadata=about) as stream:
        stream.write(b"body")
    head = s3.head_object(Bucket=bucket, Key="file")
    assert (head["ContentType"], head["CacheControl"]) == ("text/x-test", "max-age=3")
    with filesystem.open_input_stream(f"{bucket}/file") as stream:
        assert stream.metadata()["Content-Type"] == b"text/x-test"


def test_folders_and_files_are_told_apart(filesystem, bucket):
    for name in ("a", "dir/b", "dir/deep/c"):
        with filesystem.open_output_stream(f"{bucket}/{name}") as stream:
            stream.write(name.encode())
    kinds = {info.path: info.type for info in filesystem.get_file_info(fs.FileSelector(bucket))}
    assert kinds == {f"{bucket}/a": fs.FileType.File, f"{bucket}/dir": fs.FileType.Directory}
    everything = filesystem.get_file_info(fs.FileSelector(bucket, recursive=True))
    assert sorted(info.path for info in everything if info.is_file) == [
        f"{bucket}/{name}" for name in ("a", "dir/b", "dir/deep/c")
    ]
    none, folder = filesystem.get_file_info([f"{bucket}/none", f"{bucket}/dir/deep"])
    assert (none.type, folder.type) == (fs.FileType.NotFound, fs.FileType.Directory)


def test_files_are_copied_moved_and_deleted(filesystem, s3, bucket):
    with filesystem.open_output_stream(f"{bucket}/one") as stream:
        stream.write(b"body")
    filesystem.copy_file(f"{bucket}/one", f"{bucket}/two")
    filesystem.move(f"{bucket}/one", f"{bucket}/three")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["three", "two"]
    filesystem.delete_file(f"{bucket}/two")
    with filesystem.open_input_stream(f"{bucket}/three") as stream:
        assert stream.read() == b"body"
    with pytest.raises(FileNotFoundError):
        filesystem.open_input_file(f"{bucket}/two")


def test_a_folder_is_made_and_deleted_with_all_that_is_in_it(filesystem, s3, bucket):
    filesystem.create_dir(f"{bucket}/folder/inner", recursive=True)
    assert filesystem.get_file_info(f"{bucket}/folder/inner").type == fs.FileType.Directory
    for number in range(30):
        with filesystem.open_output_stream(f"{bucket}/folder/inner/{number}") as stream:
            stream.write(b"x")
    filesystem.delete_dir(f"{bucket}/folder")
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    assert [item["Key"] for item in listed if item["Key"].startswith("folder/")] == []


@pytest.mark.parametrize("name", ["sp ace", "plus+", "per%cent", "ünï/日本", "a=b&c", "quo'te", "back\\slash"])
def test_a_key_of_any_form_is_found(filesystem, s3, bucket, name):
    with filesystem.open_output_stream(f"{bucket}/{name}") as stream:
        stream.write(name.encode())
    assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == name.encode()
    with filesystem.open_input_stream(f"{bucket}/{name}") as stream:
        assert stream.read() == name.encode()


def test_an_overwritten_file_is_the_new_one(filesystem, bucket):
    for rows in (10, 20_000, 5):
        pq.write_table(table(rows), f"{bucket}/file", filesystem=filesystem)
        assert pq.read_table(f"{bucket}/file", filesystem=filesystem).num_rows == rows
