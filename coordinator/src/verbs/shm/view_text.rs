//! What both segments hold of an instrument as text for a terminal of 80 columns (pure).

use shm_layout::qamddata::ProductClass;

use super::health_text::ago;
use super::view::{DepthView, QamddataView, TickView, View};
use crate::output::{Paint, Style};
use crate::shown::{counted, duration, wrapped};

/// No line is longer, in columns, but for one that holds a single long word.
const WIDTH: usize = 80;
/// Where the words about each segment begin.
const WORDS_AT: usize = 12;
/// Columns of a price.
const PRICE: usize = 14;
/// What stands for a value that there is not.
const NOTHING: &str = "-";

/// The text of one instrument; `missing` says of each segment that cannot be used why: the depth segment, `qamddata`.
pub(super) fn render(view: &View, missing: &[Option<String>; 2], style: Style) -> String {
    let mut lines = vec![style.paint(Paint::Strong, &view.asked)];
    let [no_depth, no_qamddata] = missing;
    let absent = |why: &Option<String>| why.clone().unwrap_or_else(|| "not in it".into());
    lines.extend(match &view.depth {
        Some(depth) => of_depth(depth),
        None => about("depth", &absent(no_depth)),
    });
    lines.extend(match &view.qamddata {
        Some(qamddata) => of_qamddata(qamddata),
        None => about("qamddata", &absent(no_qamddata)),
    });
    if !view.is_known() && no_depth.is_none() {
        let when = "It is added when somebody subscribes it or the instruments file lists it.";
        lines.push(format!("  {when}"));
    }
    let tick = view.depth.as_ref().and_then(|depth| depth.tick.as_ref());
    if tick.is_some() || view.qamddata.is_some() {
        lines.push(String::new());
        lines.extend(side_by_side(tick, view.qamddata.as_ref()));
    }
    if let Some(tick) = tick {
        lines.push(String::new());
        lines.extend(levels(tick));
    }
    lines.join("\n") + "\n"
}

/// Words about a segment.
fn about(segment: &str, what: &str) -> Vec<String> {
    let wrapped = wrapped(what, WIDTH - WORDS_AT, "").into_iter().enumerate();
    let begin = |index| if index == 0 { segment } else { "" };
    wrapped.map(|(index, line)| format!("  {:<10}{line}", begin(index))).collect()
}

fn of_depth(depth: &DepthView) -> Vec<String> {
    let carried = match depth.carried_for_ms {
        Some(ms) => format!("carried for {}", duration(ms)),
        None => "not carried now, so what it holds is old".to_owned(),
    };
    let Some(tick) = &depth.tick else {
        let what = if depth.ticks == 0 { "no tick yet" } else { "written too fast to be read" };
        return about("depth", &format!("{}: {what}; {carried}", depth.instrument));
    };
    let worker = match &tick.connection {
        Some(connection) => format!("worker {} ({connection})", tick.worker),
        None => format!("worker {}", tick.worker),
    };
    let snapshot = if tick.snapshot { ", a snapshot" } else { "" };
    let ticks = counted(depth.ticks, "tick");
    let came = format!(
        "{}: {ticks}, the last {} from {worker}{snapshot}; {carried}",
        depth.instrument,
        ago(tick.age_ms)
    );
    let mut lines = about("depth", &came);
    let (trading, action) = (day(tick.trading_day), day(tick.action_day));
    let when = format!("trading day {trading}, exchange time {action} {}", tick.update_time);
    lines.push(" ".repeat(WORDS_AT) + &when);
    lines
}

fn of_qamddata(qamddata: &QamddataView) -> Vec<String> {
    let units = match qamddata.volume_multiple {
        0 => "units in a lot not known".to_owned(),
        1 => "1 unit a lot".to_owned(),
        units => format!("{units} units a lot"),
    };
    let expired = if qamddata.expired { ", expired" } else { "" };
    let what = format!(
        "{}: {}, {units}, price tick {}{expired}",
        qamddata.key,
        class(qamddata.product_class),
        known(qamddata.price_tick),
    );
    let mut lines = about("qamddata", &what);
    let (margin, commission) = (known(qamddata.margin), known(qamddata.commission));
    lines.push(" ".repeat(WORDS_AT) + &format!("margin {margin}, commission {commission}"));
    lines
}

