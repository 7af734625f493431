//! Each rule by real sessions, and random histories against the naive model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shm_layout::{Date, NO_PRICE, NO_TIME, ShanghaiTime, TradingCalendar, price_of};

use super::history::HistoryBounds;
use super::*;
use model::Model;

mod model;

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn id(text: &str) -> InstrumentId {
    InstrumentId::parse(text).unwrap()
}

fn hours() -> TradingHours {
    TradingHours::new(TradingCalendar::default())
}

fn bars(ns: i64) -> Kind {
    Kind::Bars(BarDuration::try_from_ns(ns).unwrap())
}

/// A moment in Beijing, written `20260305 21:00:00` with a fraction if need be, in nanoseconds.
fn at(text: &str) -> i64 {
    let (day, time) = text.split_once(' ').unwrap();
    let parts: Vec<&str> = time.split([':', '.']).collect();
    let number = |n: usize| parts.get(n).map_or(0, |part| part.parse::<i64>().unwrap());
    let ms = ((number(0) * 60 + number(1)) * 60 + number(2)) * 1000 + number(3);
    ShanghaiTime::unix_ms(Date::parse(day).unwrap(), ms) * 1_000_000
}

/// The moment as [`at`] takes it, without the fraction.
fn clock(ns: i64) -> String {
    let at = ShanghaiTime::at(ns.div_euclid(1_000_000)).unwrap();
    let second = at.ms_of_day / 1000;
    format!("{} {:02}:{:02}:{:02}", at.date, second / 3600, second / 60 % 60, second % 60)
}

fn tick(time: &str, day: u32, price: f64, volume: i32) -> Tick {
    Tick {
        exchange_time_ns: at(time),
        trading_day: day,
        last_price: price,
        volume,
        open_interest: 1000.0 + price,
        ..Tick::EMPTY
    }
}

/// The datetimes and the volumes of all bars.
fn listed(book: &SeriesBook, series: SeriesId) -> Vec<(String, i64)> {
    let ids = book.first_id(series)..=book.last_id(series);
    let bars = ids.map(|id| book.bar(series, id).unwrap());
    bars.map(|bar| (clock(bar.datetime_ns), bar.volume)).collect()
}

/// The bars of some ticks, each with its trading day and one lot more than the tick before; opened before and after them,
/// which must be the same.
fn charted(
    hours: TradingHours,
    instrument: &str,
    ns: i64,
    times: &[(&str, u32)],
) -> Vec<(String, i64)> {
    let mut book = SeriesBook::new(hours);
    let early = book.open(id(instrument), bars(ns)).unwrap();
    let (mut volume, mut last_day) = (0, 0);
    for (time, day) in times {
        volume = if *day == last_day { volume + 1 } else { 1 };
        last_day = *day;
        book.take(id(instrument), &tick(time, *day, 1.0, volume));
    }
    let seen = listed(&book, early);
    book.close(early);
    let late = book.open(id(instrument), bars(ns)).unwrap();
    assert_eq!(listed(&book, late), seen, "opened late");
    seen
}

fn expected(pairs: &[(&str, i64)]) -> Vec<(String, i64)> {
    pairs.iter().map(|(time, volume)| (time.to_string(), *volume)).collect()
}

#[test]
fn one_trading_day_far_ahead_does_not_end_the_bars() {
    for (wrong, expected_day) in [(20_991_231, 20_260_305), (20_260_402, 20_260_305)] {
        let mut book = SeriesBook::new(hours());
        let series = book.open(id("rb2605"), bars(MINUTE)).unwrap();
        book.take(id("rb2605"), &tick("20260305 09:00:00", 20_260_305, 10.0, 100));
        book.take(id("rb2605"), &tick("20260305 09:00:10", wrong, 11.0, 110));
        book.take(id("rb2605"), &tick("20260305 09:01:00", 20_260_305, 12.0, 120));
        let expected = expected(&[("20260305 09:00:00", 10), ("20260305 09:01:00", 10)]);
        assert_eq!(listed(&book, series), expected, "{wrong}");
        let bar = book.bar(series, book.first_id(series)).unwrap();
        assert_eq!(bar.trading_day, expected_day);
    }
    // After a holiday of eleven days a night session is of a day that far ahead.
    let mut book = SeriesBook::new(hours());
    let series = book.open(id("rb2605"), bars(MINUTE)).unwrap();
    book.take(id("rb2605"), &tick("20260305 21:00:00", 20_260_317, 10.0, 100));
    assert_eq!(book.bar(series, book.first_id(series)).unwrap().trading_day, 20_260_317);
}

