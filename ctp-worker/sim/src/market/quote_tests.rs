//! Every snapshot of every kind of instrument holds together.

use proptest::prelude::*;

use super::*;
use crate::instrument::Shape;

const IDS: [&str; 13] = [
    "rb2505",
    "au2506",
    "sc2505",
    "m2505",
    "SR505",
    "IF2503",
    "TS2503",
    "lc2507",
    "IO2503-C-4000",
    "m2505-P-2500",
    "SR505C5600",
    "SP a2505&a2509",
    "unheard-of",
];

fn on_grid(price: f64, step: f64) -> bool {
    let ticks = price / step;
    (ticks - ticks.round()).abs() < 1e-6
}

#[test]
fn the_clock_is_written_out() {
    assert_eq!(&clock_text(0), b"00:00:00\0");
    assert_eq!(&clock_text(86_399), b"23:59:59\0");
    assert_eq!(&clock_text(9 * 3600 + 5 * 60 + 7), b"09:05:07\0");
}

proptest! {
    #[test]
    fn snapshots_hold_together(
        seed: u64, which in 0..IDS.len(), day in 0i32..400,
        mut at in proptest::collection::vec(0i64..DAY_MS, 1..40),
    ) {
        let calendar = Calendar::default();
        let mut schedules = Schedules::default();
        let id = InstrumentId::new(IDS[which].as_bytes());
        let evening = calendar.on_or_after(Date::parse("20240101").unwrap().plus(day));
        let begin = evening.local_ms() + i64::from(ORIGIN_MS);
        let trading_day = calendar.after(evening);
        let mut quote =
            Quote::new(id, seed, Abi::V6_7_13, trading_day, &calendar, &mut schedules);
        at.sort_unstable();
        let mut volume = 0;
        for ms in at {
            let moment = Moment::of(begin + ms, &calendar);
            if moment.trading_day != trading_day {
                continue;
            }
            let step = quote.listing.tick.price(1);
            let depth = *quote.at(moment, &calendar, &mut schedules);
            prop_assert!(depth.volume >= volume);
            volume = depth.volume;
            let (upper, lower) = (depth.upper_limit_price, depth.lower_limit_price);
            prop_assert!(lower < upper);
            prop_assert!((lower..=upper).contains(&depth.pre_settlement_price));
            if depth.volume > 0 {
                let DepthMarketData { last_price, open_price, highest_price, lowest_price, .. } = depth;
                for price in [last_price, open_price, highest_price, lowest_price] {
                    prop_assert!(lower <= price && price <= upper, "{} {} {}", lower, price, upper);
                    prop_assert!(on_grid(price, step), "{price} {step}");
                }
                prop_assert!(depth.lowest_price <= depth.last_price);
                prop_assert!(depth.last_price <= depth.highest_price);
                prop_assert!(depth.average_price.is_finite());
            }
            for level in &depth.levels {
                for (price, count) in
                    [(level.bid_price, level.bid_volume), (level.ask_price, level.ask_volume)]
                {
                    let absent = count == 0 && (price == NO_VALUE || price == 0.0);
                    let within = (lower..=upper).contains(&price) && on_grid(price, step);
                    let fits = count > 0 && within;
                    prop_assert!(absent || fits, "{price} x {count} in {lower} .. {upper}");
                }
                if level.bid_volume > 0 && level.ask_volume > 0 {
                    prop_assert!(level.bid_price < level.ask_price);
                }
            }
            if matches!(Shape::of(&id), Shape::Option { .. }) && depth.volume > 0 {
                prop_assert!(depth.last_price > 0.0);
            }
        }
    }
}
