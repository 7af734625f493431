//! Hours against the exchanges' published ones, minute by minute, and a shop's own.

use proptest::prelude::*;

use super::*;

fn id(text: &str) -> InstrumentId {
    InstrumentId::parse(text).unwrap()
}

/// A moment in Shanghai, written `20260305 21:00`.
fn moment(text: &str) -> i64 {
    let (day, time) = text.split_once(' ').unwrap();
    let minute = crate::calendar::minute_of_day(time).unwrap();
    ShanghaiTime::unix_ms(Date::parse(day).unwrap(), i64::from(minute) * MINUTE_MS)
}

fn builtin() -> TradingHours {
    TradingHours::new(TradingCalendar::default())
}

fn own(text: &str) -> TradingHours {
    TradingHours::parse(text, TradingCalendar::default()).unwrap()
}

/// The session of an instrument at a moment, as `HH:MM-HH:MM` by the clock; empty when none is held.
fn session(hours: &TradingHours, instrument: &str, at: &str) -> String {
    let clock = |ms: i64| {
        let minute = ShanghaiTime::at(ms).unwrap().ms_of_day / MINUTE_MS;
        format!("{:02}:{:02}", minute / 60, minute % 60)
    };
    let session = hours.session_at(&id(instrument), moment(at));
    session.map_or(String::new(), |s| format!("{}-{}", clock(s.began_ms), clock(s.ends_ms)))
}

#[test]
fn a_days_sessions_by_product() {
    let hours = builtin();
    // 5 March 2026 is a Thursday.
    for (instrument, time, expected) in [
        ("rb2605", "09:00", "09:00-10:15"),
        ("rb2605", "10:14", "09:00-10:15"),
        ("rb2605", "10:15", ""),
        ("rb2605", "10:30", "10:30-11:30"),
        ("rb2605", "11:30", ""),
        ("rb2605", "13:29", ""),
        ("rb2605", "14:59", "13:30-15:00"),
        ("rb2605", "15:00", ""),
        ("rb2605", "21:00", "21:00-23:00"),
        ("rb2605", "23:00", ""),
        ("cu2605C70000", "23:59", "21:00-01:00"),
        ("ag2606", "23:59", "21:00-02:30"),
        ("lc2605", "21:30", ""),
        ("IF2603", "09:15", ""),
        ("IF2603", "10:20", "09:30-11:30"),
        ("IO2603-C-4000", "13:05", "13:00-15:00"),
        ("HO2603-P-2600", "15:05", ""),
        ("MO2603-C-6000", "14:59", "13:00-15:00"),
        ("T2606", "15:05", "13:00-15:15"),
        ("TL2606", "15:15", ""),
        ("SPD SR605&SR609", "21:30", "21:00-23:00"),
        ("m2605-MS-C-3000", "22:59", "21:00-23:00"),
        ("l2605F", "22:59", "21:00-23:00"),
        ("sc_tas2605", "22:59", "21:00-02:30"),
        ("RB2605", "21:30", "21:00-23:00"),
    ] {
        let at = format!("20260305 {time}");
        assert_eq!(session(&hours, instrument, &at), expected, "{instrument} {time}");
    }
}

#[test]
fn the_nights_of_2026() {
    let hours = builtin();
    let of = |time: &str| {
        let at = format!("20260305 {time}");
        let trades = |product: &&str| !session(&hours, &format!("{product}2606"), &at).is_empty();
        builtin::products().map(|(product, _)| product).filter(trades).collect::<Vec<_>>()
    };
    assert_eq!(of("22:59").len(), builtin::products().count() - 24 - 11, "all but the day's");
    let mut after_midnight = of("23:30");
    after_midnight.sort_unstable();
    assert_eq!(
        after_midnight,
        ["ad", "ag", "al", "ao", "au", "bc", "cu", "ni", "pb", "sc", "sn", "ss", "zn"]
    );
    assert_eq!(of("15:05"), ["T", "TF", "TL", "TS"]);
    for product in ["br", "op", "lu", "bz", "PF", "PX", "SH", "PR", "PL", "rb", "pg"] {
        assert_eq!(hours_of(product).map(|hours| hours.night), Some(Night::To2300), "{product}");
    }
}

