#!/usr/bin/env python3
"""Follows the ring of a fleet tick by tick, with libqamd_reader.so and nothing but Python's standard library.

Build:  nothing to build: python3 follow.py --library ../target/release/libqamd_reader.so
Usage:  follow.py [--library FILE] [--instance NAME] [--runtime-dir DIR] [--count TICKS] [--seconds S] [rb2601 | SHFE.rb2601]...

Prints one line of JSON for each tick (of the instruments named, or of all): instrument, exchange, the exchange's time in
nanoseconds since 1970-01-01 UTC, last price, best bid and ask, volume; null where there is no value. It ends after so many ticks, or
so many seconds, or with the fleet, and says on stderr how many ticks it lost.
Exit: 0 done, 1 a fault, 2 usage, 3 not ready: the fleet does not run (yet).
"""
import argparse
import ctypes
import json
import math
import sys
import time
from ctypes import POINTER, c_char, c_char_p, c_double, c_int, c_int32, c_int64, c_size_t
from ctypes import c_uint8, c_uint16, c_uint32, c_uint64, c_void_p

TICK_SCHEMA = 1
NO_PRICE, NO_TIME = sys.float_info.max, -(1 << 63)
OK, NOT_READY = 0, 1


class Level(ctypes.Structure):
    _fields_ = [("bid_price", c_double), ("ask_price", c_double), ("bid_volume", c_int32), ("ask_volume", c_int32)]


class Tick(ctypes.Structure):
    """qamd_tick of qamd_tick.h. Texts come out as bytes up to their first zero."""

    _fields_ = [
        ("worker", c_uint32),
        ("source", c_uint8),
        ("flags", c_uint8),
        ("reserved", c_uint16),
        ("incarnation", c_uint64),
        ("sequence", c_uint64),
        ("receive_time_ns", c_int64),
        ("exchange_time_ns", c_int64),
        ("trading_day", c_uint32),
        ("action_day", c_uint32),
        ("instrument_id", c_char * 80),
        ("exchange_id", c_char * 8),
        ("exchange_instrument_id", c_char * 80),
        ("raw_trading_day", c_char * 8),
        ("raw_action_day", c_char * 8),
        ("raw_update_time", c_char * 8),
        ("update_millisec", c_int32),
        ("volume", c_int32),
        ("last_price", c_double),
        ("pre_settlement_price", c_double),
        ("pre_close_price", c_double),
        ("pre_open_interest", c_double),
        ("open_price", c_double),
        ("highest_price", c_double),
        ("lowest_price", c_double),
        ("turnover", c_double),
        ("open_interest", c_double),
        ("close_price", c_double),
        ("settlement_price", c_double),
        ("upper_limit_price", c_double),
        ("lower_limit_price", c_double),
        ("pre_delta", c_double),
        ("curr_delta", c_double),
        ("average_price", c_double),
        ("banding_upper_price", c_double),
        ("banding_lower_price", c_double),
        ("levels", Level * 5),
    ]


assert ctypes.sizeof(Tick) == 512


def price(raw):
    return raw if math.isfinite(raw) and raw != NO_PRICE else None


def fields(tick):
    return {
        "instrument": tick.instrument_id.decode("ascii"),
        "exchange": tick.exchange_id.decode("ascii"),
        "time": tick.exchange_time_ns if tick.exchange_time_ns != NO_TIME else None,
        "last": price(tick.last_price),
        "bid1": price(tick.levels[0].bid_price),
        "ask1": price(tick.levels[0].ask_price),
        "volume": tick.volume,
    }


def load(path):
    library = ctypes.CDLL(path)
    library.qamd_reader_tick_schema.restype = c_uint32
    library.qamd_reader_open.argtypes = [c_char_p, c_char_p, POINTER(c_void_p), c_char_p, c_size_t]
    library.qamd_reader_open.restype = c_int
    library.qamd_reader_next.argtypes = [c_void_p, POINTER(Tick), c_size_t, c_int64]
    library.qamd_reader_next.restype = c_int64
    library.qamd_reader_error.argtypes = [c_void_p]
    library.qamd_reader_error.restype = c_char_p
    for counter in (library.qamd_reader_lost, library.qamd_reader_copies):
        counter.argtypes = [c_void_p]
        counter.restype = c_uint64
    library.qamd_reader_close.argtypes = [c_void_p]
    library.qamd_reader_close.restype = None
    if library.qamd_reader_tick_schema() != TICK_SCHEMA:
        raise OSError(f"{path} has another tick than this program")
    return library


def follow(library, reader, options):
    """Prints ticks until the wanted number or time is reached. False when the reader failed."""
    ticks = (Tick * 256)()
    end = time.monotonic() + options.seconds
    printed = 0
    while not options.seconds or time.monotonic() < end:
        # Not longer than 0.1 s, so that Ctrl-C is seen.
        count = library.qamd_reader_next(reader, ticks, len(ticks), 100_000)
        if count < 0:
            print(library.qamd_reader_error(reader).decode("utf-8", "replace"), file=sys.stderr)
            return False
        for tick in ticks[:count]:
            line = fields(tick)
            names = {line["instrument"], line["exchange"] + "." + line["instrument"]}
            if options.names and names.isdisjoint(options.names):
                continue
            print(json.dumps(line, separators=(",", ":")))
            printed += 1
            if printed == options.count:
                return True
        if count > 0:
            sys.stdout.flush()
    return True


def main():
    parser = argparse.ArgumentParser(description="a fleet's ticks as they come")
    parser.add_argument("--library", default="libqamd_reader.so")
    parser.add_argument("--instance")
    parser.add_argument("--runtime-dir")
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    try:
        library = load(options.library)
    except OSError as fault:
        print(fault, file=sys.stderr)
        return 1
    reader = c_void_p()
    error = ctypes.create_string_buffer(512)
    named = [value.encode() if value is not None else None for value in (options.instance, options.runtime_dir)]
    state = library.qamd_reader_open(*named, ctypes.byref(reader), error, len(error))
    if state != OK:
        print(error.value.decode("utf-8", "replace"), file=sys.stderr)
        return 3 if state == NOT_READY else 1
    print("following", file=sys.stderr, flush=True)
    try:
        went_well = follow(library, reader, options)
    except KeyboardInterrupt:
        went_well = True
    sys.stdout.flush()
    lost, copies = library.qamd_reader_lost(reader), library.qamd_reader_copies(reader)
    print(f"lost {lost}, copies left out {copies}", file=sys.stderr)
    library.qamd_reader_close(reader)
    return 0 if went_well else 1


if __name__ == "__main__":
    sys.exit(main())
