"""Links that may be handed on: one file, until one moment, and no account is needed.

Nothing is stored for a link. What it opens is in its address, and signed, so that nobody can make
one or change one. The end of the file is the end of its links.
"""

import time

from django.core.signing import BadSignature, Signer

from lo_storage.models import LargeObject

from .models import Invoice

# The salt is the purpose: what is signed for another one is no link.
signer = Signer(salt="invoices.links")

# No token is longer, and the address pattern takes none that is.
MAX_TOKEN = 150


def token_for(invoice, expires):
    """Return the part of the address that opens the invoice's file until `expires`."""
    file = LargeObject.objects.get(name=invoice.data.name)
    # PostgreSQL may give the number of a deleted file again, but not with the same moment. The
    # end is inside, because it is another for each link: `max_age` would be one for all.
    return signer.sign_object([file.loid, file.created_at.isoformat(), int(expires.timestamp())])


def invoice_for(token):
    """Return the invoice whose file a token opens, or None."""
    try:
        loid, created_at, expires = signer.unsign_object(token)
    except BadSignature:
        return None
    if expires <= time.time():
        return None
    file = LargeObject.objects.filter(loid=loid, created_at=created_at)
    return Invoice.objects.filter(data__in=file.values("name"), owner__is_active=True).first()
