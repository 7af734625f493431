//! Every anomaly that was seen in recorded ticks, and all days at all hours.

use proptest::prelude::*;

use super::*;

/// One row as it was sent.
struct Row<'a> {
    exchange: ExchangeId,
    login: &'a str,
    trading_day: &'a str,
    action_day: &'a str,
    time: &'a str,
    millisec: i32,
    received: i64,
    calendar: TradingCalendar,
}

impl Row<'_> {
    fn derive(&self) -> Stamp {
        derive(&RawTime {
            trading_day: self.trading_day.as_bytes(),
            action_day: self.action_day.as_bytes(),
            update_time: self.time.as_bytes(),
            update_millisec: self.millisec,
            exchange: self.exchange,
            login_trading_day: Date::parse(self.login).ok(),
            receive_time_ns: self.received,
            calendar: &self.calendar,
        })
    }
}

/// (exchange, login, TradingDay, ActionDay, UpdateTime) to (trading day, action day).
fn days(
    exchange: ExchangeId,
    login: &str,
    trading_day: &str,
    action_day: &str,
    time: &str,
) -> (u32, u32) {
    days_received(NO_TIME, exchange, login, trading_day, action_day, time)
}

/// The same for a row received at this time.
fn days_received(
    received: i64,
    exchange: ExchangeId,
    login: &str,
    trading_day: &str,
    action_day: &str,
    time: &str,
) -> (u32, u32) {
    let calendar = TradingCalendar::default();
    let row =
        Row { exchange, login, trading_day, action_day, time, millisec: 0, received, calendar };
    let stamp = row.derive();
    let on_action_day = stamp.action_day.zip(TimeOfDay::parse(time.as_bytes()));
    assert_eq!(stamp.exchange_time_ns, on_action_day.map_or(NO_TIME, |(day, t)| t.on_ns(day, 0)));
    (stamp.trading_day.map_or(0, Date::yyyymmdd), stamp.action_day.map_or(0, Date::yyyymmdd))
}

const SHFE: ExchangeId = ExchangeId::SHFE;
const DCE: ExchangeId = ExchangeId::DCE;
const CZCE: ExchangeId = ExchangeId::CZCE;
const INE: ExchangeId = ExchangeId::INE;
const CFFEX: ExchangeId = ExchangeId::CFFEX;

#[test]
fn a_day_session_is_on_its_trading_day() {
    for exchange in [SHFE, DCE, CZCE, INE, CFFEX] {
        for action_day in ["20250303", ""] {
            for time in ["07:54:53", "08:59:00", "09:00:00", "11:30:01", "15:00:00", "15:44:00"] {
                let days = days(exchange, "20250303", "20250303", action_day, time);
                assert_eq!(days, (20_250_303, 20_250_303), "{exchange} {time}");
            }
        }
    }
}

#[test]
fn friday_night_belongs_to_monday_and_is_on_friday() {
    // ru1901 line 178888: the ActionDay is a witness.
    assert_eq!(
        days(SHFE, "20181015", "20181015", "20181012", "21:00:00"),
        (20_181_015, 20_181_012)
    );
    // rb2005, one second past the close.
    assert_eq!(
        days(SHFE, "20200113", "20200113", "20200110", "23:00:01"),
        (20_200_113, 20_200_110)
    );
    // DCE sends the trading day as ActionDay, some fronts nothing: the rule.
    for action_day in ["20181015", ""] {
        assert_eq!(
            days(DCE, "20181015", "20181015", action_day, "21:00:00"),
            (20_181_015, 20_181_012)
        );
    }
}

#[test]
fn after_midnight_on_friday_night_it_is_saturday() {
    for (exchange, action_day) in [(SHFE, "20181013"), (DCE, "20181015"), (INE, "")] {
        assert_eq!(
            days(exchange, "20181015", "20181015", action_day, "01:00:00"),
            (20_181_015, 20_181_013)
        );
    }
    // On a weekday night the day after the evening is the trading day itself.
    for (exchange, action_day) in [(SHFE, "20181016"), (DCE, "20181016"), (INE, "")] {
        assert_eq!(
            days(exchange, "20181016", "20181016", action_day, "02:29:59"),
            (20_181_016, 20_181_016)
        );
    }
}

