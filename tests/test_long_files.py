"""The long files of tests on hosts begin first, and are there."""

from pathlib import Path

from tests import long_files

HERE = Path(__file__).parent


def test_every_long_file_is_there_and_known_by_its_path():
    for name, seconds in long_files.SECONDS.items():
        assert (HERE / name).is_file()
        assert long_files.seconds(HERE / name) == seconds


def test_any_other_file_is_short():
    assert long_files.seconds(Path(__file__)) == 0
    assert long_files.seconds(HERE / "views/test_modes.py") == 0
