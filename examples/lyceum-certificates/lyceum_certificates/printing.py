"""Printing: a certificate as a PDF of one page, the same bytes each time it is asked for."""

from __future__ import annotations

import asyncio
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Final

from fpdf import FPDF
from fpdf.enums import Align, XPos, YPos

from kernel import Context
from lyceum_certificates.codes import shown
from lyceum_certificates.register import Certificate
from lyceum_certificates.settings import CertificatesSettings

_FILES: Final = Path(str(files("font_source_sans_pro"))) / "files"
#: Latin, Greek and Cyrillic, under the SIL Open Font License.
REGULAR: Final = _FILES / "SourceSansPro-Regular.ttf"
BOLD: Final = _FILES / "SourceSansPro-Semibold.ttf"
_FAMILY: Final = "certificate"
_MARGIN: Final = 25.0  # millimetres
_FOOT: Final = -58.0  # millimetres from the lower edge
_INK: Final = 26
_GREY: Final = 90


class Printer:
    """Makes PDFs, beside the event loop: setting type is a computation."""

    def __init__(self, ctx: Context[CertificatesSettings]) -> None:
        settings = ctx.settings
        self._address = f"{ctx.deployment.public_url}/certificates"
        self._regular = Path(settings.font or REGULAR)
        self._bold = Path(settings.bold_font or settings.font or BOLD)

    def link(self, certificate: Certificate) -> str:
        """Return where anybody can see whether *certificate* is valid."""
        return f"{self._address}/{certificate.code}"

    async def pdf(self, certificate: Certificate) -> bytes:
        """Return *certificate*, which was issued, as a PDF."""
        return await asyncio.to_thread(self._print, certificate)

    def _print(self, certificate: Certificate) -> bytes:
        if certificate.issued_at is None:
            raise ValueError(f"the certificate {certificate.id} was not issued yet; print it once it was")
        sheet = self._sheet(certificate, certificate.issued_at)
        _body(sheet, certificate)
        _foot(sheet, certificate, certificate.issued_at, self.link(certificate))
        return bytes(sheet.output())

    def _sheet(self, certificate: Certificate, issued_at: datetime) -> FPDF:
        sheet = FPDF(orientation="landscape", format="A4")
        sheet.set_creation_date(issued_at)  # not the moment of printing: the same certificate, the same bytes
        sheet.set_title(f"Certificate of enrolment: {certificate.person}, {certificate.course}")
        sheet.set_author(certificate.issuer)
        sheet.set_lang("en")
        sheet.set_margin(_MARGIN)
        sheet.set_auto_page_break(auto=False)
        sheet.add_font(_FAMILY, fname=self._regular)
        sheet.add_font(_FAMILY, style="B", fname=self._bold)
        sheet.add_page()
        sheet.rect(12, 12, sheet.w - 24, sheet.h - 24)
        return sheet


def _body(sheet: FPDF, certificate: Certificate) -> None:
    sheet.set_y(32)
    _line(sheet, certificate.issuer, 16, grey=_GREY)
    _line(sheet, "Certificate of enrolment", 32, style="B")
    sheet.ln(6)
    _line(sheet, "This is to certify that", 14, grey=_GREY)
    _line(sheet, certificate.person, 28, style="B")
    _line(sheet, "is enrolled in the course", 14, grey=_GREY)
    _line(sheet, certificate.course, 22, style="B")
    _line(sheet, f"since {_day(certificate.enrolled_at)}", 14, grey=_GREY)


def _foot(sheet: FPDF, certificate: Certificate, issued_at: datetime, link: str) -> None:
    sheet.set_y(_FOOT)
    _line(sheet, certificate.signature, 12)
    _line(sheet, f"Issued on {_day(issued_at)}", 11, grey=_GREY)
    _line(sheet, f"Number {shown(certificate.code)}", 11)
    _line(sheet, "Whether it is valid now, anybody can see at", 10, grey=_GREY)
    _line(sheet, link, 9, link=link)


def _line(sheet: FPDF, text: str, points: float, *, style: str = "", grey: int = _INK, link: str = "") -> None:
    """Write *text* in the middle, in smaller type where it would be wider than the page."""
    sheet.set_text_color(grey)
    sheet.set_font(_FAMILY, style, points)
    if (wide := sheet.get_string_width(text)) > sheet.epw:
        sheet.set_font_size(points * sheet.epw / wide * 0.98)
    sheet.cell(0, points * 0.55, text, align=Align.C, link=link, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
