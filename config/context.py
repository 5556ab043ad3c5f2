from django.conf import settings


def demo(request):
    """Tell each page whether somebody only tries the site."""
    return {"demo": settings.DEMO}
