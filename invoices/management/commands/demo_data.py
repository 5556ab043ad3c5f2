"""Two people with a handful of invoices each, for the demo. Their files are made here."""

import datetime
import random
from decimal import Decimal
from io import BytesIO

from django.core.files.base import ContentFile
from django.core.management.base import BaseCommand
from django.db import transaction

from config.demo import people
from invoices.models import Invoice

CUSTOMERS = {
    "alice": "Alice Lindqvist\nBirkagatan 12\n113 36 Stockholm",
    "bob": "Bob Okafor\nCanal Row 4\nDublin 8",
}
INVOICES = [
    # owner, number, issued, from whom, file name, lines of (text, quantity, price)
    (
        "alice",
        "2026-0001",
        "2026-01-05",
        "Northgate Property",
        "January rent.pdf",
        [("Flat 3, January", 1, "1180.00"), ("Heating, flat rate", 1, "96.50")],
    ),
    (
        "alice",
        "2026-0002",
        "2026-02-17",
        "Brunnen Bikes",
        "bike-service.pdf",
        [("Yearly service", 1, "89.00"), ("Brake pads", 2, "14.90"), ('Inner tube 28"', 1, "7.50")],
    ),
    (
        "alice",
        "2026-0003",
        "2026-03-02",
        "Café Møller",
        "receipt café møller.png",
        [("Flat white", 2, "4.20"), ("Cardamom bun", 3, "3.60"), ("Lunch plate", 2, "12.50")],
    ),
    (
        "alice",
        "2026-0004",
        "2026-03-31",
        "Meridian Hosting",
        "usage-2026-03.csv",
        [
            ("Virtual machine, hours", 744, "0.0185"),
            ("Storage, GB", 250, "0.0450"),
            ("Traffic, GB", 812, "0.0090"),
        ],
    ),
    (
        "alice",
        "2026-0005",
        "2026-04-22",
        "Studio Kestrel",
        "scan of the signed offer.png",
        [("Photographs, half a day", 1, "640.00"), ("Retouching, pictures", 18, "12.00")],
    ),
    (
        "alice",
        "2026-0006",
        "2026-05-11",
        "Dr. Ines Ferreira",
        "treatment plan.txt",
        [("Consultation", 1, "75.00"), ("X-ray", 2, "32.40")],
    ),
    (
        "bob",
        "2026-0001",
        "2026-01-19",
        "Liffey Energy",
        "electricity-jan.pdf",
        [("Electricity, kWh", 412, "0.3120"), ("Standing charge, days", 31, "0.6800")],
    ),
    (
        "bob",
        "2026-0002",
        "2026-02-08",
        "Haddon Books",
        "receipt.png",
        [("The Art of the Ledger", 1, "34.00"), ("Notebook, ruled", 4, "6.25")],
    ),
    (
        "bob",
        "2026-0003",
        "2026-03-15",
        "Harbour Joinery",
        "oak table (final).v2.pdf",
        [("Table, oak, 180 cm", 1, "1450.00"), ("Delivery", 1, "60.00")],
    ),
    (
        "bob",
        "2026-0004",
        "2026-04-01",
        "Liffey Energy",
        "meter readings.csv",
        [("Electricity, kWh", 365, "0.3120"), ("Standing charge, days", 28, "0.6800")],
    ),
]


class Command(BaseCommand):
    help = "Create alice's and bob's invoices, and the two; what is there already stays."

    def handle(self, *args, **options):
        with transaction.atomic():
            users = people()
            created = [self.invoice(users[invoice[0]], *invoice[1:]) for invoice in INVOICES]
        self.stdout.write(f"{sum(created)} invoices created, {len(created)} in all.")

    def invoice(self, owner, number, issued, sender, file_name, lines):
        if owner.invoices.filter(number=number).exists():
            return False
        issued = datetime.date.fromisoformat(issued)
        lines = [(text, quantity, Decimal(price)) for text, quantity, price in lines]
        total = sum(quantity * price for _, quantity, price in lines).quantize(Decimal("0.01"))
        make = {
            "pdf": pdf,
            "csv": csv,
            "txt": text,
            "png": scan if "scan" in file_name else receipt,
        }
        content = make[file_name.rpartition(".")[2]](owner, number, issued, sender, lines, total)
        Invoice.objects.create(
            owner=owner,
            number=number,
            title=sender,
            amount=total,
            issued=issued,
            data=ContentFile(content, name=file_name),
        )
        return True


