"""What goes into no log."""

import logging
import re

from django.conf import settings


class WithoutKeys(logging.Filter):
    """Keeps the keys in addresses out of a log."""

    def filter(self, record):
        record.msg = self.without(record.msg)
        if isinstance(record.args, dict):  # gunicorn's
            record.args.update({name: self.without(arg) for name, arg in record.args.items()})
        elif record.args:
            record.args = tuple(self.without(arg) for arg in record.args)
        return True

    def without(self, value):
        if not isinstance(value, str):
            return value
        addresses = "|".join(map(re.escape, settings.ADDRESSES_WITH_A_KEY))
        return re.sub(rf"({addresses})[^\s\"']+", r"\1…", value)
