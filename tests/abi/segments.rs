//! A fleet's segments without a fleet: made, filled and removed by the test.

use std::path::PathBuf;

use shm_layout::cells::CellWriter;
use shm_layout::depth::{DepthOwner, SlotFacts};
use shm_layout::qamddata::{Instrument, QamddataKey, QamddataOwner};
use shm_layout::shared_memory::{Opening, Place, Sharing};
use shm_layout::{ExchangeId, FleetPaths, Instance, InstrumentId, Level, Tick};

use crate::workshop::unique;

pub(crate) const OURS: Sharing = Sharing { mode: 0o600, group: None };

/// A fleet's names and runtime directory; all of it is removed when it goes.
pub(crate) struct Names {
    pub(crate) paths: FleetPaths,
}

impl Names {
    pub(crate) fn new() -> Self {
        let name = unique("abi");
        let dir = PathBuf::from("/tmp").join(format!("qamd-{name}"));
        std::fs::create_dir_all(&dir).unwrap();
        Self { paths: FleetPaths::new(Instance::parse(&name).unwrap(), dir).unwrap() }
    }

    pub(crate) fn depth(&self) -> Place {
        Place::named(&self.paths.depth_name())
    }

    pub(crate) fn qamddata_name(&self) -> String {
        format!("{}_qamddata", self.paths.instance())
    }

    pub(crate) fn qamddata(&self) -> Place {
        Place::named(&self.qamddata_name())
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        // What a test did not make is not there.
        drop(shm_layout::ring::remove_remains(&self.paths));
        for place in [self.depth(), self.qamddata()] {
            drop(std::fs::remove_file(place.path()));
            drop(std::fs::remove_file(place.quarantine()));
        }
        drop(std::fs::remove_dir_all(self.paths.runtime_dir()));
    }
}

/// Instruments in an order that is none: `numbers` many, each with its key.
pub(crate) fn universe(numbers: usize) -> Vec<(InstrumentId, QamddataKey, Instrument)> {
    let named = |number: usize| {
        // A stride that shares no divisor with the count visits each once.
        let mixed = (number * 7919) % numbers;
        let id = InstrumentId::parse(&format!("rb{}-{mixed}", 2601 + mixed % 12)).unwrap();
        let instrument = Instrument {
            expired: u8::from(number.is_multiple_of(2)),
            product_class: 1,
            volume_multiple: i64::try_from(number).unwrap(),
            price_tick: 0.5,
            ..Instrument::UNKNOWN
        };
        (id, QamddataKey::of(ExchangeId::SHFE, &id).unwrap(), instrument)
    };
    (0..numbers).map(named).collect()
}

/// A tick whose every number says which it is.
pub(crate) fn tick(id: &InstrumentId, number: i32) -> Tick {
    let price = f64::from(number) + 0.000_000_1;
    let level = Level { bid_price: price, ask_price: price + 1.0, bid_volume: 1, ask_volume: 2 };
    let mut tick = Tick {
        instrument_id: *id.padded(),
        exchange_id: *ExchangeId::SHFE.padded(),
        exchange_time_ns: 1_700_000_000_500_000_000 + i64::from(number),
        volume: number,
        last_price: price,
        ..Tick::EMPTY
    };
    tick.levels[0] = level;
    tick
}

/// Both segments, owned, and a worker's end of them.
pub(crate) struct Segments {
    pub(crate) qamddata: QamddataOwner,
    pub(crate) depth: DepthOwner,
    pub(crate) cells: CellWriter,
}

impl Segments {
    pub(crate) fn new(names: &Names, universe: &[(InstrumentId, QamddataKey, Instrument)]) -> Self {
        let pairs: Vec<_> = universe.iter().map(|(_, key, known)| (*key, *known)).collect();
        let (qamddata, opening) = QamddataOwner::open(&names.qamddata(), &pairs, OURS).unwrap();
        assert_eq!(opening, Opening::Made);
        let (mut depth, _) = DepthOwner::open(&names.depth(), universe.len(), OURS).unwrap();
        // This takes back what slots say of another segment, so it comes first.
        depth.set_qamddata(&names.qamddata_name(), qamddata.inode());
        for (id, key, _) in universe {
            let slot = depth.add(id, &facts()).unwrap();
            depth.set_cells(slot, qamddata.find(key).unwrap());
        }
        let (cells, fault) = CellWriter::open(&names.paths).unwrap();
        assert!(fault.is_none(), "{fault:?}");
        Self { qamddata, depth, cells }
    }

    pub(crate) fn write(&self, tick: &Tick) {
        let mut cell = self.cells.find(&tick.instrument().unwrap()).unwrap();
        self.cells.write(&mut cell, tick);
    }
}

pub(crate) fn facts() -> SlotFacts {
    let exchange = ExchangeId::SHFE;
    SlotFacts { exchange, volume_multiple: 10, price_tick: 0.5, product_class: 1 }
}
