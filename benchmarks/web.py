"""The works that serve files, and what each is to reach."""

from . import accel, serving
from .contestants import ALONE, OLD
from .facts import FIRST_BYTE, MEMORY
from .running import TIMES
from .stage import SMALL, MiB
from .targets import at_most, times
from .work import Work, of_bytes, size_of


def works(size: int) -> list[Work]:
    # 5 MB.
    little = (at_most(4.77, MEMORY), at_most(15, FIRST_BYTE))
    wsgi = serving.Downloads(serving.WSGI, size)
    asgi = serving.Downloads(serving.ASGI, size)
    end = serving.Downloads(serving.WSGI, size, times=5, last=MiB)
    small = serving.Downloads(serving.WSGI, SMALL, times=TIMES)
    by_nginx = accel.HandedOver(accel.WAYS, size)
    small_by_nginx = accel.HandedOver(accel.WAYS, SMALL, times=TIMES)
    return [
        of_bytes(
            "serving-big",
            "{} by gunicorn",
            size,
            wsgi.runs,
            times(ALONE, 0.7),
            *little,
            heavy=True,
            facts=wsgi.facts,
        ),
        of_bytes(
            "serving-big-async",
            "{} by uvicorn",
            size,
            asgi.runs,
            times(serving.BY_GUNICORN, 0.6),
            *little,
            heavy=True,
            facts=asgi.facts,
        ),
        Work(
            "serving-end",
            f"the last MiB of {size_of(size)} by gunicorn",
            end.times,
            "MiB/s",
            end.runs,
            (times(ALONE, 0.6), *little),
            facts=end.facts,
        ),
        Work(
            "serving-small",
            "10 KB by gunicorn",
            TIMES,
            "requests/s",
            small.runs,
            (times(OLD, 2), times(ALONE, 0.7), *little),
            facts=small.facts,
        ),
        of_bytes(
            "nginx-big",
            "{} by nginx",
            size,
            by_nginx.runs,
            times(accel.DISK, 0.8),
            heavy=True,
            facts=by_nginx.facts,
        ),
        Work(
            "nginx-small",
            "10 KB by nginx",
            TIMES,
            "requests/s",
            small_by_nginx.runs,
            (times(serving.FROM_DISK, 2),),
            facts=small_by_nginx.facts,
        ),
    ]
