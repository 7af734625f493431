//! Golden texts, and what holds for all of them.

use proptest::prelude::*;

use super::*;
use crate::shown::columns;
use crate::verbs::shm::view::LevelView;

fn level(bid: f64, ask: f64) -> LevelView {
    LevelView { bid_price: Some(bid), bid_volume: 12, ask_price: Some(ask), ask_volume: 340 }
}

const NO_LEVEL: LevelView =
    LevelView { bid_price: None, bid_volume: 0, ask_price: None, ask_volume: 0 };

fn tick() -> TickView {
    TickView {
        age_ms: 2500,
        worker: 3,
        connection: Some("simnow".into()),
        snapshot: false,
        trading_day: 20_261_123,
        action_day: 20_261_120,
        update_time: "21:00:01.500".into(),
        last_price: Some(3594.0),
        pre_settlement: Some(3590.0),
        upper_limit: Some(3872.5),
        lower_limit: Some(-3.25),
        volume: 12_580,
        open_interest: Some(1_234_567.0),
        levels: vec![level(3593.0, 3594.0), NO_LEVEL, NO_LEVEL, NO_LEVEL, NO_LEVEL],
    }
}

fn depth() -> DepthView {
    let instrument = "SHFE.rb2601".into();
    DepthView { instrument, ticks: 1234, carried_for_ms: Some(187_000), tick: Some(tick()) }
}

fn qamddata() -> QamddataView {
    QamddataView {
        key: "SHFE.rb2601".into(),
        expired: false,
        product_class: 1,
        volume_multiple: 10,
        margin: Some(0.13),
        commission: None,
        price_tick: Some(1.0),
        last_price: Some(3594.0),
        pre_settlement: Some(3590.0),
        upper_limit: Some(3872.5),
        lower_limit: None,
        ask_price1: Some(3594.0),
        bid_price1: Some(3593.0),
    }
}

fn view(depth: Option<DepthView>, qamddata: Option<QamddataView>) -> View {
    View { asked: "rb2601".into(), depth, qamddata }
}

fn plain(view: &View) -> String {
    render(view, &[None, None], Style::default())
}

#[test]
fn in_both() {
    let golden = "\
rb2601
  depth     SHFE.rb2601: 1,234 ticks, the last 2 s ago from worker 3 (simnow);
            carried for 3 min 07 s
            trading day 2026-11-23, exchange time 2026-11-20 21:00:01.500
  qamddata  SHFE.rb2601: futures, 10 units a lot, price tick 1
            margin 0.13, commission not known

                           depth      qamddata
  last price                3594          3594
  ask 1                     3594          3594
  bid 1                     3593          3593
  upper limit             3872.5        3872.5
  lower limit              -3.25             -
  pre-settlement            3590          3590
  volume                   12580
  open interest          1234567

  level       lots           bid           ask      lots
  1             12          3593          3594       340
  2              -             -             -         -
  3              -             -             -         -
  4              -             -             -         -
  5              -             -             -         -
";
    assert_eq!(plain(&view(Some(depth()), Some(qamddata()))), golden);
}

#[test]
fn in_one_only() {
    let old = DepthView { ticks: 0, carried_for_ms: None, tick: None, ..depth() };
    let golden = "\
rb2601
  depth     SHFE.rb2601: no tick yet; not carried now, so what it holds is old
  qamddata  not in it
";
    assert_eq!(plain(&view(Some(old), None)), golden);
    let expired =
        QamddataView { expired: true, volume_multiple: 0, product_class: 10, ..qamddata() };
    let text = plain(&view(None, Some(expired)));
    let golden = "\
rb2601
  depth     not in it
  qamddata  SHFE.rb2601: option and option on futures, units in a lot not known,
            price tick 1, expired
            margin 0.13, commission not known

                           depth      qamddata
  last price                              3594
";
    assert!(text.starts_with(golden), "{text}");
    assert!(!text.contains("level") && !text.contains("volume"), "{text}");
}

#[test]
fn in_none() {
    let golden = "\
rb2601
  depth     not in it
  qamddata  not in it
  It is added when somebody subscribes it or the instruments file lists it.
";
    assert_eq!(plain(&view(None, None)), golden);
    let missing = [Some("the segment is not there".to_owned()), None];
    let golden = "rb2601\n  depth     the segment is not there\n  qamddata  not in it\n";
    assert_eq!(render(&view(None, None), &missing, Style::default()), golden);
}

#[test]
fn numbers_are_exact_or_fit() {
    let of = |value| number(Some(value));
    assert_eq!(
        [0.0, -619.0, 0.1, 3_594.000_000_000_000_5].map(of),
        ["0", "-619", "0.1", "3594.0000000000005"]
    );
    assert_eq!([1e300, -2.5e-7].map(of), ["1e300", "-2.5e-7"]);
    assert_eq!(number(None), "-");
}

proptest! {
    #[test]
    fn every_line_fits_eighty_columns(
        prices in prop::array::uniform6(prop::option::of(any::<f64>().prop_filter("finite", |x| x.is_finite()))),
        lots in any::<[i32; 3]>(),
        numbers in any::<[u64; 3]>(),
        id in "[A-Z]{3,5}\\.[A-Za-z0-9]{1,40}",
        connection in prop::option::of("[a-z_]{1,40}"),
    ) {
        let mut view = view(Some(depth()), Some(qamddata()));
        let depth = view.depth.as_mut().unwrap();
        (depth.instrument, depth.ticks, depth.carried_for_ms) = (id.clone(), numbers[0], Some(numbers[1]));
        let tick = depth.tick.as_mut().unwrap();
        (tick.age_ms, tick.connection, tick.volume) = (numbers[2], connection, lots[0]);
        (tick.last_price, tick.open_interest) = (prices[0], prices[1]);
        tick.levels[0] = LevelView { bid_price: prices[2], bid_volume: lots[1], ask_price: prices[3], ask_volume: lots[2] };
        let qamddata = view.qamddata.as_mut().unwrap();
        (qamddata.key, qamddata.margin, qamddata.ask_price1) = (id, prices[4], prices[5]);
        let text = plain(&view);
        for line in text.lines() {
            prop_assert!(columns(line) <= 80, "{} columns: {line}", columns(line));
            prop_assert_eq!(line, line.trim_end());
        }
    }
}
