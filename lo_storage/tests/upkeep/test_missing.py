import pytest

from lo_storage.upkeep.missing import missing

from ..databases import sql
from ..models import Document


@pytest.mark.usefixtures("nothing_of_other_tests", "installed_documents")
def test_files_of_another_content_are_missing_where_each_is_read(save):
    gone, other, _ = (Document.objects.create(data=save()).data.name for _ in range(3))
    loids = [name.partition(".")[0] for name in (gone, other)]
    sql(f"select lo_unlink({loids[0]})", f"select lo_put({loids[1]}, 0, 'C')")
    told = []
    assert list(missing("default", done=told.append)) == [gone]
    assert sum(told) == 3
    assert list(missing("default", content=True)) == [gone, other]
