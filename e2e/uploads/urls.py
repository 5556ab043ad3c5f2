"""The site, and pages with the library's own form, which enhances itself."""

from django import forms
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.decorators import login_required
from django.core.validators import MaxLengthValidator
from django.db import transaction
from django.http import HttpResponse
from django.template import engines
from django.urls import include, path

from config.urls import handler400, handler500  # noqa: F401
from config.urls import urlpatterns as site
from lo_storage.fields import DbFileField
from lo_storage.tests.models import Document
from lo_storage.uploads.admin import AdminResumableFileInput, TakesUploads
from lo_storage.uploads.decorators import takes_uploads
from lo_storage.uploads.forms import ResumableFileField, ResumableFileInput

from .steps import PIECE

PAGE = """
{% extends "base.html" %}
{% block title %}Documents{% endblock %}
{% block head %}{{ form.media }}{% endblock %}
{% block main %}
<h1>{{ saved|default:"Documents" }}</h1>
{% if form %}
  <form method="post" enctype="multipart/form-data">
    {% csrf_token %}
    {% for field in form %}
      <div class="field">
        <label for="{{ field.id_for_label }}">{{ field.label }}</label>{{ field.errors }}{{ field }}
      </div>
    {% endfor %}
    <p class="actions"><button class="button">Save</button></p>
  </form>
{% endif %}
{% endblock %}
"""


PIECES = {"data-chunk-size": PIECE}


class ManyForm(forms.Form):
    title = forms.CharField(validators=[MaxLengthValidator(20)])
    data = ResumableFileField(
        label="Files", multiple=True, widget=ResumableFileInput({**PIECES}, multiple=True)
    )


class OneForm(forms.Form):
    title = forms.CharField()
    data = ResumableFileField(label="File")


class PictureForm(OneForm):
    data = ResumableFileField(
        label="File", widget=ResumableFileInput({"accept": "image/*", "capture": "environment"})
    )


def view_of(form_class):
    @login_required
    @takes_uploads
    def view(request):
        form = form_class(request.POST or None, request.FILES or None)
        context = {"form": form}
        if form.is_valid():
            files = form.cleaned_data["data"]
            files = files if isinstance(files, list) else [files]
            with transaction.atomic():
                for file in files:
                    Document.objects.create(title=form.cleaned_data["title"], data=file)
            context = {"saved": f"Saved {len(files)}"}
        return HttpResponse(engines["django"].from_string(PAGE).render(context, request))

    return view


class Site(AdminSite):
    def get_app_list(self, request, app_label=None):
        return []  # The tests' models are of no app that is installed.


class DocumentAdmin(TakesUploads, ModelAdmin):
    fields = ["title", "data"]
    formfield_overrides = {
        DbFileField: {
            "form_class": ResumableFileField,
            "widget": AdminResumableFileInput({**PIECES}),
        }
    }


admin = Site()
admin.register(Document, DocumentAdmin)


urlpatterns = [
    path("documents/", admin.urls),
    path("uploads/", include("lo_storage.uploads.urls")),
    path("many/", view_of(ManyForm)),
    path("one/", view_of(OneForm)),
    path("picture/", view_of(PictureForm)),
    *site,
]
