//! What the sessions of DIFF ask for.

use serde_json::json;

/// Asks for the quotes of these instruments of SHFE.
pub(crate) fn subscribe_quote(instruments: &[String]) -> String {
    let symbols: Vec<String> = instruments.iter().map(|id| symbol(id)).collect();
    json!({"aid": "subscribe_quote", "ins_list": symbols.join(",")}).to_string()
}

/// Asks for the latest bars of 60 s of an instrument of SHFE.
pub(crate) fn set_chart(instrument: &str) -> String {
    json!({
        "aid": "set_chart",
        "chart_id": "bars",
        "ins_list": symbol(instrument),
        "duration": 60_000_000_000_u64,
        "view_width": 200,
    })
    .to_string()
}

fn symbol(instrument: &str) -> String {
    format!("SHFE.{instrument}")
}
