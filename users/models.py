from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """Who signs in. A model of one's own is easily had at the beginning, and hardly later."""

    class Meta(AbstractUser.Meta):
        swappable = "AUTH_USER_MODEL"  # Where the settings name another, this one has no table.
