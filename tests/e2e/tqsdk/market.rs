//! A market to look at: what the instruments file says, every tick of the ring, and what TqSdk must show of them.

use std::collections::BTreeMap;

use qamd_tests::fleet::{Fleet, FleetPlan};
use qamd_tests::push::Push;
use qamd_tests::ring_tap::RingTap;
use qamd_tests::watch::{LOOK_EVERY, WATCHDOG};
use serde_json::{Value, json};
use shm_layout::{DEPTH_LEVELS, Date, Tick, TickFlags, clock, price_of};

/// Nanoseconds.
pub(crate) const SECOND: i64 = 1_000_000_000;
/// Beijing's midnight comes so long before UTC's.
const OFFSET: i64 = 8 * 3600 * SECOND;

/// A Monday morning, ten seconds after it begins.
pub(crate) const MORNING: &str = "2026-11-23T09:00:10";

/// What is traded: SHFE's, with their units in a lot.
pub(crate) const COPPER: &str = "cu2701";
/// Another one of the same hours.
pub(crate) const STEEL: &str = "rb2705";
/// What sets a burst in motion once it is subscribed too.
pub(crate) const GUN: &str = "al2701";
/// What nobody subscribes before a test does.
pub(crate) const ZINC: &str = "zn2701";

const LISTED: &str = "\
instrument_id,exchange_id,product_class,volume_multiple,price_tick
cu2701,SHFE,futures,5,10
rb2705,SHFE,futures,10,1
al2701,SHFE,futures,5,5
zn2701,SHFE,futures,5,5
";

/// Units in a lot, as listed.
fn multiple(instrument: &str) -> f64 {
    if instrument == STEEL { 10.0 } else { 5.0 }
}

/// SHFE's spelling of an instrument for TqSdk.
pub(crate) fn symbol(instrument: &str) -> String {
    format!("SHFE.{instrument}")
}

/// A fleet of one connection that lists these instruments.
pub(crate) fn plan(script: &Value) -> FleetPlan {
    FleetPlan::new().instruments(LISTED).simulated("alpha", script)
}

/// A market that stands still until the gun is fired, and then has a burst: so many ticks of each instrument, while the
/// exchange's clock runs from `start` at a minute a second.
pub(crate) fn burst_of(ticks_each: usize, start: &str) -> Value {
    json!({
        // The next tick by itself would come after a quarter of an hour.
        "rate": 0.001,
        "clock": {"start": start, "speed": 60},
        // The burst goes on into the next trading day.
        "relogin_each_trading_day": false,
        "burst": {"ticks": 3 * ticks_each, "per_second": 450, "await_instruments": 3},
    })
}

/// Every tick of a fleet's ring that is news, by instrument.
pub(crate) struct Record {
    tap: RingTap,
    ticks: BTreeMap<String, Vec<Tick>>,
}

// === impl Record ===

impl Record {
    /// Begins with the next tick.
    pub(crate) fn begin(fleet: &Fleet) -> Self {
        Self { tap: fleet.tap(), ticks: BTreeMap::new() }
    }

    /// Takes what has come.
    pub(crate) fn take(&mut self) {
        for tick in self.tap.take() {
            let instrument = tick.instrument().unwrap().to_string();
            let ticks = self.ticks.entry(instrument).or_default();
            if !ticks.last().is_some_and(|last| repeats(&tick, last)) {
                ticks.push(tick);
            }
        }
        assert_eq!(self.tap.lost(), 0);
    }

    /// The ticks of an instrument so far.
    pub(crate) fn of(&self, instrument: &str) -> &[Tick] {
        self.ticks.get(instrument).map_or(&[], Vec::as_slice)
    }
}

/// Whether a snapshot tells what is known already: a front sends the latest tick again with every subscription.
fn repeats(tick: &Tick, last: &Tick) -> bool {
    let when = |tick: &Tick| (tick.trading_day, tick.exchange_time_ns, tick.volume);
    TickFlags(tick.flags).contains(TickFlags::SNAPSHOT) && when(tick) <= when(last)
}

/// Fires the gun of [`burst_of`], and waits until every tick of it has come and a client has it.
pub(crate) async fn fire(fleet: &Fleet, record: &mut Record, ticks_each: usize) {
    let mut client = fleet.client().await;
    client.subscribe(&[COPPER, STEEL, GUN]).await;
    let mut left = vec![COPPER, STEEL, GUN];
    // It reads all the time: whoever does not is disconnected some day, and its instruments are released.
    while !left.is_empty() {
        let push = client.next_push().await;
        record.take();
        left.retain(|instrument| {
            let ticks = record.of(instrument);
            // All of the burst, and a snapshot.
            let is_over = ticks.len() > ticks_each;
            !(is_over && ticks.last().is_some_and(|last| is_of(&push, last)))
        });
    }
}

