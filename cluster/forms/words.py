"""Fields that answer with the sentences of ``cluster.lvs.validate``."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cluster.lvs.packets import read_packets
from cluster.lvs.table import IPAddress, Packets
from cluster.lvs.validate import (
    Wrong,
    read_address,
    read_local,
    read_netmask,
    read_number,
)
from cluster.lvs.words import Sentence


def spoken(sentence: Sentence) -> str:
    return sentence.translated(gettext)


class AddressField(forms.CharField):
    """An IP address; ``clean`` returns its value, or None when empty."""

    default_error_messages = {"required": _("Write an address such as 10.0.1.31.")}

    def clean(self, value: Any) -> IPAddress | None:
        text = super().clean(value)
        try:
            return read_address(text) if text else None
        except Wrong as wrong:
            raise ValidationError(spoken(wrong.sentence), code="wrong") from wrong


class NumberField(forms.CharField):
    """A whole number between two limits.

    A text field, because browsers drop what they do not like from a number field and
    the person would not see what was refused.
    """

    def __init__(self, low: int, high: int, **kwargs: Any) -> None:
        self.low, self.high = low, high
        digits = forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"})
        super().__init__(widget=digits, **kwargs)
        self.error_messages["required"] = _("Write a number from %(low)s to %(high)s.")

    def clean(self, value: Any) -> int | None:
        if self.required and value in self.empty_values:
            limits = {"low": self.low, "high": self.high}
            raise ValidationError(
                self.error_messages["required"], code="required", params=limits
            )
        text = super().clean(value)
        try:
            return read_number(text, self.low, self.high) if text else None
        except Wrong as wrong:
            raise ValidationError(spoken(wrong.sentence), code="wrong") from wrong


class LocalField(forms.CharField):
    """A pool of addresses; ``clean`` returns first and last, or None when empty."""

    def clean(self, value: Any) -> tuple[IPAddress, IPAddress] | None:
        text = super().clean(value)
        try:
            return read_local(text) if text else None
        except Wrong as wrong:
            raise ValidationError(spoken(wrong.sentence), code="wrong") from wrong


class PacketsField(forms.CharField):
    """Lines of VIP, protocol and ports; ``clean`` returns the packets, none if empty."""

    def clean(self, value: Any) -> tuple[Packets, ...]:
        text = super().clean(value)
        try:
            return read_packets(text) if text else ()
        except Wrong as wrong:
            raise ValidationError(spoken(wrong.sentence), code="wrong") from wrong


class NetmaskField(forms.CharField):
    """A netmask; ``clean`` returns the prefix length, or None when empty."""

    def __init__(self, **kwargs: Any) -> None:
        digits = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(widget=digits, **kwargs)

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        try:
            return read_netmask(text) if text else None
        except Wrong as wrong:
            raise ValidationError(spoken(wrong.sentence), code="wrong") from wrong
