"""Amounts of money, as people write them and as the pages show them."""

import re
from unicodedata import normalize

from django import forms
from django.core.exceptions import ValidationError

CURRENCY = "(?:€|EUR)?"
AMOUNT = re.compile(
    rf"(?P<sign>[-+]?) ?{CURRENCY} ?"
    r"(?P<whole>[1-9]\d{0,2}(?P<group>[.,'’ ])\d{3}(?:(?P=group)\d{3})*|\d*)"
    rf"(?:(?!(?P=group))[.,](?P<cents>\d*))? ?{CURRENCY}",
    re.IGNORECASE,
)
TWO_WAYS = re.compile(r"(\d+)[.,](\d\d)(\d)")  # a whole of a single group


class AmountField(forms.DecimalField):
    """Takes 1234.5, 1234,50, 1.234,50 € and €1,234.50, which is how the pages show it.

    Telephones often have no dot on their keyboard for numbers, but the comma of their language.
    """

    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    empty_values = [*forms.DecimalField.empty_values, "–"]  # shown while an amount is not known
    default_error_messages = {
        # Whoever means 1.23 and a bit must not pay 1234.
        "two_ways": "%(number)s can be read in two ways. Write %(thousands)s or %(cents)s.",
    }

    def to_python(self, value):
        # Compatible forms of signs and digits are one, and no space is wider than another.
        text = normalize("NFKC", value).strip() if isinstance(value, str) else value
        if text in self.empty_values or not isinstance(text, str):
            return super().to_python(text)
        amount = AMOUNT.fullmatch(text)
        if not amount or not (amount["whole"] or amount["cents"]):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        found = TWO_WAYS.fullmatch(amount["whole"])
        if found and amount["cents"] is None:
            params = {
                "number": found[0],
                "thousands": "".join(found.groups()),
                "cents": f"{found[1]}.{found[2]}",
            }
            raise ValidationError(self.error_messages["two_ways"], code="two_ways", params=params)
        whole = re.sub(r"\D", "", amount["whole"])
        return super().to_python(f"{amount['sign']}{whole}.{amount['cents'] or 0}")