#[test]
fn one_time_hours_ahead_does_not_end_the_bars() {
    let received = |tick: Tick, at_ns: i64| Tick { receive_time_ns: at_ns, ..tick };
    let mut book = SeriesBook::new(hours());
    let series = book.open(id("rb2605"), bars(MINUTE)).unwrap();
    let day = 20_260_305;
    for (time, when, volume) in [
        ("20260305 09:00:00", "20260305 09:00:00", 100),
        ("20260305 14:30:00", "20260305 09:00:01", 105),
        ("20260305 09:00:02", "20260305 09:00:02", 110),
        // The next session, as it should be.
        ("20260305 10:30:00", "20260305 10:30:00", 120),
    ] {
        book.take(id("rb2605"), &received(tick(time, day, 1.0, volume), at(when)));
    }
    let first = expected(&[("20260305 09:00:00", 10), ("20260305 10:30:00", 10)]);
    assert_eq!(listed(&book, series), first);
    // A recorded day that lies ahead of our clock: the first tick behind a pause is lost to bars, its growth is not.
    let now = at("20260301 12:00:00");
    for (time, volume) in [("20260305 13:30:00", 130), ("20260305 13:30:01", 140)] {
        book.take(id("rb2605"), &received(tick(time, day, 1.0, volume), now));
    }
    let last = book.bar(series, book.last_id(series)).unwrap();
    assert_eq!((clock(last.datetime_ns).as_str(), last.volume), ("20260305 13:30:00", 20));
}

/// As Zhengzhou sends it in the morning: the evening's time of a day that has none, with the morning's trading day.
#[test]
fn a_first_time_hours_ahead_does_not_end_the_bars_either() {
    let day = 20_260_305;
    let received = |tick: Tick, when: &str| Tick { receive_time_ns: at(when), ..tick };
    let mut book = SeriesBook::new(hours());
    let (hour, ticks) =
        (book.open(id("SR605"), bars(HOUR)).unwrap(), book.open(id("SR605"), Kind::Ticks).unwrap());
    let stale = tick("20260305 19:58:51", day, 7185.0, 0);
    book.take(id("SR605"), &received(stale, "20260305 08:50:00"));
    let first_id = book.first_id(ticks);
    for (time, volume) in
        [("20260305 09:00:00", 0), ("20260305 09:30:00", 580), ("20260305 13:58:00", 1580)]
    {
        book.take(id("SR605"), &received(tick(time, day, 7200.0, volume), time));
    }
    let seen = expected(&[("20260305 09:00:00", 580), ("20260305 13:00:00", 1000)]);
    assert_eq!(listed(&book, hour), seen);
    // Who starts again at nine counts on from there.
    let mut again = SeriesBook::new(hours());
    let after = again.open(id("SR605"), Kind::Ticks).unwrap();
    again.take(id("SR605"), &tick("20260305 09:00:01", day, 7200.0, 3));
    assert!(again.first_id(after) > first_id);
    // Nobody has it open, and what it ticked stays its own.
    [hour, ticks].into_iter().for_each(|series| book.close(series));
    let mut book = SeriesBook::new(hours());
    book.take(id("SR605"), &received(stale, "20260305 08:50:00"));
    let series = book.open(id("SR605"), Kind::Ticks).unwrap();
    book.close(series);
    let other = book.open(id("rb2605"), Kind::Ticks).unwrap();
    assert_eq!(book.last_id(other), -1, "the place of the other one was not given away");
}

#[test]
fn what_was_traded_while_nobody_listened_is_in_no_bar() {
    let snapshot = |time: &str, day, volume| Tick {
        flags: TickFlags::SNAPSHOT.0,
        ..tick(time, day, 1.0, volume)
    };
    let mut book = SeriesBook::new(hours());
    let minute = book.open(id("rb2605"), bars(MINUTE)).unwrap();
    for tick in [
        snapshot("20260305 10:00:00", 20_260_305, 1000),
        tick("20260305 10:00:30", 20_260_305, 1.0, 1010),
        // A connection was lost, for less than a minute.
        snapshot("20260305 10:01:00", 20_260_305, 1050),
        // For more.
        snapshot("20260305 10:05:00", 20_260_305, 9000),
        tick("20260305 10:05:01", 20_260_305, 1.0, 9001),
        // What trades rarely is listened to all the same.
        tick("20260305 11:00:00", 20_260_305, 1.0, 9007),
        snapshot("20260306 14:00:00", 20_260_306, 1_500_000),
        tick("20260306 14:00:01", 20_260_306, 1.0, 1_500_002),
        // The first trade of a day, by the first tick after a login.
        snapshot("20260306 20:59:00", 20_260_309, 77),
        tick("20260306 21:00:00", 20_260_309, 1.0, 80),
        // The day's sessions are not its first.
        snapshot("20260310 09:00:10", 20_260_310, 5000),
    ] {
        book.take(id("rb2605"), &tick);
    }
    let seen = [
        ("20260305 10:00:00", 10),
        ("20260305 10:01:00", 40),
        ("20260305 10:05:00", 1),
        ("20260305 11:00:00", 6),
        ("20260306 14:00:00", 2),
        ("20260306 21:00:00", 80),
        ("20260310 09:00:00", 0),
    ];
    assert_eq!(listed(&book, minute), expected(&seen));
}

