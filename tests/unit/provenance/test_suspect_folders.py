"""Model folders that would run code are refused before anything of them is read."""

from __future__ import annotations

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
