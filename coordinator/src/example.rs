//! A fleet's state for tests of what is made of it.

use shm_layout::control::{
    ConnectionView, FleetStatus, FrontendStats, FrontendStatus, Quality, RefusedInstrument,
    SessionReport, SessionState, Standing, WorkerProcess, WorkerStats, WorkerStatus,
};
use shm_layout::{
    BrokerId, ConnectionId, Date, Epoch, FrontAddr, Incarnation, Instance, InstrumentId, WorkerId,
};

use crate::driver::{ControlTotals, Snapshot};
use crate::fleet::FleetCounters;

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

pub(crate) fn status() -> FleetStatus {
    let alarm = SessionState::Alarm { error_id: 3, message: "CTP:不合法的登录".into() };
    let mut refused = worker("simnow", "9999", WorkerProcess::Running, Some(alarm));
    (refused.subscriptions, refused.acknowledged, refused.ticks_per_second) = (0, 0, 0.0);
    let mut dead =
        worker("haitong_unicom_with_a_rather_long_name", "8000", WorkerProcess::BackingOff, None);
    (dead.restarts, dead.pid, dead.quality, dead.standing) = (3, None, None, Standing::Away);
    dead.last_exit = Some("killed by signal 11 SIGSEGV, core dumped".into());
    let mut off = worker("off", "1", WorkerProcess::Disabled, None);
    (off.pid, off.library_version, off.subscriptions, off.acknowledged) = (None, None, 0, 0);
    (off.quality, off.standing, refused.standing) = (None, Standing::Closed, Standing::Closed);
    refused.quality = None;
    FleetStatus {
        instance: Instance::default(),
        version: "0.1.0".into(),
        pid: 4710,
        uptime_ms: 3_723_000,
        taken_at_ms: 1_795_000_000_000,
        http_address: "127.0.0.1:7798".into(),
        wanted: 5,
        placed: 4,
        acknowledged: 3,
        ticking: 2,
        waiting_for_room: 1,
        queue: vec![InstrumentId::parse("zn2703").unwrap()],
        silent: 0,
        refused_for_good: 1,
        short_of_copies: 0,
        moving: 0,
        redundancy: 1,
        strategy: "connection_quality".into(),
        plan: 12,
        in_session: true,
        workers: vec![
            worker("guangfa_telecom", "9000", WorkerProcess::Running, Some(SessionState::Ready)),
            refused,
            dead,
            off,
        ],
        frontends: vec![FrontendStatus {
            listening_on: "127.0.0.1:7799".into(),
            pid: Some(4712),
            connected: true,
            restarts: 0,
            stats: FrontendStats {
                sessions: 2,
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
        control: ControlTotals { clients: 5, refused: 0, overflowed: 3 },
    }
}
