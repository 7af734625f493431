//! A worker's cells in both segments.

use std::path::PathBuf;

use shm_layout::cells::CellWriter;
use shm_layout::depth::{DepthOpenError, DepthOwner, SlotFacts};
use shm_layout::qamddata::check::check;
use shm_layout::qamddata::{Instrument, QamddataKey};
use shm_layout::shared_memory::{Place, TICK_WORDS, Words, tick_from_words};
use shm_layout::{ExchangeId, FleetPaths, Instance, InstrumentId, NO_PRICE, Tick};

use crate::segment::{Own, SHARING, key};

const FACTS: SlotFacts = SlotFacts {
    exchange: ExchangeId::SHFE,
    volume_multiple: 10,
    price_tick: 0.5,
    product_class: 1,
};

/// A fleet's depth segment; removed at the end.
struct Depth {
    paths: FleetPaths,
    place: Place,
}

impl Depth {
    fn new(test: &str) -> Self {
        let instance = Instance::parse(&format!("q{test}{}", std::process::id())).unwrap();
        let paths = FleetPaths::new(instance, PathBuf::from("/nowhere")).unwrap();
        let place = Place::named(&paths.depth_name());
        Self { paths, place }
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        drop(std::fs::remove_file(self.place.path()));
        drop(std::fs::remove_file(self.place.quarantine()));
    }
}

fn id(text: &str) -> InstrumentId {
    InstrumentId::parse(text).unwrap()
}

fn priced(price: f64) -> Tick {
    let mut tick = tick_from_words([0; TICK_WORDS]);
    (tick.last_price, tick.pre_settlement_price) = (price, price + 1.0);
    (tick.upper_limit_price, tick.lower_limit_price) = (price + 2.0, NO_PRICE);
    (tick.levels[0].ask_price, tick.levels[0].bid_price) = (price + 4.0, price - 4.0);
    tick
}

/// Last price, settlement before, upper, lower, ask, bid as `qamddata` has them.
fn prices(own: &Own, offset: u64) -> [f64; 6] {
    let words = own.words();
    let at = |index: u64| words.as_slice().at(offset + 48 + index * 8).unwrap();
    std::array::from_fn(|index| f64::from_bits(at(index as u64)))
}

fn universe() -> Vec<(QamddataKey, Instrument)> {
    ["rb2601", "rb2605"].map(|text| (key(text), Instrument::UNKNOWN)).into()
}

#[test]
fn a_tick_goes_into_both_segments() {
    let (own, depth) = (Own::new(), Depth::new("both"));
    let early = CellWriter::open(&depth.paths).map(drop);
    assert!(matches!(early, Err(DepthOpenError::NotReady(_))), "{early:?}");
    let (qamddata, _) = own.open(&universe());
    let (mut owner, _) = DepthOwner::open(&depth.place, 0, SHARING).unwrap();
    let slot = owner.add(&id("rb2601"), &FACTS).unwrap();
    owner.set_qamddata(own.name(), qamddata.inode());
    let (writer, fault) = CellWriter::open(&depth.paths).unwrap();
    assert!(fault.is_none(), "{fault:?}");
    assert!(writer.find(&id("rb2605")).is_none());
    let mut cell = writer.find(&id("rb2601")).unwrap();
    assert_eq!(writer.latest(&cell), None);

    // It has no place in qamddata yet.
    let offset = qamddata.find(&key("rb2601")).unwrap();
    writer.write(&mut cell, &priced(100.0));
    assert_eq!(writer.latest(&cell), Some(priced(100.0)));
    writer.complete(&mut cell);
    assert!(prices(&own, offset).iter().all(|price| price.is_nan()));
    // When it gets one, what is known is written there once.
    owner.set_cells(slot, offset);
    writer.complete(&mut cell);
    assert_eq!(prices(&own, offset)[0].to_bits(), 100.0_f64.to_bits());
    writer.write(&mut cell, &priced(200.0));
    writer.complete(&mut cell);
    let [last, settlement, upper, lower, ask, bid] = prices(&own, offset);
    assert_eq!([last, settlement, upper, ask, bid], [200.0, 201.0, 202.0, 204.0, 196.0]);
    // What the exchange did not say.
    assert!(lower.is_nan());
    assert_eq!(check(own.words().as_slice()).unwrap().instruments.len(), 2);
    assert!(writer.wanted_qamddata().is_none());
}

#[test]
fn nothing_is_written_where_the_instrument_does_not_lie() {
    let (own, depth) = (Own::new(), Depth::new("wrong"));
    let (qamddata, _) = own.open(&universe());
    let (mut owner, _) = DepthOwner::open(&depth.place, 0, SHARING).unwrap();
    let slot = owner.add(&id("rb2601"), &FACTS).unwrap();
    owner.set_qamddata(own.name(), qamddata.inode());
    let (writer, _) = CellWriter::open(&depth.paths).unwrap();
    let mut cell = writer.find(&id("rb2601")).unwrap();
    let before = own.words();
    let (ours, other) = (qamddata.find(&key("rb2601")), qamddata.find(&key("rb2605")));
    let (ours, other) = (ours.unwrap(), other.unwrap());
    let ends = [u64::MAX, u64::MAX - 7, (32 << 20) - 96, (32 << 20) - 8, 32 << 20, 8, 1, 88, 240];
    for offset in [other, ours + 8, ours - 8, ours + 1, ours + 4].into_iter().chain(ends) {
        owner.set_cells(slot, offset);
        writer.write(&mut cell, &priced(300.0));
        assert!(own.words() == before, "something was written with the offset {offset}");
    }
    assert_eq!(writer.latest(&cell), Some(priced(300.0)));
    owner.set_cells(slot, ours);
    writer.write(&mut cell, &priced(300.0));
    assert_eq!(prices(&own, ours)[0].to_bits(), 300.0_f64.to_bits());
}

#[test]
fn a_replaced_segment_is_noticed() {
    let (own, depth) = (Own::new(), Depth::new("again"));
    let (qamddata, _) = own.open(&universe());
    let (mut owner, _) = DepthOwner::open(&depth.place, 0, SHARING).unwrap();
    owner.add(&id("rb2601"), &FACTS).unwrap();
    // Written into the depth segment alone while there is no other.
    let (writer, fault) = CellWriter::open(&depth.paths).unwrap();
    assert!(fault.is_none() && writer.wanted_qamddata().is_none());
    owner.set_qamddata(own.name(), qamddata.inode());
    assert!(writer.wanted_qamddata().is_some());
    let (writer, fault) = CellWriter::open(&depth.paths).unwrap();
    assert!(fault.is_none() && writer.wanted_qamddata().is_none());
    // Somebody damages it, and the next start makes another.
    drop(qamddata);
    own.put(0, &[0]);
    let (again, _) = own.open(&universe());
    let (stale, fault) = CellWriter::open(&depth.paths).unwrap();
    assert!(fault.is_some_and(|fault| fault.to_string().contains("another segment")));
    owner.set_qamddata(own.name(), again.inode());
    assert!(writer.wanted_qamddata().is_some() && stale.wanted_qamddata().is_some());
    // And another depth segment.
    let (writer, _) = CellWriter::open(&depth.paths).unwrap();
    assert!(writer.wanted_qamddata().is_none());
    drop(DepthOwner::open(&depth.place, 40_000, SHARING).unwrap());
    assert!(Some(writer.identity()) != depth.place.identity());
}