#[test]
fn every_product_with_an_exchange_has_hours() {
    let exchange = |product: &str| crate::product::exchange_of(&format!("{product}2606"));
    for (product, _) in builtin::products() {
        assert!(!exchange(product).is_unknown(), "{product}");
    }
    // And the other way round, over all names of one and two letters.
    let letters = || ('A'..='Z').chain('a'..='z');
    let names = letters().map(String::from);
    let pairs = letters().flat_map(|a| letters().map(move |b| format!("{a}{b}")));
    for product in names.chain(pairs) {
        assert_eq!(exchange(&product).is_unknown(), hours_of(&product).is_none(), "{product}");
    }
}

#[test]
fn a_night_belongs_to_its_evening() {
    let hours = builtin();
    // Friday's night runs on into Saturday, and is Monday's.
    assert_eq!(session(&hours, "au2606", "20260306 21:00"), "21:00-02:30");
    let friday = hours.session_at(&id("au2606"), moment("20260306 21:00")).unwrap();
    assert_eq!(hours.session_at(&id("au2606"), moment("20260307 02:29")), Some(friday));
    assert_eq!(friday.began_ms, moment("20260306 21:00"));
    assert_eq!(friday.ends_ms, moment("20260307 02:30"));
    for closed in ["20260307 02:30", "20260307 21:00", "20260308 21:00", "20260309 01:00"] {
        assert_eq!(session(&hours, "au2606", closed), "", "{closed}");
    }
    assert_eq!(session(&hours, "au2606", "20260309 09:00"), "09:00-10:15");
    assert_eq!(session(&hours, "au2606", "20260310 01:00"), "21:00-02:30");
}

#[test]
fn holidays_half_days_and_evenings_without_a_night() {
    let text = "20260305 no-night\n20260310 until 10:00\n20260313\n20260314 open\n";
    let hours = TradingHours::new(TradingCalendar::parse(text).unwrap());
    for (at, expected) in [
        ("20260304 22:00", "21:00-02:30"),
        ("20260305 01:00", "21:00-02:30"),
        ("20260305 22:00", ""),
        ("20260306 01:00", ""),
        // The night that began on the evening before is not cut.
        ("20260310 02:00", "21:00-02:30"),
        ("20260310 09:30", "09:00-10:00"),
        ("20260310 10:00", ""),
        ("20260310 10:45", ""),
        ("20260310 22:00", ""),
        ("20260311 22:00", "21:00-02:30"),
        // The eve of a holiday, the holiday, and a Saturday that trades.
        ("20260312 14:00", "13:30-15:00"),
        ("20260312 22:00", ""),
        ("20260313 10:00", ""),
        ("20260314 10:00", "09:00-10:15"),
        ("20260314 22:00", "21:00-02:30"),
    ] {
        assert_eq!(session(&hours, "au2606", at), expected, "{at}");
    }
}

#[test]
fn the_unlisted_trade_only_while_all_do() {
    let hours = builtin();
    for instrument in ["zzz2605", "10004233", "*", "abcdefghijklmnopqrs1"] {
        for (at, expected) in [
            ("20260305 09:15", ""),
            ("20260305 09:30", "09:30-10:15"),
            ("20260305 10:20", ""),
            ("20260305 10:30", "10:30-11:30"),
            ("20260305 13:15", ""),
            ("20260305 14:00", "13:30-15:00"),
            ("20260305 15:05", ""),
            ("20260305 21:30", ""),
        ] {
            assert_eq!(session(&hours, instrument, at), expected, "{instrument} {at}");
        }
    }
}

