from django.urls import include, path

urlpatterns = [path("uploads/", include("lo_storage.uploads.urls"))]
