//! What the clock brings: pings, slow and silent clients, ends of lingers.

use super::{Hub, Moment, Peer, Queued, touch};
use crate::limits::ABSENCE_MIN;
use crate::protocol::frame::{CloseCode, push_ping};
use crate::session::Due;

impl<P: Peer> Hub<P> {
    /// Does what is due.
    pub fn sweep(&mut self, at: Moment) {
        let now = at.now;
        self.tell_losses(at);
        let last = self.swept_at.replace(now);
        let was_absent = last.is_some_and(|at| now.saturating_duration_since(at) >= ABSENCE_MIN);
        for instrument in self.demand.expire(now) {
            self.world.book.release(&instrument, now);
        }
        self.world.book.tidy(now);
        for index in self.sessions.indices() {
            let Some(session) = self.sessions.get_mut(index) else { continue };
            if was_absent {
                session.forgive(now);
            }
            let heard_at = session.peer.heard_at();
            match session.due(heard_at, now) {
                Due::Nothing => {}
                Due::Ping => {
                    let mut frame = Vec::new();
                    push_ping(&mut frame);
                    session.outbox.append(&frame, now);
                    touch(&mut self.touched, index, session);
                }
                Due::SlowConsumer => {
                    self.stats.slow_disconnects += 1;
                    self.close(index, CloseCode::TryAgainLater, "slow consumer", Queued::Drop, now);
                }
                Due::Dead => {
                    self.stats.dead_disconnects += 1;
                    self.drop_session(index, now);
                }
                Due::LingerOver => self.drop_session(index, now),
            }
        }
    }
}
