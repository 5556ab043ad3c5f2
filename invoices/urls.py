from django.urls import path, re_path

from . import views
from .links import MAX_TOKEN

app_name = "invoices"

urlpatterns = [
    path("", views.invoice_list, name="list"),
    path("upload/", views.invoice_upload, name="upload"),
    path("<int:pk>/", views.invoice_detail, name="detail"),
    path("<int:pk>/edit/", views.invoice_edit, name="edit"),
    path("<int:pk>/replace/", views.invoice_replace, name="replace"),
    path("<int:pk>/delete/", views.invoice_delete, name="delete"),
    path("staged/", views.staged_looks, name="looks"),
    path("staged/<uuid:id>/file", views.staged_serve, name="staged"),
    # Not <str:…>: PostgreSQL's text has no NUL, and to ask for one would be an error.
    re_path(r"^file/(?P<filename>[^/\0]+)$", views.invoice_serve, name="serve"),
    re_path(rf"^link/(?P<token>[\w:-]{{1,{MAX_TOKEN}}})\Z", views.invoice_linked, name="linked"),
]
