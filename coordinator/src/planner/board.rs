//! The fleet as placing sees it: plain data (pure).

use shm_layout::BrokerId;

/// A connection's place on the board.
pub type SeatIndex = u16;

/// An instrument's place on the board.
pub type ItemIndex = u32;

/// The most copies of one instrument, leaving ones included. At the limit no further one is made until one has gone.
pub const COPIES_MAX: usize = 12;

/// Whether a seat takes instruments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acceptance {
    /// Gladly.
    First,
    /// When the first have no room.
    Second,
    /// When it is that or nowhere.
    Last,
    /// Not at all.
    Never,
}

/// A connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Seat {
    /// The most it may carry.
    pub capacity: usize,
    /// How many copies are on it, leaving ones included.
    pub load: usize,
    /// The least goes first, in round robin and in ties.
    pub priority: u32,
    /// Whose front it leads to.
    pub broker: BrokerId,
    /// Whether it takes new copies.
    pub accepts: Acceptance,
    /// Whether what it has may stay.
    pub keeps: bool,
    /// Whether it can carry anything at all; what is on one that cannot is dropped.
    pub carries: bool,
    /// It is known to send more than snapshots: false from when it fell silent until something comes of it. What moves
    /// there ticks on where it was meanwhile.
    pub proven: bool,
    /// 0 to 100.
    pub quality: f64,
    /// A hash of its name, the same in every run.
    pub seed: u64,
}

/// How far a copy has come, as its worker last said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CopyState {
    /// Nothing was said, or its session is gone.
    #[default]
    Unknown,
    /// To be asked for.
    Waiting,
    /// Asked for.
    Requested,
    /// The front said yes.
    Acknowledged,
    /// Ticks come.
    Ticking,
    /// The front said yes and sends nothing.
    Silent,
    /// The front said no for good.
    Refused,
}

/// An instrument on one seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy {
    /// Where.
    pub seat: SeatIndex,
    /// It is to go once others tick in its place.
    pub leaving: bool,
    /// It is the one that writes the instrument's cells, as far as we have told.
    pub primary: bool,
    /// How far it has come.
    pub state: CopyState,
}

/// The copies of one instrument, each on a seat of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Copies {
    /// Free places come last: most instruments have one copy, and most of the planner's time is spent looking at it.
    copies: [Option<Copy>; COPIES_MAX],
}

/// A wanted instrument.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Item {
    /// The least is served first.
    pub rank: u64,
    /// Whether anybody wants it. One that nobody wants is here as long as it has copies.
    pub wanted: bool,
    /// Fronts refuse it: it gets no copy for now.
    pub parked: bool,
    /// A hash of its id, the same in every run.
    pub hash: u64,
    /// Where it is.
    pub copies: Copies,
    /// Seats that failed it: it goes there only when it has nowhere else.
    pub banned: Vec<SeatIndex>,
    /// Those of them whose front refuses it for good: it does not go there at all.
    pub refused_by: Vec<SeatIndex>,
}

/// Seats and items.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Board {
    /// The connections.
    pub seats: Vec<Seat>,
    /// The instruments. Places that are free are unwanted items without copies.
    pub items: Vec<Item>,
    /// Whose turn it is in round robin, counted over the seats by priority.
    pub turn: usize,
}

// === impl Seat ===

impl Seat {
    /// What ticks on it does so now: its front is there and sends, even if it is being drained.
    #[must_use]
    pub const fn works(&self) -> bool {
        self.proven && self.carries && (self.keeps || matches!(self.accepts, Acceptance::Never))
    }

    /// How full it is; more than 1 never.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share of a few thousand")]
    pub fn fill(&self) -> f64 {
        if self.capacity == 0 { 1.0 } else { self.load as f64 / self.capacity as f64 }
    }
}

// === impl Copies ===

impl Copies {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Copy> {
        self.copies.iter().map_while(Option::as_ref)
    }

    /// Those that are not leaving.
    pub fn staying(&self) -> impl Iterator<Item = &Copy> {
        self.iter().filter(|copy| !copy.leaving)
    }

    /// The copy on a seat.
    #[must_use]
    pub fn on(&self, seat: SeatIndex) -> Option<&Copy> {
        self.iter().find(|copy| copy.seat == seat)
    }

    /// The copy on a seat, to be changed.
    pub fn on_mut(&mut self, seat: SeatIndex) -> Option<&mut Copy> {
        self.iter_mut().find(|copy| copy.seat == seat)
    }

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Copy> {
        self.copies.iter_mut().map_while(Option::as_mut)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.copies[0].is_none()
    }

    /// True when no further copy fits.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.copies[COPIES_MAX - 1].is_some()
    }

    /// One more; false when it is there already or no place is left.
    pub fn add(&mut self, seat: SeatIndex) -> bool {
        if self.on(seat).is_some() {
            return false;
        }
        let copy = Copy { seat, leaving: false, primary: false, state: CopyState::Unknown };
        match self.copies.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(copy);
                true
            }
            None => false,
        }
    }

    /// Takes the copy of a seat away. The others keep their order.
    pub fn remove(&mut self, seat: SeatIndex) -> Option<Copy> {
        let at = self.iter().position(|copy| copy.seat == seat)?;
        let copy = self.copies[at].take();
        self.copies[at..].rotate_left(1);
        copy
    }

    /// Marks the copy of a seat.
    pub fn set_leaving(&mut self, seat: SeatIndex, leaving: bool) {
        if let Some(copy) = self.on_mut(seat) {
            copy.leaving = leaving;
        }
    }
}

impl FromIterator<SeatIndex> for Copies {
    fn from_iter<T: IntoIterator<Item = SeatIndex>>(seats: T) -> Self {
        let mut copies = Self::default();
        seats.into_iter().for_each(|seat| {
            copies.add(seat);
        });
        copies
    }
}
