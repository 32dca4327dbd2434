#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A client of the frames, written from agent/wire/README.md alone.

    frames.py LINE [--noise]

Packed items are those of packed.py beside it. Drives an agent over a serial line through what the page promises, and fails where it does
not hold. Nothing but Python's standard library.
"""

import collections
import ipaddress
import os
import random
import re
import select
import struct
import sys
import termios
import time
import tty

import packed

# The console's prompt where the board has no name: see "The console" in the README.
PROMPT = rb"nl31(\(edit [0-9]+\))?\*?!?> "

VERSION = 1
RAW_MAX = 504

HELLO, PING, GREET, CHANGE, FLUSH, LOOKUP, DUMP, LINE, NEXT = range(0x01, 0x0A)
STOP, TABLE, BEGIN, COMMIT, ABORT, SUBSCRIBE, LEAVE, SAVE, UNLOCK = range(0x0A, 0x13)
PACKED_CHANGE, PACKED_DUMP, PACKED_ROUTES = 0x14, 0x15, 0x8A
NAK, WELCOME, DONE, FAILED, GREETING, CHANGED, ROUTES, OUTPUT, COUNTERS, SAVING = range(0x80, 0x8A)
EVENT, LOST, ROLLED_BACK = range(0xC0, 0xC3)

ADD, REPLACE, CHANGE_OP, APPEND, DELETE, DELETE_PREFIX = range(6)
DAMAGED, TOO_LONG, MISSING, NO_SESSION, OTHER_VERSION = range(5)


# Frames.

def _crc_table():
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        yield byte


CRC_TABLE = list(_crc_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def stuff(data):
    """COBS."""
    out = bytearray()
    for part in data.split(b"\0"):
        while len(part) >= 254:
            out += b"\xff" + part[:254]
            part = part[254:]
        out += bytes([len(part) + 1]) + part
    return bytes(out)


def unstuff(data):
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        block = data[at + 1:at + code]
        if code == 0 or len(block) != code - 1:
            return None
        out += block
        at += code
        if code != 0xFF and at < len(data):
            out.append(0)
    return bytes(out)


def frame(number, kind, body=b""):
    raw = struct.pack("<BHB", VERSION, number, kind) + body
    raw += struct.pack("<I", crc32c(raw))
    assert len(raw) <= RAW_MAX
    return b"\0" + stuff(raw) + b"\0"


def read_frame(stuffed):
    raw = unstuff(stuffed)
    if raw is None or not 8 <= len(raw) <= RAW_MAX:
        return None
    if struct.unpack("<I", raw[-4:])[0] != crc32c(raw[:-4]) or raw[0] != VERSION:
        return None
    _, number, kind = struct.unpack("<BHB", raw[:4])
    return number, kind, raw[4:-4]


# postcard.

def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return varint(len(value)) + value


class Body:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        taken = self.data[self.at:self.at + count]
        assert len(taken) == count, "a body ends too early"
        self.at += count
        return taken

    def u8(self):
        return self.take(1)[0]

    def varint(self):
        number = shift = 0
        while True:
            byte = self.u8()
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    def bytes(self):
        return self.take(self.varint())

    def text(self):
        return self.bytes().decode()

    def bool(self):
        return {0: False, 1: True}[self.u8()]

    def option(self):
        return self.varint() if self.bool() else None

    def rest(self):
        return self.at < len(self.data)

    def end(self):
        assert not self.rest(), "a body goes on behind its last field"


# Items.

Path = collections.namedtuple("Path", "kind gateway device metric protocol", defaults=[None] * 5)
KINDS = [None, "unicast", "blackhole", "unreachable", "prohibit"]


def net(prefix):
    return ipaddress.ip_network(prefix)


def path_bytes(path):
    flags = KINDS.index(path.kind)
    out = b""
    if path.gateway is not None:
        gateway = ipaddress.ip_address(path.gateway)
        flags |= 0x08 if gateway.version == 4 else 0x10
        out += gateway.packed
    if path.device is not None:
        flags |= 0x20
        out += bytes([len(path.device)]) + path.device.encode()
    if path.metric is not None:
        flags |= 0x40
        out += varint(path.metric)
    if path.protocol is not None:
        flags |= 0x80
        out += bytes([path.protocol])
    return b"\xe0" + bytes([flags]) + out


class Writer:
    """Items of one frame: (operation, prefix, path) each."""

    def __init__(self):
        self.out = bytearray()
        self.count = 0
        self.op, self.path, self.before = ADD, Path(), None
        self.places, self.next = [None] * 8, 0

    def add(self, op, prefix, path):
        if op != self.op:
            self.out.append(0xD0 + op)
            self.op = op
        if path != self.path:
            if path in self.places:
                self.out.append(0xC0 + self.places.index(path))
            else:
                self.out += path_bytes(path)
                self.places[self.next] = path
                self.next = (self.next + 1) % 8
            self.path = path
        prefix = net(prefix)
        size = (prefix.prefixlen + 7) // 8
        address = prefix.network_address.packed[:size]
        before = self.before
        shared = 0
        if before and before.version == prefix.version and before.prefixlen == prefix.prefixlen:
            same = before.network_address.packed
            while shared < min(size, 15) and same[shared] == address[shared]:
                shared += 1
        if shared:
            self.out += bytes([0xB0 + shared]) + address[shared:]
        else:
            self.out += bytes([prefix.prefixlen + (0 if prefix.version == 4 else 0x21)]) + address
        self.before = prefix
        self.count += 1


def items(*each):
    writer = Writer()
    for op, prefix, path in each:
        writer.add(op, prefix, path)
    return text(bytes(writer.out))


def prefix_of(version, length, some):
    whole = some.ljust(4 if version == 4 else 16, b"\0")
    return ipaddress.ip_network((whole, length))


def read_path(body):
    flags = body.u8()
    gateway = {0: 0, 8: 4, 16: 16}[flags & 0x18]
    return Path(
        KINDS[flags & 7],
        str(ipaddress.ip_address(body.take(gateway))) if gateway else None,
        body.take(body.u8()).decode() if flags & 0x20 else None,
        body.varint() if flags & 0x40 else None,
        body.u8() if flags & 0x80 else None,
    )


def read_items(data):
    body = Body(data)
    op, path, before = ADD, Path(), None
    places, following = [None] * 8, 0
    while body.rest():
        tag = body.u8()
        if tag <= 0xA1:
            version, length = (4, tag) if tag <= 0x20 else (6, tag - 0x21)
            before = prefix_of(version, length, body.take((length + 7) // 8))
            yield op, before, path
        elif 0xB0 <= tag <= 0xBF:
            shared, size = tag - 0xB0, (before.prefixlen + 7) // 8
            some = before.network_address.packed[:shared] + body.take(size - shared)
            before = prefix_of(before.version, before.prefixlen, some)
            yield op, before, path
        elif 0xC0 <= tag <= 0xC7:
            path = places[tag - 0xC0]
            assert path is not None, "a place that was not taken"
        elif 0xD0 <= tag <= 0xD5:
            op = tag - 0xD0
        else:
            assert tag == 0xE0, f"tag {tag:#x}"
            path = read_path(body)
            places[following] = path
            following = (following + 1) % 8


# A session.

class Failed(Exception):
    def __init__(self, body):
        self.code, self.index, self.offset, self.text = (
            body.varint(), body.option(), body.option(), body.text())
        body.end()
        super().__init__(f"{self.code}: {self.text} (index {self.index}, offset {self.offset})")


class Port:
    """A serial line."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd)
        attributes = termios.tcgetattr(self.fd)
        attributes[4] = attributes[5] = termios.B115200
        termios.tcsetattr(self.fd, termios.TCSANOW, attributes)

    def write(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return b""
        data = os.read(self.fd, 4096)
        if not data:
            raise EOFError("the line was closed")
        return data


class Session:
    def __init__(self, port):
        self.port = port
        self.heard = bytearray()
        self.waiting = collections.OrderedDict()  # id -> frame
        self.answers = {}
        self.unasked = []
        self.repaired = None  # when all was last sent again, unless one is answered since
        self.silences = 0
        self.id = random.randrange(0x10000)
        self.number = random.randrange(0x100000000)
        self.window = 1
        body = self.ask(HELLO, varint(self.number))
        self.boot, self.schema, raw_max, window, self.items_max, self.agent = (
            body.varint(), body.varint(), body.varint(), body.u8(), body.varint(), body.text())
        body.end()
        assert raw_max == RAW_MAX
        self.window = window

    # Sending and hearing.

    def send(self, kind, body=b""):
        """A request on its way; its id."""
        while len(self.waiting) >= self.window:
            self.hear()
        number = self.id
        self.id = (self.id + 1) % 0x10000
        self.waiting[number] = frame(number, kind, body)
        self.port.write(self.waiting[number])
        return number

    def answer(self, number):
        while number not in self.answers:
            self.hear()
        kind, body = self.answers.pop(number)
        if kind == FAILED:
            raise Failed(Body(body))
        return kind, Body(body)

    def ask(self, kind, body=b""):
        return self.answer(self.send(kind, body))[1]

    def again(self):
        now = time.monotonic()
        if self.repaired is None or now - self.repaired >= 0.25:
            self.repaired = now
            for waiting in self.waiting.values():
                self.port.write(waiting)

    def hear(self):
        """Takes in what comes within a second."""
        data = self.port.read(1.0)
        if not data:
            self.silences += 1
            if self.silences == 10:
                raise EOFError("the agent does not answer")
            self.again()
            return
        self.heard += data
        while b"\0" in self.heard:
            piece, _, self.heard = self.heard.partition(b"\0")
            if piece:
                self.piece(bytes(piece))

    def piece(self, piece):
        found = read_frame(piece)
        if found is None or found[1] < 0x80:
            return
        self.silences = 0
        number, kind, body = found
        if kind >= 0xC0:
            self.unasked.append((kind, Body(body)))
        elif kind == NAK:
            if body[0] == NO_SESSION and self.window > 1:
                raise EOFError("the session is over")
            self.again()
        elif number in self.waiting:
            eldest = next(iter(self.waiting))
            if number == eldest:
                del self.waiting[number]
                self.answers[number] = kind, body
                self.repaired = None
            else:
                self.again()

    # Requests.

    def greet(self, words):
        body = self.ask(GREET, text(words))
        greeting = body.varint(), body.varint(), body.text(), body.text()
        body.end()
        return greeting

    def change(self, *each):
        body = self.ask(CHANGE, items(*each))
        count = body.varint()
        body.end()
        return count

    def parts(self, kind, body, expected, read):
        """Each part of a list, as many on their way as the window lets through."""
        asked = collections.deque([self.send(kind, body)])
        ended = False
        while asked:
            while not ended and len(asked) < self.window:
                asked.append(self.send(NEXT))
            try:
                got, part = self.answer(asked.popleft())
            except Failed as failed:
                if ended and failed.code == 482:
                    continue
                raise
            assert got == expected
            some, last = read(part)
            part.end()
            # Behind the last part a console has no more to say, and says so.
            assert not ended or (some, last) == (b"", True)
            ended = last
            yield some

    def dump(self, *each, longer=False):
        def read(part):
            some, last, interrupted = part.bytes(), part.bool(), part.bool()
            assert not interrupted, "nobody else changes the table"
            return some, last
        body = items(*each) + bytes([longer])
        return [(prefix, path)
                for part in self.parts(DUMP, body, ROUTES, read)
                for _, prefix, path in read_items(part)]

    def packed_dump(self, *each, longer=False):
        unpacker = packed.Unpacker()

        def read(part):
            count, some, last, interrupted = part.varint(), part.bytes(), part.bool(), part.bool()
            assert not interrupted, "nobody else changes the table"
            return list(unpacker.frame(count, some)), last
        body = items(*each) + bytes([longer])
        return [(prefix, read_path(Body(path)))
                for part in self.parts(PACKED_DUMP, body, PACKED_ROUTES, read)
                for _, prefix, path in part]

    def lookup(self, address):
        found = self.ask(LOOKUP, items((ADD, address, Path()))).bytes()
        return [(prefix, path) for _, prefix, path in read_items(found)]

    def line(self, words):
        def read(part):
            return part.bytes(), part.bool()
        return b"".join(self.parts(LINE, text(words), OUTPUT, read)).decode()

    def events(self, count, since):
        """So many events, as (generation, operation, prefix, path), after change `since`."""
        found = []
        while len(found) < count:
            while self.unasked:
                kind, body = self.unasked.pop(0)
                if kind == EVENT:
                    generation = body.varint()
                    [(op, prefix, path)] = read_items(body.bytes())
                    body.end()
                    if generation > since:
                        found.append((generation, op, prefix, path))
            if len(found) < count:
                self.hear()
        return found

    def leave(self):
        self.ask(LEAVE).end()


def refused(code, do):
    try:
        do()
    except Failed as failed:
        assert failed.code == code, failed
        return failed
    raise AssertionError(f"{code} was expected")


# What the page promises.

LO = Path(device="lo")


def begins(session):
    assert session.window == 4 and session.items_max == 128 and session.agent
    session.ask(PING).end()
    port, abi, version, words = session.greet("from the page")
    assert port and abi and version and "from the page" in words, words
    refused(481, lambda: session.ask(0x7F))
    refused(480, lambda: session.ask(PING, b"\0"))
    refused(480, lambda: session.ask(CHANGE, text(b"\xc0\x08\x0a")))
    refused(482, lambda: session.ask(NEXT))
    session.ask(STOP).end()


def changes(session):
    net4, net6 = "10.1.2.0/24", "2001:db8:1::/48"
    assert session.change((ADD, net4, LO), (ADD, net6, LO)) == 2
    assert refused(409, lambda: session.change(
        (ADD, "10.1.3.0/24", LO), (ADD, net4, LO))).index == 1
    # All of a frame or nothing.
    assert session.dump((ADD, "10.1.3.0/24", Path())) == []
    assert session.lookup("10.1.2.3/32") == [(net(net4), LO)]
    refused(404, lambda: session.lookup("10.1.3.3/32"))
    other = Path("blackhole", metric=5, protocol=4)
    two = Path(gateway="2001:db8::1", device="lo")
    session.change((APPEND, net4, other), (REPLACE, net6, two))
    assert session.dump((ADD, net4, Path())) == [(net(net4), LO), (net(net4), other)]
    assert session.dump(longer=True)[2] == (net(net6), two)
    refused(404, lambda: session.change((CHANGE_OP, "10.9.0.0/16", LO)))
    refused(406, lambda: session.change((ADD, "10.9.0.0/16", Path(device="no-such-one"))))
    refused(410, lambda: session.change((DELETE, net4, Path())))
    session.change((DELETE, net4, Path(kind="blackhole")), (DELETE_PREFIX, net6, Path()))
    assert session.dump() == [(net(net4), LO)]
    refused(400, lambda: session.ask(FLUSH, text(b"") + b"\0\0"))
    session.ask(FLUSH, items((ADD, "10.0.0.0/8", Path())) + b"\1\0").end()
    session.ask(FLUSH, text(b"") + b"\0\1").end()
    assert session.dump() == []


def transactions(session, table):
    """A table of some thousand routes comes and goes at once."""
    refused(482, lambda: session.ask(COMMIT))
    session.change((ADD, "10.0.0.0/8", LO))
    before = session.dump()
    session.ask(BEGIN, b"\1").end()
    refused(483, lambda: session.ask(BEGIN, b"\0"))
    asked = collections.deque()
    count = 0
    left = collections.deque(table)
    while left:
        writer = Writer()
        # No more than fits, whatever these routes take.
        while left and writer.count < session.items_max and len(writer.out) < 450:
            writer.add(ADD, *left.popleft())
        asked.append(session.send(CHANGE, text(bytes(writer.out))))
        count += writer.count
    while asked:
        session.answer(asked.popleft())
    assert session.dump() == before, "nothing is to be seen before the commit"
    refused(483, lambda: session.ask(FLUSH, text(b"") + b"\0\1"))
    assert session.ask(COMMIT).varint() == count + 1 == len(table) + 1
    assert session.dump() == table
    counters = session.ask(TABLE)
    counters.varint()
    assert counters.varint() + counters.varint() == len(table)

    # One that fails is dropped whole, with what is on its way behind it.
    session.ask(BEGIN, b"\0").end()
    ids = [session.send(CHANGE, items(each)) for each in [
        (ADD, "10.0.0.0/8", LO), (DELETE, "0.0.0.0/8", LO), (ADD, "12.0.0.0/8", LO)]]
    session.answer(ids[0])
    assert refused(404, lambda: session.answer(ids[1])).index == 0
    refused(484, lambda: session.answer(ids[2]))
    refused(484, lambda: session.ask(FLUSH, text(b"") + b"\0\1"))
    refused(484, lambda: session.ask(COMMIT))
    assert session.dump() == table

    session.ask(BEGIN, b"\1").end()
    session.ask(ABORT).end()
    assert session.dump() == table
    # With replace the table is another one.
    session.ask(BEGIN, b"\1").end()
    session.change((ADD, "10.0.0.0/8", LO))
    session.ask(COMMIT)
    assert session.dump() == [(net("10.0.0.0/8"), LO)]
    session.ask(FLUSH, text(b"") + b"\0\1").end()


def packed_routes(session, table):
    """The same table by packed changes, and listed so."""
    refused(482, lambda: session.ask(PACKED_CHANGE, varint(0) + text(b"")))
    session.ask(BEGIN, b"\1").end()
    packer = packed.Packer()
    left = collections.deque((ADD, prefix, path_bytes(path)[1:]) for prefix, path in table)
    asked = collections.deque()
    while left:
        count, some = packer.frame(left)
        asked.append((count, session.send(PACKED_CHANGE, varint(count) + text(some))))
    while asked:
        count, number = asked.popleft()
        assert session.answer(number)[1].varint() == count
    assert session.ask(COMMIT).varint() == len(table) + 1
    assert session.packed_dump() == session.dump() == table
    assert session.packed_dump((ADD, str(table[7][0]), Path())) == [table[7]]

    # What no packer has written fails its transaction.
    session.ask(BEGIN, b"\0").end()
    refused(480, lambda: session.ask(PACKED_CHANGE, varint(1) + text(b"\0" * 100)))
    refused(484, lambda: session.ask(PACKED_CHANGE, varint(0) + text(b"")))
    refused(484, lambda: session.ask(COMMIT))
    session.ask(FLUSH, text(b"") + b"\0\1").end()


def stops(session, table):
    session.ask(BEGIN, b"\1").end()
    for prefix, path in table:
        session.change((ADD, prefix, path))
    session.ask(COMMIT)
    # Other requests may come between the parts of a list.
    assert session.ask(DUMP, text(b"") + b"\0").bytes()
    session.ask(PING).end()
    assert session.ask(NEXT).bytes()
    session.ask(STOP).end()
    refused(482, lambda: session.ask(NEXT))
    session.ask(FLUSH, text(b"") + b"\0\1").end()


def events(session):
    session.ask(SUBSCRIBE, b"\1").end()
    first = session.ask(TABLE).varint() + 1
    session.change((ADD, "10.0.0.0/8", LO), (ADD, "10.1.0.0/16", LO))
    session.change((DELETE, "10.0.0.0/8", Path()))
    session.change((REPLACE, "10.1.0.0/16", Path(kind="prohibit")))
    told = session.events(4, first - 1)
    assert [generation for generation, *_ in told] == list(range(first, first + 4)), told
    eight, sixteen = net("10.0.0.0/8"), net("10.1.0.0/16")
    assert [event[1:] for event in told] == [
        (ADD, eight, LO), (ADD, sixteen, LO), (DELETE, eight, LO),
        (REPLACE, sixteen, Path(kind="prohibit"))], told
    session.ask(SUBSCRIBE, b"\0").end()
    session.ask(FLUSH, text(b"") + b"\0\1").end()
    assert not session.unasked


def console(session):
    said = session.line("route add 192.0.2.0/24 dev lo")
    assert said.startswith("I200 added 192.0.2.0/24"), said
    said = session.line("route show 192.0.2.0/24").splitlines()
    assert said[0] == "192.0.2.0/24 dev lo" and said[-1].startswith("I200 "), said
    assert session.line("nonsense").splitlines()[-1].startswith("E400 ")
    # Several parts.
    assert "I200  done\n" in session.line("help codes")
    refused(480, lambda: session.line("ping\n"))
    assert session.line("route del 192.0.2.0/24").startswith("I200 ")


def at_most_once(session):
    """What comes again is not done again: the same answer comes."""
    route = items((ADD, "10.0.0.0/8", LO))
    number = session.send(CHANGE, route)
    again = frame(number, CHANGE, route)
    session.answer(number)
    for back in range(session.window):
        session.port.write(again)
        kind, body = heard_of(session, number)
        assert (kind, body) == (CHANGED, b"\1"), "not the answer of before"
        if back < session.window - 1:
            session.ask(PING)
    # Another one that the last answers do not hold, and one that comes too early.
    session.ask(PING)
    session.port.write(again)
    assert heard_of(session, session.id) == (NAK, bytes([NO_SESSION]))
    session.port.write(frame((session.id + 1) % 0x10000, PING))
    assert heard_of(session, session.id) == (NAK, bytes([MISSING]))
    assert session.dump() == [(net("10.0.0.0/8"), LO)]
    session.change((DELETE, "10.0.0.0/8", LO))


def damage(session):
    """What is no frame, and what is one that the agent cannot take."""
    ping = frame(session.id, PING)
    broken = bytearray(ping)
    broken[-3] ^= 1
    for bad, reason in [
        (bytes(broken), DAMAGED),
        (ping[:-2] + b"\0", DAMAGED),
        (b"\0route flush all\r\n\0", DAMAGED),
        (b"\0" + stuff(bytes(range(1, 255)) * 3) + b"\0", TOO_LONG),
        (frame_of_version(2, session.id), OTHER_VERSION),
    ]:
        session.port.write(bad)
        assert heard_of(session, session.id) == (NAK, bytes([reason])), bad
    # Answers are not asked for, and half a frame costs itself.
    session.port.write(frame(session.id, DONE) + ping[:5])
    time.sleep(0.5)
    session.ask(PING).end()
    assert session.line("x" * 494).splitlines()[-1].startswith("E400 ")


def frame_of_version(version, number):
    raw = struct.pack("<BHB", version, number, PING)
    return b"\0" + stuff(raw + struct.pack("<I", crc32c(raw))) + b"\0"


def heard_of(session, number):
    """The next frame with this id, whether it was asked for or not."""
    while True:
        data = session.port.read(60.0)
        assert data, "nothing comes"
        session.heard += data
        while b"\0" in session.heard:
            piece, _, session.heard = session.heard.partition(b"\0")
            found = read_frame(bytes(piece)) if piece else None
            if found and found[0] == number and found[1] >= 0x80:
                return found[1:]


def text_again(session):
    """After `Leave` the line is a console's; Enter gets it back from a program that is silent."""
    session.leave()
    session.port.write(b"ping\r")
    read_until(session.port, b"I200 ")
    session.port.write(frame(7, PING))
    # Right behind a frame it is not a person's.
    session.port.write(b"\r")
    time.sleep(0.5)
    session.port.write(b"ping\r")
    heard = b""
    for _ in range(60):
        # A busy machine may not have seen the pause.
        time.sleep(0.5)
        session.port.write(b"\r")
        heard += session.port.read(0.5)
        if re.search(PROMPT, heard):
            break
    assert re.search(PROMPT, heard) and b"I200 " not in heard, heard


def read_until(port, wanted):
    heard = b""
    while wanted not in heard:
        data = port.read(60.0)
        assert data, (wanted, heard)
        heard += data


def made(count):
    """Routes in the order of a dump, IPv4 first."""
    paths = [LO, Path(device="lo", metric=7), Path("blackhole"), Path("unreachable", metric=300),
             Path(gateway="192.0.2.1", device="lo", protocol=4)]
    order = random.Random(31)
    four = {(order.randrange(1, 224) << 24 | order.randrange(1 << 16) << 8, 24)
            for _ in range(count)}
    six = {(0x20010DB8 << 96 | order.randrange(1 << 16) << 80, 48) for _ in range(count // 4)}
    return ([(ipaddress.IPv4Network(each), order.choice(paths)) for each in sorted(four)]
            + [(ipaddress.IPv6Network(each), order.choice(paths[:4])) for each in sorted(six)])


def main():
    path, *noise = sys.argv[1:]
    session = Session(Port(path))
    begins(session)
    changes(session)
    transactions(session, made(3000))
    packed_routes(session, made(3000))
    console(session)
    if noise:
        # What is not answered, or not sent again, is for a good line.
        session.leave()
        return
    stops(session, made(500))
    events(session)
    at_most_once(session)
    damage(session)
    text_again(session)


if __name__ == "__main__":
    main()
