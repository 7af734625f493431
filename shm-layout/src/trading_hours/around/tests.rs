//! Which session every minute belongs to, against the rules read off the published hours.

use proptest::prelude::*;

use super::*;
use crate::instrument_id::InstrumentId;

fn moment(text: &str) -> i64 {
    let (day, time) = text.split_once(' ').unwrap();
    let minute = crate::calendar::minute_of_day(time).unwrap();
    ShanghaiTime::unix_ms(Date::parse(day).unwrap(), i64::from(minute) * MINUTE_MS)
}

fn hours(calendar: &str) -> TradingHours {
    TradingHours::new(TradingCalendar::parse(calendar).unwrap())
}

/// The session of a moment and where the moment lies: `09:00-10:15` within, `<` before it, `>` after it.
fn nearest(hours: &TradingHours, instrument: &str, unix_ms: i64) -> String {
    let class = hours.class_of(&InstrumentId::parse(instrument).unwrap());
    let clock = |ms: i64| {
        let minute = ShanghaiTime::at(ms).unwrap().ms_of_day / MINUTE_MS;
        format!("{:02}:{:02}", minute / 60, minute % 60)
    };
    hours.nearest(class, unix_ms).map_or(String::new(), |around| {
        let session = around.session;
        let sign = match around.relation {
            Relation::Before => "<",
            Relation::Within => "",
            Relation::After => ">",
        };
        format!("{sign}{}-{}", clock(session.began_ms), clock(session.ends_ms))
    })
}

/// Every minute of a calendar day, as runs of the same answer: since when, and which.
fn runs(hours: &TradingHours, instrument: &str, day: &str) -> Vec<(String, String)> {
    let midnight = moment(&format!("{day} 00:00"));
    let mut runs: Vec<(String, String)> = Vec::new();
    for minute in 0..1440 {
        let answer = nearest(hours, instrument, midnight + minute * MINUTE_MS);
        if runs.last().is_none_or(|(_, last)| *last != answer) {
            runs.push((format!("{:02}:{:02}", minute / 60, minute % 60), answer));
        }
    }
    runs
}

fn expected(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(since, answer)| (since.to_string(), answer.to_string())).collect()
}

const COMMODITY_DAY: [(&str, &str); 9] = [
    ("08:30", "<09:00-10:15"),
    ("09:00", "09:00-10:15"),
    ("10:15", ">09:00-10:15"),
    ("10:18", "<10:30-11:30"),
    ("10:30", "10:30-11:30"),
    ("11:30", ">10:30-11:30"),
    ("11:33", "<13:30-15:00"),
    ("13:30", "13:30-15:00"),
    ("15:00", ">13:30-15:00"),
];

#[test]
fn a_thursday_minute_by_minute() {
    let hours = hours("");
    let night = [
        ("15:03", ""),
        ("20:30", "<21:00-23:00"),
        ("21:00", "21:00-23:00"),
        ("23:00", ">21:00-23:00"),
        ("23:03", ""),
    ];
    let rebar: Vec<_> = [("00:00", "")].into_iter().chain(COMMODITY_DAY).chain(night).collect();
    assert_eq!(runs(&hours, "rb2605", "20260305"), expected(&rebar));
    assert_eq!(runs(&hours, "SR605C5600", "20260305"), expected(&rebar), "an option as its future");
    let gold: Vec<_> = [("00:00", "21:00-02:30"), ("02:30", ">21:00-02:30"), ("02:33", "")]
        .into_iter()
        .chain(COMMODITY_DAY)
        .chain([("15:03", ""), ("20:30", "<21:00-02:30"), ("21:00", "21:00-02:30")])
        .collect();
    assert_eq!(runs(&hours, "au2606", "20260305"), expected(&gold));
    for (instrument, close, after) in [("IF2603", "15:00", "15:03"), ("T2606", "15:15", "15:18")] {
        let (afternoon, late) = (format!("13:00-{close}"), format!(">13:00-{close}"));
        let early = format!("<{afternoon}");
        let index = [
            ("00:00", ""),
            ("09:00", "<09:30-11:30"),
            ("09:30", "09:30-11:30"),
            ("11:30", ">09:30-11:30"),
            ("11:33", &early),
            ("13:00", &afternoon),
            (close, &late),
            (after, ""),
        ];
        assert_eq!(runs(&hours, instrument, "20260305"), expected(&index), "{instrument}");
    }
}

#[test]
fn bounds_are_to_the_millisecond() {
    let hours = hours("");
    let at =
        |time: &str, plus| nearest(&hours, "rb2605", moment(&format!("20260305 {time}")) + plus);
    for (time, plus, expected) in [
        ("08:30", -1, ""),
        ("08:30", 0, "<09:00-10:15"),
        ("09:00", -1, "<09:00-10:15"),
        ("15:00", -1, "13:30-15:00"),
        ("15:00", 500, ">13:30-15:00"),
        ("15:03", -1, ">13:30-15:00"),
        ("15:03", 0, ""),
        ("15:30", 0, ""),
    ] {
        assert_eq!(at(time, plus), expected, "{time}{plus:+}");
    }
}

