"""Signing in and out, and passwords."""

from django.conf import settings
from django.contrib.auth import authenticate, views
from django.contrib.messages.views import SuccessMessageMixin
from django.urls import path, reverse_lazy


class PasswordChange(SuccessMessageMixin, views.PasswordChangeView):
    template_name = "accounts/password_change.html"
    success_url = reverse_lazy("home")
    success_message = "Your password was changed."

    def post(self, request, *args, **kwargs):
        """Whoever found a signed-in browser may guess the old one no oftener than to sign in."""
        if old := request.POST.get("old_password"):
            authenticate(request, username=request.user.get_username(), password=old)
            if request.axes_locked_out:
                return self.get(request)  # The middleware of axes answers in its place.
        return super().post(request, *args, **kwargs)


class PasswordReset(views.PasswordResetView):
    template_name = "accounts/password_reset.html"
    email_template_name = "accounts/password_reset_mail.txt"
    subject_template_name = "accounts/password_reset_subject.txt"


class PasswordResetConfirm(SuccessMessageMixin, views.PasswordResetConfirmView):
    template_name = "accounts/password_reset_confirm.html"
    success_url = reverse_lazy("login")
    success_message = "Your password was changed. Sign in with it."


urlpatterns = [
    path("login/", views.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
    path("password/", PasswordChange.as_view(), name="password_change"),
]

if settings.EMAIL_URL:
    urlpatterns += [
        path("reset/", PasswordReset.as_view(), name="password_reset"),
        path(
            "reset/sent/",
            views.PasswordResetDoneView.as_view(template_name="accounts/password_reset_sent.html"),
            name="password_reset_done",
        ),
        path(
            "reset/<uidb64>/<token>/",
            PasswordResetConfirm.as_view(),
            name="password_reset_confirm",
        ),
    ]
