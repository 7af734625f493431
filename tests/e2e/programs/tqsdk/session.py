"""What these programs share: TqSdk on the gateway that the test names, and lines of JSON between a program and the test.

Nothing but this machine may be reached: whoever tries it is refused, and the test is told at the end.
"""

import datetime
import json
import math
import queue
import sys
import threading

_MACHINE = ("127.0.0.1", "localhost", "::1", None)
_reached = set()
_refused = set()


def _guard(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host, port = arguments[1][:2]
    elif event == "socket.getaddrinfo":
        host, port = arguments[:2]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in _MACHINE:
        _refused.add(f"{host}:{port}")
        raise PermissionError(f"this test has no network: {host}:{port}")
    _reached.add(f"{host}:{port}")


# Before TqSdk is imported, which asks for news of itself.
sys.addaudithook(_guard)

import tqsdk.connect  # noqa: E402
from tqsdk import TqApi, TqAuth  # noqa: E402


def _before_maintenance(now=tqsdk.connect._cst_now):
    """Beijing's time; half past six instead of half past seven in the evening."""
    time = now()
    return time - datetime.timedelta(hours=1) if time.hour == 19 else time


# From 19:00 to 19:30 TqSdk ends at its first disconnection, since its vendor's servers are then maintained, instead of trying
# again. The tests run at any hour: only the clock that this depends on is another.
tqsdk.connect._cst_now = _before_maintenance

_heard = queue.SimpleQueue()


def connect():
    """TqSdk as a user starts it; TQ_AUTH_URL and TQ_MD_URL say where."""
    threading.Thread(target=_listen, daemon=True).start()
    return TqApi(auth=TqAuth("tester", "secret"))


def _listen():
    for line in sys.stdin:
        _heard.put(line.strip())
    _heard.put("end")


def hear():
    """The next word of the test; waits for it."""
    return _heard.get()


def heard():
    """The next word of the test, if there is one."""
    return None if _heard.empty() else _heard.get()


def say(what, **more):
    """A line for the test."""
    print(json.dumps({"what": what, **plain(more)}, allow_nan=False, ensure_ascii=False), flush=True)


def end(api):
    """Leaves, and says who was spoken to."""
    api.close()
    say("end", reached=sorted(_reached), refused=sorted(_refused))


def plain(value):
    """As JSON has it; null where there is no value."""
    if isinstance(value, dict):
        return {key: plain(of) for key, of in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(of) for of in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def nanoseconds(text):
    """A time of TqSdk's quotes in nanoseconds since 1970-01-01 UTC, None before the first tick; fails on any other form."""
    if text == "":
        return None
    beijing = datetime.timezone(datetime.timedelta(hours=8))
    moment = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=beijing)
    since = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return since // datetime.timedelta(microseconds=1) * 1000


_LEVELS = [f"{side}_{what}{level}" for side in ("ask", "bid") for what in ("price", "volume") for level in range(1, 6)]
_MARKET = ["last_price", "highest", "lowest", "open", "close", "average", "volume", "amount", "open_interest",
           "settlement", "upper_limit", "lower_limit", "pre_open_interest", "pre_settlement", "pre_close"]


def market_of(quote):
    """What ticks bring to a quote."""
    fields = {name: quote[name] for name in _MARKET + _LEVELS}
    return {"symbol": quote.instrument_id, "time_ns": nanoseconds(quote.datetime), **fields}


def rows_of(frame):
    """The filled rows of a series, oldest first."""
    return frame[frame["datetime"] > 0].to_dict("records")
