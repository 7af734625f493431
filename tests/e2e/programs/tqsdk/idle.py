"""Is busy with something else until the test says so, and then looks what has become of a quote meanwhile.

usage: idle.py SYMBOL ANOTHER
"""

import math
import sys
import time

import session

api = session.connect()
quote = api.get_quote(sys.argv[1])
# The first tick is here, and no peek is on its way.
session.say("ready", quote=session.market_of(quote))
session.hear()
api.wait_update()
session.say("awake", quote=session.market_of(quote))
session.say("later", updates=api.wait_update(deadline=time.time() + 1))
another = api.get_quote(sys.argv[2])
while math.isnan(another.last_price):
    api.wait_update()
session.say("on", quote=session.market_of(another))
session.end(api)