def pdf(owner, number, issued, sender, lines, total):
    from fpdf import FPDF  # Of the demo, not of the application.

    page = FPDF()
    page.set_creation_date(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    page.core_fonts_encoding = "windows-1252"
    page.set_title(f"Invoice {number}")
    page.set_margin(22)
    page.add_page()
    page.set_font("Helvetica", "B", 19)
    page.cell(0, 10, sender, new_x="LMARGIN", new_y="NEXT")
    page.set_draw_color(10, 90, 84)
    page.set_line_width(0.8)
    page.line(22, page.y + 2, 188, page.y + 2)
    page.ln(14)
    page.set_font("Helvetica", size=10.5)
    page.multi_cell(
        80, 5.5, CUSTOMERS[owner.get_username()], align="L", new_x="LMARGIN", new_y="NEXT"
    )
    page.ln(12)
    page.set_font("Helvetica", "B", 14)
    page.cell(0, 8, f"Invoice {number}", new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", size=10.5)
    page.cell(0, 6, f"{issued:%d %B %Y}", new_x="LMARGIN", new_y="NEXT")
    page.ln(8)
    page.set_draw_color(200)
    page.set_line_width(0.2)
    columns = ((82, "L"), (24, "R"), (30, "R"), (30, "R"))

    def row(*cells, style=""):
        page.set_font("Helvetica", style, 10.5)
        for cell, (width, align) in zip(cells, columns, strict=True):
            page.cell(width, 8.5, cell, border="B", align=align)
        page.ln()

    row("Description", "Quantity", "Price", "Amount", style="B")
    for description, quantity, price in lines:
        row(description, f"{quantity:,}", f"{price:,}", f"{quantity * price:,.2f}")
    row("Total in EUR", "", "", f"{total:,.2f}", style="B")
    page.ln(14)
    page.set_font("Helvetica", size=9.5)
    page.multi_cell(
        0, 5, f"Please pay within 30 days and name the number {number}.\nThank you.", align="L"
    )
    return bytes(page.output())


def receipt(owner, number, issued, sender, lines, total):
    """A till's receipt, slightly askew, as a phone takes it."""
    from PIL import Image, ImageDraw, ImageFont

    paper = Image.new("L", (620, 430 + 44 * len(lines)), 250)
    draw = ImageDraw.Draw(paper)
    large, small = ImageFont.load_default(38), ImageFont.load_default(24)
    # The till's printer has capitals only, and Pillow's own font has no accents.
    sender = sender.upper().translate(str.maketrans("ÉØ", "EO"))
    draw.text((310, 60), sender, 20, large, anchor="mm")
    draw.text((310, 110), f"{issued:%d.%m.%Y}   No. {number}", 60, small, anchor="mm")
    y = 165
    for text, quantity, price in lines:
        draw.text((50, y), f"{quantity} x {text}", 30, small)
        draw.text((570, y), f"{quantity * price:,.2f}", 30, small, anchor="ra")
        y += 44
    draw.line((50, y + 8, 570, y + 8), 120, 2)
    draw.text((50, y + 30), "TOTAL EUR", 20, large)
    draw.text((570, y + 30), f"{total:,.2f}", 20, large, anchor="ra")
    draw.text((310, y + 150), "Thank you, see you soon", 90, small, anchor="mm")
    return png(
        grainy(paper.rotate(1.2, expand=True, fillcolor=205, resample=Image.Resampling.BICUBIC), 10)
    )


def scan(owner, number, issued, sender, lines, total):
    """A page from a scanner: some megabytes, since its grain does not compress."""
    from PIL import Image, ImageDraw, ImageFont

    paper = Image.new("L", (1654, 2339), 244)  # A4 at 200 dpi.
    draw = ImageDraw.Draw(paper)
    huge, large = ImageFont.load_default(72), ImageFont.load_default(40)
    draw.text((160, 180), sender, 20, huge)
    draw.line((160, 290, 1494, 290), 60, 4)
    draw.multiline_text((160, 360), CUSTOMERS[owner.get_username()], 40, large, spacing=18)
    draw.text((160, 640), f"Offer and invoice {number}, {issued:%d %B %Y}", 20, large)
    y = 760
    for text, quantity, price in lines:
        draw.text((160, y), f"{quantity} x {text}", 30, large)
        draw.text((1494, y), f"{quantity * price:,.2f}", 30, large, anchor="ra")
        y += 80
    draw.line((160, y + 10, 1494, y + 10), 120, 2)
    draw.text((160, y + 50), "Total EUR", 20, large)
    draw.text((1494, y + 50), f"{total:,.2f}", 20, large, anchor="ra")
    draw.text((160, 1900), "Agreed and signed:", 50, large)
    x, signature = 620, random.Random(number)
    points = [(x + 14 * i, 1900 + signature.randint(-60, 70)) for i in range(28)]
    draw.line(points, 40, 5, joint="curve")
    return png(grainy(paper.rotate(-0.6, fillcolor=225, resample=Image.Resampling.BICUBIC), 14))


def grainy(image, strength):
    """Mix in noise: the same each time, so that the file has the same checksum each time."""
    from PIL import Image

    noise = Image.frombytes("L", image.size, random.Random(1).randbytes(image.width * image.height))
    return Image.blend(image, noise, strength / 255)


def png(image):
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def csv(owner, number, issued, sender, lines, total):
    rows = [
        f'"{text}",{quantity},{price},{quantity * price:.2f}' for text, quantity, price in lines
    ]
    return "\r\n".join(
        ["description,quantity,price,amount", *rows, f"total,,,{total}", ""]
    ).encode()


def text(owner, number, issued, sender, lines, total):
    rows = [f"{text:<40}{quantity:>4}{quantity * price:>12,.2f}" for text, quantity, price in lines]
    head = [sender, "", CUSTOMERS[owner.get_username()], "", f"No. {number}, {issued:%d %B %Y}", ""]
    return "\n".join([*head, *rows, "-" * 56, f"{'Total in EUR':<44}{total:>12,.2f}", ""]).encode()
