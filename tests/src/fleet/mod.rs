//! Whole fleets of the real binaries.

mod guardian;
mod home;
mod looking;
mod operating;
mod plan;
mod running;

pub use home::Home;
pub use looking::{is_settled, session_state, worker_of};
pub use operating::Said;
pub use plan::FleetPlan;
pub use running::Fleet;
