FROM python:3.13-slim

# The threshold: else glibc keeps, for each thread, memory that a piece of an upload had.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MALLOC_MMAP_THRESHOLD_=131072
WORKDIR /app
RUN useradd --system --uid 10001 --no-create-home app

COPY requirements/site.txt requirements/
RUN pip install --no-cache-dir --requirement requirements/site.txt

# What .dockerignore lets through
COPY . .
# The key and the address are not used, and not kept.
RUN SECRET_KEY=build DATABASE_URL=postgres://build/build python manage.py collectstatic --noinput

USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-m", "config.health"]
CMD ["gunicorn", "--config=python:config.gunicorn", "config.wsgi"]
