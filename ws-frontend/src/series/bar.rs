//! A K-line bar, and which of its fields a further tick changed (pure).

/// How many fields of a bar a client sees, see [`BarField`].
pub const BAR_FIELDS: usize = 8;

/// The fields of a bar that a client sees, in the order of [`super::SeriesBook::changed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum BarField {
    /// [`Bar::datetime_ns`].
    Datetime,
    /// [`Bar::open`].
    Open,
    /// [`Bar::high`].
    High,
    /// [`Bar::low`].
    Low,
    /// [`Bar::close`].
    Close,
    /// [`Bar::volume`].
    Volume,
    /// [`Bar::open_oi`].
    OpenOi,
    /// [`Bar::close_oi`].
    CloseOi,
}

/// What was traded within a span of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// When it begins, in nanoseconds since 1970-01-01 UTC; of days the first one's midnight in Beijing.
    pub datetime_ns: i64,
    /// The last price of its first tick.
    pub open: f64,
    /// The highest last price.
    pub high: f64,
    /// The lowest last price.
    pub low: f64,
    /// The last price of its last tick.
    pub close: f64,
    /// Lots traded.
    pub volume: i64,
    /// Open interest by its first tick, lots, raw.
    pub open_oi: f64,
    /// Open interest by its last tick, lots, raw.
    pub close_oi: f64,
    /// The trading day of its last tick as a number YYYYMMDD; 0 when unknown.
    pub trading_day: u32,
}

const _: () = assert!(size_of::<Bar>() == 72);

/// What a tick or a shorter bar brings to a bar.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// The bar that would be made of it alone; its datetime is the moment itself, within the session.
    pub(super) bar: Bar,
    /// When the session began, in nanoseconds since 1970-01-01 UTC; 0 around the clock.
    pub(super) began_ns: i64,
}

/// A set of [`BarField`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Changes([bool; BAR_FIELDS]);

// === impl BarField ===

impl BarField {
    /// All of them, in their order.
    pub const ALL: [Self; BAR_FIELDS] = [
        Self::Datetime,
        Self::Open,
        Self::High,
        Self::Low,
        Self::Close,
        Self::Volume,
        Self::OpenOi,
        Self::CloseOi,
    ];
}

// === impl Bar ===

impl Bar {
    /// Adds what came later.
    pub(super) fn absorb(&mut self, later: &Self) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume = self.volume.saturating_add(later.volume);
        self.close_oi = later.close_oi;
        self.trading_day = later.trading_day;
    }

    /// The fields in which it differs from what it was, bit for bit: an open interest may have no value.
    pub(super) fn changes_since(&self, before: &Self) -> Changes {
        let differs = |now: f64, before: f64| now.to_bits() != before.to_bits();
        Changes([
            self.datetime_ns != before.datetime_ns,
            differs(self.open, before.open),
            differs(self.high, before.high),
            differs(self.low, before.low),
            differs(self.close, before.close),
            self.volume != before.volume,
            differs(self.open_oi, before.open_oi),
            differs(self.close_oi, before.close_oi),
        ])
    }
}

// === impl Changes ===

impl Changes {
    /// All fields: the bar is a new one.
    pub(super) const ALL: Self = Self([true; BAR_FIELDS]);

    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Notes in which revision these fields changed.
    pub(super) fn note(self, revision: u64, changed: &mut [u64; BAR_FIELDS]) {
        for (field, changed_at) in self.0.into_iter().zip(changed) {
            if field {
                *changed_at = revision;
            }
        }
    }
}