/// The prices that both have, and what only a tick has.
fn side_by_side(tick: Option<&TickView>, qamddata: Option<&QamddataView>) -> Vec<String> {
    let best = tick.and_then(|tick| tick.levels.first());
    let of_tick = |price: fn(&TickView) -> Option<f64>| tick.and_then(price);
    let of_qamddata = |price: fn(&QamddataView) -> Option<f64>| qamddata.and_then(price);
    let prices = [
        ("last price", of_tick(|tick| tick.last_price), of_qamddata(|other| other.last_price)),
        ("ask 1", best.and_then(|best| best.ask_price), of_qamddata(|other| other.ask_price1)),
        ("bid 1", best.and_then(|best| best.bid_price), of_qamddata(|other| other.bid_price1)),
        ("upper limit", of_tick(|tick| tick.upper_limit), of_qamddata(|other| other.upper_limit)),
        ("lower limit", of_tick(|tick| tick.lower_limit), of_qamddata(|other| other.lower_limit)),
        (
            "pre-settlement",
            of_tick(|tick| tick.pre_settlement),
            of_qamddata(|other| other.pre_settlement),
        ),
    ];
    let row = |label: &str, one: &str, other: &str| {
        format!("  {label:<16}{one:>PRICE$}{other:>PRICE$}").trim_end().to_owned()
    };
    let mut lines = vec![row("", "depth", "qamddata")];
    for (label, one, other) in prices {
        let shown = |price, there| if there { number(price) } else { String::new() };
        lines.push(row(label, &shown(one, tick.is_some()), &shown(other, qamddata.is_some())));
    }
    if let Some(tick) = tick {
        lines.push(row("volume", &tick.volume.to_string(), ""));
        lines.push(row("open interest", &number(tick.open_interest), ""));
    }
    lines
}

fn levels(tick: &TickView) -> Vec<String> {
    let row = |level: &str, bid_volume: &str, bid: &str, ask: &str, ask_volume: &str| {
        format!("  {level:<6}{bid_volume:>10}{bid:>PRICE$}{ask:>PRICE$}{ask_volume:>10}")
    };
    let mut lines = vec![row("level", "lots", "bid", "ask", "lots")];
    for (index, level) in tick.levels.iter().enumerate() {
        let lots = |price: Option<f64>, volume: i32| match price {
            Some(_) => volume.to_string(),
            None => NOTHING.to_owned(),
        };
        lines.push(row(
            &(index + 1).to_string(),
            &lots(level.bid_price, level.bid_volume),
            &number(level.bid_price),
            &number(level.ask_price),
            &lots(level.ask_price, level.ask_volume),
        ));
    }
    lines
}

/// A number in its shortest form that reads back as the same double.
fn number(value: Option<f64>) -> String {
    match value {
        None => NOTHING.into(),
        // Nobody quotes such a price; it still has to fit.
        Some(value) if value != 0.0 && !(1e-6..1e12).contains(&value.abs()) => format!("{value:e}"),
        Some(value) => value.to_string(),
    }
}

fn known(value: Option<f64>) -> String {
    if value.is_some() { number(value) } else { "not known".into() }
}

/// `2026-11-23`.
fn day(yyyymmdd: u32) -> String {
    if yyyymmdd == 0 {
        return "not known".into();
    }
    format!("{:04}-{:02}-{:02}", yyyymmdd / 10_000, yyyymmdd / 100 % 100, yyyymmdd % 100)
}

fn class(bits: i64) -> String {
    let names = [
        (ProductClass::FUTURES, "futures"),
        (ProductClass::OPTIONS, "option"),
        (ProductClass::COMBINATION, "combination"),
        (ProductClass::OPTION_ON_FUTURE, "option on futures"),
        (ProductClass::INDEX, "index"),
        (ProductClass::CONTINUOUS, "continuous contract"),
        (ProductClass::STOCK, "stock"),
    ];
    let named: Vec<&str> =
        names.iter().filter(|(class, _)| bits & class.0 != 0).map(|(_, name)| *name).collect();
    if named.is_empty() { format!("class {bits}") } else { named.join(" and ") }
}

#[cfg(test)]
mod tests;
