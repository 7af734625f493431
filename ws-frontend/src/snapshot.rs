//! Whether a tick published once more says anything new. Pure.

use shm_layout::{DEPTH_LEVELS, Level, Tick};

/// True when two ticks are the same but for who published them, when, and why: then a client that has one needs not the
/// other. Numbers are compared bit by bit.
#[must_use]
pub fn says_the_same(one: &Tick, other: &Tick) -> bool {
    prices(one).map(f64::to_bits) == prices(other).map(f64::to_bits)
        && one.levels.iter().zip(&other.levels).all(|(one, other)| {
            one.bid_price.to_bits() == other.bid_price.to_bits()
                && one.ask_price.to_bits() == other.ask_price.to_bits()
        })
        && without_prices(one) == without_prices(other)
}

/// Every number of a tick that is a double, those of the levels excepted.
const fn prices(tick: &Tick) -> [f64; 18] {
    [
        tick.last_price,
        tick.pre_settlement_price,
        tick.pre_close_price,
        tick.pre_open_interest,
        tick.open_price,
        tick.highest_price,
        tick.lowest_price,
        tick.turnover,
        tick.open_interest,
        tick.close_price,
        tick.settlement_price,
        tick.upper_limit_price,
        tick.lower_limit_price,
        tick.pre_delta,
        tick.curr_delta,
        tick.average_price,
        tick.banding_upper_price,
        tick.banding_lower_price,
    ]
}

/// The rest, with nothing in it of who published it, when and why. A field that [`Tick`] gains is compared here.
fn without_prices(tick: &Tick) -> Tick {
    let mut levels =
        [Level { bid_price: 0.0, ask_price: 0.0, bid_volume: 0, ask_volume: 0 }; DEPTH_LEVELS];
    for (bare, level) in levels.iter_mut().zip(&tick.levels) {
        *bare = Level { bid_price: 0.0, ask_price: 0.0, ..*level };
    }
    Tick {
        worker: 0,
        incarnation: 0,
        sequence: 0,
        receive_time_ns: 0,
        flags: 0,
        last_price: 0.0,
        pre_settlement_price: 0.0,
        pre_close_price: 0.0,
        pre_open_interest: 0.0,
        open_price: 0.0,
        highest_price: 0.0,
        lowest_price: 0.0,
        turnover: 0.0,
        open_interest: 0.0,
        close_price: 0.0,
        settlement_price: 0.0,
        upper_limit_price: 0.0,
        lower_limit_price: 0.0,
        pre_delta: 0.0,
        curr_delta: 0.0,
        average_price: 0.0,
        banding_upper_price: 0.0,
        banding_lower_price: 0.0,
        levels,
        ..*tick
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shm_layout::TickFlags;

    #[test]
    fn who_published_it_when_and_why_makes_no_difference() {
        let again = Tick {
            worker: 7,
            incarnation: 8,
            sequence: 9,
            receive_time_ns: 10,
            flags: TickFlags::SNAPSHOT.with(TickFlags::EXCHANGE_INFERRED).0,
            ..Tick::EMPTY
        };
        assert!(says_the_same(&Tick::EMPTY, &again));
    }

    #[test]
    fn anything_that_the_exchange_sent_does() {
        /// A way in which a tick may differ.
        type Change = fn(&mut Tick);
        let changes: [Change; 33] = [
            |tick| tick.source = 9,
            |tick| tick.exchange_time_ns = 9,
            |tick| tick.trading_day = 9,
            |tick| tick.action_day = 9,
            |tick| tick.instrument_id[1] = 9,
            |tick| tick.exchange_id[7] = 9,
            |tick| tick.exchange_instrument_id[79] = 9,
            |tick| tick.raw_trading_day[7] = 9,
            |tick| tick.raw_action_day[7] = 9,
            |tick| tick.raw_update_time[7] = 9,
            |tick| tick.update_millisec = 9,
            |tick| tick.volume = 9,
            |tick| tick.last_price = 9.0,
            |tick| tick.pre_settlement_price = 9.0,
            |tick| tick.pre_close_price = 9.0,
            |tick| tick.pre_open_interest = 9.0,
            |tick| tick.open_price = 9.0,
            |tick| tick.highest_price = 9.0,
            |tick| tick.lowest_price = 9.0,
            |tick| tick.turnover = 9.0,
            |tick| tick.open_interest = 9.0,
            |tick| tick.close_price = 9.0,
            |tick| tick.settlement_price = 9.0,
            |tick| tick.upper_limit_price = 9.0,
            |tick| tick.lower_limit_price = 9.0,
            |tick| tick.pre_delta = 9.0,
            |tick| tick.curr_delta = 9.0,
            |tick| tick.average_price = 9.0,
            |tick| tick.banding_upper_price = 9.0,
            |tick| tick.banding_lower_price = 9.0,
            |tick| tick.levels[4].bid_price = 9.0,
            |tick| tick.levels[4].ask_price = 9.0,
            |tick| tick.levels[4].ask_volume = 9,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut tick = Tick::EMPTY;
            change(&mut tick);
            assert!(!says_the_same(&Tick::EMPTY, &tick), "change {number}");
            assert!(says_the_same(&tick, &tick), "change {number}");
        }
    }

    #[test]
    fn doubles_are_compared_by_their_bits() {
        let with = |last_price| Tick { last_price, ..Tick::EMPTY };
        assert!(says_the_same(&with(f64::NAN), &with(f64::NAN)));
        assert!(!says_the_same(&with(0.0), &with(-0.0)));
    }
}