#[test]
fn zhengzhou_sends_the_calendar_day_as_trading_day_at_night() {
    // SR001 on Friday evening, 23:29:59: TradingDay and ActionDay are Friday's; the login says Monday.
    assert_eq!(
        days(CZCE, "20190902", "20190830", "20190830", "23:29:59"),
        (20_190_902, 20_190_830)
    );
    // The same row pushed again on Monday morning, both days Monday's.
    assert_eq!(
        days(CZCE, "20190902", "20190902", "20190902", "23:29:59"),
        (20_190_902, 20_190_830)
    );
    // And the first tick of that Monday: it stays on Monday.
    assert_eq!(
        days(CZCE, "20190902", "20190902", "20190902", "09:00:00"),
        (20_190_902, 20_190_902)
    );
    // A weekday's evening.
    assert_eq!(
        days(CZCE, "20190903", "20190902", "20190902", "21:00:00"),
        (20_190_903, 20_190_902)
    );
}

#[test]
fn a_login_older_than_the_tick_changes_nothing() {
    // The front rolled to Tuesday without a new login.
    assert_eq!(
        days(CZCE, "20190902", "20190903", "20190902", "21:00:00"),
        (20_190_903, 20_190_902)
    );
    assert_eq!(
        days(SHFE, "20190902", "20190903", "20190902", "21:00:00"),
        (20_190_903, 20_190_902)
    );
}

/// A moment in Shanghai.
fn moment(day: &str, time: &str) -> i64 {
    TimeOfDay::parse(time.as_bytes()).unwrap().on_ns(Date::parse(day).unwrap(), 0)
}

#[test]
fn zhengzhous_night_on_a_connection_from_the_day_before_it_is_tonight() {
    // Monday evening, nobody logged in since Monday morning, or since Friday: Tuesday's trading day.
    for (login, action_day) in
        [("20250303", "20250303"), ("20250303", ""), ("", "20250303"), ("20250228", "20250303")]
    {
        for (received_on, received_at, time) in [
            ("20250303", "21:00:01", "21:00:01"),
            ("20250303", "20:55:00", "20:59:00"),
            ("20250303", "23:30:00", "21:15:00"),
            // The snapshot that a subscription at night or on the next morning brings.
            ("20250304", "02:00:00", "23:29:59"),
            ("20250304", "08:50:00", "23:29:59"),
        ] {
            let received = moment(received_on, received_at);
            let days = days_received(received, CZCE, login, "20250303", action_day, time);
            assert_eq!(days, (20_250_304, 20_250_303), "{login} {action_day} {time} {received_on}");
        }
    }
    // Friday's night belongs to Monday.
    let received = moment("20250307", "22:00:00");
    assert_eq!(
        days_received(received, CZCE, "20250307", "20250307", "20250307", "22:00:00"),
        (20_250_310, 20_250_307)
    );
}

#[test]
fn zhengzhous_night_pushed_again_by_day_is_the_last_evening() {
    for (login, action_day) in [("20190902", "20190902"), ("20190902", ""), ("", "20190902")] {
        for received_at in ["00:10:00", "07:54:53", "08:59:00", "15:00:00", "18:59:59", "20:30:00"]
        {
            let received = moment("20190902", received_at);
            let days = days_received(received, CZCE, login, "20190902", action_day, "23:29:59");
            assert_eq!(days, (20_190_902, 20_190_830), "{login} {action_day} {received_at}");
        }
    }
}

