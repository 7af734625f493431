//! From counters to points (pure).

use std::time::{Duration, Instant};

use shm_layout::control::{ConnectionView, WorkerStats};

use crate::limits::{
    QUALITY_ALL_ASKED_AGAIN_POINTS, QUALITY_CARRIED_MIN, QUALITY_CONTESTED_MIN,
    QUALITY_DELAY_FREE_MS, QUALITY_DELAY_FULL_MS, QUALITY_DELAY_POINTS_MAX, QUALITY_GAPS_FREE,
    QUALITY_GAPS_FULL, QUALITY_GAPS_POINTS_MAX, QUALITY_GRAVE_ERROR_POINTS,
    QUALITY_REFUSED_CALL_POINTS, QUALITY_SMALL_ERROR_POINTS, QUALITY_TICKS_MIN, QUALITY_WINDOW,
};

/// Counters that are judged once enough time has passed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<C> {
    /// As they were when it began.
    pub(super) base: C,
    /// As they were said last.
    pub(super) last: C,
    pub(super) began: Instant,
}

/// What a window came to, in points.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Verdict {
    pub(super) points: f64,
    /// When it lapses; `None` when it has.
    pub(super) until: Option<Instant>,
}

// === impl Window ===

impl<C: Copy> Window<C> {
    pub(super) const fn new(counters: C, now: Instant) -> Self {
        Self { base: counters, last: counters, began: now }
    }

    /// Takes counters, and when the window was long enough ends it: the next begins here, and what this one began with
    /// is returned.
    pub(super) fn say(&mut self, counters: C, now: Instant) -> Option<C> {
        self.last = counters;
        if now.saturating_duration_since(self.began) < QUALITY_WINDOW {
            return None;
        }
        self.began = now;
        Some(std::mem::replace(&mut self.base, counters))
    }
}

// === impl Verdict ===

impl Verdict {
    pub(super) fn new(points: f64, now: Instant, life: Duration) -> Self {
        Self { points, until: now.checked_add(life) }
    }
}

/// Counters that only grow, within one life.
pub(super) const fn counters_of_stats(stats: &WorkerStats) -> [u64; 8] {
    [
        stats.ticks,
        stats.malformed,
        stats.unpublished,
        stats.panics,
        stats.dropped_events,
        stats.asked_again,
        stats.login_failures,
        stats.calls_refused,
    ]
}

pub(super) const fn counters_of_view(view: &ConnectionView) -> [u64; 7] {
    [view.ticks, view.lost, view.won, view.copies, view.behind_ns, view.late, view.missed]
}

pub(super) fn went_back<const N: usize>(before: [u64; N], now: [u64; N]) -> bool {
    before.iter().zip(&now).any(|(before, now)| now < before)
}

pub(super) fn error_points(before: &WorkerStats, now: &WorkerStats) -> f64 {
    let new = |of: fn(&WorkerStats) -> u64| real(of(now).saturating_sub(of(before)));
    let carried = f64::from(now.instruments).max(QUALITY_CARRIED_MIN);
    QUALITY_GRAVE_ERROR_POINTS * (new(|stats| stats.login_failures) + new(|stats| stats.panics))
        + QUALITY_REFUSED_CALL_POINTS * new(|stats| stats.calls_refused)
        + QUALITY_SMALL_ERROR_POINTS
            * (new(|stats| stats.dropped_events) + new(|stats| stats.malformed))
        + QUALITY_ALL_ASKED_AGAIN_POINTS * new(|stats| stats.asked_again) / carried
}

/// `None` when there was too little to compare.
pub(super) fn delay_points(before: &ConnectionView, now: &ConnectionView) -> Option<f64> {
    let new = |of: fn(&ConnectionView) -> u64| of(now).saturating_sub(of(before));
    let late = new(|view| view.late);
    let contested =
        new(|view| view.won).saturating_add(new(|view| view.copies)).saturating_add(late);
    if contested < QUALITY_CONTESTED_MIN {
        return None;
    }
    let behind_ms = real(new(|view| view.behind_ns)) / 1e6 + QUALITY_DELAY_FULL_MS * real(late);
    let mean_ms = behind_ms / real(contested);
    let share = on_scale(mean_ms, QUALITY_DELAY_FREE_MS, QUALITY_DELAY_FULL_MS);
    Some(QUALITY_DELAY_POINTS_MAX * share)
}

pub(super) fn gap_points(gaps: u64, ticks: u64) -> f64 {
    let share = real(gaps) / real(ticks.saturating_add(gaps).max(QUALITY_TICKS_MIN));
    QUALITY_GAPS_POINTS_MAX * on_scale(share, QUALITY_GAPS_FREE, QUALITY_GAPS_FULL)
}

/// Where a value lies between two others by their ratios: 0 up to the first, 1 from the second on.
pub(super) fn on_scale(value: f64, free: f64, full: f64) -> f64 {
    if value <= free { 0.0 } else { ((value / free).ln() / (full / free).ln()).min(1.0) }
}

#[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 is a share all the same")]
pub(super) const fn real(count: u64) -> f64 {
    count as f64
}
