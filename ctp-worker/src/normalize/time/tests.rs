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
    let calendar = TradingCalendar::default();
    let row = Row { exchange, login, trading_day, action_day, time, millisec: 0, calendar };
    let stamp = row.derive();
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
    Row { exchange: SHFE, login: day, trading_day: day, action_day: day, time, millisec, calendar }
        .derive()
        .exchange_time_ns
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
    ) {
        let stamp = derive(&RawTime {
            trading_day: &trading_day,
            action_day: &action_day,
            update_time: &update_time,
            update_millisec,
            exchange: CZCE,
            login_trading_day: None,
            calendar: &TradingCalendar::default(),
        });
        prop_assert_eq!(stamp.exchange_time_ns == NO_TIME,
            stamp.action_day.is_none() || TimeOfDay::parse(&update_time).is_none());
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