#[test]
fn the_receive_time_decides_nothing_else() {
    let tonight = moment("20250303", "21:00:01");
    // A recording: received years later, before, or at no known time.
    for received in
        [NO_TIME, i64::MAX, moment("20250311", "21:00:00"), moment("20240303", "21:00:00")]
    {
        assert_eq!(
            days_received(received, CZCE, "20250303", "20250303", "20250303", "21:00:01"),
            (20_250_303, 20_250_228)
        );
    }
    // Another exchange, another hour, an ActionDay that is a witness, a login that corrects.
    for (exchange, login, trading_day, action_day, time, expected) in [
        (DCE, "20250304", "20250304", "20250304", "21:00:01", (20_250_304, 20_250_303)),
        (DCE, "20250303", "20250303", "20250303", "21:00:01", (20_250_303, 20_250_228)),
        (CZCE, "20250303", "20250303", "20250303", "14:59:59", (20_250_303, 20_250_303)),
        (CZCE, "20250303", "20250303", "20250303", "01:00:00", (20_250_303, 20_250_301)),
        (CZCE, "20250303", "20250303", "20250228", "21:00:01", (20_250_303, 20_250_228)),
        (CZCE, "20250304", "20250303", "20250303", "21:00:01", (20_250_304, 20_250_303)),
        (CZCE, "20250303", "", "20250228", "21:00:01", (20_250_303, 20_250_228)),
        (SHFE, "20250303", "", "20250303", "14:59:59", (20_250_303, 20_250_303)),
        (SHFE, "20250304", "", "", "21:00:01", (20_250_304, 20_250_303)),
    ] {
        let days = days_received(tonight, exchange, login, trading_day, action_day, time);
        assert_eq!(days, expected, "{exchange} {time}");
    }
}

#[test]
fn last_nights_snapshot_pushed_after_the_roll_keeps_its_day() {
    // Logged in for Tuesday; the snapshot is of Monday's trading day, at Monday's close and on Friday's night.
    assert_eq!(
        days(SHFE, "20190903", "20190902", "20190902", "15:00:00"),
        (20_190_902, 20_190_902)
    );
    assert_eq!(
        days(CZCE, "20190903", "20190902", "20190902", "14:59:59"),
        (20_190_902, 20_190_902)
    );
    assert_eq!(
        days(SHFE, "20190903", "20190902", "20190830", "23:00:00"),
        (20_190_902, 20_190_830)
    );
}

#[test]
fn an_evenings_tick_without_a_trading_day_is_tonights_on_a_login_of_the_day_before_it() {
    for exchange in [SHFE, DCE, CZCE] {
        for action_day in ["", "20250303"] {
            let received = moment("20250303", "21:00:01");
            let days = days_received(received, exchange, "20250303", "", action_day, "21:00:00");
            assert_eq!(days, (20_250_304, 20_250_303), "{exchange} {action_day}");
        }
        // The last evening's, pushed again during the day or in a recording.
        for received in [moment("20250303", "09:00:00"), moment("20300303", "09:00:00")] {
            let days = days_received(received, exchange, "20250303", "", "", "21:00:00");
            assert_eq!(days, (20_250_303, 20_250_228), "{exchange}");
        }
    }
}

#[test]
fn zhengzhous_night_before_last_keeps_its_day_after_the_roll() {
    // Friday evening's tick, still the last of its instrument on Monday, when the login is Tuesday's already.
    assert_eq!(
        days(CZCE, "20190903", "20190830", "20190830", "22:59:59"),
        (20_190_902, 20_190_830)
    );
    // The same pushed with Monday's date, before Monday's evening has come: it cannot be tonight's.
    for received_at in ["17:30:00", "20:30:00"] {
        let received = moment("20190902", received_at);
        assert_eq!(
            days_received(received, CZCE, "20190903", "20190902", "20190902", "22:59:59"),
            (20_190_902, 20_190_830),
            "{received_at}"
        );
    }
    let received = moment("20190902", "22:59:59");
    assert_eq!(
        days_received(received, CZCE, "20190903", "20190902", "20190902", "22:59:59"),
        (20_190_903, 20_190_902)
    );
    // After midnight, should it ever trade then: Saturday's is Monday's, and a weekday's is that day's.
    assert_eq!(
        days(CZCE, "20190903", "20190831", "20190831", "00:30:00"),
        (20_190_902, 20_190_831)
    );
    assert_eq!(
        days(CZCE, "20190904", "20190903", "20190903", "00:30:00"),
        (20_190_903, 20_190_903)
    );
}