#[test]
fn yesterdays_close_does_not_open_the_day() {
    let mut book = SeriesBook::new(hours());
    let minute = book.open(id("rb2605"), bars(MINUTE)).unwrap();
    for (time, price, volume) in [
        ("20260305 20:55:00", 3500.0, 0),
        ("20260305 20:59:00", 3450.0, 700),
        ("20260305 21:00:00", 3451.0, 710),
    ] {
        book.take(id("rb2605"), &tick(time, 20_260_306, price, volume));
    }
    let bar = book.bar(minute, book.first_id(minute)).unwrap();
    assert_eq!((bar.open, bar.high, bar.close, bar.volume), (3450.0, 3451.0, 3451.0, 710));
}

#[test]
fn a_bar_is_made_of_last_prices_and_of_growth() {
    let mut book = SeriesBook::new(hours());
    let series = book.open(id("rb2605"), bars(MINUTE)).unwrap();
    for (time, price, volume) in [
        ("20260305 09:00:00", 10.0, 500),
        ("20260305 09:00:20", 12.0, 510),
        ("20260305 09:00:40", 9.0, 505),
        ("20260305 09:00:59.500", 11.0, 507),
        ("20260305 09:01:00", 13.0, 600),
    ] {
        book.take(id("rb2605"), &tick(time, 20_260_305, price, volume));
    }
    let first = *book.bar(series, book.first_id(series)).unwrap();
    assert_eq!((first.open, first.high, first.low, first.close), (10.0, 12.0, 9.0, 11.0));
    // The first tick shows no growth, and 510 was taken back to 505.
    assert_eq!((first.volume, first.open_oi, first.close_oi), (12, 1010.0, 1011.0));
    let second = *book.bar(series, book.last_id(series)).unwrap();
    assert_eq!((clock(second.datetime_ns).as_str(), second.volume), ("20260305 09:01:00", 93));
    assert_eq!(first.trading_day, 20_260_305);
}

#[test]
fn a_commoditys_hours_begin_with_the_hour_and_hold_auction_and_close() {
    let day = 20_260_305;
    let times = [
        ("20260305 08:29:59", day),
        ("20260305 08:59:00.500", day),
        ("20260305 09:00:00", day),
        ("20260305 10:00:00", day),
        // The end, some seconds after it, and in the pause that belongs to the next session.
        ("20260305 10:15:00", day),
        ("20260305 10:15:03", day),
        ("20260305 10:29:00", day),
        ("20260305 11:30:00.500", day),
        ("20260305 13:30:00", day),
        ("20260305 15:00:00.500", day),
        ("20260305 15:02:59", day),
        // Settlement prices, and snapshots at midnight.
        ("20260305 15:30:00", day),
        ("20260306 00:00:00", day),
    ];
    // An option trades as its future does.
    for instrument in ["rb2605", "rb2605C3000"] {
        let hourly = charted(hours(), instrument, HOUR, &times);
        let expected = expected(&[
            ("20260305 09:00:00", 2),
            ("20260305 10:00:00", 4),
            ("20260305 11:00:00", 1),
            ("20260305 13:00:00", 1),
            ("20260305 14:00:00", 2),
        ]);
        assert_eq!(hourly, expected, "{instrument}");
    }
    let minutes = charted(hours(), "rb2605", MINUTE, &times);
    let of: Vec<&str> = minutes.iter().map(|(time, _)| &time[9..14]).collect();
    assert_eq!(of, ["09:00", "10:00", "10:14", "10:30", "11:29", "13:30", "14:59"]);
    let seconds = charted(hours(), "rb2605", 5 * SECOND, &times);
    let of: Vec<&str> = seconds.iter().map(|(time, _)| &time[9..]).collect();
    let ends = ["10:14:55", "10:30:00", "11:29:55", "13:30:00", "14:59:55"];
    assert_eq!(of, [&["09:00:00", "10:00:00"][..], &ends[..]].concat());
}

