#!/usr/bin/env python3
"""Reads the latest tick of instruments from qamd's depth segment, with nothing but Python's standard library.

Build:  nothing to build: python3 depth.py
Usage:  depth.py [--segment NAME] [--count LINES] [--seconds S] [rb2601 | SHFE.rb2601]...

Prints one line of JSON for each instrument (all that have ticks when none is named): instrument, exchange, the exchange's time in
nanoseconds since 1970-01-01 UTC, last price, best bid and ask, volume; null where there is no value. With --count or --seconds
it goes on: a line whenever one of them has had a tick, and a segment that is replaced is opened anew.
Exit: 0 done, 1 a fault or an instrument that is not there, 2 usage, 3 not ready: there is no such segment (yet).

What the numbers below mean, and why reading works, is explained in qamd_depth.h. Python reads each word with one load and one
after the other, which is all that the protocol asks for on x86-64; other machines need the C header.
"""
import argparse
import json
import math
import mmap
import os
import struct
import sys
import time

MAGIC = int.from_bytes(b"qamddpth", "little")
VERSION, TICK_SCHEMA, TICK_BYTES, SLOT_BYTES, HEADER_BYTES = 1, 1, 512, 1216, 4096
# The header's words.
W_MAGIC, W_VERSION, W_STATE, W_TICK_SCHEMA, W_TICK_BYTES, W_SLOT_BYTES, W_CAPACITY, W_INDEX = range(8)
W_TOTAL, W_USED = 10, 12
READY, RETIRED = 1, 2
# A slot's fields, in bytes.
EXCHANGE, INSTRUMENT, TICKS = 16, 24, 192

# A tick: worker, source, flags, reserved, incarnation, sequence, two times, two days, three texts, three raw texts,
# milliseconds, volume, eighteen doubles, five levels (bid, ask, bid volume, ask volume).
TICK = struct.Struct("<IBBHQQqqII80s8s80s8s8s8sii18d" + "ddii" * 5)
NO_PRICE, NO_TIME = sys.float_info.max, -(1 << 63)
assert TICK.size == TICK_BYTES


class NotReady(Exception):
    """There is no segment yet; it is made when the fleet starts."""


def text(padded):
    return padded.split(b"\0", 1)[0].decode("ascii")


def price(raw):
    return raw if math.isfinite(raw) and raw != NO_PRICE else None


def fields(raw):
    """What the samples print of a tick's 512 bytes."""
    tick = TICK.unpack(raw)
    return {
        "instrument": text(tick[10]),
        "exchange": text(tick[11]),
        "time": tick[7] if tick[7] != NO_TIME else None,
        "last": price(tick[18]),
        "bid1": price(tick[36]),
        "ask1": price(tick[37]),
        "volume": tick[17],
    }


