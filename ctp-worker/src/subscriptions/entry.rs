//! One instrument (pure).

use shm_layout::control::{CarryRole, InstrumentState};

use super::schedule::Due;

/// What is known of the front's side, in this session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FrontSide {
    /// It was not asked, or it gave the instrument up.
    Nothing,
    /// It was asked and has not answered: it may be sending the instrument or not.
    Asked,
    /// It said yes.
    Acknowledged,
    /// It said yes and sends nothing, although it was asked again.
    Silent,
    /// It sends ticks.
    Ticking,
    /// It was told to stop and has not answered: it may still be sending. What it was before stands here for the case
    /// that the library did not take the call.
    Releasing { before: Carried },
    /// It said no for good.
    Refused { error_id: i32, message: String },
}

/// The states in which a front may be told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    Asked,
    Acknowledged,
    Silent,
    Ticking,
}

/// What is under way or comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    Nothing,
    /// To be subscribed for the first time, as soon as there is room.
    AskDue(Due),
    /// To be subscribed again, since no answer or no tick came. Needs no room: it is counted already.
    AskAgainDue(Due),
    /// Subscribe sent, until the answer is late.
    AskSent(Due),
    /// Acknowledged, until the first tick is late.
    TickDue(Due),
    /// To be unsubscribed.
    ReleaseDue(Due),
    /// Unsubscribe sent, until the answer is late.
    ReleaseSent(Due),
}

/// One instrument: what is wanted, what the front does, what comes next.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) wanted: bool,
    pub(super) role: CarryRole,
    pub(super) front: FrontSide,
    pub(super) pending: Pending,
    /// Calls without a good answer, of the kind under way.
    pub(super) attempts: u32,
    /// Subscribe requests whose answer may still come. More than one after an answer was late: a refusal then does not
    /// say which of them it refuses.
    pub(super) unanswered: u32,
    /// How often in this session the acknowledged instrument's first tick, or the answer to asking for it again, was late.
    pub(super) silences: u32,
    /// Acknowledged, its first tick was late, and asking again has led to nothing yet.
    pub(super) overdue: bool,
}

// === impl FrontSide ===

impl FrontSide {
    /// True when the front may be sending it, so that it takes one of the connection's places.
    pub(super) const fn takes_a_place(&self) -> bool {
        !matches!(self, Self::Nothing | Self::Refused { .. })
    }

    /// What it is once it was told to stop; unchanged when it carries nothing.
    pub(super) fn told_to_stop(&self) -> Self {
        let before = match self {
            Self::Asked => Carried::Asked,
            Self::Acknowledged => Carried::Acknowledged,
            Self::Silent => Carried::Silent,
            Self::Ticking => Carried::Ticking,
            Self::Nothing | Self::Refused { .. } | Self::Releasing { .. } => return self.clone(),
        };
        Self::Releasing { before }
    }

    /// What it is when the library did not take the call that told it to stop.
    pub(super) fn not_told_to_stop(&self) -> Self {
        match self {
            Self::Releasing { before: Carried::Asked } => Self::Asked,
            Self::Releasing { before: Carried::Acknowledged } => Self::Acknowledged,
            Self::Releasing { before: Carried::Silent } => Self::Silent,
            Self::Releasing { before: Carried::Ticking } => Self::Ticking,
            other => other.clone(),
        }
    }

    pub(super) const fn is_acknowledged(&self) -> bool {
        matches!(self, Self::Acknowledged | Self::Ticking)
    }

    /// True when it said yes and no tick has come.
    pub(super) const fn owes_a_tick(&self) -> bool {
        matches!(self, Self::Acknowledged | Self::Silent)
    }

    pub(super) const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

// === impl Entry ===

impl Entry {
    /// Wanted from now on, and carried without being its primary until that is said.
    pub(super) const fn new() -> Self {
        Self {
            wanted: true,
            role: CarryRole::Standby,
            front: FrontSide::Nothing,
            pending: Pending::Nothing,
            attempts: 0,
            unanswered: 0,
            silences: 0,
            overdue: false,
        }
    }

    /// True while a request is under way, whose answer decides what comes next.
    pub(super) const fn is_under_way(&self) -> bool {
        matches!(self.pending, Pending::AskSent(_) | Pending::ReleaseSent(_))
    }

    /// The state as the coordinator hears of it; meaningful for wanted ones.
    pub(super) fn report(&self) -> InstrumentState {
        match &self.front {
            // Wanted again while it is being released: it will be asked for anew.
            FrontSide::Nothing | FrontSide::Releasing { .. } => InstrumentState::Waiting,
            FrontSide::Asked => InstrumentState::Requested,
            FrontSide::Acknowledged => InstrumentState::Acknowledged,
            FrontSide::Silent => InstrumentState::Silent,
            FrontSide::Ticking => InstrumentState::Ticking,
            FrontSide::Refused { error_id, message } => {
                InstrumentState::Refused { error_id: *error_id, message: message.clone() }
            }
        }
    }
}
