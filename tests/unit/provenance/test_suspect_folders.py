"""Model folders that would run code are refused before anything of them is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.provenance.suspects import SuspectError
from stillwatch.provenance.suspects.folder import check_folder


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt", "optimizer.PKL", "sub/model.ckpt"])
def test_a_folder_with_pickles_is_refused_whatever_else_it_holds(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "model.safetensors").touch()
    check_folder(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(SuspectError, match="only safetensors are read"):
        check_folder(tmp_path)


def test_a_folder_that_would_run_code_or_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SuspectError, match="no folder"):
        check_folder(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text('{"auto_map": {}}', encoding="utf-8")
    with pytest.raises(SuspectError, match="only safetensors are read"):
        check_folder(tmp_path)
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(SuspectError, match="auto_map"):
        check_folder(tmp_path)


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "parts").mkdir(parents=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    for name in ("one.safetensors", "parts/two.safetensors", ".hidden.safetensors", "three.dat"):
        (folder / name).touch()
    (tmp_path / "outside.safetensors").touch()
    return folder


@pytest.mark.parametrize(
    "named", [".hidden.safetensors", "../outside.safetensors", "/outside.safetensors", "three.dat", "gone.safetensors", 7, []]
)
def test_weights_that_no_seal_fixes_or_that_may_be_pickles_are_refused(tmp_path: Path, named: object) -> None:
    folder = _folder(tmp_path)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": {"a": "one.safetensors", "b": "parts/two.safetensors"}}), encoding="utf-8")
    check_folder(folder)
    index.write_text(json.dumps({"metadata": {}, "weight_map": {"a": "one.safetensors", "b": named}}), encoding="utf-8")
    with pytest.raises(SuspectError, match=r"index\.json: names .* as weights; they must be \*\.safetensors files of this folder"):
        check_folder(folder)
    index.unlink()
    (folder / "config.json").write_text(json.dumps({"transformers_weights": named}), encoding="utf-8")
    with pytest.raises(SuspectError, match=r"config\.json: names .* as weights"):
        check_folder(folder)


@pytest.mark.parametrize("content", ["{", "[]", '{"weight_map": 3}', '{"metadata": {}}'])
def test_an_index_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    folder = _folder(tmp_path)
    (folder / "model.safetensors.index.json").write_text(content, encoding="utf-8")
    with pytest.raises(SuspectError, match="no index of weights"):
        check_folder(folder)


def test_a_link_to_a_file_is_read_and_one_to_a_folder_is_refused(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (folder / "linked.safetensors").symlink_to(tmp_path / "outside.safetensors")
    check_folder(folder)
    (tmp_path / "elsewhere").mkdir()
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SuspectError, match="holds more, a link to another folder"):
        check_folder(folder)


@pytest.mark.parametrize("entry", ["attn_implementation", "_attn_implementation", "experts_implementation"])
def test_a_configuration_that_names_code_of_the_hub_is_refused(tmp_path: Path, entry: str) -> None:
    folder = _folder(tmp_path)
    (folder / "config.json").write_text(json.dumps({entry: "sdpa"}), encoding="utf-8")
    check_folder(folder)
    (folder / "config.json").write_text(json.dumps({entry: "somebody/kernel"}), encoding="utf-8")
    with pytest.raises(SuspectError, match=f"asks for code to be fetched and run \\({entry}\\)"):
        check_folder(folder)
