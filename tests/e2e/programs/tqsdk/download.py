"""Downloads K-lines until a day that has not come yet: all there are.

usage: download.py JSON: [[SYMBOL, SECONDS]...]
"""

import datetime
import json
import sys

import session

api = session.connect()
for symbol, seconds in json.loads(sys.argv[1]):
    frame = api.get_kline_data_series(symbol, seconds, datetime.datetime(2026, 11, 20), datetime.datetime(2026, 12, 24))
    session.say("bars", of=session.rows_of(frame))
session.end(api)