#[test]
fn indices_bonds_and_the_unlisted_have_their_own_ends() {
    let day = 20_260_305;
    let times =
        ["20260305 09:26:00", "20260305 15:00:10", "20260305 15:15:10", "20260305 15:20:00"]
            .map(|time| (time, day));
    let minutes = |hours: TradingHours, instrument: &str| {
        let bars = charted(hours, instrument, MINUTE, &times);
        bars.into_iter().map(|(time, _)| time[9..14].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(minutes(hours(), "IF2603"), ["09:30", "14:59"]);
    assert_eq!(minutes(hours(), "T2606"), ["09:30", "15:00", "15:14"]);
    let own = TradingHours::parse("xx,00:00-24:00\nwr,\n", TradingCalendar::default()).unwrap();
    assert_eq!(minutes(own.clone(), "xx1"), ["09:26", "15:00", "15:15", "15:20"]);
    assert_eq!(minutes(own, "wr2605"), [""; 0], "what never trades has no bars");
}

#[test]
fn a_night_over_midnight_and_a_weekend_is_one_trading_day() {
    let (friday, monday) = (20_260_306, 20_260_309);
    let times = [
        ("20260306 14:59:00", friday),
        ("20260306 20:59:00.500", monday),
        ("20260306 23:59:59", monday),
        ("20260307 00:00:00", monday),
        ("20260307 02:30:00", monday),
        ("20260309 09:00:00", monday),
        ("20260309 21:00:00", 20_260_310),
    ];
    let days = charted(hours(), "au2606", DAY, &times);
    let each = [("20260306 00:00:00", 0), ("20260309 00:00:00", 5), ("20260310 00:00:00", 1)];
    assert_eq!(days, expected(&each));
    let weeks = charted(hours(), "au2606", 7 * DAY, &times);
    assert_eq!(weeks, expected(&[("20260302 00:00:00", 0), ("20260309 00:00:00", 6)]));
    let halves = charted(hours(), "au2606", 12 * HOUR, &times);
    let of: Vec<&str> = halves.iter().map(|(time, _)| time.as_str()).collect();
    assert_eq!(
        of,
        [
            "20260306 12:00:00",
            "20260306 21:00:00", // Monday's first, in the slot of Friday's afternoon
            "20260307 00:00:00",
            "20260309 00:00:00",
            "20260309 12:00:00", // Tuesday's first, in a slot of its own
        ]
    );
}

#[test]
fn holidays_and_half_days_are_the_calendars() {
    let calendar = "20260306\n20260310 until 10:00\n";
    let hours = TradingHours::new(TradingCalendar::parse(calendar).unwrap());
    let times = [
        ("20260305 21:00:00", 20_260_309),
        ("20260306 10:00:00", 20_260_309),
        ("20260309 21:30:00", 20_260_310),
        ("20260310 10:00:00", 20_260_310),
        ("20260310 10:02:00", 20_260_310),
        ("20260310 10:20:00", 20_260_310),
        ("20260310 13:30:00", 20_260_310),
    ];
    let minutes = charted(hours, "rb2605", MINUTE, &times);
    // What was traded while nothing was is shown by no tick of the same day.
    assert_eq!(minutes, expected(&[("20260309 21:30:00", 1), ("20260310 09:59:00", 2)]));
}

#[test]
fn a_trading_day_that_is_not_said_is_the_sessions() {
    let times = [("20260306 14:00:00", 0), ("20260306 22:00:00", 0), ("20260309 10:00:00", 0)];
    let days = charted(hours(), "rb2605", DAY, &times);
    assert_eq!(
        days.iter().map(|(time, _)| &time[..8]).collect::<Vec<_>>(),
        ["20260306", "20260309"]
    );
    let always = TradingHours::parse("*,00:00-24:00", TradingCalendar::default()).unwrap();
    assert_eq!(charted(always.clone(), "rb2605", DAY, &times), []);
    assert_eq!(charted(always, "rb2605", HOUR, &times).len(), 3);
}

#[test]
fn ticks_without_price_or_time_make_no_bar_but_are_kept() {
    let mut book = SeriesBook::new(hours());
    let ticks = book.open(id("rb2605"), Kind::Ticks).unwrap();
    let minutes = book.open(id("rb2605"), bars(MINUTE)).unwrap();
    assert_eq!((book.first_id(ticks), book.last_id(ticks), book.revision(ticks)), (0, -1, 0));
    let day = 20_260_305;
    book.take(id("rb2605"), &tick("20260305 09:00:00", day, NO_PRICE, 1));
    let received = at("20260305 09:00:07");
    let untimed = Tick {
        exchange_time_ns: NO_TIME,
        receive_time_ns: received,
        ..tick("20260305 09:00:01", day, 5.0, 3)
    };
    book.take(id("rb2605"), &untimed);
    assert_eq!((book.first_id(minutes), book.last_id(minutes)), (0, -1));
    book.take(id("rb2605"), &tick("20260305 09:00:02", day, 6.0, 4));
    assert_eq!(listed(&book, minutes), expected(&[("20260305 09:00:00", 1)]));
    let first = book.first_id(ticks);
    assert_eq!((book.last_id(ticks), book.revision(ticks)), (first + 2, 3));
    assert_eq!(book.tick(ticks, first).unwrap().last_price, NO_PRICE, "raw");
    assert_eq!(book.tick(ticks, first + 1).unwrap().datetime_ns, received);
    assert_eq!(book.tick(ticks, first + 3), None);
    assert_eq!((book.bar(ticks, first), book.tick(minutes, book.first_id(minutes))), (None, None));
    // Foreign times are no reason to fall over.
    for time in [i64::MIN, i64::MIN + 1, -1, i64::MAX] {
        let foreign = Tick { exchange_time_ns: time, receive_time_ns: time, ..untimed };
        book.take(id("rb2605"), &foreign);
    }
    assert_eq!(listed(&book, minutes).len(), 1);
}

#[test]
fn what_is_older_goes_into_no_earlier_bar() {
    let mut book = SeriesBook::new(hours());
    let minutes = book.open(id("rb2605"), bars(MINUTE)).unwrap();
    let longer = book.open(id("rb2605"), bars(5 * MINUTE)).unwrap();
    for (time, day, price) in [
        ("20260305 09:00:30", 20_260_305, 10.0),
        ("20260305 09:01:30", 20_260_305, 11.0),
        // The same minute, though earlier in it; a minute ago; a trading day ago.
        ("20260305 09:01:10", 20_260_305, 12.0),
        ("20260305 09:00:59", 20_260_305, 99.0),
        ("20260305 09:01:40", 20_260_304, 99.0),
    ] {
        book.take(id("rb2605"), &tick(time, day, price, 7));
    }
    let last = book.bar(minutes, book.last_id(minutes)).unwrap();
    assert_eq!((last.open, last.high, last.close), (11.0, 12.0, 12.0));
    let both = book.bar(longer, book.last_id(longer)).unwrap();
    assert_eq!((both.open, both.high, both.close), (10.0, 12.0, 12.0));
}

#[test]
fn a_client_is_told_what_changed() {
    let mut book = SeriesBook::new(hours());
    let series = book.open(id("rb2605"), bars(MINUTE)).unwrap();
    assert_eq!((book.revision(series), book.changed(series)), (0, &[0; BAR_FIELDS]));
    let mut take = |time, price, volume| {
        book.take(
            id("rb2605"),
            &Tick { open_interest: NO_PRICE, ..tick(time, 20_260_305, price, volume) },
        );
        let now = book.revision(series);
        let changed = book.changed(series);
        let of = BarField::ALL.into_iter().filter(|field| changed[*field as usize] == now);
        (now, of.collect::<Vec<_>>())
    };
    use BarField::{Close, High, Low, Volume};
    assert_eq!(take("20260305 09:00:00", 10.0, 5), (1, BarField::ALL.to_vec()));
    assert_eq!(take("20260305 09:00:01", 10.0, 5), (1, BarField::ALL.to_vec()), "nothing new");
    assert_eq!(take("20260305 09:00:02", 11.0, 6), (2, vec![High, Close, Volume]));
    assert_eq!(take("20260305 09:00:03", 9.0, 6), (3, vec![Low, Close]));
    assert_eq!(take("20260305 09:00:04", 10.0, 6), (4, vec![Close]));
    assert_eq!(take("20260305 09:01:00", 10.0, 6), (5, BarField::ALL.to_vec()), "a new bar");
}

#[test]
fn ids_come_from_the_time_and_go_on_when_opened_again() {
    let (mut book, rebar) = (SeriesBook::new(hours()), id("rb2605"));
    let day = 20_260_305;
    let series = book.open(rebar, bars(5 * MINUTE)).unwrap();
    book.take(rebar, &tick("20260305 11:29:00", day, 1.0, 1));
    let since_2020 = (at("20260305 11:25:00") - at("20200101 00:00:00")) / (5 * MINUTE);
    assert_eq!((book.first_id(series), book.last_id(series)), (since_2020, since_2020));
    book.take(rebar, &tick("20260305 13:30:00", day, 1.0, 1));
    assert_eq!(book.last_id(series), since_2020 + 1, "pauses have no ids");
    let shared = book.open(rebar, bars(5 * MINUTE)).unwrap();
    assert_eq!(shared, series);
    book.close(shared);
    assert_eq!(book.last_id(series), since_2020 + 1, "another has it open");
    book.close(series);
    assert_eq!(
        (book.first_id(series), book.last_id(series), book.bar(series, since_2020)),
        (0, -1, None)
    );
    book.close(series);
    let again = book.open(rebar, bars(5 * MINUTE)).unwrap();
    assert_ne!(again, series);
    assert_eq!((book.first_id(again), book.last_id(again)), (since_2020, since_2020 + 1));
    assert_eq!(book.find(again, i64::MIN), since_2020);
    assert_eq!(book.find(again, at("20260305 11:25:00") + 1), since_2020 + 1);
    assert_eq!(book.find(again, i64::MAX), since_2020 + 2);
    let ticks = book.open(rebar, Kind::Ticks).unwrap();
    let quarters = (at("20260305 11:29:00") - at("20200101 00:00:00")) / (SECOND / 4);
    assert_eq!((book.first_id(ticks), book.last_id(ticks)), (quarters, quarters + 1));
    assert_eq!(book.find(ticks, at("20260305 12:00:00")), quarters + 1);
}

fn small() -> Bounds {
    Bounds {
        instruments: 4,
        ticks: HistoryBounds { records_each: 64, chunks: 10 },
        minutes: HistoryBounds { records_each: 48, chunks: 7 },
        series: 16,
        bars_each: 20,
        bars: 1000,
        ended_each: 8,
    }
}

#[test]
fn what_has_no_room_is_refused_and_leaves_nothing_behind() {
    let mut book =
        SeriesBook::with(hours(), Bounds { series: 2, bars: 4, instruments: 2, ..small() });
    for minute in 0..3 {
        let time = format!("20260305 09:0{minute}:00");
        book.take(id("rb2605"), &tick(&time, 20_260_305, 1.0, 1));
    }
    let minutes = book.open(id("rb2605"), bars(MINUTE)).unwrap();
    let refused = book.open(id("rb2605"), bars(2 * MINUTE)).unwrap_err();
    assert_eq!(refused, NoRoom::Bars { max: 4 });
    assert!(refused.to_string().contains("4 bars"));
    let hour = book.open(id("rb2605"), bars(HOUR)).unwrap();
    assert_eq!(book.open(id("rb2605"), Kind::Ticks), Err(NoRoom::Series { max: 2 }));
    // At the bound what gains a bar loses one; what has but one, that.
    book.take(id("rb2605"), &tick("20260305 10:00:00", 20_260_305, 1.0, 1));
    assert_eq!((listed(&book, minutes).len(), listed(&book, hour).len()), (3, 1));
    assert_eq!(clock(book.bar(hour, book.last_id(hour)).unwrap().datetime_ns), "20260305 10:00:00");
    book.close(minutes);
    // Clients may ask for what does not exist as often as they like.
    for n in 0..9 {
        let unheard = book.open(id(&format!("x{n}")), Kind::Ticks).unwrap();
        book.close(unheard);
    }
    book.take(id("au2606"), &tick("20260305 10:00:00", 20_260_305, 1.0, 1));
    book.take(id("ag2606"), &tick("20260305 10:00:00", 20_260_305, 1.0, 1));
    assert_eq!(book.open(id("ag2606"), Kind::Ticks), Err(NoRoom::Instruments { max: 2 }));
    assert_eq!((book.unkept(), book.bars), (1, 1));
}

#[test]
fn so_many_ended_series_are_remembered() {
    let mut book = SeriesBook::with(hours(), Bounds { ended_each: 1, ..small() });
    for minute in 0..40 {
        let time = format!("20260305 09:{minute:02}:00");
        book.take(id("rb2605"), &tick(&time, 20_260_305, 1.0, 1));
    }
    let ns = [MINUTE, 2 * MINUTE];
    let last_ids = |book: &mut SeriesBook| {
        ns.map(|ns| {
            let series = book.open(id("rb2605"), bars(ns)).unwrap();
            let last = book.last_id(series);
            book.close(series);
            last
        })
    };
    let before = last_ids(&mut book);
    for minute in 40..56 {
        let time = format!("20260305 09:{minute:02}:00");
        book.take(id("rb2605"), &tick(&time, 20_260_305, 1.0, 1));
    }
    assert_eq!(last_ids(&mut book), [before[0] + 16, before[1] + 8]);
    let ended = &book.instruments[0].ended;
    assert_eq!(ended.iter().map(|(of, _)| of.as_ns()).collect::<Vec<_>>(), [2 * MINUTE]);
    let empty = book.open(id("au2606"), bars(MINUTE)).unwrap();
    book.close(empty);
    assert!(book.index.len() == 1, "what had no bars is not remembered");
}

/// What random histories do.
#[derive(Debug, Clone)]
enum Step {
    Tick { instrument: usize, later_ms: i64, price: u8, volume: i32, day: u8 },
    Open { instrument: usize, kind: usize },
    Close { nth: usize },
}

const INSTRUMENTS: [&str; 4] = ["rb2605", "au2606", "IF2603", "xx1"];
const DURATIONS: [i64; 8] =
    [5 * SECOND, MINUTE, 90 * SECOND, 5 * MINUTE, HOUR, 12 * HOUR, DAY, 3 * DAY];

fn step() -> impl Strategy<Value = Step> {
    let later = prop::sample::select(vec![
        0, 500, 500, 4_000, 7_000, 61_000, 61_000, 610_000, 3_000_000, 14_000_000, -500, -20_000,
        -130_000,
    ]);
    let tick = (0..4_usize, later, any::<u8>(), -3..20_i32, any::<u8>()).prop_map(
        |(instrument, later_ms, price, volume, day)| Step::Tick {
            instrument,
            later_ms,
            price,
            volume,
            day,
        },
    );
    let open = (0..4_usize, 0..=DURATIONS.len())
        .prop_map(|(instrument, kind)| Step::Open { instrument, kind });
    prop_oneof![20 => tick, 1 => open, 1 => (0..8_usize).prop_map(|nth| Step::Close { nth })]
}

/// A series that is open, and what the model makes it of.
#[derive(Debug)]
struct Opened {
    series: SeriesId,
    instrument: usize,
    kind: Kind,
    /// The number of the first tick it has bars of.
    since: usize,
}

/// An instrument, a duration and a bar's datetime, in one life of the series or in all of them.
type BarKey = (usize, i64, i64, Option<(u32, u32)>);

/// A book and the models beside it.
struct Trial {
    book: SeriesBook,
    hours: TradingHours,
    models: Vec<Model>,
    days: [u32; 4],
    volumes: [i32; 4],
    time_ms: i64,
    opened: Vec<Opened>,
    /// The last id of each series so far.
    last_ids: BTreeMap<(usize, i64), i64>,
    /// The id of each bar, by instrument, duration and datetime, in one opening and in all.
    bar_ids: BTreeMap<BarKey, i64>,
}

impl Trial {
    fn new() -> Self {
        let text = "xx,00:00-24:00\nrb,21:00-23:00 09:00-10:15 10:30-11:30 13:30-15:00\n";
        let hours = TradingHours::parse(text, TradingCalendar::parse("20260310").unwrap()).unwrap();
        Self {
            book: SeriesBook::with(hours.clone(), small()),
            hours,
            models: INSTRUMENTS.iter().map(|_| Model::default()).collect(),
            days: [0; 4],
            volumes: [100; 4],
            time_ms: at("20260305 14:40:00") / 1_000_000,
            opened: Vec::new(),
            last_ids: BTreeMap::new(),
            bar_ids: BTreeMap::new(),
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Tick { instrument, later_ms, price, volume, day } => {
                self.time_ms += later_ms;
                let tick = self.tick(instrument, price, volume, day);
                let name = id(INSTRUMENTS[instrument]);
                self.models[instrument].take(&self.hours, name, &tick);
                self.book.take(name, &tick);
            }
            Step::Open { instrument, kind } => self.open(instrument, kind),
            Step::Close { nth } if nth < self.opened.len() => {
                let opened = self.opened.swap_remove(nth);
                self.book.close(opened.series);
            }
            Step::Close { .. } => {}
        }
    }

    fn tick(&mut self, instrument: usize, price: u8, volume: i32, day: u8) -> Tick {
        let now = ShanghaiTime::at(self.time_ms).unwrap();
        let evening = now.ms_of_day >= 18 * HOUR / 1_000_000;
        let calendar = self.hours.calendar();
        let date = now.date.plus_days(-1);
        let of = if evening { now.date } else { date };
        let right = calendar.trading_day_after(of).yyyymmdd();
        let said = match day {
            0..4 => 0,
            4..8 => calendar.trading_day_before(of).yyyymmdd(),
            _ => right,
        };
        let total = if self.days[instrument] == right { self.volumes[instrument] } else { 0 };
        (self.days[instrument], self.volumes[instrument]) = (right, total + volume);
        Tick {
            exchange_time_ns: self.time_ms * 1_000_000,
            trading_day: said,
            last_price: if price < 5 { NO_PRICE } else { f64::from(price) },
            volume: total + volume,
            open_interest: f64::from(volume),
            ..Tick::EMPTY
        }
    }

    fn open(&mut self, instrument: usize, kind: usize) {
        let kind = DURATIONS.get(kind).map_or(Kind::Ticks, |ns| bars(*ns));
        let Ok(series) = self.book.open(id(INSTRUMENTS[instrument]), kind) else {
            assert_eq!(self.opened.len(), small().series, "openings here are never shared");
            return;
        };
        if self.opened.iter().any(|other| other.series == series) {
            self.book.close(series);
            return;
        }
        let model = &self.models[instrument];
        let index = self.book.index[&id(INSTRUMENTS[instrument])];
        let since = match kind {
            Kind::Ticks => 0,
            Kind::Bars(duration) if duration.as_ns() % MINUTE == 0 => {
                let kept = self.book.minutes.ring(index).len();
                assert!(kept <= model.minutes());
                model.first_of_minutes(kept)
            }
            Kind::Bars(_) => model.count() - self.book.ticks.ring(index).len(),
        };
        self.opened.push(Opened { series, instrument, kind, since });
    }

    fn check(&mut self) {
        let book = &self.book;
        assert!(book.ticks.chunks() <= small().ticks.chunks);
        assert!(book.minutes.chunks() <= small().minutes.chunks);
        let mut counted = 0;
        for opened in &self.opened {
            let Opened { series, instrument, kind, since } = *opened;
            let (first, last) = (book.first_id(series), book.last_id(series));
            let Kind::Bars(duration) = kind else {
                let kept = usize::try_from(last + 1 - first).unwrap();
                assert!(
                    kept <= small().ticks.records_each && kept <= self.models[instrument].count()
                );
                counted += 1;
                continue;
            };
            let model = self.models[instrument].bars(duration, since);
            let kept: Vec<Bar> = (first..=last).map(|id| *book.bar(series, id).unwrap()).collect();
            assert_eq!(kept.len(), model.len().min(small().bars_each));
            assert_eq!(kept, model[model.len() - kept.len()..], "{kind:?} of {instrument}");
            assert!(kept.windows(2).all(|two| two[0].datetime_ns < two[1].datetime_ns));
            assert_eq!((book.bar(series, first - 1), book.bar(series, last + 1)), (None, None));
            counted += kept.len().max(1);
            let ns = duration.as_ns();
            let before = self.last_ids.insert((instrument, ns), last);
            assert!(before.is_none_or(|before| before <= last), "{before:?} {last} {kind:?}");
            for (id, bar) in (first..=last).zip(&kept) {
                let of = |life: Option<SeriesId>| {
                    (instrument, ns, bar.datetime_ns, life.map(|of| (of.place, of.life)))
                };
                let before = self.bar_ids.insert(of(Some(series)), id);
                assert!(before.is_none_or(|before| before == id), "{before:?} {id}");
                // Opened again, a slot's second bar may be the first one kept, and ticks out of order be left alone.
                let before = self.bar_ids.insert(of(None), id);
                let may_go_back = ns % MINUTE != 0;
                assert!(may_go_back || before.is_none_or(|before| before <= id), "{before:?} {id}");
                assert_eq!(book.find(series, bar.datetime_ns), id);
            }
        }
        assert_eq!(book.bars, counted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_history_gives_the_bars_of_the_naive_model(
        steps in prop::collection::vec(step(), 0..400),
    ) {
        let mut trial = Trial::new();
        for (count, step) in steps.iter().enumerate() {
            trial.run(step);
            if !matches!(step, Step::Tick { .. }) || count % 16 == 0 {
                trial.check();
            }
        }
        for instrument in 0..INSTRUMENTS.len() {
            (0..=DURATIONS.len()).for_each(|kind| trial.open(instrument, kind));
        }
        trial.check();
        for opened in std::mem::take(&mut trial.opened) {
            trial.book.close(opened.series);
        }
        prop_assert_eq!(trial.book.bars, 0);
        prop_assert!(trial.book.seats.iter().all(|seat| seat.live.is_none()));
    }
}

#[test]
fn a_snapshot_of_what_came_before_is_no_tick() {
    let mut book = SeriesBook::new(hours());
    let ticks = book.open(id("rb2605"), Kind::Ticks).unwrap();
    let snapshot = |tick: Tick| Tick { flags: TickFlags::SNAPSHOT.0, ..tick };
    let count = |book: &SeriesBook| book.last_id(ticks) - book.first_id(ticks) + 1;
    book.take(id("rb2605"), &snapshot(tick("20260305 09:00:01", 20_260_305, 3000.0, 10)));
    assert_eq!(count(&book), 1, "it is the first that is seen");
    book.take(id("rb2605"), &tick("20260305 09:00:02", 20_260_305, 3001.0, 12));
    book.take(id("rb2605"), &snapshot(tick("20260305 09:00:02", 20_260_305, 3001.0, 12)));
    book.take(id("rb2605"), &snapshot(tick("20260305 09:00:01", 20_260_305, 3000.0, 10)));
    assert_eq!(count(&book), 2, "nothing of it is news");
    book.take(id("rb2605"), &snapshot(tick("20260305 09:00:09", 20_260_305, 3005.0, 20)));
    assert_eq!(count(&book), 3, "ticks were missed before it");
}
