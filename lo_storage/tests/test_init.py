import sys
from importlib import reload

import pytest

import lo_storage


def test_an_older_python_is_told_so(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 11, 9))
    with pytest.raises(ImportError, match="needs Python 3"):
        reload(lo_storage)