class Depth:
    """The segment of this name, mapped for reading."""

    def __init__(self, name):
        self.path = "/dev/shm/" + name
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise NotReady(self.path) from None
        try:
            found = os.fstat(descriptor)
            self.identity = (found.st_dev, found.st_ino)
            self.map = mmap.mmap(descriptor, found.st_size, mmap.MAP_SHARED, mmap.PROT_READ)
        finally:
            os.close(descriptor)
        if len(self.map) < HEADER_BYTES or len(self.map) % 8 != 0:
            raise ValueError(self.path + " is no depth segment")
        self.words = memoryview(self.map).cast("Q")
        state = self.words[W_STATE]
        if (state == 0 and self.words[W_MAGIC] == 0) or (state in (0, RETIRED) and self.words[W_MAGIC] == MAGIC):
            raise NotReady(self.path)
        self.capacity, self.entries = self.words[W_CAPACITY], self.words[W_INDEX]
        self.slots = HEADER_BYTES + 8 * self.entries
        header = [self.words[at] for at in (W_MAGIC, W_VERSION, W_TICK_SCHEMA, W_TICK_BYTES, W_SLOT_BYTES)]
        total = self.slots + self.capacity * SLOT_BYTES
        if header != [MAGIC, VERSION, TICK_SCHEMA, TICK_BYTES, SLOT_BYTES] or self.entries != 2 * self.capacity:
            raise ValueError(self.path + " is no depth segment of this version")
        if total != len(self.map) or total != self.words[W_TOTAL]:
            raise ValueError(self.path + " has another size than it says")

    def close(self):
        self.words.release()
        self.map.close()

    def is_current(self):
        """False when another segment has taken this one's place: open the name again."""
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            return False
        return self.words[W_STATE] == READY and (named.st_dev, named.st_ino) == self.identity

    def count(self):
        return min(self.words[W_USED], self.capacity)

    def find(self, name):
        """The slot of "rb2601" or "SHFE.rb2601"; None when there is none (yet)."""
        slot = self._find(name.encode("ascii"))
        if slot is None and "." in name:
            exchange, _, instrument = name.partition(".")
            slot = self._find(instrument.encode("ascii"))
            if slot is not None:
                at = self.slots + slot * SLOT_BYTES + EXCHANGE
                slot = slot if text(self.map[at : at + 8]) == exchange else None
        return slot

    def _find(self, wanted):
        key = 0xCBF29CE484222325
        for byte in wanted:
            key = ((key ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
        for probe in range(self.entries):
            word = self.words[HEADER_BYTES // 8 + ((key + probe) & (self.entries - 1))]
            if word == 0:
                return None
            slot = (word & 0xFFFFFFFF) - 1
            if word >> 32 == key >> 32 and 0 <= slot < self.count():
                at = self.slots + slot * SLOT_BYTES + INSTRUMENT
                if self.map[at : at + 80] == wanted.ljust(80, b"\0"):
                    return slot
        return None

    def updates(self, slot):
        """How many ticks the slot has had."""
        return self.words[(self.slots + slot * SLOT_BYTES) // 8]

    def read(self, slot):
        """The 512 bytes of the latest tick, whole; None before the first."""
        at = self.slots + slot * SLOT_BYTES
        while True:
            before = self.words[at // 8]
            if before == 0:
                return None
            room = at + TICKS + before % 2 * TICK_BYTES
            raw = self.map[room : room + TICK_BYTES]
            if self.words[at // 8] == before:
                return raw


class Look:
    """What was printed of which instrument."""

    def __init__(self, segment, names):
        self.segment = segment
        self.depth = Depth(segment)
        self.slots = {name: None for name in names} or {slot: slot for slot in range(self.depth.count())}
        self.printed = {}

    def print_news(self, most):
        lines = 0
        for name, slot in self.slots.items():
            if lines == most:
                break
            if slot is None:
                slot = self.slots[name] = self.depth.find(name)
            updates = 0 if slot is None else self.depth.updates(slot)
            if updates == self.printed.get(name, 0):
                continue
            self.printed[name] = updates
            print(json.dumps(fields(self.depth.read(slot)), separators=(",", ":")), flush=True)
            lines += 1
        return lines

    def open_anew_if_replaced(self):
        if self.depth.is_current():
            return
        try:
            fresh = Depth(self.segment)
        except NotReady:
            return
        self.depth.close()
        self.depth, self.printed = fresh, {}
        self.slots = {name: name if isinstance(name, int) else None for name in self.slots}


def main():
    parser = argparse.ArgumentParser(description="the latest ticks from qamd's depth segment")
    parser.add_argument("--segment", default="qamd_depth")
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    try:
        look = Look(options.segment, options.names)
    except NotReady as missing:
        print(f"{missing}: there is no depth segment yet; it is made when the fleet starts", file=sys.stderr)
        return 3
    except (OSError, ValueError) as fault:
        print(fault, file=sys.stderr)
        return 1
    end = time.monotonic() + options.seconds
    looked_at = time.monotonic()
    most = options.count or -1
    printed = look.print_news(most)
    while (options.count or options.seconds) and printed != most:
        now = time.monotonic()
        if options.seconds and now >= end:
            break
        if now - looked_at > 0.5:
            looked_at = now
            look.open_anew_if_replaced()
        time.sleep(0.001)
        printed += look.print_news(most - printed if most > 0 else -1)
    missing = [name for name, slot in look.slots.items() if slot is None]
    for name in missing:
        print(f"{name} is not there", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
