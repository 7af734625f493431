//! A fleet's state for tests of what is made of it.

use shm_layout::control::{
    ConnectionView, ConnectionWish, FleetStatus, FrontendStats, FrontendStatus, Quality,
    RefusedInstrument, SessionReport, SessionState, Standing, WorkerProcess, WorkerStats,
    WorkerStatus,
};
use shm_layout::{
    BrokerId, ConnectionId, Date, Epoch, FrontAddr, Incarnation, Instance, InstrumentId, WorkerId,
};

use crate::driver::{ControlTotals, Snapshot};
use crate::fleet::FleetCounters;
use crate::segments::SegmentsReport;

pub(crate) fn worker(
    name: &str,
    broker: &str,
    process: WorkerProcess,
    session: Option<SessionState>,
) -> WorkerStatus {
    let trading_day = Date::parse("20261123").ok();
    WorkerStatus {
        connection_id: ConnectionId::parse(name).unwrap(),
        worker: WorkerId(0),
        broker_id: BrokerId::parse(broker).unwrap(),
        front_addr: FrontAddr::parse("tcp://182.254.243.31:30011").unwrap(),
        process,
        pid: Some(4711),
        incarnation: Some(Incarnation(1)),
        restarts: 0,
        library_version: Some("v6.7.13_20260225 14:16:30.12079".into()),
        session: session.map(|state| SessionReport { state, epoch: Epoch(1), trading_day }),
        subscriptions: 4,
        max_subscriptions: 600,
        acknowledged: 3,
        ticks_per_second: 41.5,
        stats: WorkerStats { ticks: 123_456, ..WorkerStats::default() },
        last_exit: None,
        quality: Some(Quality {
            score: 97.4,
            delay: 0.6,
            gaps: 0.0,
            errors: 2.0,
            disconnects: 0.0,
            staleness: 0.0,
        }),
        standing: Standing::Good,
        wish: None,
        priority: 1,
        primary: 4,
        view: ConnectionView::of(WorkerId(0)),
    }
}

/// Its worker runs, and its session is so.
fn running(name: &str, broker: &str, session: SessionState) -> WorkerStatus {
    worker(name, broker, WorkerProcess::Running, Some(session))
}

/// One that came back a while ago, and is slow.
fn on_probation() -> WorkerStatus {
    let slow = running("zhongxin_mobile", "66666", SessionState::Ready);
    WorkerStatus {
        quality: Some(Quality {
            score: 63.25,
            delay: 19.5,
            gaps: 5.0,
            errors: 0.25,
            disconnects: 12.0,
            staleness: 0.0,
        }),
        standing: Standing::Probation,
        stats: WorkerStats { ticks: 900, asked_again: 6, ..WorkerStats::default() },
        primary: 0,
        view: ConnectionView {
            ticks: 890,
            lost: 7,
            won: 70,
            copies: 800,
            behind_ns: 5_250_000_000,
            late: 20,
            missed: 3,
            ..ConnectionView::of(WorkerId(0))
        },
        ..slow
    }
}

/// The connections that do not work, or are not to.
fn out_of_work() -> [WorkerStatus; 5] {
    let alarm = SessionState::Alarm { error_id: 3, message: "CTP:不合法的登录".into() };
    let mut refused = running("simnow", "9999", alarm);
    (refused.subscriptions, refused.acknowledged, refused.ticks_per_second) = (0, 0, 0.0);
    (refused.quality, refused.standing) = (None, Standing::Closed);
    let mut dead =
        worker("haitong_unicom_with_a_rather_long_name", "8000", WorkerProcess::BackingOff, None);
    (dead.restarts, dead.pid, dead.quality, dead.standing) = (3, None, None, Standing::Away);
    dead.last_exit = Some("killed by signal 11 SIGSEGV, core dumped".into());
    let mut away = running("yongan", "0034", SessionState::Disconnected { reason: 0x1001 });
    (away.acknowledged, away.ticks_per_second, away.standing) = (0, 0.0, Standing::Away);
    away.quality = Some(Quality { score: 0.0, disconnects: 108.1, ..faultless() });
    let mut drained = running("huatai", "1080", SessionState::Ready);
    (drained.subscriptions, drained.acknowledged, drained.primary) = (0, 0, 0);
    (drained.standing, drained.wish) = (Standing::Closed, Some(ConnectionWish::Drain));
    drained.library_version = Some("v6.6.9_20220920 16:17:26".into());
    drained.session.as_mut().unwrap().trading_day = Date::parse("20261120").ok();
    drained.ticks_per_second = 0.0;
    let mut off = worker("off", "1", WorkerProcess::Disabled, None);
    (off.pid, off.library_version, off.subscriptions, off.acknowledged) = (None, None, 0, 0);
    (off.quality, off.standing) = (None, Standing::Closed);
    [refused, dead, away, drained, off]
}

/// A quality without a fault.
const fn faultless() -> Quality {
    Quality { score: 100.0, delay: 0.0, gaps: 0.0, errors: 0.0, disconnects: 0.0, staleness: 0.0 }
}

pub(crate) fn status() -> FleetStatus {
    let mut good = running("guangfa_telecom", "9000", SessionState::Ready);
    (good.subscriptions, good.acknowledged, good.ticks_per_second) = (280, 280, 1041.5);
    good.view = ConnectionView { ticks: 9000, won: 820, copies: 70, ..good.view };
    good.view.behind_ns = 66_000_000;
    let mut workers = vec![good, on_probation()];
    workers.extend(out_of_work());
    FleetStatus {
        instance: Instance::default(),
        version: "0.1.0".into(),
        pid: 4710,
        uptime_ms: 3_723_000,
        taken_at_ms: 1_795_000_000_000,
        http_address: "127.0.0.1:7798".into(),
        wanted: 300,
        placed: 288,
        acknowledged: 283,
        ticking: 279,
        waiting_for_room: 11,
        queue: ["zn2703", "zn2704", "ag2612", "au2612", "IF2612", "IC2612", "IH2612"]
            .map(|id| InstrumentId::parse(id).unwrap())
            .to_vec(),
        silent: 1,
        refused_for_good: 1,
        short_of_copies: 280,
        moving: 4,
        redundancy: 2,
        strategy: "connection_quality".into(),
        plan: 1012,
        in_session: true,
        workers,
        frontends: vec![FrontendStatus {
            listening_on: "127.0.0.1:7799".into(),
            pid: Some(4712),
            connected: true,
            restarts: 0,
            stats: FrontendStats {
                sessions: 2,
                diff_sessions: 1,
                ticks: 1000,
                ring_lost: 7,
                overrun: 12,
                pushed: 2000,
                ..FrontendStats::default()
            },
        }],
        refused: vec![RefusedInstrument {
            instrument: InstrumentId::parse("rb9999").unwrap(),
            connection_id: ConnectionId::parse("guangfa_telecom").unwrap(),
            error_id: 16,
            message: "CTP:找不到合约".into(),
        }],
        notices: vec!["qamddata_name: this version does not write the qamddata segment yet".into()],
    }
}

pub(crate) fn snapshot() -> Snapshot {
    Snapshot {
        status: status(),
        counters: FleetCounters::default(),
        segments: SegmentsReport {
            depth_instruments: 310,
            depth_room: 65_226,
            qamddata_instruments: Some(305),
            waiting: 4,
            without_place: 1,
            example: Some("zzz01: nobody knows where".into()),
            locks_freed: 2,
            closed: None,
            displaced: Vec::new(),
        },
        control: ControlTotals { clients: 5, refused: 0, overflowed: 3 },
    }
}
