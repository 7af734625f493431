//! The fleet's numbers in Prometheus' text format. Pure: a snapshot in, text out.
//!
//! Counters of a worker or a frontend begin anew with its process, as Prometheus expects. What compares a worker's ticks
//! with those of others is counted by the frontends, and begins anew with them.

mod fleet;
mod frontend;
mod page;
mod worker;

use std::slice;

use shm_layout::control::{FrontendStatus, WorkerStatus};

use crate::driver::Snapshot;
use page::{Labels, Page};

/// The content type of [`render`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of a snapshot.
#[must_use]
pub fn render(snapshot: &Snapshot) -> String {
    let status = &snapshot.status;
    let mut page = Page::default();
    page.family("qamd_build_info", "gauge", "Always 1; the label is qamd's version.");
    page.sample("qamd_build_info", &[("version", &status.version)], 1.0);
    page.families(fleet::OF_THE_FLEET, slice::from_ref(snapshot), |_| Labels::new());
    page.families(worker::OF_A_WORKER, &status.workers, of_worker);
    page.families(worker::OF_A_VIEW, &status.workers, of_worker);
    page.families(worker::OF_A_SESSION, &status.workers, of_connection);
    page.families(frontend::OF_A_FRONTEND, &status.frontends, of_frontend);
    page.text
}

fn of_worker(worker: &WorkerStatus) -> Labels<'_> {
    vec![("connection_id", worker.connection_id.as_str()), ("broker_id", worker.broker_id.as_str())]
}

fn of_connection(worker: &WorkerStatus) -> Labels<'_> {
    vec![("connection_id", worker.connection_id.as_str())]
}

fn of_frontend(frontend: &FrontendStatus) -> Labels<'_> {
    vec![("listening_on", &frontend.listening_on)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use std::collections::HashSet;

    #[test]
    fn every_sample_follows_its_help_and_type_and_no_family_comes_twice() {
        let text = render(&example::snapshot());
        let mut families = HashSet::new();
        let mut current = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                current = rest.split(' ').next().unwrap();
                assert!(families.insert(current), "{current} comes twice");
                assert!(rest.len() > current.len() + 1, "{current} has no help");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, current);
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            } else {
                let name = line.split(['{', ' ']).next().unwrap();
                assert_eq!(name, current);
                let value = line.rsplit(' ').next().unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn numbers_are_those_of_the_snapshot() {
        let text = render(&example::snapshot());
        for line in [
            "qamd_build_info{version=\"0.1.0\"} 1",
            "qamd_uptime_seconds 3723",
            "qamd_instruments_wanted 300",
            "qamd_instruments_silent 1",
            "qamd_instruments_refused 1",
            "qamd_instruments_refused_for_good 1",
            "qamd_instruments_short_of_copies 280",
            "qamd_copies_moving 4",
            "qamd_redundancy 2",
            "qamd_in_session 1",
            "qamd_worker_ticks_total{connection_id=\"guangfa_telecom\",broker_id=\"9000\"} 123456",
            "qamd_worker_ticks_per_second{connection_id=\"guangfa_telecom\",broker_id=\"9000\"} 1041.5",
            "qamd_worker_quality{connection_id=\"zhongxin_mobile\",broker_id=\"66666\"} 63.25",
            "qamd_worker_quality_lost{connection_id=\"zhongxin_mobile\",broker_id=\"66666\",part=\"delay\"} 19.5",
            "qamd_worker_quality_lost{connection_id=\"zhongxin_mobile\",broker_id=\"66666\",part=\"gaps\"} 5",
            "qamd_worker_quality_lost{connection_id=\"zhongxin_mobile\",broker_id=\"66666\",part=\"errors\"} 0.25",
            "qamd_worker_quality_lost{connection_id=\"zhongxin_mobile\",broker_id=\"66666\",part=\"disconnects\"} 12",
            "qamd_worker_quality_lost{connection_id=\"zhongxin_mobile\",broker_id=\"66666\",part=\"staleness\"} 0",
            "qamd_worker_standing{connection_id=\"zhongxin_mobile\",broker_id=\"66666\",standing=\"good\"} 0",
            "qamd_worker_standing{connection_id=\"zhongxin_mobile\",broker_id=\"66666\",standing=\"probation\"} 1",
            "qamd_worker_standing{connection_id=\"zhongxin_mobile\",broker_id=\"66666\",standing=\"away\"} 0",
            "qamd_worker_standing{connection_id=\"zhongxin_mobile\",broker_id=\"66666\",standing=\"closed\"} 0",
            "qamd_worker_read_total{connection_id=\"zhongxin_mobile\",broker_id=\"66666\"} 890",
            "qamd_worker_lost_total{connection_id=\"zhongxin_mobile\",broker_id=\"66666\"} 7",
            "qamd_worker_won_total{connection_id=\"zhongxin_mobile\",broker_id=\"66666\"} 70",
            "qamd_worker_copies_total{connection_id=\"zhongxin_mobile\",broker_id=\"66666\"} 800",
            "qamd_worker_behind_seconds_total{connection_id=\"zhongxin_mobile\",broker_id=\"66666\"} 5.25",
            "qamd_worker_late_total{connection_id=\"zhongxin_mobile\",broker_id=\"66666\"} 20",
            "qamd_worker_missed_total{connection_id=\"zhongxin_mobile\",broker_id=\"66666\"} 3",
            "qamd_worker_asked_again_total{connection_id=\"zhongxin_mobile\",broker_id=\"66666\"} 6",
            "qamd_worker_primary{connection_id=\"zhongxin_mobile\",broker_id=\"66666\"} 0",
            "qamd_session_ready{connection_id=\"guangfa_telecom\"} 1",
            "qamd_session_alarm{connection_id=\"simnow\"} 1",
            "qamd_worker_up{connection_id=\"off\",broker_id=\"1\"} 0",
            "qamd_ring_lost_total{listening_on=\"127.0.0.1:7799\"} 7",
            "qamd_frontend_overrun_total{listening_on=\"127.0.0.1:7799\"} 12",
            "qamd_control_overflowed_total 3",
            "qamd_depth_instruments 310",
            "qamd_qamddata_instruments 305",
            "qamd_qamddata_waiting 4",
            "qamd_segments_without_place 1",
            "qamd_qamddata_closed 0",
            "qamd_segments_displaced 0",
            "qamd_qamddata_locks_freed_total 2",
        ] {
            assert!(text.lines().any(|found| found == line), "missing: {line}\n{text}");
        }
    }

    #[test]
    fn a_connection_has_one_standing_and_no_quality_before_it_was_logged_in() {
        let text = render(&example::snapshot());
        let of = |family: &str, name: &str| -> Vec<f64> {
            let begin = format!("{family}{{connection_id=\"{name}\"");
            let lines = text.lines().filter(|line| line.starts_with(&begin));
            lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
        };
        for worker in example::status().workers {
            let name = worker.connection_id.as_str();
            let standings = of("qamd_worker_standing", name);
            assert_eq!((standings.len(), standings.iter().sum::<f64>()), (4, 1.0), "{name}");
            let known = usize::from(worker.quality.is_some());
            assert_eq!(of("qamd_worker_quality", name).len(), known, "{name}");
            assert_eq!(of("qamd_worker_quality_lost", name).len(), known * 5, "{name}");
        }
    }
}
