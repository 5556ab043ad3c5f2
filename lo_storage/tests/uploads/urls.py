from django import forms
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpResponse, HttpResponseForbidden
from django.urls import include, path

from lo_storage.tests.models import Document
from lo_storage.uploads.decorators import takes_uploads
from lo_storage.uploads.forms import ResumableFileField
from lo_storage.uploads.views import CreateView


class DocumentForm(forms.ModelForm):
    class Meta:
        model = Document
        fields = ["title", "data"]
        field_classes = {"data": ResumableFileField}


class DocumentsForm(forms.Form):
    title = forms.CharField()
    data = ResumableFileField(multiple=True)

    def save(self):
        with transaction.atomic():
            for file in self.cleaned_data["data"]:
                Document.objects.create(title=self.cleaned_data["title"], data=file)


class TwoForm(forms.ModelForm):
    class Meta:
        model = Document
        fields = ["title", "data", "scan"]
        field_classes = {"data": ResumableFileField, "scan": ResumableFileField}


class AnyForm(forms.Form):
    title = forms.CharField()
    data = forms.FileField(allow_empty_file=True)

    def save(self):
        Document.objects.create(**self.cleaned_data)


class PlainForm(forms.ModelForm):
    class Meta:
        model = Document
        fields = ["title", "data"]


def refuse(request, reason):
    return HttpResponseForbidden()


def handler400(request, exception):
    return HttpResponse(str(exception), status=400)


def view_of(form_class):
    @login_required
    @takes_uploads
    def view(request, pk=None):
        row = {} if pk is None else {"instance": Document.objects.get(pk=pk)}
        form = form_class(request.POST or None, request.FILES or None, **row)
        if form.is_valid():
            form.save()
            return HttpResponse("saved")
        return HttpResponse(form.as_div())

    return view


@login_required
@takes_uploads
def read(request):
    return HttpResponse(request.FILES["data"].read())


urlpatterns = [
    path("uploads/", include("lo_storage.uploads.urls")),
    path("uploads", CreateView.as_view()),
    path("one/", view_of(DocumentForm)),
    path("one/<int:pk>/", view_of(DocumentForm)),
    path("two/", view_of(TwoForm)),
    path("any/", view_of(AnyForm)),
    path("read/", read),
    path("many/", view_of(DocumentsForm)),
    path("plain/", view_of(PlainForm)),
]
