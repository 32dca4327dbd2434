# SPDX-License-Identifier: MIT OR Apache-2.0
"""Packed items, written from agent/wire/README.md alone: Packer and Unpacker.

An item is (operation, prefix, path): a number from 0 to 5, an IPv4Network or IPv6Network, and
the bytes that stand behind e0 in plain items, or None for the deletion of a prefix.
"""

import collections
import ipaddress

DELETE_PREFIX = 5
NEXT, SAME, ANYWHERE = range(3)
BYTES_MAX = 480


class Model:
    def __init__(self):
        self.p, self.c = 8192, 0

    def adapt(self, bit):
        if bit:
            self.p += (16384 - self.p) >> (self.c + 2)
        else:
            self.p -= self.p >> (self.c + 2)
        self.c = min(self.c + 1, 3)


class Interval:
    def __init__(self):
        self.low, self.high = 0, 0xFFFFFFFF

    def middle(self, p):
        return self.low + ((self.high - self.low) * p >> 14)

    def divide(self, p, bit):
        """Takes one side; gives the bytes in which both ends agree."""
        middle = self.middle(p)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while self.low >> 24 == self.high >> 24:
            yield self.low >> 24
            self.low = self.low << 8 & 0xFFFFFFFF
            self.high = self.high << 8 & 0xFFFFFFFF | 0xFF


class Encoder(Interval):
    def __init__(self):
        super().__init__()
        self.out = bytearray()

    def bit(self, p, bit):
        self.out += bytes(self.divide(p, bit))
        return bit

    def end(self):
        return bytes(self.out) + (bytes([(self.low >> 24) + 1]) if self.low else b"")


class Decoder(Interval):
    def __init__(self, data):
        super().__init__()
        self.data, self.at, self.number = data, 0, 0
        for _ in range(4):
            self.shift()

    def shift(self):
        byte = self.data[self.at] if self.at < len(self.data) else 0
        self.at += 1
        self.number = self.number << 8 & 0xFFFFFFFF | byte

    def bit(self, p, _):
        bit = int(self.number <= self.middle(p))
        for _ in self.divide(p, bit):
            self.shift()
        assert self.at <= len(self.data) + 4, "more bytes were expected"
        return bit


def bits_of(prefix):
    return int(prefix.network_address) >> (prefix.max_prefixlen - prefix.prefixlen)


def network(version, length, bits):
    size = 32 if version == 4 else 128
    assert length <= size and bits >> length == 0, "there is no such prefix"
    kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    return kind((bits << (size - length), length))


