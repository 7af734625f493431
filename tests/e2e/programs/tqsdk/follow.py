"""Follows quotes, ticks and K-lines, and shows all of them whenever the test says so.

usage: follow.py JSON: {"quotes": [SYMBOL...], "ticks": [SYMBOL...], "klines": [[[SYMBOL...], SECONDS]...]}
"""

import json
import sys
import time

import session

wanted = json.loads(sys.argv[1])
api = session.connect()
quotes = api.get_quote_list(wanted["quotes"])
ticks = [api.get_tick_serial(symbol, data_length=4000) for symbol in wanted["ticks"]]
klines = [api.get_kline_serial(symbols, seconds, data_length=500) for symbols, seconds in wanted["klines"]]
session.say("ready")
updates = 0
while True:
    updates += api.wait_update(deadline=time.time() + 0.05)
    word = session.heard()
    if word == "end":
        break
    if word == "show":
        session.say("shown", updates=updates, quotes=[session.market_of(quote) for quote in quotes],
                    ticks=[session.rows_of(frame) for frame in ticks], klines=[session.rows_of(frame) for frame in klines])
session.end(api)
