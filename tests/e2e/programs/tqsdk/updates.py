"""The loop of TqSdk's manual: waits for updates of some quotes, and shows every change that it is told of.

usage: updates.py COUNT SYMBOL...
"""

import sys

import session

count, symbols = int(sys.argv[1]), sys.argv[2:]
api = session.connect()
quotes = [api.get_quote(symbol) for symbol in symbols]
bars = api.get_kline_serial(symbols[0], 5)
session.say("ready", quotes=[session.market_of(quote) for quote in quotes])


def latest():
    """What the loop looks at: each quote's price, and the last bar with its id."""
    bar = bars.iloc[-1]
    return [quote.last_price for quote in quotes] + [(bar.id, bar.close)]


before = latest()
while count > 0:
    api.wait_update()
    now = latest()
    told = [api.is_changing(quote, "last_price") for quote in quotes] + [api.is_changing(bars.iloc[-1], "close")]
    if told != [was != price for was, price in zip(before, now)]:
        session.say("untrue", told=told, before=before, now=now)
    before = now
    for quote in quotes:
        if count > 0 and api.is_changing(quote):
            session.say("change", quote=session.market_of(quote))
            count -= 1
session.end(api)