#[test]
fn zhengzhous_stale_evening_row_is_on_the_evening_it_says() {
    // AP010: the new TradingDay with the clock of the evening before, Friday for Monday.
    assert_eq!(
        days(CZCE, "20200810", "20200810", "20200807", "19:21:38"),
        (20_200_810, 20_200_807)
    );
    // Without an ActionDay the hour decides, and 19:58 is no night: the day itself.
    assert_eq!(days(CZCE, "20200817", "20200817", "", "19:58:51"), (20_200_817, 20_200_817));
}

#[test]
fn the_rest_of_the_quoted_rows() {
    // INE's auction, SimNow's replay of day data in the evening, zn2402.
    assert_eq!(days(INE, "20190103", "20190103", "20190102", "20:59:00"), (20_190_103, 20_190_102));
    assert_eq!(
        days(CZCE, "20240105", "20240105", "20240104", "21:39:43"),
        (20_240_105, 20_240_104)
    );
    assert_eq!(
        days(SHFE, "20230414", "20230414", "20230413", "22:08:58"),
        (20_230_414, 20_230_413)
    );
}

#[test]
fn a_calendar_knows_holidays_and_a_witness_needs_none() {
    let holidays = "20181001\n20181002\n20181003\n20181004\n20181005\n";
    let row = |action_day: &'static str, calendar| Row {
        exchange: DCE,
        login: "20181008",
        trading_day: "20181008",
        action_day,
        time: "21:00:00",
        received: NO_TIME,
        millisec: 0,
        calendar,
    };
    let day = |row: Row<'_>| row.derive().action_day.map(Date::yyyymmdd);
    let listed = || TradingCalendar::parse(holidays).unwrap();
    assert_eq!(day(row("20181008", listed())), Some(20_180_928));
    assert_eq!(day(row("20180928", TradingCalendar::default())), Some(20_180_928));
    // Without either, the Friday before is all that can be said.
    assert_eq!(day(row("", TradingCalendar::default())), Some(20_181_005));
}

#[test]
fn days_that_are_none_leave_what_is_known() {
    assert_eq!(days(SHFE, "20250303", "", "", "09:00:00"), (20_250_303, 20_250_303));
    assert_eq!(
        days(SHFE, "20250303", "garbage!", "20250303", "21:00:00"),
        (20_250_303, 20_250_228)
    );
    assert_eq!(days(SHFE, "", "20250303", "", "09:00:00"), (20_250_303, 20_250_303));
    assert_eq!(days(SHFE, "", "", "20250303", "09:00:00"), (0, 20_250_303));
    assert_eq!(days(SHFE, "", "", "", "09:00:00"), (0, 0));
    // An ActionDay after the trading day, or long before, is no witness.
    assert_eq!(
        days(SHFE, "20250303", "20250303", "20250304", "21:00:00"),
        (20_250_303, 20_250_228)
    );
    assert_eq!(
        days(SHFE, "20250303", "20250303", "20200101", "21:00:00"),
        (20_250_303, 20_250_228)
    );
}

fn at(time: &str, millisec: i32) -> i64 {
    let calendar = TradingCalendar::default();
    let day = "20250303";
    let row = Row {
        exchange: SHFE,
        login: day,
        trading_day: day,
        action_day: day,
        time,
        millisec,
        received: NO_TIME,
        calendar,
    };
    row.derive().exchange_time_ns
}

#[test]
fn time_is_shanghais() {
    // 2025-03-03 00:00:00 UTC is 08:00:00 in Shanghai.
    assert_eq!(at("08:00:00", 0), 1_740_960_000_000_000_000);
    assert_eq!(at("09:00:00", 500), 1_740_960_000_000_000_000 + 3_600_500_000_000);
}

