//! Records as fronts send them, bit for bit.

use proptest::prelude::*;
use shm_layout::{NO_PRICE, price_of};

use super::*;
use crate::ctp::layout::{LAYOUTS, Layout};

/// A record of the newest layout, to be filled in.
struct Record(Vec<u8>);

impl Record {
    fn new(instrument: &str, exchange: &str) -> Self {
        let mut record = Self(vec![0; Layout::newest().depth.size]);
        record.put(401, instrument.as_bytes());
        record.put(40, exchange.as_bytes());
        record.put(0, b"20250303");
        record.put(392, b"20250303");
        record.put(208, b"09:00:00");
        record
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn normalize(&self) -> Option<(InstrumentId, Tick)> {
        let context = Context {
            calendar: TradingCalendar::default(),
            login_trading_day: Date::from_yyyymmdd(20_250_303),
            source: Source::Front,
        };
        normalize(&Depth::new(&self.0, &Layout::newest().depth), &context, 42)
    }

    fn tick(&self) -> Tick {
        self.normalize().unwrap().1
    }
}

fn has(tick: &Tick, flag: TickFlags) -> bool {
    TickFlags(tick.flags).contains(flag)
}

#[test]
fn texts_and_times_are_kept_as_sent_beside_what_is_derived() {
    let mut record = Record::new("j2505", "DCE");
    record.put(482, b"j2505");
    record.put(208, b"21:00:00");
    record.put(220, &500_i32.to_ne_bytes());
    let tick = record.tick();
    assert_eq!(&tick.raw_trading_day, b"20250303");
    assert_eq!(&tick.raw_action_day, b"20250303");
    assert_eq!(&tick.raw_update_time, b"21:00:00");
    assert_eq!((tick.trading_day, tick.action_day), (20_250_303, 20_250_228));
    assert_eq!((tick.update_millisec, tick.receive_time_ns), (500, 42));
    assert_eq!(&tick.exchange_instrument_id[..6], b"j2505\0");
    assert_eq!(tick.instrument().unwrap().as_str(), "j2505");
    assert_eq!((tick.exchange(), tick.flags), (ExchangeId::DCE, 0));
}

#[test]
fn an_exchange_that_is_not_named_is_that_of_the_product() {
    for sent in ["", " ", "\u{1}\u{2}"] {
        let tick = Record::new("sc1904", sent).tick();
        assert_eq!(tick.exchange(), ExchangeId::INE);
        assert!(has(&tick, TickFlags::EXCHANGE_INFERRED));
    }
    let unknown = Record::new("10004233", "").tick();
    assert!(unknown.exchange().is_unknown() && !has(&unknown, TickFlags::EXCHANGE_INFERRED));
    let named = Record::new("10004233", "SSE").tick();
    assert_eq!((named.exchange().as_str(), named.flags), ("SSE", 0));
    // ExchangeInstID may be a single blank; it is the exchange's own.
    let mut blank = Record::new("sc1904", "INE");
    blank.put(482, b" ");
    assert_eq!(&blank.tick().exchange_instrument_id[..2], b" \0");
}

#[test]
fn an_inferred_exchange_counts_for_the_days_too() {
    let mut record = Record::new("SR001", "");
    record.put(0, b"20250228");
    record.put(392, b"20250228");
    record.put(208, b"23:29:59");
    let tick = record.tick();
    assert_eq!((tick.trading_day, tick.action_day), (20_250_303, 20_250_228));
}

#[test]
fn combinations_sentinels_and_negative_limits_pass_unchanged() {
    let mut record = Record::new("SPD JR009&JR103", "");
    record.put(80, &f64::MAX.to_ne_bytes());
    record.put(184, &(-619.0_f64).to_ne_bytes());
    let (instrument, tick) = record.normalize().unwrap();
    assert_eq!(instrument.as_str(), "SPD JR009&JR103");
    assert_eq!(price_of(tick.last_price), None);
    assert_eq!(price_of(tick.lower_limit_price), Some(-619.0));
    assert_eq!(price_of(tick.pre_close_price), Some(0.0));
}

#[test]
fn a_record_without_an_instrument_is_no_tick() {
    assert_eq!(Record::new("", "SHFE").normalize(), None);
    assert_eq!(Record::new("X\u{2}\u{c}z\u{7f}", "SHFE").normalize(), None);
    assert_eq!(Record::new(" rb2601", "SHFE").normalize(), None);
}

#[test]
fn libraries_without_band_prices_have_none() {
    for layout in &LAYOUTS {
        let mut bytes = vec![0; layout.depth.size];
        let at = layout.depth.instrument.at;
        bytes[at..at + 6].copy_from_slice(b"rb2601");
        let context = Context {
            calendar: TradingCalendar::default(),
            login_trading_day: None,
            source: Source::Simulation,
        };
        let depth = Depth::new(&bytes, &layout.depth);
        let (_, tick) = normalize(&depth, &context, 0).unwrap();
        let banding = if layout.depth.banding.is_some() { 0.0 } else { NO_PRICE };
        assert_eq!([tick.banding_upper_price, tick.banding_lower_price], [banding; 2]);
        assert_eq!(tick.source, Source::Simulation as u8);
    }
}

proptest! {
    /// Whatever bits a price has, NaN's payload and denormals included, they arrive.
    #[test]
    fn prices_are_bit_exact(bits in prop::collection::vec(any::<u64>(), 37), volume in any::<i32>()) {
        let mut record = Record::new("rb2601", "SHFE");
        let places: Vec<usize> = (80..=128).step_by(8).chain((144..=200).step_by(8))
            .chain((0..5).flat_map(|level| [224 + level * 32, 240 + level * 32]))
            .chain([384, 568, 576]).collect();
        for (place, bits) in places.iter().zip(&bits) {
            record.put(*place, &bits.to_ne_bytes());
        }
        record.put(136, &volume.to_ne_bytes());
        let tick = record.tick();
        let mut came = vec![
            tick.last_price, tick.pre_settlement_price, tick.pre_close_price, tick.pre_open_interest,
            tick.open_price, tick.highest_price, tick.lowest_price, tick.turnover, tick.open_interest,
            tick.close_price, tick.settlement_price, tick.upper_limit_price, tick.lower_limit_price,
            tick.pre_delta, tick.curr_delta,
        ];
        came.extend(tick.levels.iter().flat_map(|level| [level.bid_price, level.ask_price]));
        came.extend([tick.average_price, tick.banding_upper_price, tick.banding_lower_price]);
        let came: Vec<u64> = came.into_iter().map(f64::to_bits).collect();
        prop_assert_eq!(&came[..], &bits[..came.len()]);
        prop_assert_eq!(places.len(), came.len());
        prop_assert_eq!(tick.volume, volume);
    }

    #[test]
    fn foreign_records_never_panic(bytes in prop::collection::vec(any::<u8>(), 584), which in 0_usize..4) {
        let layout = &LAYOUTS[which].depth;
        let context = Context {
            calendar: TradingCalendar::default(),
            login_trading_day: Date::from_yyyymmdd(20_250_303),
            source: Source::Front,
        };
        if let Some((instrument, tick)) = normalize(&Depth::new(&bytes[..layout.size], layout), &context, 0) {
            prop_assert_eq!(tick.instrument(), Ok(instrument));
        }
    }
}
