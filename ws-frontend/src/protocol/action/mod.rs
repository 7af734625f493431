//! The `action` dialect: JSON objects with an `action` from the client, with a `type` from the gateway.
//!
//! | client | gateway |
//! |---|---|
//! | `{"action":"subscribe","instruments":["rb2601","DCE.i2601"]}` | `subscribe_response`, then the latest known tick of each |
//! | `{"action":"unsubscribe","instruments":["rb2601"]}` | `unsubscribe_response` |
//! | `{"action":"list"}` or `list_instruments` | `instrument_list` |
//! | `{"action":"search","pattern":"rb"}` or `search_instruments` | `search_result` |
//! | `{"action":"events","enable":true}` | `events_response`, then `event` whenever something happens to the fleet |
//! | anything else | `error` |
//!
//! A request is granted whole or refused whole. Keys it does not need are ignored; of a key given twice the last counts.

mod event;
mod market_data;
mod reply;
mod request;

pub use event::push_event;
pub use market_data::push_market_data;
pub use reply::{Reply, push_reply};
pub(in crate::protocol) use request::request;
pub use request::{Refusal, Request};