#[test]
fn a_shop_says_otherwise() {
    let text = "\u{feff}product,sessions\r\n# ours\r\nRB,21:00-01:00 09:00-10:15\r\n\r\n\
                if , 09:15-11:30\t13:00-15:15 # as long ago\r\nwr,\r\nxx,00:00-24:00\r\n\
                yy,09:00-12:00 21:00-00:00 00:00-02:30 12:00-13:00\r\n";
    let hours = own(text);
    for (instrument, at, expected) in [
        ("rb2605", "20260306 00:59", "21:00-01:00"),
        ("rb2605", "20260306 10:45", ""),
        ("IF2603", "20260306 15:10", "13:00-15:15"),
        ("wr2605", "20260306 10:00", ""),
        ("hc2605", "20260306 10:00", "09:00-10:15"),
        ("zzz2605", "20260306 09:15", ""),
        // Around the clock is every day.
        ("xx2605", "20260307 03:00", "08:00-15:12"),
        // What is written in two parts is one session.
        ("yy2605", "20260306 12:30", "09:00-13:00"),
        ("yy2605", "20260307 01:00", "21:00-02:30"),
        ("yy2605", "20260308 01:00", ""),
        ("yy2605", "20260309 01:00", ""),
    ] {
        if instrument.starts_with("xx") {
            let session = hours.session_at(&id(instrument), moment(at));
            assert_eq!(session, Some(TradingSession { began_ms: 0, ends_ms: i64::MAX }));
        } else {
            assert_eq!(session(&hours, instrument, at), expected, "{instrument} {at}");
        }
    }
}

#[test]
fn a_star_stands_for_all_that_is_not_named() {
    let hours = own("*,00:00-24:00\nrb,09:00-10:15\n");
    let sunday = "20260308 03:00";
    for (instrument, trades) in [("rb2605", false), ("au2606", true), ("zzz2605", true)] {
        let session = hours.session_at(&id(instrument), moment(sunday));
        assert_eq!(session.is_some(), trades, "{instrument}");
    }
    let nothing = own("*,\n");
    assert_eq!(session(&nothing, "rb2605", "20260305 09:30"), "");
}

#[test]
fn classes_are_few_and_their_own() {
    let hours = builtin();
    assert_eq!(hours.class_of(&id("rb2605")), hours.class_of(&id("SR605C5600")));
    assert_eq!(hours.classes.len(), 7);
    let class = hours.class_of(&id("rb2605"));
    assert!(hours.in_session(class, moment("20260305 09:00")));
    assert!(!hours.in_session(class, moment("20260305 09:00") - 1));
    assert!(!hours.in_session(HoursClass(99), moment("20260305 09:00")));
    for unix_ms in [i64::MIN, -1_000_000_000, i64::MAX] {
        assert!(!hours.in_session(class, unix_ms));
    }
}

#[test]
fn all_faults_of_a_file_are_named_at_once_with_their_place() {
    let text = "rb 09:00-10:15\n\
                SHFE.cu,09:00-10:15\n\
                ,09:00-10:15\n\
                au,9:00-10:15 10:30-11:30 25:00-26:00\n\
                ag,09:00-10:15 10:00-11:30 # overlap\n\
                al,09:00-09:00\n\
                zn,21:00-02:30 02:00-03:00\n\
                AL,09:00-10:15\n\
                *,\n*,\n\
                pb,09:00-10:15,10:30-11:30\n\
                螺纹,09:00\n\
                bu,00:00-24:00 09:00-10:00\n\
                hc,17:00-08:00 07:00-09:00\n";
    let faults = TradingHours::parse(text, TradingCalendar::default()).unwrap_err();
    let places: Vec<_> =
        faults.iter().map(|fault| (fault.line, fault.column, fault.text.as_str())).collect();
    assert_eq!(
        places,
        [
            (1, 1, "rb 09:00-10:15"),
            (2, 1, "SHFE.cu"),
            (3, 1, ",09:00-10:15"),
            (4, 4, "9:00-10:15"),
            (4, 27, "25:00-26:00"),
            (5, 16, "10:00-11:30"),
            (6, 4, "09:00-09:00"),
            (7, 16, "02:00-03:00"),
            (8, 1, "AL"),
            (10, 1, "*"),
            (11, 16, "10:30-11:30"),
            (12, 1, "螺纹"),
            (13, 16, "09:00-10:00"),
            (14, 16, "07:00-09:00"),
        ]
    );
    let said = faults[3].to_string();
    assert_eq!(
        said,
        "line 4 column 4: \"9:00-10:15\" is no session: write HH:MM-HH:MM, such as 21:00-02:30, or 00:00-24:00 for \
         around the clock"
    );
}