def length_class(version, length):
    return min(max(length - 13, 0) if version == 4 else length // 4, 13)


class Memory:
    """What both ends know. `code` gives the value that was coded; the decoder passes zeros."""

    def __init__(self):
        self.models = collections.defaultdict(Model)
        self.op, self.place, self.prefix = 0, NEXT, ipaddress.IPv4Network("0.0.0.0/0")
        self.again = False
        self.paths = []

    def bit(self, coder, name, bit):
        model = self.models[name]
        bit = coder.bit(model.p, int(bit))
        model.adapt(bit)
        return bit

    def even(self, coder, width, value):
        read = 0
        for at in reversed(range(width)):
            read = read << 1 | coder.bit(8192, value >> at & 1)
        return read

    def tree(self, coder, name, width, value):
        node = 1
        for at in reversed(range(width)):
            node = node << 1 | self.bit(coder, (name, node), value >> at & 1)
        return node - (1 << width)

    def open_tree(self, coder, name, width, second, value):
        top = (1 << width) - 1
        read = self.tree(coder, name, width, min(value, top))
        return read if read < top else top + self.tree(coder, second, 7, max(value - top, 0))

    def length(self, coder, context, value):
        return self.open_tree(coder, ("length", context), 6, "long length", value)

    def number(self, coder, inside, context, value):
        second = ("long width", inside)
        width = value.bit_length()
        width = min(self.open_tree(coder, ("width", inside, context), 4, second, width), 128)
        if width == 0:
            return 0
        below = width - 1
        led = min(below, 3)
        high = self.tree(coder, ("leading", inside, min(width, 15)), led,
                         value >> (below - led) & ((1 << led) - 1))
        return 1 << below | high << (below - led) | self.even(coder, below - led, value)

    def first(self, length, inside):
        """The first prefix of a length inside of the one before, or behind it."""
        before = self.prefix
        if inside:
            return bits_of(before) << (length - before.prefixlen)
        if length <= before.prefixlen:
            return (bits_of(before) >> (before.prefixlen - length)) + 1
        return (bits_of(before) + 1) << (length - before.prefixlen)

    def item(self, coder, op=0, prefix=None, path=None):
        op = self.tree(coder, ("operation", self.op), 3, op)
        assert op <= DELETE_PREFIX, "unknown operation"
        before = self.prefix
        place = self.place_of(prefix)
        context = op, self.place
        if self.bit(coder, ("next", context), place == NEXT):
            place, prefix = NEXT, self.next(coder, prefix)
        elif self.bit(coder, ("same", context), place == SAME):
            place, prefix = SAME, before
        else:
            place, prefix = ANYWHERE, self.anywhere(coder, prefix)
        if op != DELETE_PREFIX:
            path = self.path(coder, place, path)
        self.op, self.place, self.prefix = op, place, prefix
        return op, prefix, path

    def place_of(self, prefix):
        before = self.prefix
        if prefix == before:
            return SAME
        if prefix is None or prefix.version != before.version:
            return ANYWHERE
        order = prefix.network_address, prefix.prefixlen
        return NEXT if order > (before.network_address, before.prefixlen) else ANYWHERE

    def next(self, coder, prefix):
        before = self.prefix
        version = before.version
        class_before = length_class(version, before.prefixlen)
        length = self.length(coder, class_before, prefix.prefixlen if prefix else 0)
        deeper = min(max(length - before.prefixlen, 0), 15)
        inside = 0
        if deeper:
            inside = self.bit(coder, ("inside", class_before, deeper),
                              prefix is not None and prefix.subnet_of(before))
        order = (length > before.prefixlen) - (length < before.prefixlen)
        context = deeper if inside else (length_class(version, length), order)
        value = bits_of(prefix) - self.first(length, inside) if prefix else 0
        number = self.number(coder, inside, context, value)
        return network(version, length, self.first(length, inside) + number)

    def anywhere(self, coder, prefix):
        six = self.bit(coder, "family", prefix is not None and prefix.version == 6)
        length = self.length(coder, ("anywhere", six), prefix.prefixlen if prefix else 0)
        bits = self.even(coder, min(length, 128), bits_of(prefix) if prefix else 0)
        return network(6 if six else 4, length, bits)

    def path(self, coder, place, path):
        rank = self.paths.index(path) if path in self.paths else 255
        if self.bit(coder, ("path", place == SAME, self.again), rank == 0):
            rank = 0
        else:
            rank = self.tree(coder, "rank", 8, rank)
        self.again = rank == 0
        if rank == 255:
            size = self.even(coder, 6, len(path or b""))
            known = (path or b"").ljust(size, b"\0")
            path = bytes(self.even(coder, 8, known[at]) for at in range(size))
            del self.paths[254:]
        else:
            assert rank < len(self.paths), "there is no such path"
            path = self.paths.pop(rank)
        self.paths.insert(0, path)
        return path


def clone(memory):
    """A copy of what changes, as an item may have to be taken back."""
    other = Memory.__new__(Memory)
    other.__dict__.update(memory.__dict__)
    other.models = collections.defaultdict(Model)
    for name, model in memory.models.items():
        other.models[name].__dict__.update(model.__dict__)
    other.paths = list(memory.paths)
    return other


class Packer:
    """Frames of items, (count, bytes) each."""

    def __init__(self):
        self.memory = Memory()

    def frame(self, items):
        """Packs items from the front of a deque of them as far as they fit."""
        coder, count = Encoder(), 0
        while items and count < 2048:
            # To copy it all is slow, but needed only where a frame is nearly full.
            near = len(coder.out) > BYTES_MAX - 100
            before = clone(self.memory) if near else None
            mark = coder.low, coder.high, len(coder.out)
            self.memory.item(coder, *items[0])
            if len(coder.out) >= BYTES_MAX:
                self.memory = before
                coder.low, coder.high = mark[:2]
                del coder.out[mark[2]:]
                break
            items.popleft()
            count += 1
        return count, coder.end()


class Unpacker:
    def __init__(self):
        self.memory = Memory()

    def frame(self, count, data):
        coder = Decoder(data)
        for _ in range(count):
            yield self.memory.item(coder)
        assert coder.at >= len(data), "more bytes than the items take"
