//! What workers say of themselves (pure).

use std::time::Instant;

use shm_layout::control::{CarryRole, InstrumentReport, InstrumentState};

use super::Placement;
use crate::planner::{CopyState, SeatIndex};

impl Placement {
    /// A worker already carries an instrument, as its inventory says: it stays there, when there is room for it. False
    /// when there is none, or nobody wants it.
    pub fn adopt(&mut self, seat: SeatIndex, report: &InstrumentReport) -> bool {
        let Some(index) = self.index.get(&report.instrument).copied() else { return false };
        if report.role == CarryRole::Primary {
            self.holders.hold(index, seat);
        }
        let place = &mut self.board.seats[usize::from(seat)];
        let item = &mut self.board.items[index as usize];
        if !item.wanted {
            return false;
        }
        if item.copies.on(seat).is_none() {
            if place.load >= place.capacity || !item.copies.add(seat) {
                return false;
            }
            place.load += 1;
            self.carried[usize::from(seat)].insert(index);
        }
        let led = item.copies.iter().any(|copy| copy.primary);
        if let Some(copy) = item.copies.on_mut(seat) {
            copy.state = state_of(&report.state);
            copy.primary |= report.role == CarryRole::Primary && !led;
        }
        self.holders.look_at(index);
        self.changed = true;
        true
    }

    /// A worker said what became of instruments.
    pub fn reported(&mut self, seat: SeatIndex, reports: &[InstrumentReport], now: Instant) {
        for report in reports {
            let Some(index) = self.index.get(&report.instrument).copied() else { continue };
            let state = state_of(&report.state);
            let item = &mut self.board.items[index as usize];
            let copies = item.copies.len();
            let Some(copy) = item.copies.on_mut(seat) else { continue };
            if copy.state == state {
                continue;
            }
            copy.state = state;
            if copies > 1 {
                self.holders.look_at(index);
                self.changed = true;
            }
            match &report.state {
                InstrumentState::Refused { error_id, message } => {
                    self.refused(index, seat, *error_id, message.clone(), now);
                }
                InstrumentState::Silent => self.fell_silent(index, seat, now),
                InstrumentState::Ticking => self.failures.ticks(index),
                _ => {}
            }
        }
    }

    /// A worker's session is over: nothing ticks there.
    pub fn session_ended(&mut self, seat: SeatIndex) {
        for index in self.carried[usize::from(seat)].clone() {
            // A refusal holds for the trading day, and the next plan has to answer it.
            if let Some(copy) = self.board.items[index as usize].copies.on_mut(seat)
                && copy.state != CopyState::Refused
            {
                copy.state = CopyState::Unknown;
            }
            self.holders.look_at(index);
        }
        self.changed = true;
    }

    /// A worker is dead: it is nobody's primary and knows nothing.
    pub fn worker_died(&mut self, seat: SeatIndex) {
        for index in self.carried[usize::from(seat)].clone() {
            if let Some(copy) = self.board.items[index as usize].copies.on_mut(seat) {
                copy.primary = false;
            }
        }
        for index in self.holders.died(seat) {
            self.telling.let_go(index);
        }
        self.telling.forget(seat);
        self.session_ended(seat);
    }
}

const fn state_of(state: &InstrumentState) -> CopyState {
    match state {
        InstrumentState::Waiting => CopyState::Waiting,
        InstrumentState::Requested => CopyState::Requested,
        InstrumentState::Acknowledged => CopyState::Acknowledged,
        InstrumentState::Silent => CopyState::Silent,
        InstrumentState::Ticking => CopyState::Ticking,
        InstrumentState::Refused { .. } => CopyState::Refused,
        InstrumentState::Released => CopyState::Unknown,
    }
}