/// Looks whether a push shows a tick.
fn is_of(push: &Push, tick: &Tick) -> bool {
    let best = tick.levels[0];
    let prices = [
        ("last_price", tick.last_price),
        ("bid_price1", best.bid_price),
        ("ask_price1", best.ask_price),
    ];
    let counts = [
        ("timestamp", tick.exchange_time_ns / 1_000_000),
        ("volume", i64::from(tick.volume)),
        ("bid_volume1", i64::from(best.bid_volume)),
        ("ask_volume1", i64::from(best.ask_volume)),
    ];
    tick.instrument().unwrap().as_str() == push.instrument()
        && prices.iter().all(|(name, price)| push.number(name) == price_of(*price))
        && counts.iter().all(|(name, count)| push.integer(name) == Some(*count))
}

/// Looks until there is no complaint any more.
pub(crate) async fn agree(mut look: impl AsyncFnMut() -> Result<(), String>) {
    let begun = clock::monotonic();
    while let Err(complaint) = look().await {
        assert!(begun.elapsed() < WATCHDOG, "waited in vain: {complaint}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks whether a number of a program is the one of a tick.
fn is_same(shown: &Value, of_tick: f64) -> bool {
    match (shown.as_f64(), price_of(of_tick)) {
        (None, None) => shown.is_null(),
        (Some(shown), Some(price)) => shown == price || (shown - price).abs() <= price.abs() * 1e-9,
        _ => false,
    }
}

/// What differs between a quote of a program and a tick; nothing when it shows that tick.
pub(crate) fn differs(quote: &Value, tick: &Tick) -> Option<String> {
    let instrument = tick.instrument().unwrap().to_string();
    // SHFE's average is that of a lot's value.
    let average = price_of(tick.average_price).map(|average| average / multiple(&instrument));
    let mut all = vec![
        ("volume".to_owned(), f64::from(tick.volume)),
        ("last_price".to_owned(), tick.last_price),
        ("highest".to_owned(), tick.highest_price),
        ("lowest".to_owned(), tick.lowest_price),
        ("open".to_owned(), tick.open_price),
        ("close".to_owned(), tick.close_price),
        ("average".to_owned(), average.unwrap_or(f64::MAX)),
        ("amount".to_owned(), tick.turnover),
        ("open_interest".to_owned(), tick.open_interest),
        ("settlement".to_owned(), tick.settlement_price),
        ("upper_limit".to_owned(), tick.upper_limit_price),
        ("lower_limit".to_owned(), tick.lower_limit_price),
        ("pre_open_interest".to_owned(), tick.pre_open_interest),
        ("pre_settlement".to_owned(), tick.pre_settlement_price),
        ("pre_close".to_owned(), tick.pre_close_price),
    ];
    for (number, level) in (1..=DEPTH_LEVELS).zip(tick.levels) {
        all.push((format!("ask_price{number}"), level.ask_price));
        all.push((format!("bid_price{number}"), level.bid_price));
        all.push((format!("ask_volume{number}"), f64::from(level.ask_volume)));
        all.push((format!("bid_volume{number}"), f64::from(level.bid_volume)));
    }
    if quote["symbol"] != symbol(&instrument) || quote["time_ns"] != tick.exchange_time_ns {
        return Some(format!("{} at {}", quote["symbol"], quote["time_ns"]));
    }
    let other = all.into_iter().find(|(name, of_tick)| !is_same(&quote[name.as_str()], *of_tick));
    other.map(|(name, of_tick)| format!("{name} is {}, not {of_tick}", quote[&name]))
}

/// A quote shows the last of these ticks.
pub(crate) fn assert_shows_last(quote: &Value, ticks: &[Tick]) {
    let difference = differs(quote, ticks.last().unwrap());
    assert_eq!(difference, None, "{quote} is not {:?}", ticks.last());
}

/// Rows of a tick series are these ticks, with contiguous ids.
pub(crate) fn tick_rows_differ(rows: &Value, ticks: &[Tick]) -> Option<String> {
    let rows = rows.as_array().unwrap();
    if rows.len() != ticks.len() {
        return Some(format!("{} rows, not {}", rows.len(), ticks.len()));
    }
    if let Some(gap) = gap(rows) {
        return Some(gap);
    }
    rows.iter().zip(ticks).find_map(|(row, tick)| {
        let instrument = tick.instrument().unwrap().to_string();
        let average = price_of(tick.average_price).map(|average| average / multiple(&instrument));
        let best = tick.levels[0];
        let fields = [
            ("last_price", tick.last_price),
            ("average", average.unwrap_or(f64::MAX)),
            ("highest", tick.highest_price),
            ("lowest", tick.lowest_price),
            ("volume", f64::from(tick.volume)),
            ("amount", tick.turnover),
            ("open_interest", tick.open_interest),
            ("ask_price1", best.ask_price),
            ("bid_price1", best.bid_price),
            ("ask_volume1", f64::from(best.ask_volume)),
            ("bid_volume1", f64::from(best.bid_volume)),
        ];
        let is_there = whole(&row["datetime"]) == tick.exchange_time_ns
            && fields.iter().all(|(name, of_tick)| is_same(&row[*name], *of_tick));
        (!is_there).then(|| format!("{row} is not {tick:?}"))
    })
}

/// A bar, as the test makes it of ticks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub(crate) begin: i64,
    /// Open, high, low and close.
    pub(crate) prices: [f64; 4],
    pub(crate) volume: i64,
    /// Open interest at its beginning and its end.
    pub(crate) interest: [f64; 2],
}

/// The bars of an instrument's ticks, from one trading day into the next at most.
pub(crate) fn bars(ticks: &[Tick], seconds: i64) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    let mut before: Option<&Tick> = None;
    for tick in ticks {
        let begin = begin_of(tick, seconds * SECOND);
        // What a trading day begins with was traded in its first bar; of the very first tick nobody knows since when.
        // Nor of one that comes on a subscription, a minute or more after the one before.
        let traded_before =
            before.filter(|before| !is_unseen(before, tick)).map_or(tick.volume, |before| {
                if before.trading_day == tick.trading_day { before.volume } else { 0 }
            });
        before = Some(tick);
        let growth = i64::from(tick.volume) - i64::from(traded_before);
        let Some(price) = price_of(tick.last_price).filter(|_| !is_of_yesterday(tick)) else {
            continue;
        };
        match bars.last_mut().filter(|bar| bar.begin == begin) {
            Some(bar) => {
                let [_, high, low, close] = &mut bar.prices;
                (*high, *low, *close) = (high.max(price), low.min(price), price);
                bar.volume += growth;
                bar.interest[1] = tick.open_interest;
            }
            None => bars.push(Bar {
                begin,
                prices: [price; 4],
                volume: growth,
                interest: [tick.open_interest; 2],
            }),
        }
    }
    bars
}

const DAY: i64 = 86_400 * SECOND;
const CLOSE: i64 = 15 * 3600 * SECOND;
const NIGHT: i64 = 21 * 3600 * SECOND;

/// True before the night's first trade and before its beginning: a front then repeats the close of the day before.
fn is_of_yesterday(tick: &Tick) -> bool {
    let time = (tick.exchange_time_ns + OFFSET).rem_euclid(DAY);
    tick.volume == 0 && (CLOSE + 60 * SECOND..NIGHT).contains(&time)
}

/// True for what a front sends on a subscription when nobody knows what was traded since the tick before.
fn is_unseen(before: &Tick, tick: &Tick) -> bool {
    const MINUTE: i64 = 60 * SECOND;
    let time = (tick.exchange_time_ns + OFFSET).rem_euclid(DAY);
    let opens_day = (CLOSE..NIGHT + MINUTE).contains(&time);
    let is_late = if before.trading_day == tick.trading_day {
        tick.exchange_time_ns - before.exchange_time_ns >= MINUTE
    } else {
        !opens_day
    };
    is_late && TickFlags(tick.flags).contains(TickFlags::SNAPSHOT)
}

/// When the bar of a tick begins.
fn begin_of(tick: &Tick, duration: i64) -> i64 {
    if duration == DAY {
        let day = Date::from_yyyymmdd(tick.trading_day).unwrap().days_since_epoch();
        return i64::from(day) * DAY - OFFSET;
    }
    let local = tick.exchange_time_ns + OFFSET;
    let (day, time) = (local.div_euclid(DAY) * DAY, local.rem_euclid(DAY));
    // The last ticks of a session carry its end, and an auction comes before the session that it belongs to.
    let time = match time {
        CLOSE..NIGHT if time < CLOSE + 60 * SECOND => CLOSE - 1,
        CLOSE..NIGHT => NIGHT,
        within => within,
    };
    (day + time).div_euclid(duration) * duration - OFFSET
}

/// The bars that a program shows, whose columns end in `suffix`.
pub(crate) fn shown_bars(rows: &Value, suffix: &str) -> Vec<Bar> {
    let rows = rows.as_array().unwrap();
    let bar = |row: &Value| {
        let column = |name: &str| row[format!("{name}{suffix}")].as_f64().unwrap_or(f64::MAX);
        Bar {
            begin: whole(&row["datetime"]),
            prices: ["open", "high", "low", "close"].map(column),
            volume: whole(&row[format!("volume{suffix}")]),
            interest: ["open_oi", "close_oi"].map(column),
        }
    };
    rows.iter().map(bar).collect()
}

/// The first place where the ids of rows are not contiguous.
pub(crate) fn gap(rows: &[Value]) -> Option<String> {
    let ids: Vec<i64> = rows.iter().map(id_of).collect();
    let gap = ids.windows(2).find(|two| two[1] != two[0] + 1);
    gap.map(|gap| format!("ids with a gap: {gap:?}"))
}

/// The id of a row.
pub(crate) fn id_of(row: &Value) -> i64 {
    whole(&row["id"])
}

/// Tables have whole numbers with decimals where a cell was once empty.
#[expect(clippy::cast_possible_truncation, reason = "the number has no decimals")]
fn whole(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| {
        let number = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
        assert!(number.fract() == 0.0, "{number} is no whole number");
        number as i64
    })
}
