"""COCO's layout: what is found, and that a malformed entry is named."""

from __future__ import annotations

import json
import shutil

import pytest

from graphnas.detection.coco import load_coco
from graphnas.errors import CorruptData, DataNotFound


def test_the_images_of_the_data_directory():
    try:
        data = load_coco("coco_mini")
    except DataNotFound as error:
        pytest.skip(str(error))
    assert (len(data.train.entries), len(data.val.entries), len(data.classes)) == (90, 66, 80)
    assert sum(map(len, data.train.boxes.values())) == 803
    assert data.classes[:2] == ("person", "bicycle")
    assert data.categories[-1] == 90


def test_other_names_of_folders_and_files(few_images, tmp_path):
    (tmp_path / "annotations").mkdir()
    for split in ("train", "val"):
        shutil.copy(
            few_images / f"annotations/instances_{split}2017.json", tmp_path / f"annotations/{split}.json"
        )
        shutil.copytree(few_images / f"{split}2017", tmp_path / "images" / split, symlinks=True)
    assert len(load_coco(tmp_path).train.entries) == 8


def edited(few_images, tmp_path, change, split: str = "train") -> None:
    shutil.copytree(few_images, tmp_path, symlinks=True, dirs_exist_ok=True)
    path = tmp_path / "annotations" / f"instances_{split}2017.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("annotations"), "annotations must be a list"),
        (lambda c: c["annotations"][3].update(bbox=[1, 2, -3, 4]), r"annotations\[3\]: bbox must be"),
        (lambda c: c["annotations"][3].update(bbox=[1, 2, 3]), r"annotations\[3\]: bbox must be"),
        (lambda c: c["annotations"][2].update(bbox=[1, 2, float("nan"), 4]), r"annotations\[2\]: bbox"),
        (
            lambda c: c["annotations"][0].update(image_id=7),
            r"annotations\[0\]: there is no image with",
        ),
        (lambda c: c["annotations"][1].update(category_id=0), r"annotations\[1\]: there is no category"),
        (lambda c: c["annotations"][1].pop("category_id"), r"annotations\[1\] has no 'category_id'"),
        (lambda c: c["annotations"][4].pop("id"), r"annotations\[4\] has no 'id'"),
        (
            lambda c: c["annotations"][4].update(id=c["annotations"][2]["id"]),
            r"annotations\[4\]: the id \d+ occurs twice",
        ),
        (lambda c: c["annotations"][5].pop("area"), r"annotations\[5\] has no 'area'"),
        (lambda c: c["annotations"][5].update(area=-1), r"annotations\[5\]: area must be"),
        (lambda c: c["annotations"][5].update(iscrowd="no"), r"annotations\[5\]: iscrowd must be 0 or 1"),
        (lambda c: c["annotations"][5].update(bbox=[1, 2, True, 4]), r"annotations\[5\]: bbox must be"),
        (lambda c: c["categories"].append(c["categories"][0]), r"categories\[80\]: the id 1 occurs twice"),
        (lambda c: c["images"][1].pop("file_name"), r"images\[1\] has no 'file_name'"),
        (
            lambda c: c["images"][1].update(height="tall"),
            r"images\[1\]: height must be an integer",
        ),
        (lambda c: c["images"].append(c["images"][0]), r"images\[8\]: the id \d+ occurs twice"),
        (lambda c: c.update(images=[]), "images is empty"),
        (lambda c: c["categories"].pop(), "categories are not those of the training set"),
        (lambda c: c["images"].insert(0, 3), r"images\[0\] must be an object"),
    ],
)
def test_a_malformed_entry_is_named(few_images, tmp_path, change, message):
    edited(few_images, tmp_path, change)
    with pytest.raises(CorruptData, match=message):
        load_coco(tmp_path)


def test_only_what_is_evaluated_must_say_whether_it_is_a_crowd(few_images, tmp_path):
    edited(few_images, tmp_path / "a", lambda c: c["annotations"][0].pop("iscrowd"))
    load_coco(tmp_path / "a")
    edited(few_images, tmp_path / "b", lambda c: c["annotations"][0].pop("iscrowd"), "val")
    with pytest.raises(CorruptData, match=r"val2017\.json: annotations\[0\] has no 'iscrowd'"):
        load_coco(tmp_path / "b")


def test_what_is_missing_is_named(few_images, tmp_path):
    with pytest.raises(DataNotFound, match="there is no folder"):
        load_coco(tmp_path / "nowhere")
    with pytest.raises(DataNotFound, match="no annotations of train"):
        load_coco(tmp_path)
    edited(few_images, tmp_path, lambda c: c["images"][2].update(file_name="gone.jpg"))
    with pytest.raises(DataNotFound, match=r"images\[2\]: there is no image .*gone.jpg"):
        load_coco(tmp_path)
    (tmp_path / "annotations" / "instances_train2017.json").write_text("{")
    with pytest.raises(CorruptData, match=r"instances_train2017\.json is not JSON"):
        load_coco(tmp_path)
