import pytest
from django.apps import apps
from django.db import models
from django.test.utils import isolate_apps

from lo_storage.constraints import LargeObjectReference


@pytest.fixture
def paper(monkeypatch):
    """A function that makes a model, which is then the only one that is installed."""

    def make(field, reference=True):
        references = [LargeObjectReference(field="data", name="paper_data")] if reference else []

        with isolate_apps("lo_storage"):

            class Paper(models.Model):
                data = field

                class Meta:
                    app_label = "lo_storage"
                    constraints = references

                def __str__(self):
                    return "paper"

        monkeypatch.setattr(apps, "get_models", lambda: [Paper])
        return Paper._meta.get_field("data")

    return make
