//! The trading day rolls, and the front leaves the session as it is.

use shm_layout::control::{FromWorker, SessionReport, SessionState};
use shm_layout::{Date, ExchangeId, Tick};

use super::harness::Fleet;
use super::{is_snapshot, run};

/// An afternoon's last seconds, then, since the clock jumps over pauses, the auction and the night of the next trading day,
/// on one session.
const ROLL: &str =
    r#""rate":200,"relogin_each_trading_day":false,"clock":{"start":"2025-03-03T14:59:58"}"#;

/// What came before the simulated clock jumped into the evening, and what came after it.
fn by_day(ticks: &[Tick]) -> (Vec<&Tick>, Vec<&Tick>) {
    ticks.iter().partition(|tick| tick.raw_update_time < *b"20:00:00")
}

#[test]
fn a_session_left_running_over_the_roll_of_the_day_is_logged_in_anew() {
    run(async {
        let mut fleet = Fleet::new();
        let mut worker = fleet.start_and_accept(&format!("{{{ROLL}}}")).await;
        worker.assign(1, &["rb2505", "m2505", "SR505"]).await;
        let mut reports = Vec::new();
        while reports.last().is_none_or(|last: &SessionReport| last.epoch.0 < 2) {
            if let FromWorker::Session(report) = worker.hear().await {
                reports.push(report);
            }
        }
        let last = reports.last().expect("the loop ends with one");
        assert_eq!((last.state.clone(), last.epoch.0), (SessionState::Ready, 2));
        assert_eq!(last.trading_day, Date::from_yyyymmdd(20_250_304));
        let gone =
            |report: &SessionReport| matches!(report.state, SessionState::Disconnected { .. });
        assert!(!reports.iter().any(gone), "{reports:?}");
        // The front has all instruments anew, and nothing was lost or dated wrongly on the way.
        worker.all_ticking(&["rb2505", "m2505", "SR505"]).await;
        let ticks = fleet
            .ticks_until(|ticks| {
                let (_, evening) = by_day(ticks);
                evening.iter().filter(|tick| is_snapshot(tick)).count() >= 3 && evening.len() >= 60
            })
            .await;
        assert!(ticks.iter().zip(1..).all(|(tick, sequence)| tick.sequence == sequence));
        let (day, evening) = by_day(&ticks);
        assert!(day.iter().all(|t| (t.trading_day, t.action_day) == (20_250_303, 20_250_303)));
        // SR says the calendar day at night. On a real evening this machine's clock knows the first of its ticks for
        // tonight's; on a simulated one it is the first tick of another exchange, which comes within a round of three.
        let other = |tick: &&Tick| tick.exchange() != ExchangeId::CZCE;
        let known = evening.iter().position(other).expect("rb and m tick, too");
        assert!(known < 3);
        for tick in &evening[known..] {
            assert_eq!((tick.trading_day, tick.action_day), (20_250_304, 20_250_303));
        }
        worker.stats_until(|stats| (stats.logins, stats.disconnects) == (2, 0)).await;
    });
}

#[test]
fn a_front_that_refuses_a_second_login_goes_on_ticking_and_the_days_are_right() {
    run(async {
        let mut fleet = Fleet::new();
        let refuse = r#""faults":[{"after_ticks":1,"do":"refuse_login","error_id":3}]"#;
        let mut worker = fleet.start_and_accept(&format!("{{{ROLL},{refuse}}}")).await;
        worker.assign(1, &["rb2505", "SR505"]).await;
        worker.stats_until(|stats| stats.login_failures == 1).await;
        let ticks = fleet.ticks_until(|ticks| by_day(ticks).1.len() >= 100).await;
        let (_, evening) = by_day(&ticks);
        let wrong = |tick: &&&Tick| tick.trading_day != 20_250_304;
        assert!(evening.iter().filter(wrong).count() < 2, "but for a first tick of SR's");
        assert!(evening[2..].iter().all(|tick| tick.trading_day == 20_250_304));
        // An error that would be an alarm at another time leaves the session as it is.
        let stats = worker.next_stats().await;
        assert_eq!((stats.logins, stats.login_failures, stats.acknowledged), (1, 1, 2));
    });
}