#[test]
fn weekends_holidays_and_half_days() {
    let plain = hours("");
    let saturday = [("00:00", "21:00-02:30"), ("02:30", ">21:00-02:30"), ("02:33", "")];
    assert_eq!(runs(&plain, "au2606", "20260307"), expected(&saturday), "Friday's night");
    assert_eq!(runs(&plain, "au2606", "20260308"), expected(&[("00:00", "")]));
    let monday: Vec<_> = [("00:00", "")]
        .into_iter()
        .chain(COMMODITY_DAY)
        .chain([("15:03", ""), ("20:30", "<21:00-02:30"), ("21:00", "21:00-02:30")])
        .collect();
    assert_eq!(runs(&plain, "au2606", "20260309"), expected(&monday));
    // The eve of a holiday has no night to wait for, and the holiday nothing at all.
    let closed = hours("20260306\n20260310 until 10:00\n");
    let eve: Vec<_> =
        [("00:00", "")].into_iter().chain(COMMODITY_DAY).chain([("15:03", "")]).collect();
    assert_eq!(runs(&closed, "rb2605", "20260305"), expected(&eve));
    assert_eq!(runs(&closed, "rb2605", "20260306"), expected(&[("00:00", "")]));
    let half = [
        ("00:00", ""),
        ("08:30", "<09:00-10:00"),
        ("09:00", "09:00-10:00"),
        ("10:00", ">09:00-10:00"),
        ("10:03", ""),
    ];
    assert_eq!(runs(&closed, "rb2605", "20260310"), expected(&half), "later sessions are dropped");
}

#[test]
fn never_and_always() {
    let text = "wr,\nxx,00:00-24:00\n";
    let hours = TradingHours::parse(text, TradingCalendar::default()).unwrap();
    assert_eq!(runs(&hours, "wr2605", "20260305"), expected(&[("00:00", "")]));
    let always = hours.class_of(&InstrumentId::parse("xx1").unwrap());
    let around = hours.nearest(always, moment("20260308 03:00")).unwrap();
    assert_eq!(around.relation, Relation::Within);
    assert_eq!(hours.trading_day_of(around.session), None);
    for unix_ms in [i64::MIN, -1_000_000_000, i64::MAX] {
        assert_eq!(hours.nearest(HoursClass(99), unix_ms), None);
        assert_eq!(nearest(&hours, "rb2605", unix_ms), "");
    }
}

#[test]
fn a_session_knows_its_trading_day() {
    let hours = hours("20260309\n");
    let day = |instrument: &str, at: &str| {
        let session = hours.session_at(&InstrumentId::parse(instrument).unwrap(), moment(at));
        session.and_then(|session| hours.trading_day_of(session)).map(Date::yyyymmdd)
    };
    assert_eq!(day("rb2605", "20260304 10:00"), Some(20_260_304));
    assert_eq!(day("rb2605", "20260304 22:00"), Some(20_260_305));
    assert_eq!(day("au2606", "20260305 01:00"), Some(20_260_305));
    assert_eq!(day("au2606", "20260310 22:00"), Some(20_260_311));
    // Friday's night is Monday's.
    assert_eq!(day("au2606", "20260314 01:00"), Some(20_260_316));
    let parts = "yy,00:00-02:30 21:00-23:00 09:00-15:00\n";
    let parts = TradingHours::parse(parts, TradingCalendar::default()).unwrap();
    let second = parts.session_at(&InstrumentId::parse("yy1").unwrap(), moment("20260307 01:00"));
    let second = second.and_then(|session| parts.trading_day_of(session)).map(Date::yyyymmdd);
    assert_eq!(second, Some(20_260_309), "Saturday's small hours are Monday's");
}

proptest! {
    /// At every moment of a fortnight the answer is the one that `session` alone leads to.
    #[test]
    fn nearest_is_what_the_sessions_say(
        instrument in prop::sample::select(vec!["rb2605", "au2606", "cu2605", "IF2603", "T2606"]),
        holiday in 0_i32..14, half_day in 0_i32..14, until in 0_u32..1440,
        minute in 0_i64..14 * 1440, ms in 0_i64..MINUTE_MS,
    ) {
        let first = Date::parse("20260302").unwrap();
        let (holiday, half_day) = (first.plus_days(holiday), first.plus_days(half_day));
        let calendar =
            format!("{holiday}\n{half_day} until {:02}:{:02}\n", until / 60, until % 60);
        let hours = hours(&calendar);
        let class = hours.class_of(&InstrumentId::parse(instrument).unwrap());
        let unix_ms = ShanghaiTime::unix_ms(first, minute * MINUTE_MS) + ms;
        let minute_at = |n: i64| hours.session(class, unix_ms - ms + n * MINUTE_MS);
        let whole = hours.session(class, unix_ms);
        let after = (1..=3).find_map(|n| minute_at(-n)).filter(|s| unix_ms - s.ends_ms < CLOSING_TICKS_MS);
        let next = (1..=180).find_map(minute_at);
        let is_pause = |next: &TradingSession| {
            let since = (1..=180).find_map(|n| minute_at(-n));
            since.is_some_and(|last| {
                let of = |session: &TradingSession| ShanghaiTime::at(session.began_ms).unwrap();
                let night = |session| of(session).ms_of_day >= 18 * 60 * MINUTE_MS;
                of(&last).date == of(next).date && night(&last) == night(next)
            })
        };
        let before =
            next.filter(|s| s.began_ms - unix_ms <= AUCTION_TICKS_MS || is_pause(s));
        let expected = whole
            .map(|session| Around { session, relation: Relation::Within })
            .or(after.map(|session| Around { session, relation: Relation::After }))
            .or(before.map(|session| Around { session, relation: Relation::Before }));
        prop_assert_eq!(hours.nearest(class, unix_ms), expected, "{} {}", calendar, unix_ms);
    }
}