fn sessions() -> impl Strategy<Value = Vec<(u32, u32)>> {
    prop::collection::vec((0_u32..1440, 0_u32..1440), 0..5)
}

fn written(sessions: &[(u32, u32)]) -> String {
    let time = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
    sessions.iter().map(|(begin, end)| format!("{}-{} ", time(*begin), time(*end))).collect()
}

proptest! {
    #[test]
    fn foreign_files_never_panic(text in "[a-z0-9:,* #\n\u{4e00}-]{0,120}") {
        match TradingHours::parse(&text, TradingCalendar::default()) {
            Ok(hours) => drop(hours.session_at(&id("a1"), 1_772_600_000_000)),
            Err(faults) => prop_assert!(!faults.is_empty()),
        }
    }

    /// At every minute of a fortnight with a holiday, a session is held exactly when one of the file's runs, counted from
    /// the day it belongs to, and it says the same of itself all along.
    #[test]
    fn a_session_is_held_whenever_the_file_says_so(
        listed in sessions(), holiday in 0_i32..14, half_day in 0_i32..14, until in 0_u32..1440,
        minutes in prop::collection::vec(0_i64..14 * 1440, 60),
    ) {
        let first = Date::parse("20260302").unwrap();
        let (holiday, half_day) = (first.plus_days(holiday), first.plus_days(half_day));
        let end = written(&[(0, until)]);
        let calendar = format!("{holiday}\n{half_day} until {}\n", end.trim().split_once('-').unwrap().1);
        let calendar = TradingCalendar::parse(&calendar).unwrap();
        let text = format!("rb,{}", written(&listed));
        let Ok(hours) = TradingHours::parse(&text, calendar.clone()) else { return Ok(()) };
        for minute in minutes {
            let unix_ms = ShanghaiTime::unix_ms(first, minute * MINUTE_MS + minute % 60_000);
            let minute = u32::try_from(minute).unwrap();
            let expected = (-2..15).any(|offset| listed.iter().any(|&(begin, end)| {
                let day = first.plus_days(offset);
                let end = if end < begin { end + 1440 } else { end };
                let second_part = end <= 360;
                let is_night = second_part || begin >= 1080;
                let (held, end) = if is_night {
                    (calendar.has_night(day), end)
                } else {
                    let early = calendar.closes_early(day).unwrap_or(u32::MAX);
                    (calendar.is_trading_day(day), end.min(early))
                };
                let offset = offset + i32::from(second_part);
                let since = i64::from(minute) - i64::from(offset) * 1440;
                held && (i64::from(begin)..i64::from(end)).contains(&since)
            }));
            let session = hours.session_at(&id("rb2605"), unix_ms);
            prop_assert_eq!(session.is_some(), expected, "{} at minute {}", text, minute);
            if let Some(session) = session {
                prop_assert!((session.began_ms..session.ends_ms).contains(&unix_ms));
                for inside in [session.began_ms, session.ends_ms - 1] {
                    prop_assert_eq!(hours.session_at(&id("rb2605"), inside), Some(session));
                }
            }
        }
    }
}

#[test]
fn an_ordinary_days_sessions_can_be_listed() {
    let lists = |hours: &TradingHours, instrument: &str| {
        hours.day_and_night(hours.class_of(&id(instrument)))
    };
    let commodity = vec![(540, 615), (630, 690), (810, 900)];
    assert_eq!(lists(&builtin(), "au2606"), (commodity.clone(), vec![(1260, 1590)]));
    assert_eq!(lists(&builtin(), "wr2606"), (commodity, vec![]));
    assert_eq!(lists(&own("*,00:00-24:00"), "rb2606"), (vec![(0, 1440)], vec![]));
    assert_eq!(lists(&own("wr,"), "wr2606"), (vec![], vec![]));
}