#[test]
fn a_time_that_is_none_is_none_and_odd_milliseconds_are_zero() {
    for time in
        ["", "24:00:00", "09:60:00", "09:00:60", "9:00:00", "09-00-00", "ab:cd:ef", "09:00:000"]
    {
        assert_eq!(at(time, 0), NO_TIME, "{time}");
    }
    for millisec in [-1, 1000, i32::MIN, i32::MAX] {
        assert_eq!(at("09:00:00", millisec), at("09:00:00", 0));
    }
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic(
        trading_day in prop::collection::vec(any::<u8>(), 0..9),
        action_day in prop::collection::vec(any::<u8>(), 0..9),
        update_time in prop::collection::vec(any::<u8>(), 0..9),
        update_millisec in any::<i32>(),
        receive_time_ns in any::<i64>(),
    ) {
        let stamp = derive(&RawTime {
            trading_day: &trading_day,
            action_day: &action_day,
            update_time: &update_time,
            update_millisec,
            exchange: CZCE,
            login_trading_day: None,
            receive_time_ns,
            calendar: &TradingCalendar::default(),
        });
        prop_assert_eq!(stamp.exchange_time_ns == NO_TIME,
            stamp.action_day.is_none() || TimeOfDay::parse(&update_time).is_none());
    }

    /// While the day rolls, at any hour and whichever of the two days the login names: a tick of the old day is dated with
    /// the old day, and one of the new day with the new.
    #[test]
    fn days_are_never_mixed_over_a_roll(
        start in 18_000_i32..25_000, rolled in any::<bool>(), new in any::<bool>(),
        hour in prop::sample::select(vec![21_u32, 22, 9, 10, 14]), minute in 0_u32..60,
    ) {
        let calendar = TradingCalendar::default();
        let epoch = Date::from_yyyymmdd(19_700_101).unwrap();
        let old_day = calendar.trading_day_after(epoch.plus_days(start));
        let new_day = calendar.trading_day_after(old_day);
        let login = if rolled { new_day } else { old_day }.to_string();
        let own = if new { new_day } else { old_day };
        let night = hour >= 20;
        let calendar_day = if night { calendar.trading_day_before(own) } else { own };
        let time = format!("{hour:02}:{minute:02}:00");
        let (sent, day) = (own.to_string(), calendar_day.to_string());
        // As it is received the moment it is sent, and as a snapshot the evening's first login brings.
        let live = TimeOfDay::parse(time.as_bytes()).unwrap().on_ns(calendar_day, 0);
        let snapshot = moment(&old_day.to_string(), "20:35:00");
        for received in [live, snapshot.max(live)] {
            for (exchange, sent, action_day) in [
                (SHFE, &sent, &day),
                (DCE, &sent, &sent),
                (CZCE, if night { &day } else { &sent }, &day),
            ] {
                let expected = (own.yyyymmdd(), calendar_day.yyyymmdd());
                let days = days_received(received, exchange, &login, sent, action_day, &time);
                prop_assert_eq!(days, expected, "{} {} {}", exchange, login, received);
            }
        }
    }

    /// Whatever an exchange does with its ActionDay and TradingDay at night, all lead to the same days and time.
    #[test]
    fn all_exchanges_habits_lead_to_the_same_moment(
        start in 18_000_i32..25_000, hour in prop::sample::select(vec![20_u32, 21, 22, 23, 0, 1, 2, 9, 14]),
        minute in 0_u32..60,
    ) {
        let calendar = TradingCalendar::default();
        let epoch = Date::from_yyyymmdd(19_700_101).unwrap();
        let trading_day = calendar.trading_day_after(epoch.plus_days(start));
        let evening = calendar.trading_day_before(trading_day);
        let calendar_day = match hour {
            20.. => evening,
            0..4 => evening.plus_days(1),
            _ => trading_day,
        };
        let time = format!("{hour:02}:{minute:02}:00");
        let (day, own) = (trading_day.to_string(), calendar_day.to_string());
        let night = !(4..20).contains(&hour);
        let zhengzhou = if night { &own } else { &day };
        let habits = [
            (SHFE, &day, own.as_str()),
            (DCE, &day, day.as_str()),
            (SHFE, &day, ""),
            (CZCE, zhengzhou, own.as_str()),
        ];
        for (exchange, sent, action_day) in habits {
            let expected = (trading_day.yyyymmdd(), calendar_day.yyyymmdd());
            prop_assert_eq!(days(exchange, &day, sent, action_day, &time), expected, "{}", exchange);
        }
    }
}
