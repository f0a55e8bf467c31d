"""Packets that paramiko wrote, read by us."""

import os
import socket

import paramiko
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from paramiko.common import MSG_CHANNEL_DATA, MSG_GLOBAL_REQUEST, MSG_IGNORE
from paramiko.packet import NeedRekeyException, Packetizer

from cluster.remote import packets
from cluster.remote import wire as wires
from cluster.remote.packets import Packets
from cluster.remote.wire import Wire

KEY, IV = os.urandom(16), os.urandom(4) + bytes(8)
GCM = {"mac_engine": None, "mac_size": 16, "mac_key": None}
CHANNEL = (3).to_bytes(4, "big")


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    reader, sender = Packets(Wire(ours)), Packetizer(theirs)
    reader.set_inbound_cipher(AESGCM(KEY), 16, **GCM, aead=True, iv_in=IV)
    sender.set_outbound_cipher(AESGCM(KEY), 16, **GCM, aead=True, iv_out=IV)
    yield reader, sender, theirs
    ours.close()
    theirs.close()


def data(text: bytes, channel: bytes = CHANNEL) -> paramiko.Message:
    message = paramiko.Message()
    message.add_byte(bytes([MSG_CHANNEL_DATA]))
    message.add_bytes(channel)
    message.add_string(text)
    return message


def other(text: str) -> paramiko.Message:
    message = paramiko.Message()
    message.add_byte(bytes([MSG_GLOBAL_REQUEST]))
    message.add_string(text)
    return message


def test_data_goes_to_its_sink_and_the_rest_to_paramiko(ends):
    reader, sender, _ = ends
    taken = []
    reader.sinks[CHANNEL] = taken.append
    texts = [os.urandom(size) for size in (0, 1, 15, 16, 17, 30_000)]
    for text in texts:
        sender.send_message(data(text))
    sender.send_message(other("what"))
    kind, message = reader.read_message()
    assert (kind, message.get_text()) == (MSG_GLOBAL_REQUEST, "what")
    assert taken == texts


def test_data_of_other_channels_is_a_message(ends):
    reader, sender, _ = ends
    reader.sinks[b"\0\0\0\x09"] = pytest.fail
    sender.send_message(data(b"who"))
    kind, message = reader.read_message()
    assert (kind, message.get_int()) == (MSG_CHANNEL_DATA, 3)
    assert message.get_binary() == b"who"


def test_a_host_that_sends_without_end_is_read_a_part_at_a_time(ends, monkeypatch):
    monkeypatch.setattr(packets, "MOST_AT_ONCE", 4)
    reader, sender, _ = ends
    taken = []
    reader.sinks[CHANNEL] = taken.append
    for _ in range(7):
        sender.send_message(data(b""))
    sender.send_message(other("what"))
    assert reader.read_message()[0] == MSG_IGNORE
    assert len(taken) == 4
    assert reader.read_message()[0] == MSG_GLOBAL_REQUEST
    assert len(taken) == 7


def test_a_packet_that_comes_in_pieces_is_waited_for(ends, monkeypatch):
    monkeypatch.setattr(wires, "IDLE", 0.01)
    reader, sender, theirs = ends
    kept = bytearray()
    sender.write_all = kept.extend
    sender.send_message(other("slow"))
    for start in range(0, len(kept), 7):
        theirs.send(kept[start : start + 7])
        if start + 7 < len(kept):
            with pytest.raises(TimeoutError):
                reader._wire.record(16)
    assert reader.read_message()[1].get_text() == "slow"


def test_a_bit_that_was_turned_over_ends_it(ends):
    reader, sender, theirs = ends
    kept = bytearray()
    sender.write_all = kept.extend
    sender.send_message(data(b"pay 100"))
    kept[20] ^= 1
    theirs.send(kept)
    reader.sinks[CHANNEL] = pytest.fail
    with pytest.raises(InvalidTag):
        reader.read_message()


def test_a_packet_of_four_gigabytes_is_not_waited_for(ends):
    reader, _, theirs = ends
    theirs.send(b"\xff" * 64)
    with pytest.raises(ConnectionAbortedError, match="announced"):
        reader.read_message()


def test_the_end_is_an_end_also_within_a_packet(ends):
    reader, _, theirs = ends
    theirs.send(b"\0\0\0\x20 and")
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(EOFError):
        reader.read_message()


def test_new_keys_are_asked_for_between_two_pieces_of_data(ends, monkeypatch):
    monkeypatch.setattr(wires, "IDLE", 0.01)
    reader, sender, _ = ends
    taken = []
    reader.sinks[CHANNEL] = taken.append
    reader.REKEY_BYTES = 1000
    for _ in range(3):
        sender.send_message(data(b"x" * 600))
    assert reader.read_message()[0] == MSG_IGNORE  # after the second
    assert (len(taken), reader.need_rekey()) == (2, True)
    assert reader.read_message()[0] == MSG_IGNORE  # data may still come
    with pytest.raises(NeedRekeyException):
        reader.read_message()


def test_a_host_that_gives_no_new_keys_is_left(ends):
    reader, sender, _ = ends
    reader.sinks[CHANNEL] = lambda text: None
    reader.REKEY_PACKETS, reader.REKEY_PACKETS_OVERFLOW_MAX = 2, 3
    for _ in range(6):
        sender.send_message(data(b"x"))
    for _ in range(3):
        reader.read_message()
    with pytest.raises(paramiko.SSHException, match="new keys"):
        reader.read_message()


def test_new_keys_start_the_count_again(ends):
    reader, sender, _ = ends
    reader.sinks[CHANNEL] = lambda text: None
    reader.REKEY_PACKETS = 2
    for _ in range(2):
        sender.send_message(data(b"x"))
    reader.read_message()
    reader.set_inbound_cipher(AESGCM(KEY), 16, **GCM, aead=True, iv_in=IV)
    reader.set_outbound_cipher(AESGCM(KEY), 16, **GCM, aead=True, iv_out=IV)
    sender.set_outbound_cipher(AESGCM(KEY), 16, **GCM, aead=True, iv_out=IV)
    sender.send_message(other("again"))
    assert reader.read_message()[1].get_text() == "again"
    assert not reader.need_rekey()


def test_the_counter_of_packets_goes_round(ends):
    reader, _, theirs = ends
    last = IV[:4] + b"\xff" * 8
    reader.set_inbound_cipher(AESGCM(KEY), 16, **GCM, aead=True, iv_in=last)
    for iv, text in ((last, b"a"), (IV, b"b")):
        length = (32).to_bytes(4, "big")
        plain = bytes([29, MSG_GLOBAL_REQUEST]) + text + bytes(29)
        theirs.send(length + AESGCM(KEY).encrypt(iv, plain, length))
        assert reader.read_message()[1].asbytes() == text
