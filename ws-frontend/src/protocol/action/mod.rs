//! The `action` dialect: JSON objects with an `action` from the client, with a `type` from the gateway.
//!
//! | client | gateway |
//! |---|---|
//! | `{"action":"subscribe","instruments":["rb2601","DCE.i2601"]}` | `subscribe_response`, then the latest known tick of each |
//! | `{"action":"unsubscribe","instruments":["rb2601"]}` | `unsubscribe_response` |
//! | `{"action":"list"}` or `list_instruments` | `instrument_list` |
//! | `{"action":"search","pattern":"rb"}` or `search_instruments` | `search_result` |
//! | anything else | `error` |
//!
//! A request is granted whole or refused whole. Keys it does not need are ignored; of a key given twice the last counts.

mod json;
mod market_data;
mod reply;
mod request;

pub use market_data::push_market_data;
pub use reply::push_reply;
pub use request::{Refusal, parse};
