//! Reading what both segments hold of an instrument.

use shm_layout::depth::{DepthReader, Found};
use shm_layout::qamddata::check::Sound;
use shm_layout::qamddata::{Instrument, QamddataKey};
use shm_layout::shared_memory::{ReadOnly, WORD_BYTES, Words};
use shm_layout::{ExchangeId, QualifiedId, Tick, TickFlags, clock, price_of};

use super::health::State;
use super::looking::ms_between;
use super::segments::{Segments, open_depth, open_qamddata};
use super::view::{DepthView, LevelView, QamddataView, TickView, View};
use crate::launched::Launched;

/// Both segments, open; or what they are instead. The second is `None` for a fleet without `qamddata`.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) depth: Result<DepthReader, State>,
    pub(super) qamddata: Option<Result<(ReadOnly, Sound), State>>,
    memory: Launched,
}

// === impl Open ===

impl Open {
    /// Opens what there is.
    pub(super) fn of(segments: &Segments) -> Self {
        let remembered = segments.places.iter().map(|paths| Launched::load(paths.runtime_dir()));
        Self {
            depth: open_depth(&segments.depth),
            qamddata: segments.qamddata.as_ref().map(open_qamddata),
            memory: remembered
                .into_iter()
                .find(|memory| !memory.workers.is_empty())
                .unwrap_or_default(),
        }
    }

    /// What they hold of an instrument.
    pub(super) fn view(&self, asked: &str, id: &QualifiedId) -> View {
        let found = self.depth.as_ref().ok().and_then(|reader| self.depth_view(reader, id));
        let (exchange, depth) =
            found.map_or((id.exchange, None), |(exchange, view)| (exchange, Some(view)));
        let qamddata = self.qamddata.as_ref().and_then(|open| open.as_ref().ok());
        let qamddata =
            qamddata.and_then(|(words, sound)| qamddata_view(words, sound, id, exchange));
        View { asked: asked.to_owned(), depth, qamddata }
    }

    /// Its slot, and the exchange that its key in `qamddata` begins with.
    fn depth_view(
        &self,
        reader: &DepthReader,
        id: &QualifiedId,
    ) -> Option<(Option<ExchangeId>, DepthView)> {
        let slot = reader.find(&id.instrument)?;
        let head = reader.head(slot)?;
        let known = Some(head.exchange).filter(|exchange| !exchange.is_unknown());
        if id.exchange.is_some_and(|asked| known.is_some_and(|known| known != asked)) {
            return None;
        }
        let tick = match reader.read(slot) {
            Found::Latest(tick) => Some(self.tick_view(&tick)),
            Found::Nothing | Found::Busy => None,
        };
        let name = head.instrument;
        let now_ms = clock::unix_ms();
        let view = DepthView {
            instrument: known.map_or_else(|| name.to_string(), |known| format!("{known}.{name}")),
            ticks: head.ticks,
            carried_for_ms: head
                .carried_since_ns
                .map(|since| ms_between(since / 1_000_000, now_ms)),
            tick,
        };
        Some((id.exchange.or(known), view))
    }

    fn tick_view(&self, tick: &Tick) -> TickView {
        let worker =
            |(_, known): &(_, &crate::launched::LaunchedWorker)| known.number.0 == tick.worker;
        let connection = self.memory.workers.iter().find(worker);
        TickView {
            age_ms: ms_between(tick.receive_time_ns / 1_000_000, clock::unix_ms()),
            worker: tick.worker,
            connection: connection.map(|(connection, _)| connection.to_string()),
            snapshot: TickFlags(tick.flags).contains(TickFlags::SNAPSHOT),
            trading_day: tick.trading_day,
            action_day: tick.action_day,
            update_time: update_time(tick),
            last_price: price_of(tick.last_price),
            pre_settlement: price_of(tick.pre_settlement_price),
            upper_limit: price_of(tick.upper_limit_price),
            lower_limit: price_of(tick.lower_limit_price),
            volume: tick.volume,
            open_interest: price_of(tick.open_interest),
            levels: tick
                .levels
                .iter()
                .map(|level| LevelView {
                    bid_price: price_of(level.bid_price),
                    bid_volume: level.bid_volume,
                    ask_price: price_of(level.ask_price),
                    ask_volume: level.ask_volume,
                })
                .collect(),
        }
    }
}

/// `21:00:01.500`, as the exchange sent it.
fn update_time(tick: &Tick) -> String {
    let sent = tick.raw_update_time.iter().take_while(|byte| **byte != 0);
    // Whatever a segment holds, it goes to a terminal.
    let text: String = sent.map(|byte| char::from(*byte)).filter(char::is_ascii_graphic).collect();
    format!("{text}.{:03}", tick.update_millisec)
}

fn qamddata_view(
    words: &ReadOnly,
    sound: &Sound,
    id: &QualifiedId,
    exchange: Option<ExchangeId>,
) -> Option<QamddataView> {
    let wanted = exchange.map(|exchange| QamddataKey::of(exchange, &id.instrument));
    let is_it = |key: &QamddataKey| match &wanted {
        Some(wanted) => wanted.as_ref() == Ok(key),
        None => key.instrument() == id.instrument.as_str(),
    };
    let (key, offset) = sound.instruments.iter().find(|(key, _)| is_it(key))?;
    let mut fields = [0; size_of::<Instrument>() / WORD_BYTES];
    for (place, field) in (*offset..).step_by(WORD_BYTES).zip(&mut fields) {
        *field = words.at(place)?;
    }
    let [expired, product_class, volume_multiple, rest @ ..] = fields;
    let [margin, commission, price_tick, last_price, pre_settlement, upper, lower, ask, bid] =
        rest.map(|bits| price_of(f64::from_bits(bits)));
    Some(QamddataView {
        key: key.to_string(),
        expired: expired & 0xff != 0,
        product_class: product_class.cast_signed(),
        volume_multiple: volume_multiple.cast_signed(),
        margin,
        commission,
        price_tick,
        last_price,
        pre_settlement,
        upper_limit: upper,
        lower_limit: lower,
        ask_price1: ask,
        bid_price1: bid,
    })
}
