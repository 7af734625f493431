"""Asks for contracts in all the ways TqSdk has.

usage: contracts.py JSON: [[METHOD, [ARGUMENT...], {OPTION: VALUE...}]...]
"""

import json
import sys

import session

FACTS = ["instrument_id", "exchange_id", "product_id", "ins_class", "instrument_name", "price_tick", "price_decs",
         "volume_multiple", "expired", "delivery_year", "delivery_month", "expire_datetime", "underlying_symbol",
         "strike_price", "option_class", "max_limit_order_volume", "min_limit_order_volume", "max_market_order_volume",
         "min_market_order_volume"]


def facts_of(quote):
    hours = quote.trading_time
    return {**{name: quote[name] for name in FACTS}, "day": hours.day, "night": hours.night, "datetime": quote.datetime}


def shown(answer):
    """A quote, a list of quotes, a list of symbols, or a table."""
    if hasattr(answer, "to_dict"):
        return [{key: str(of) if isinstance(of, list) else of for key, of in row.items()} for row in answer.to_dict("records")]
    if hasattr(answer, "trading_time"):
        return facts_of(answer)
    return [shown(of) if hasattr(of, "trading_time") else of for of in answer]


api = session.connect()
for method, arguments, options in json.loads(sys.argv[1]):
    try:
        session.say("answer", of=method, answer=shown(getattr(api, method)(*arguments, **options)))
    except Exception as error:
        session.say("error", of=method, kind=type(error).__name__, text=str(error))
session.end(api)
